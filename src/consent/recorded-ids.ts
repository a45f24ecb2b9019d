import { arrayLiteral, type Database } from '../kernel/database/client.ts';

/** Those of these events that are recorded already: of the person, or of a record that was merged into theirs since. */
export const recordedIds = async (
  database: Database,
  events: readonly { subjectId: string; id: string }[],
): Promise<Set<string>> => {
  if (events.length === 0) return new Set();
  const rows = await database.read<{ id: string }>(
    `with recursive record (root, subject_id) as (
       select distinct k, k from unnest($1::uuid[]) as k
       union select r.root, s.subject_id from record r join subject_state s on s.merged_into = r.subject_id
     )
     select e.id from unnest($1::uuid[], $2::uuid[]) as k (subject_id, id)
     join record r on r.root = k.subject_id
     join consent_event e on e.subject_id = r.subject_id and e.id = k.id`,
    [arrayLiteral(events.map(({ subjectId }) => subjectId)), arrayLiteral(events.map(({ id }) => id))],
  );
  return new Set(rows.map(({ id }) => id));
};
