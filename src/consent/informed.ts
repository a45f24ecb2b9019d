import { setTimeout as sleep } from 'node:timers/promises';
import type { Catalogue, Purpose } from '../policies/index.ts';
import { SubjectContended, throughAliases, type Caller, type SubjectDeps } from '../subjects/index.ts';
import { answersFor, type Answers } from './answers.ts';
import { commitEvents, type Method, type NewEvent } from './commit-events.ts';
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
 * this runs, and where the person was merged since, of who they are now. Nothing is recorded of a purpose that the policy set no longer has.
 * Errors: NoticeUnknown, SubjectContended.
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
  const event: NewEvent = {
    id: told.id,
    purpose: told.purpose,
    scope: {},
    action: 'inform',
    answer: 'informed',
    notice: { version, language, hash },
    method: told.method,
    rank: 'self',
    occurredAt: deps.clock.now().round({ smallestUnit: 'microsecond', roundingMode: 'floor' }),
    system: caller.system,
    policyDigest: catalogue.digest,
  };
  for (let attempt = 0; attempt < 50; attempt++) {
    const state = await throughAliases(deps, await deps.reader.state(told.subjectId));
    if (state.erasedAt) return;
    // Read after the state: whoever records it meanwhile moves the version, and we look again.
    const earlier = await deps.database.query(`select id from consent_event where subject_id = $1 and id = $2`, [
      state.subjectId,
      told.id,
    ]);
    if (earlier.length > 0) return;
    const recorded = await deps.writer.change(
      state.subjectId,
      { verb: 'consent-inform', caller },
      (current, seq) =>
        current.version === state.version
          ? commitEvents([], catalogue, current, seq, [event], event.occurredAt)
          : undefined,
      state,
    );
    if (recorded) return;
    await sleep(Math.random() * 5);
  }
  throw new SubjectContended();
};
