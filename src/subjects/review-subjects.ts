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

/** Notes that these subjects' links stand as they should under a policy set. No fact of a decision, so the version stays. */
export const markReviewed = async (
  database: Database,
  policyDigest: string,
  reviewed: readonly { subjectId: string; version: number; reviewAt: string | null }[],
): Promise<void> => {
  await database.query(
    `update subject_state s set reviewed_policy = $1, review_at = nullif(r.review_at, 'never')::timestamptz
     from unnest($2::uuid[], $3::int[], $4::text[]) as r (subject_id, version, review_at)
     where s.subject_id = r.subject_id and s.version = r.version`,
    [
      policyDigest,
      arrayLiteral(reviewed.map(({ subjectId }) => subjectId)),
      arrayLiteral(reviewed.map(({ version }) => version)),
      arrayLiteral(reviewed.map(({ reviewAt }) => reviewAt ?? 'never')),
    ],
  );
};
