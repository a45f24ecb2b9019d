import type { Database } from '../kernel/database/client.ts';

/** One client as an operator sees it; times RFC 3339, `revokedAt` null while it works. */
export type ClientSummary = {
  clientId: string;
  system: string;
  /** The outside issuer of its tokens; null where we issue them. */
  issuer: string | null;
  externalId: string | null;
  scopes: string[];
  createdAt: string;
  revokedAt: string | null;
};

/** All clients, by system, newest last. */
export const listClients = async (database: Database): Promise<ClientSummary[]> => {
  const rows = await database.query<ClientSummary>(
    `select id as "clientId", system, issuer, external_id as "externalId", scopes, created_at as "createdAt", revoked_at as "revokedAt"
     from client order by system, created_at, id`,
  );
  const rfc3339 = (text: string) => Temporal.Instant.from(text).toString();
  return rows.map((row) => ({
    ...row,
    createdAt: rfc3339(row.createdAt),
    revokedAt: row.revokedAt === null ? null : rfc3339(row.revokedAt),
  }));
};
