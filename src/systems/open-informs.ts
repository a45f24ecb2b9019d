import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import type { InformDue } from './inform-clock.ts';

/** The open obligation to inform a person of a purpose; undefined where there is none. */
export const openInform = async (
  database: Database,
  subjectId: string,
  purpose: string,
): Promise<InformDue | undefined> => {
  const [row] = await database.query<InformDue>(
    `select id as "obligationId", system, due_at as "dueAt" from obligation
     where subject_id = $1 and kind = 'inform' and facts->>'purpose' = $2 and acknowledged_at is null limit 1`,
    [subjectId, purpose],
  );
  return row && { ...row, dueAt: Temporal.Instant.from(row.dueAt).toString() };
};

/** An obligation to inform whose clock still runs; times RFC 3339. */
export type RunningClock = { subjectId: string; id: string; collectedAt: string };

/** Clocks that run beyond `now` (RFC 3339), a page of them in the order of their ids; `after` is the last id of the page before. */
export const runningClocks = (database: Database, now: string, after: string, limit: number): Promise<RunningClock[]> =>
  database.read<RunningClock>(
    `select subject_id as "subjectId", id, facts->>'collectedAt' as "collectedAt" from obligation
     where kind = 'inform' and acknowledged_at is null and due_at > $1::timestamptz and id > $2::uuid order by id limit $3`,
    [now, after, limit],
  );

/**
 * Ends clocks earlier: an open obligation is due `at` the latest. The system is told of it again, at once. Does nothing to one that was due by then
 * anyway, so it may run as often as it likes.
 */
export const bringInformForward = async (
  database: Database,
  ends: readonly { subjectId: string; id: string; at: string }[],
): Promise<void> => {
  if (ends.length === 0) return;
  await database.query(
    `update obligation o set due_at = k.at, next_attempt_at = least(o.next_attempt_at, now())
     from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as k (subject_id, id, at)
     where o.subject_id = k.subject_id and o.id = k.id and o.acknowledged_at is null and o.due_at > k.at`,
    [
      arrayLiteral(ends.map(({ subjectId }) => subjectId)),
      arrayLiteral(ends.map(({ id }) => id)),
      arrayLiteral(ends.map(({ at }) => at)),
    ],
  );
};
