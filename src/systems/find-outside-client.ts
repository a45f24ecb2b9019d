import { isScope, type OutsideClient } from '../http/index.ts';
import type { Database } from '../kernel/database/client.ts';

/** The client that was registered for what an outside issuer calls `externalId`; undefined when there is none, or it was revoked. */
export const findOutsideClient = async (
  database: Database,
  issuer: string,
  externalId: string,
): Promise<OutsideClient | undefined> => {
  const [row] = await database.read<{ clientId: string; system: string; scopes: string[]; createdAt: string }>(
    `select id as "clientId", system, scopes, created_at as "createdAt" from client
     where issuer = $1 and external_id = $2 and revoked_at is null`,
    // PostgreSQL refuses U+0000 in text; such an id is unknown like any other.
    [issuer, externalId.replaceAll('\0', '?')],
  );
  return row && { ...row, scopes: row.scopes.filter(isScope), createdAt: Temporal.Instant.from(row.createdAt) };
};
