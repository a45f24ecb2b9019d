import { randomBytes } from 'node:crypto';
import type { Database } from '../kernel/database/client.ts';
import { isScope, newSecret, SCOPES } from '../http/index.ts';
import { ScopeUnknown, SystemUnknown } from './errors.ts';

/**
 * Makes OAuth client credentials for a system of the catalogue. The secret is answered here and never again.
 * Throws SystemUnknown, ScopeUnknown.
 */
export const createClient = async (
  deps: { database: Database; systems: ReadonlyMap<string, unknown> },
  input: { system: string; scopes: readonly string[] },
): Promise<{ clientId: string; clientSecret: string }> => {
  const { system } = input;
  if (!deps.systems.has(system)) throw new SystemUnknown(system);
  const scopes = [...new Set(input.scopes)];
  // A client without any scope could do nothing: somebody forgot `--scope`.
  const unknown = scopes.length === 0 ? '' : scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined) throw new ScopeUnknown(unknown, Object.keys(SCOPES));
  const clientId = `${system}.${randomBytes(6).toString('hex')}`;
  const { secret, hash } = newSecret();
  await deps.database.query(
    `insert into client (id, system, secret_hash, scopes) values ($1, $2, decode($3, 'hex'), $4::text::jsonb)`,
    [clientId, system, hash.toString('hex'), JSON.stringify(scopes)],
  );
  return { clientId, clientSecret: secret };
};
