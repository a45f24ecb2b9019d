import { arrayLiteral, type Database } from '../kernel/database/client.ts';

/** Which of these events, each named with its subject, are recorded already. */
export const recordedIds = async (
  database: Database,
  events: readonly { subjectId: string; id: string }[],
): Promise<Set<string>> => {
  if (events.length === 0) return new Set();
  const rows = await database.read<{ id: string }>(
    `select e.id from unnest($1::uuid[], $2::uuid[]) as k (subject_id, id)
     join consent_event e on e.subject_id = k.subject_id and e.id = k.id`,
    [arrayLiteral(events.map(({ subjectId }) => subjectId)), arrayLiteral(events.map(({ id }) => id))],
  );
  return new Set(rows.map(({ id }) => id));
};
