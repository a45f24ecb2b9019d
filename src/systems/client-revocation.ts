import { ClientRevoked } from '../http/index.ts';
import { createBatcher } from '../kernel/database/batcher.ts';
import type { Database } from '../kernel/database/client.ts';

type Known = { epoch: number; revoked: ReadonlySet<string> };

/**
 * Answers a check that a token's client still stands. A token lives for minutes and its signature says nothing about revocation, so *each* call reads
 * the epoch from the primary; calls that arrive while a read is under way share the next one. Only when the epoch has moved does
 * the same statement bring the revoked ids. The check throws ClientRevoked; DatabaseUnavailable, DeadlinePassed when nobody can tell.
 */
export const createRevocationCheck = (
  database: Database,
  deadlineMs: number,
): ((clientId: string) => Promise<void>) => {
  let known: Known = { epoch: -1, revoked: new Set() };
  const checks = createBatcher<string, boolean>({
    maxItems: 1_000,
    maxInFlight: 2,
    deadlineMs,
    run: async (clientIds) => {
      const before = known;
      const [row] = await database.read<{ epoch: number; revoked: string[] | null }>(
        `select d.epoch, case when d.epoch <> $1 then (
           select coalesce(json_agg(id), '[]') from client where revoked_at is not null
         ) end as revoked
         from (select coalesce((select clients_epoch from deployment), 0) as epoch) d`,
        [before.epoch],
      );
      // Two reads may answer in the other order: each caller is judged by its own answer, whichever is kept.
      const current = row!.revoked ? { epoch: row!.epoch, revoked: new Set(row!.revoked) } : before;
      known = current;
      return clientIds.map((id) => ({ status: 'fulfilled', value: current.revoked.has(id) }));
    },
  });
  return async (clientId) => {
    if (await checks.submit(clientId)) throw new ClientRevoked();
  };
};
