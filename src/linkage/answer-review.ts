import { setTimeout as sleep } from 'node:timers/promises';
import { SubjectContended, SubjectErased, throughAliases, type SubjectDeps } from '../subjects/index.ts';
import { ReviewAnswered } from './errors.ts';
import { readReview, type ReadReview } from './read-reviews.ts';
import { sealReason } from './review.ts';

/** Colleagues act through the service itself; who it was stands beside it. */
const staffCaller = { system: 'askfirst', clientId: 'askfirst' };

/**
 * A colleague says whether account and customer are one person, once and for good: it stands in the audit of the customer before it holds. It
 * changes no answer of anybody. Errors: ReviewNotFound, ReviewAnswered, SubjectErased.
 */
export const answerReview = async (
  deps: Pick<SubjectDeps, 'database' | 'keys' | 'reader' | 'writer' | 'clock'>,
  person: string,
  { reviewId, answer, reason }: { reviewId: string; answer: 'same-person' | 'not-same-person'; reason: string },
): Promise<ReadReview> => {
  const { subjectId } = await readReview(deps, reviewId);
  for (let attempt = 0; attempt < 50; attempt++) {
    const state = await throughAliases(deps, await deps.reader.state(subjectId));
    if ((await readReview(deps, reviewId)).answer !== null) throw new ReviewAnswered();
    const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
    if (!key || state.erasedAt) throw new SubjectErased();
    const audited = await deps.writer.change(
      state.subjectId,
      { verb: 'answer-review', caller: staffCaller, actor: person },
      (current) => (current.version === state.version ? { rows: [], result: true } : undefined),
      state,
    );
    if (!audited) {
      await sleep(Math.random() * 5);
      continue;
    }
    const answered = await deps.database.query(
      `update match_review set answer = $3, answered_by = $4, answered_at = $5, sealed_reason = decode($6, 'hex')
       where subject_id = $1 and id = $2 and answered_at is null returning id`,
      [
        subjectId,
        reviewId,
        answer,
        person,
        deps.clock.now().toString(),
        sealReason(key, reviewId, reason).toString('hex'),
      ],
    );
    if (answered.length === 0) throw new ReviewAnswered();
    return readReview(deps, reviewId);
  }
  throw new SubjectContended();
};
