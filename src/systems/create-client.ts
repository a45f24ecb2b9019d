import { randomBytes } from 'node:crypto';
import type { Database } from '../kernel/database/client.ts';
import { isScope, newSecret, SCOPES } from '../http/index.ts';
import { ClientExists, ScopeUnknown, SystemUnknown } from './errors.ts';

type Deps = { database: Database; systems: ReadonlyMap<string, unknown> };
type Input = { system: string; scopes: readonly string[] };

/** The id and scopes of a client to be. Throws SystemUnknown, ScopeUnknown. */
const newClient = ({ systems }: Deps, { system, scopes: asked }: Input): { clientId: string; scopes: string } => {
  if (!systems.has(system)) throw new SystemUnknown(system);
  const scopes = [...new Set(asked)];
  // A client without any scope could do nothing: somebody forgot `--scope`.
  const unknown = scopes.length === 0 ? '' : scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined) throw new ScopeUnknown(unknown, Object.keys(SCOPES));
  return { clientId: `${system}.${randomBytes(6).toString('hex')}`, scopes: JSON.stringify(scopes) };
};

/**
 * Makes OAuth client credentials for a system of the catalogue. The secret is answered here and never again.
 * Throws SystemUnknown, ScopeUnknown.
 */
export const createClient = async (deps: Deps, input: Input): Promise<{ clientId: string; clientSecret: string }> => {
  const { clientId, scopes } = newClient(deps, input);
  const { secret, hash } = newSecret();
  await deps.database.query(
    `insert into client (id, system, secret_hash, scopes) values ($1, $2, decode($3, 'hex'), $4::text::jsonb)`,
    [clientId, input.system, hash.toString('hex'), scopes],
  );
  return { clientId, clientSecret: secret };
};

/**
 * Registers what an outside issuer calls `externalId` (`client_id` or `azp` of its tokens) as a client of a system: it has no secret here,
 * and the scopes are the most that its tokens can give. One that was revoked may be registered anew, its old row giving up the name.
 * Throws SystemUnknown, ScopeUnknown, ClientExists.
 */
export const registerOutsideClient = async (
  deps: Deps,
  input: Input & { issuer: string; externalId: string },
): Promise<{ clientId: string }> => {
  const { clientId, scopes } = newClient(deps, input);
  const added = await deps.database.query(
    `with freed as (
       update client set external_id = null where issuer = $4 and external_id = $5 and revoked_at is not null returning id
     )
     insert into client (id, system, scopes, issuer, external_id)
     select $1, $2, $3::text::jsonb, $4, $5 from (select count(*) from freed) as f
     on conflict (issuer, external_id) do nothing returning id`,
    [clientId, input.system, scopes, input.issuer, input.externalId],
  );
  if (added.length === 0) throw new ClientExists();
  return { clientId };
};
