import { arrayLiteral, type Database } from '../kernel/database/client.ts';

/**
 * Subjects whose links must be looked at: their moment has come by the database's clock, or they were last reviewed under another
 * policy set than `policyDigest`.
 */
export const subjectsToReview = async (database: Database, policyDigest: string, limit: number): Promise<string[]> => {
  const rows = await database.query<{ subjectId: string }>(
    `(select subject_id as "subjectId" from subject_state where review_at <= now() order by review_at limit $2)
     union
     (select subject_id from subject_state
      where links <> '[]'::jsonb and (reviewed_policy < $1 or reviewed_policy > $1 or reviewed_policy is null) limit $2)`,
    [policyDigest, limit],
  );
  return rows.map((row) => row.subjectId);
};

/**
 * Notes that these subjects' links stand as they should under a policy set. No fact of a decision, so the version stays. A moment that somebody
 * set meanwhile and that lies ahead stays too. Whoever is being changed is left out, and comes again: a batch of changes locks in another order.
 */
export const markReviewed = async (
  database: Database,
  policyDigest: string,
  reviewed: readonly { subjectId: string; version: number; reviewAt: string | null }[],
): Promise<void> => {
  await database.query(
    `with still as materialized (
       select s.subject_id, nullif(r.review_at, 'never')::timestamptz as review_at
       from unnest($2::uuid[], $3::int[], $4::text[]) as r (subject_id, version, review_at)
       join subject_state s on s.subject_id = r.subject_id and s.version = r.version
       for update of s skip locked
     )
     update subject_state s set reviewed_policy = $1,
       review_at = case when s.review_at > now() then least(s.review_at, still.review_at) else still.review_at end
     from still where s.subject_id = still.subject_id`,
    [
      policyDigest,
      arrayLiteral(reviewed.map(({ subjectId }) => subjectId)),
      arrayLiteral(reviewed.map(({ version }) => version)),
      arrayLiteral(reviewed.map(({ reviewAt }) => reviewAt ?? 'never')),
    ],
  );
};
