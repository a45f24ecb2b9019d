import type { Catalogue, Purpose } from '../policies/index.ts';
import type { Caller, SubjectDeps } from '../subjects/index.ts';
import { answersFor, type Answers } from './answers.ts';
import { commitEvents, type Method } from './commit-events.ts';
import { statusOfScope } from './consent-status.ts';
import { wordsShown, type NoticeShown } from './notice.ts';

/**
 * Whether a person knows of a purpose, as far as the law needs them to be told (Art. 14(5)(a) GDPR): they said no to it, or said yes or were informed
 * with words that are still the right ones, in whatever scope. To be informed is no consent, but knowledge also where consent is the basis. Pure;
 * `at` is epoch milliseconds.
 */
export const isInformedOf = (answers: Answers, purpose: Purpose, at: number): boolean => {
  const known = { ...purpose, legalBasis: 'legitimate-interests' as const };
  return answersFor(answers, purpose.id).some(
    ({ act, scope }) =>
      act !== 'pending' &&
      ['valid-yes', 'informed', 'live-no'].includes(statusOfScope(answers, purpose.id, scope, at, known).code),
  );
};

/**
 * Records that a known person was told of a purpose, whatever its basis: knowledge, never consent. `id` is the event's: recorded once, however often
 * this runs. Nothing is recorded of a purpose that the policy set no longer has. Errors: NoticeUnknown.
 */
export const recordInformed = async (
  deps: Pick<SubjectDeps, 'reader' | 'writer' | 'clock' | 'database'>,
  caller: Caller,
  catalogue: Catalogue,
  told: { id: string; subjectId: string; purpose: string; notice: NoticeShown; method: Method },
): Promise<void> => {
  const purpose = catalogue.purposes.get(told.purpose);
  if (!purpose) return;
  const { version, language } = told.notice;
  const { hash } = wordsShown(purpose, told.notice);
  // Whoever was merged since knows it as the person they are now.
  const subjectId = (await deps.reader.state(told.subjectId)).mergedInto ?? told.subjectId;
  const earlier = await deps.database.query(`select id from consent_event where subject_id = $1 and id = $2`, [
    subjectId,
    told.id,
  ]);
  if (earlier.length > 0) return;
  const now = deps.clock.now().round({ smallestUnit: 'microsecond', roundingMode: 'floor' });
  await deps.writer.change(subjectId, { verb: 'consent-inform', caller }, (state, seq) =>
    state.erasedAt
      ? undefined
      : commitEvents(
          [],
          catalogue,
          state,
          seq,
          [
            {
              id: told.id,
              purpose: told.purpose,
              scope: {},
              action: 'inform',
              answer: 'informed',
              notice: { version, language, hash },
              method: told.method,
              rank: 'self',
              occurredAt: now,
              system: caller.system,
              policyDigest: catalogue.digest,
            },
          ],
          now,
        ),
  );
};
