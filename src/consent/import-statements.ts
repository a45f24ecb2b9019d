import { liesAhead } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import { derivedUuid } from '../kernel/ids.ts';
import type { Catalogue, Language, Purpose } from '../policies/index.ts';
import type { Change, SubjectState } from '../subjects/index.ts';
import { answersFor, everything, overrides, recordedAct, within, type Answers, type Scope } from './answers.ts';
import { birthMonthId } from './birth-month.ts';
import { consentAge } from './coming-of-age.ts';
import { commitEvents, type Consequence, type EventAction, type NewEvent } from './commit-events.ts';
import { PurposeUnknown, ScopeUnknown } from './errors.ts';
import { expiryOf } from './expiry.ts';
import { wordsShown } from './notice.ts';

/** One answer of a person in somebody else's records. `occurredAt`: RFC 3339. */
export type ImportedStatement = {
  purpose: string;
  scope: Scope;
  decision: 'given' | 'refused' | 'withdrawn' | 'objected' | 'informed';
  occurredAt?: string | undefined;
  /** How it came about, as those records show it. */
  evidence?: string | undefined;
  /** The words that they had seen. */
  notice?: { version: number; language: Language; hash?: string | undefined } | undefined;
};

/** Why a yes of an import permits nothing. */
export const unprovenBecause = [
  'no-moment',
  'in-future',
  'no-evidence',
  'no-notice',
  'other-words',
  'notice-newer',
  'purpose-retired',
] as const;
export type UnprovenBecause = (typeof unprovenBecause)[number];

/** What an import makes of a statement, before it is known whose it is. */
export type Judged = Omit<NewEvent, 'id' | 'evidence'> & {
  because?: UnprovenBecause;
  undated: boolean;
  words?: string | undefined;
};

const actions: Record<ImportedStatement['decision'], EventAction> = {
  given: 'give',
  refused: 'refuse',
  withdrawn: 'withdraw',
  objected: 'object',
  informed: 'inform',
};

export class NotOfThisBasis extends AppError {
  constructor(purpose: string) {
    super('consent.not-of-this-basis', 'unprocessable', `purpose "${purpose}" takes no answer of this kind`, {
      member: 'decision',
    });
  }
}

const assertScope = (purpose: Purpose, scope: Scope, catalogue: Catalogue): void => {
  for (const [dimension, value] of Object.entries(scope) as [keyof Scope, string][]) {
    if (!purpose.dimensions.includes(dimension)) throw new ScopeUnknown(dimension, purpose.id, 'is not a dimension');
    const exists =
      dimension === 'platform'
        ? catalogue.platforms.has(value)
        : purpose.values[dimension]!.some((one) => (typeof one === 'string' ? one : one.id) === value);
    if (!exists) throw new ScopeUnknown(dimension, purpose.id, 'is not a value');
  }
};

const floored = (instant: Temporal.Instant): Temporal.Instant =>
  instant.round({ smallestUnit: 'microsecond', roundingMode: 'floor' });

/** The hash of the words that a yes was said to, or what is missing for it to count: Art. 7(1) GDPR wants it demonstrated, Art. 4(11) informed. */
const proofOf = (
  purpose: Purpose,
  statement: ImportedStatement,
  at: Temporal.Instant | undefined,
  now: Temporal.Instant,
): UnprovenBecause | { hash: Buffer } => {
  if (purpose.retired !== undefined) return 'purpose-retired';
  if (!at) return 'no-moment';
  if (liesAhead(at, now)) return 'in-future';
  if (!statement.evidence) return 'no-evidence';
  if (!statement.notice) return 'no-notice';
  const notice = purpose.notices.find(({ version }) => version === statement.notice!.version);
  if (!notice) return 'no-notice';
  // Whoever answered before these words were there has seen others.
  if (at.toString().slice(0, 10) < notice.since) return 'notice-newer';
  try {
    return wordsShown(purpose, statement.notice);
  } catch {
    return 'other-words';
  }
};

const saysNo = (decision: ImportedStatement['decision']): boolean => decision !== 'given' && decision !== 'informed';

/**
 * Whether anybody can have said this, whoever and whenever. Pure. Throws PurposeUnknown, ScopeUnknown, NotOfThisBasis.
 */
export const assertSayable = (
  catalogue: Catalogue,
  { purpose: id, scope, decision }: Pick<ImportedStatement, 'purpose' | 'scope' | 'decision'>,
): void => {
  const purpose = catalogue.purposes.get(id);
  if (!purpose && !(saysNo(decision) && id === everything)) throw new PurposeUnknown();
  if (purpose) assertScope(purpose, scope, catalogue);
  const byConsent = purpose?.legalBasis === 'consent';
  if ((decision === 'informed' && byConsent) || (decision === 'given' && !byConsent && Object.keys(scope).length === 0))
    throw new NotOfThisBasis(id);
};

