import { setTimeout as sleep } from 'node:timers/promises';
import { consentStatus, type Answers } from '../consent/index.ts';
import { reviewCounts } from '../decisions/index.ts';
import { isGranted, type Catalogue } from '../policies/index.ts';
import {
  refer,
  row,
  SubjectContended,
  SubjectErased,
  SubjectNotFound,
  type Caller,
  type SubjectDeps,
} from '../subjects/index.ts';
import { AccountNeeded, LinkNotGranted, NoStands } from './errors.ts';
import { queued, queuedColumns, sealDetails, type Details, type QueuedReview } from './review.ts';
import { matchReview } from './table.ts';

/**
 * Puts a likely match before a colleague. A system asks once: while a review of these two identifiers and this purpose is open, or its answer counts,
 * asking again answers that one, so that nobody asks until somebody says yes. Where either side has said no there is nothing to look at.
 * Errors: LinkNotGranted, AccountNeeded, SubjectNotFound, SubjectErased, NoStands, those of `refer`.
 */
export const requestReview = async (
  deps: SubjectDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: {
    customer: string;
    identity: string;
    purpose: string;
    match: Details['match'];
    chain?: string[] | undefined;
    note?: string | undefined;
  },
): Promise<{ review: QueuedReview; created: boolean }> => {
  const { system } = caller;
  const purpose = catalogue.purposes.get(input.purpose);
  if (!purpose || !isGranted(catalogue, system, 'link', purpose.id)) throw new LinkNotGranted();
  const customer = refer(deps, catalogue, system, input.customer, 'customer');
  const identity = refer(deps, catalogue, system, input.identity, 'identity');
  const chain = input.chain ?? [];
  for (const [index, hop] of chain.entries()) refer(deps, catalogue, system, hop, `chain.${index}`);
  if (identity.handle || !catalogue.platforms.has(identity.namespace)) throw new AccountNeeded();

  for (let attempt = 0; attempt < 50; attempt++) {
    const state = await deps.reader.stateOf(customer.blindIndex);
    if (!state) throw new SubjectNotFound('customer');
    const { subjectId } = state;
    const now = deps.clock.now();
    // Read after the state: whoever asks meanwhile moves the version, and we look again.
    const [earlier] = await deps.database.query<QueuedReview>(
      `select ${queuedColumns} from match_review
       where subject_id = $1 and system = $2 and purpose = $3 and customer_ref = $4 and identity_ref = $5
         and (answered_at is null or answered_at > $6::timestamptz) order by id desc limit 1`,
      [subjectId, system, purpose.id, customer.blindIndex, identity.blindIndex, now.subtract(reviewCounts).toString()],
    );
    if (earlier) return { review: queued(earlier), created: false };
    const account = await deps.reader.stateOf(identity.blindIndex);
    const saidNo = [state, account].some(
      (side) =>
        side &&
        consentStatus(
          side.answers as Answers,
          purpose.id,
          { platform: identity.namespace },
          now.epochMilliseconds,
          purpose,
        ).code === 'live-no',
    );
    if (saidNo) throw new NoStands();
    const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
    if (!key || state.erasedAt) throw new SubjectErased();
    const review: QueuedReview = {
      reviewId: deps.ids.uuid(),
      subjectId,
      system,
      purpose: purpose.id,
      requestedAt: now.round({ smallestUnit: 'microsecond', roundingMode: 'floor' }).toString(),
      answer: null,
      answeredBy: null,
      answeredAt: null,
    };
    const details = { customer: input.customer, identity: input.identity, match: input.match, chain, note: input.note };
    const sealed = sealDetails(key, review.reviewId, details);
    const changed = await deps.writer.change(
      subjectId,
      { verb: 'request-review', caller },
      (current) =>
        current.version === state.version
          ? {
              rows: [
                row(matchReview, {
                  id: review.reviewId,
                  system,
                  purpose: purpose.id,
                  customerRef: customer.blindIndex,
                  identityRef: identity.blindIndex,
                  sealed,
                  requestedAt: review.requestedAt,
                }),
              ],
              result: review,
            }
          : undefined,
      state,
    );
    if (changed) return { review, created: true };
    await sleep(Math.random() * 5);
  }
  throw new SubjectContended();
};
