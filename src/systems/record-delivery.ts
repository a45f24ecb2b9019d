import type { Database } from '../kernel/database/client.ts';
import type { Leased } from './lease-obligations.ts';

/**
 * Writes back what came of an attempt, when to try again and what the problem was (null: the system took it). Does nothing when somebody else
 * has taken the obligation since, or when it was acknowledged meanwhile.
 */
export const recordDelivery = async (
  database: Database,
  { subjectId, id, leaseToken }: Leased,
  problem: string | null,
  retrySeconds: number,
): Promise<void> => {
  await database.query(
    `update obligation
     set delivered_at = case when $4::text is null then coalesce(delivered_at, now()) else delivered_at end, last_problem = $4,
       next_attempt_at = now() + make_interval(secs => $5), leased_until = null
     where subject_id = $1 and id = $2 and lease_token = $3 and acknowledged_at is null`,
    [subjectId, id, leaseToken, problem, retrySeconds],
  );
};

/** One statement stays short, however much has gathered; whoever brings forward again gets the next ones. */
const mostBroughtForward = 10_000;

/** A system that answers again gets what it has missed now, not when each retry happens to be due. */
export const bringForward = async (database: Database, system: string): Promise<void> => {
  await database.query(
    `update obligation o set next_attempt_at = now()
     from (
       select subject_id, id from obligation
       where system = $1 and acknowledged_at is null and delivered_at is null and next_attempt_at > now()
         and (leased_until is null or leased_until < now())
       order by next_attempt_at limit $2::int for update skip locked
     ) missed
     where o.subject_id = missed.subject_id and o.id = missed.id`,
    [system, mostBroughtForward],
  );
};
