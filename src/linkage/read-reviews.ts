import type { SubjectDeps } from '../subjects/index.ts';
import { ReviewNotFound } from './errors.ts';
import { openDetails, openReason, queued, queuedColumns, type Details, type QueuedReview } from './review.ts';

/** Reviews, the oldest first, without what would say whom they are about. `after`: the last of the page before. */
export const listReviews = async (
  deps: Pick<SubjectDeps, 'database'>,
  { status, after, limit }: { status: 'open' | 'answered'; after?: string | undefined; limit: number },
): Promise<{ reviews: QueuedReview[]; next: string | null }> => {
  const rows = await deps.database.query<QueuedReview>(
    `select ${queuedColumns} from match_review
     where answered_at is ${status === 'open' ? '' : 'not'} null and id > $1::uuid order by id limit $2`,
    [after ?? '00000000-0000-0000-0000-000000000000', limit],
  );
  return { reviews: rows.map(queued), next: rows.length === limit ? rows.at(-1)!.reviewId : null };
};

export type ReadReview = QueuedReview & Partial<Details> & { reason?: string };

/** One review with what was sealed; that is absent once the person was erased. Throws ReviewNotFound. */
export const readReview = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  reviewId: string,
): Promise<ReadReview> => {
  const [row] = await deps.database.query<QueuedReview & { sealed: Buffer; sealedReason: Buffer | null }>(
    `select ${queuedColumns}, sealed, sealed_reason as "sealedReason" from match_review where id = $1`,
    [reviewId],
  );
  if (!row) throw new ReviewNotFound();
  const { sealed, sealedReason, ...review } = row;
  const key = (await deps.keys.subjectKeys([review.subjectId])).get(review.subjectId);
  return {
    ...queued(review),
    ...(key && openDetails(key, reviewId, sealed)),
    ...(key && sealedReason && { reason: openReason(key, reviewId, sealedReason) }),
  };
};
