import { TooManyAnswers } from './errors.ts';

/** What an answer can be narrowed to; the words of the policies. */
export type Dimension = 'platform' | 'channel' | 'topic' | 'form' | 'recipient';

/** A partial map dimension -> value; a dimension that is not named means "whatever it is". */
export type Scope = Readonly<Partial<Record<Dimension, string>>>;

/** GDPR Art. 6(1)(a), (b), (c), (e), (f). */
export type LegalBasis = 'consent' | 'contract' | 'legal-obligation' | 'public-task' | 'legitimate-interests';

/** The key of a "no to everything", which also covers purposes that do not exist yet. */
export const everything = '*';

/**
 * One event as `subject_state.answers` keeps it. Times are epoch milliseconds.
 * - `act`: `pending` waits for the second step of a double opt-in; `informed` says that the notice was given (Art. 13, 14).
 * - `seq`: subjectSeq, higher than that of every event of this person before it.
 * - `rank`: who spoke. `own`: their own act, neither import nor merge.
 * - `notice`: version of the words shown, 0 where none were.
 * - `until`: the first moment at which it is valid no longer (see `expiry.ts`); without it, never.
 * - `guardianOk`: set where a guardian is needed (Art. 8): whether the guardian's part is in order.
 * - `objection`: a no under Art. 21; it counts like every other no.
 * - `signal`: an objection that the person's browser said by Sec-GPC; `despiteGpc`: a yes given while it did, which no such signal ends.
 */
export type Answer = {
  readonly act: 'yes' | 'no' | 'informed' | 'pending';
  readonly scope: Scope;
  readonly at: number;
  readonly seq: number;
  readonly id: string;
  readonly rank: 'self' | 'guardian';
  readonly own: boolean;
  readonly notice: number;
  readonly until?: number;
  readonly guardianOk?: boolean;
  readonly objection?: true;
  readonly signal?: true;
  readonly despiteGpc?: true;
};

/** Per purpose, and under `*`, the answers that can still matter. */
export type Answers = Readonly<Record<string, readonly Answer[]>>;

/**
 * A recorded event. A `request` is a no that the legal basis gives no right to, kept for a human; `unproven` an imported yes without its
 * evidence. Neither is ever an answer.
 */
export type ConsentEvent = Omit<Answer, 'act'> & {
  readonly purpose: string;
  readonly act: Answer['act'] | 'request' | 'unproven';
};

/** Yeses of one scope that may wait side by side: only old letters typed in out of order ever need more than a handful. */
export const yesesPerScope = 32;

const none: readonly Answer[] = [];

/** The answers for exactly this purpose (or `*`), without what it inherits. */
export const answersFor = (answers: Answers, purpose: string): readonly Answer[] =>
  Object.hasOwn(answers, purpose) ? answers[purpose]! : none;

/** Whether `scope` names at least all that `outer` names: an event covers a check whose scope is within its own. */
export const within = (scope: Scope, outer: Scope): boolean => {
  for (const dimension in outer) {
    if (outer[dimension as Dimension] !== scope[dimension as Dimension]) return false;
  }
  return true;
};

const sameScope = (one: Scope, other: Scope): boolean => within(one, other) && within(other, one);

const ranksAtLeast = (one: Answer, other: Answer): boolean => one.rank === 'self' || other.rank === 'guardian';

/** Art. 8: what a guardian says counts only when in order; what a child says, unless a guardian was needed and is not. */
export const guardianInOrder = (answer: Answer): boolean =>
  answer.rank === 'guardian' ? answer.guardianOk === true : answer.guardianOk !== false;

/** A yes that the person gave although their browser said no already: the browser's no is not over it, whichever came first. */
const wasMeant = (yes: Answer, no: Answer): boolean => no.signal === true && yes.despiteGpc === true;

/**
 * Whether this yes speaks to that no (DESIGN section 6): (a) its scope is equal or narrower, it occurred later, (c) it was
 * an own act, (d) it has equal or higher rank. Whether it also was *recorded* later is the other half of (b).
 */
export const contradicts = (yes: Answer, no: Answer): boolean =>
  (yes.at > no.at || wasMeant(yes, no)) && yes.own && ranksAtLeast(yes, no) && within(yes.scope, no.scope);

/** Whether this yes, while it is valid, keeps that no from being live: all of (a) to (d). A tie is a no. */
export const overrides = (yes: Answer, no: Answer): boolean =>
  (yes.seq > no.seq || wasMeant(yes, no)) && contradicts(yes, no);

/** What `act` becomes under this legal basis (DESIGN section 6): no right to refuse a contract or a legal obligation. */
export const recordedAct = (act: Answer['act'], basis: LegalBasis): ConsentEvent['act'] =>
  act === 'no' && (basis === 'contract' || basis === 'legal-obligation') ? 'request' : act;

/**
 * Folds one more event into what is kept of a person's history. An answer is left out only if it can never matter again:
 * `consentStatus` of the result equals that of the whole history for every check, at any time, under any notice, whatever
 * comes afterwards (property-tested against `test/support/consent-reference.ts`).
 * Pure; throws `RangeError` on an event that is not newer than those kept or a yes to everything (consent is specific,
 * Art. 6(1)(a)), and `TooManyAnswers` rather than forget a yes. A no is never refused.
 */
