import type { Database } from '../kernel/database/client.ts';
import { ClientUnknown } from './errors.ts';

/**
 * Ends a client: no new tokens, and tokens it already has are refused by every instance from their next request on. The mark and the
 * epoch that all instances read move in one statement. Revoking again changes nothing. Throws ClientUnknown.
 */
export const revokeClient = async (database: Database, clientId: string): Promise<void> => {
  const rows = await database.query(
    `with revoked as (
       update client set revoked_at = coalesce(revoked_at, now()) where id = $1 returning id
     ), moved as (
       insert into deployment (one, clients_epoch) select true, 1 from revoked
       on conflict (one) do update set clients_epoch = deployment.clients_epoch + 1
     )
     select id from revoked`,
    [clientId],
  );
  if (rows.length === 0) throw new ClientUnknown();
};