/**
 * What a statement of an import means. A no always counts, at the latest from now on; a yes, or that somebody was told, only with its
 * moment, its evidence and a notice of ours that was there at that moment: else it is `unproven`. Pure.
 * Throws PurposeUnknown, ScopeUnknown, NotOfThisBasis.
 */
export const judgeImported = (
  catalogue: Catalogue,
  system: string,
  statement: ImportedStatement,
  now: Temporal.Instant,
): Judged => {
  const { decision, scope } = statement;
  assertSayable(catalogue, statement);
  const purpose = catalogue.purposes.get(statement.purpose);
  const stated = statement.occurredAt === undefined ? undefined : floored(Temporal.Instant.from(statement.occurredAt));
  const about = {
    purpose: statement.purpose,
    scope,
    action: actions[decision],
    method: 'import' as const,
    rank: 'self' as const,
    system,
    policyDigest: catalogue.digest,
    words: statement.evidence,
  };
  if (saysNo(decision)) {
    const undated = stated === undefined || liesAhead(stated, now);
    return {
      ...about,
      answer: purpose && recordedAct('no', purpose.legalBasis) === 'request' ? 'request' : 'no',
      undated,
      occurredAt: undated ? now : stated,
    };
  }
  const proof = proofOf(purpose!, statement, stated, now);
  const undated = stated === undefined || proof === 'in-future';
  const occurredAt = undated ? now : stated;
  if (typeof proof === 'string') return { ...about, answer: 'unproven', because: proof, undated, occurredAt };
  return {
    ...about,
    answer: decision === 'given' ? 'yes' : 'informed',
    undated,
    occurredAt,
    notice: { version: statement.notice!.version, language: statement.notice!.language, hash: proof.hash },
    until: decision === 'given' ? expiryOf(stated!, purpose!.validity) : undefined,
  };
};

/**
 * The id of a statement: the same for the same person, source and content, so that a file read twice, or two that overlap, add nothing twice.
 * `person` is a blind index: a keyed hash that nobody outside can compute, and so neither this one. What is undated
 * is of the file that says it (`source`): a later file that says it again says it later.
 */
export const importedEventId = (
  source: string,
  person: string,
  judged: Judged,
  statement: ImportedStatement,
): string => {
  const scope = Object.entries(judged.scope).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const content = JSON.stringify([
    'import',
    judged.system,
    person,
    judged.purpose,
    scope,
    judged.action,
    judged.undated ? source : judged.occurredAt.toString(),
    judged.answer,
    statement.evidence,
    judged.notice?.version,
    judged.notice?.language,
  ]);
  return derivedUuid(content);
};

/**
 * Whether an undated no of another file adds nothing: the person has said exactly that, and no yes speaks against it. Where one does, the no counts
 * again, because nobody can tell which was meant last. Pure.
 */
export const isSaidAlready = (answers: Answers, { purpose, scope, answer, undated }: Judged): boolean => {
  const all = answersFor(answers, purpose);
  const noes = all.filter((one) => one.act === 'no' && within(one.scope, scope) && within(scope, one.scope));
  return (
    undated &&
    answer === 'no' &&
    purpose !== everything &&
    noes.some((no) => !all.some((yes) => yes.act === 'yes' && overrides(yes, no)))
  );
};

/** Whose birth month is known was asked for it because of Art. 8 GDPR; an import cannot tell whether it was the guardian who agreed. */
const asOfAge = (event: NewEvent, state: SubjectState, catalogue: Catalogue): NewEvent => {
  const purpose = catalogue.purposes.get(event.purpose);
  const age = purpose && consentAge(purpose, catalogue.jurisdictions.get(catalogue.controller.jurisdiction));
  const isJudged = event.answer === 'yes' && age !== undefined && birthMonthId(state.signals) !== undefined;
  return isJudged ? { ...event, guardianOk: false } : event;
};

/** What becomes of a person by several imported events, each with a place of its own in their history. Pure. */
export const commitImported = (
  consequences: readonly Consequence[],
  catalogue: Catalogue,
  state: SubjectState,
  firstSeq: number,
  events: readonly NewEvent[],
  now: Temporal.Instant,
): Change<number> => {
  let current = state;
  const whole: Change<number> = { rows: [], result: events.length, advances: events.length };
  events.forEach((event, index) => {
    const {
      rows,
      result: _seq,
      ...change
    } = commitEvents(consequences, catalogue, current, firstSeq + index, [asOfAge(event, current, catalogue)], now);
    whole.rows.push(...rows);
    Object.assign(whole, change);
    current = { ...current, answers: change.answers ?? current.answers, links: change.links ?? current.links };
  });
  return whole;
};