export const addAnswer = (answers: Answers, event: ConsentEvent): Answers => {
  const { purpose, act, ...facts } = event;
  if (act === 'request' || act === 'unproven') return answers;
  if (act === 'yes' && purpose === everything) throw new RangeError('a yes names its purpose');
  const before = answersFor(answers, purpose);
  if (before.some((answer) => answer.seq >= event.seq)) throw new RangeError('events are added in the order of seq');

  const added: Answer = { act, ...facts };
  const open = purpose === everything ? withoutAnswered(answers, added) : answers;
  const grown = { ...open, [purpose]: [...before.filter((answer) => !isAnsweredBy(answer, added)), added] };
  const kept = purpose === everything ? pruneAll(grown) : { ...grown, [purpose]: prune(grown, purpose) };
  if (
    act === 'yes' &&
    kept[purpose]!.filter((a) => a.act === 'yes' && sameScope(a.scope, added.scope)).length > yesesPerScope
  ) {
    throw new TooManyAnswers();
  }
  return kept;
};

/** A no that covers a question settles it; so does a yes of the same person to the same question, and to ask it anew, for then the newer code counts. */
export const isAnsweredBy = (pending: Answer, later: Answer): boolean => {
  if (pending.act !== 'pending' || later.act === 'informed') return false;
  if (later.act === 'no') return within(pending.scope, later.scope);
  return pending.rank === later.rank && sameScope(pending.scope, later.scope);
};

/** A "no to everything" is an answer to every question. */
const withoutAnswered = (answers: Answers, no: Answer): Answers =>
  Object.fromEntries(Object.entries(answers).map(([id, all]) => [id, all.filter((one) => !isAnsweredBy(one, no))]));

/** The answers without those that can never matter again, for whoever put them together otherwise than by `addAnswer`. */
export const pruned = (answers: Answers): Answers => pruneAll(answers);

/** A new "no to everything" can make another such no pointless, and with it the yeses that were kept against it. */
const pruneAll = (answers: Answers): Answers => {
  const kept: Record<string, readonly Answer[]> = { ...answers, [everything]: prune(answers, everything) };
  for (const purpose of Object.keys(kept)) kept[purpose] = prune(kept, purpose);
  return kept;
};

/**
 * The answers for one purpose (or `*`) without those that can never matter again. Exact, because a future event has a higher
 * `seq` than all of these (so a yes kept here can override only noes already known, and those that a browser may yet say), and because an
 * answer goes only beside others that stay and do all it does.
 */
const prune = (answers: Answers, purpose: string): readonly Answer[] => {
  const inherited = purpose === everything ? none : answersFor(answers, everything);
  const elsewhere = purpose === everything ? Object.keys(answers).map((other) => answersFor(answers, other)) : [];
  let kept = answersFor(answers, purpose);
  for (const answer of kept) {
    const others = kept.filter((other) => other !== answer);
    const pointless =
      answer.act === 'no'
        ? isPointlessNo(answer, others, purpose === everything ? elsewhere : [others])
        : isPointlessYes(answer, others, inherited);
    if (pointless) kept = others;
  }
  return kept;
};

/** Valid whenever the other one is: at any time, under any newest notice, whatever turns out to be the person's age (`narrowByAge`). */
const isAsValid = (one: Answer, other: Answer): boolean =>
  (one.until ?? Infinity) >= (other.until ?? Infinity) &&
  one.notice === other.notice &&
  one.rank === other.rank &&
  one.at >= other.at &&
  (guardianInOrder(one) || !guardianInOrder(other));

/** A yes (or a pending or informed one) beside one of the same scope that is as strong and overrides the same noes. */
const isPointlessYes = (answer: Answer, others: readonly Answer[], inherited: readonly Answer[]): boolean => {
  const asStrong = others.filter(
    (other) =>
      other.act === answer.act &&
      (other.own || !answer.own) &&
      (other.despiteGpc || !answer.despiteGpc) &&
      isAsValid(other, answer) &&
      sameScope(other.scope, answer.scope),
  );
  if (asStrong.length === 0 || answer.act !== 'yes') return asStrong.length > 0;
  const noes = [...others, ...inherited].filter((other) => other.act === 'no' && overrides(answer, other));
  return noes.every((no) => asStrong.some((yes) => overrides(yes, no)));
};

/**
 * A no beside one of the same scope that is live whenever this one is: every later yes against that one speaks against this
 * one too, and so does every known yes or one as valid. `yeses` lists the answers per purpose, since a yes never speaks for another.
 */
const isPointlessNo = (no: Answer, others: readonly Answer[], yeses: readonly (readonly Answer[])[]): boolean =>
  others.some(
    (other) =>
      other.act === 'no' &&
      other.at >= no.at &&
      ranksAtLeast(other, no) &&
      (!other.signal || no.signal) &&
      sameScope(other.scope, no.scope) &&
      yeses.every((answers) => {
        const against = answers.filter((answer) => answer.act === 'yes' && overrides(answer, no));
        return answers.every(
          (yes) =>
            yes.act !== 'yes' ||
            !overrides(yes, other) ||
            against.some((answer) => isAsValid(answer, yes) && within(yes.scope, answer.scope)),
        );
      }),
  );
