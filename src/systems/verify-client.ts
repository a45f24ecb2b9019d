import { isScope, secretMatches, type Scope } from '../http/index.ts';
import type { Database } from '../kernel/database/client.ts';

const nobody = Buffer.alloc(32);

/**
 * The system and scopes behind client credentials; undefined when the id is unknown, the secret is wrong, the client has none because an
 * outside issuer vouches for it, or it was revoked: in the same time and by the same steps, so that the answer does not tell which.
 */
export const verifyClient = async (
  database: Database,
  clientId: string,
  clientSecret: string,
): Promise<{ system: string; scopes: Scope[] } | undefined> => {
  const [row] = await database.query<{ system: string; scopes: string[]; secretHash: Buffer | null; revoked: boolean }>(
    'select system, scopes, secret_hash as "secretHash", revoked_at is not null as revoked from client where id = $1',
    // PostgreSQL refuses U+0000 in text; such an id is unknown like any other.
    [clientId.replaceAll('\0', '?')],
  );
  const matches = secretMatches(clientSecret, row?.secretHash ?? nobody);
  if (!row?.secretHash || !matches || row.revoked) return undefined;
  return { system: row.system, scopes: row.scopes.filter(isScope) };
};
