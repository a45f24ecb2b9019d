import { unseal } from '../kernel/crypto/key-encryption.ts';
import { isCode, oneTimeCode } from '../kernel/crypto/one-time-code.ts';
import type { Catalogue, Language } from '../policies/index.ts';
import {
  blindIndex,
  IdentifiersOfTwoSubjects,
  parseIdentifier,
  registerSubject,
  throughAliases,
  type Caller,
} from '../subjects/index.ts';
import { birthMonthId } from './birth-month.ts';
import { answersFor, type Answers } from './answers.ts';
import { commitEvents, recordedEvent, type Method, type NewEvent, type RecordedEvent } from './commit-events.ts';
import { ConfirmationRefused } from './errors.ts';
import { readConfirmed, readEvent } from './read-history.ts';
import { microseconds, termsOfYes, type ConsentDeps } from './record-event.ts';

/** Whether the yes still waits: not lapsed, and nothing was said since that settles it (`addAnswer` then drops the question). */
export const isWaiting = (answers: Answers, pending: { id: string; purpose: string }, at: number): boolean =>
  answersFor(answers, pending.purpose).some(
    ({ act, id, until }) => act === 'pending' && id === pending.id && until !== undefined && until > at,
  );

/** Who types the code reads the mailbox: it is theirs from now on, unless somebody else has shown the same in between. Throws ConfirmationRefused. */
const claimMailbox = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  { subjectId, eventId, sealed }: { subjectId: string; eventId: string; sealed: Buffer },
): Promise<void> => {
  const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  if (!key) throw new ConfirmationRefused();
  const mailbox = parseIdentifier(unseal(key, sealed, `confirm:${eventId}`).toString(), catalogue, 'confirmAt');
  const reference = { ...mailbox, blindIndex: blindIndex(deps.secrets.blindIndex.key, mailbox) };
  try {
    await registerSubject(deps, caller, { subjectId, references: [reference] });
  } catch (error) {
    throw error instanceof IdentifiersOfTwoSubjects ? new ConfirmationRefused() : error;
  }
};

/**
 * The second step of a double opt-in: the person typed the code from the mail, which makes the pending yes a yes of this moment. The same code
 * again answers the same. Each try loses an attempt by the statement that reads them, so guesses cannot race. Throws ConfirmationRefused for
 * every reason alike: a wrong code, a lapsed or unknown question, one that a no came after.
 */
export const confirmConsent = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: { subjectId: string; eventId: string; code: string; gpc?: boolean },
): Promise<RecordedEvent> => {
  const { subjectId, eventId } = input;
  const now = microseconds(deps.clock.now());
  const [open] = await deps.database.query<{ sealedMailbox: Buffer | null }>(
    `update confirmation set attempts_left = attempts_left - 1
     where subject_id = $1 and id = $2 and attempts_left > 0 and expires_at > $3
     returning sealed_mailbox as "sealedMailbox"`,
    [subjectId, eventId, now.toString()],
  );
  if (!open || !isCode(input.code, oneTimeCode(deps.secrets.codes.key, `confirm:${eventId}`)))
    throw new ConfirmationRefused();
  const done = await readConfirmed(deps.database, subjectId, eventId);
  if (done) return done;
  const pending = await readEvent(deps.database, subjectId, eventId);
  const purpose = catalogue.purposes.get(pending.purpose);
  if (!purpose || purpose.retired) throw new ConfirmationRefused();

  if (open.sealedMailbox)
    await claimMailbox(deps, caller, catalogue, { subjectId, eventId, sealed: open.sealedMailbox });

  const isGuardian = pending.by === 'guardian';
  const terms = await termsOfYes(deps, catalogue, purpose, {
    state: await throughAliases(deps, await deps.reader.state(subjectId)),
    occurredAt: now,
    isGuardian,
  });
  const event: NewEvent = {
    id: deps.ids.uuid(),
    purpose: pending.purpose,
    scope: pending.scope,
    action: 'confirm',
    answer: 'yes',
    notice: pending.notice
      ? {
          version: pending.notice.version,
          language: pending.notice.language as Language,
          hash: Buffer.from(pending.notice.hash, 'hex'),
        }
      : undefined,
    method: pending.method as Method,
    rank: pending.by,
    occurredAt: now,
    until: terms.until,
    guardianOk: terms.guardianOk,
    // This yes was meant, whatever the signal ends (`recordGpcSignal` notes it afterwards).
    browserSaidNo: input.gpc,
    confirms: eventId,
    campaign: pending.campaign ?? undefined,
    system: caller.system,
    policyDigest: catalogue.digest,
  };
  const recorded = await deps.writer.change(subjectId, { verb: 'consent-confirm', caller }, (state, seq) => {
    // An alias has no questions open, and whoever learns another birth month in between asks anew.
    if (state.erasedAt || state.mergedInto !== null || birthMonthId(state.signals) !== terms.birthMonth)
      return undefined;
    if (!isWaiting(state.answers as Answers, pending, now.epochMilliseconds)) return undefined;
    return commitEvents(deps.consequences, catalogue, state, seq, [event], now);
  });
  if (recorded) return recordedEvent(event, subjectId, recorded);
  // The same code may have been typed twice at once.
  const meanwhile = await readConfirmed(deps.database, subjectId, eventId);
  if (meanwhile) return meanwhile;
  const state = await deps.reader.state(subjectId);
  if (state.erasedAt || state.mergedInto !== null || birthMonthId(state.signals) === terms.birthMonth)
    throw new ConfirmationRefused();
  // The code was right, so the attempt is given back and all is looked at again.
  await deps.database.query(
    'update confirmation set attempts_left = attempts_left + 1 where subject_id = $1 and id = $2',
    [subjectId, eventId],
  );
  return confirmConsent(deps, caller, catalogue, input);
};
