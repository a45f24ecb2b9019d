import type { Catalogue } from '../policies/index.ts';
import { row, type Change, type Row, type SubjectState } from '../subjects/index.ts';
import { addAnswer, type Answer, type Answers, type ConsentEvent, type Scope } from './answers.ts';
import { consentEvent } from './table.ts';

export type EventAction = 'give' | 'confirm' | 'refuse' | 'inform' | 'withdraw' | 'object';

/** How a person answered. `import` is somebody else's record of it and never ends a no; `gpc` is what their browser says for them. */
export const methods = [
  'web-form',
  'hosted-page',
  'app',
  'email',
  'one-click',
  'direct-message',
  'phone',
  'in-person',
  'paper',
  'gpc',
  'import',
] as const;
export type Method = (typeof methods)[number];

/** One event before it is recorded: all that the algebra of answers and the row of the record need. */
export type NewEvent = {
  id: string;
  purpose: string;
  scope: Scope;
  action: EventAction;
  /** What it means under the legal basis of today. */
  answer: ConsentEvent['act'];
  notice?: { version: number; language: string; hash: Buffer } | undefined;
  method: Method;
  rank: Answer['rank'];
  occurredAt: Temporal.Instant;
  /** Epoch milliseconds. */
  until?: number | undefined;
  guardianOk?: boolean | undefined;
  /** The very browser that brings this answer says Sec-GPC: 1. */
  browserSaidNo?: boolean | undefined;
  confirms?: string | undefined;
  campaign?: string | undefined;
  /** Sealed. */
  evidence?: Buffer | undefined;
  system: string;
  policyDigest: string;
};

/** One recorded event, as everybody may see it who may see the subject's consents. Times are RFC 3339 in UTC. */
export type RecordedEvent = {
  id: string;
  subjectId: string;
  subjectSeq: number;
  purpose: string;
  scope: Scope;
  action: EventAction;
  answer: ConsentEvent['act'];
  by: Answer['rank'];
  notice: { version: number; language: string; hash: string } | null;
  method: string;
  system: string;
  occurredAt: string;
  recordedAt: string;
  expiresAt: string | null;
  confirms: string | null;
  campaign: string | null;
  policyDigest: string;
};

/** A ground that ended: what the rooms above must know to draw their consequences in the same transaction. */
export type GroundEnded = {
  state: SubjectState;
  before: Answers;
  after: Answers;
  /** A purpose, or `*`. */
  purpose: string;
  scope: Scope;
  cause: 'withdrawn' | 'objected' | 'merged';
  at: number;
  catalogue: Catalogue;
};

/** What a consequence wants in the same transaction. Pure: it may run several times. */
export type Consequence = (ended: GroundEnded) => Pick<Change<never>, 'links' | 'reviewAt'> & { rows: Row[] };

const instantOf = (ms: number): string => Temporal.Instant.fromEpochMilliseconds(ms).toString();

/** A browser's Sec-GPC while it is on: since when (epoch milliseconds), and to which purposes it has objected since. `false`: turned off again. */
export type Gpc = { since: number; objected: readonly string[] } | false;

export const gpcOf = (state: SubjectState): Gpc => (state.signals as { gpc?: Gpc }).gpc ?? false;

/** Whether it was said while the browser said no: by when it occurred, for a letter may be written down long afterwards. */
const saidDespiteGpc = (event: NewEvent, gpc: Gpc): boolean =>
  event.answer === 'yes' &&
  (event.browserSaidNo === true || (gpc !== false && event.occurredAt.epochMilliseconds >= gpc.since));

/** The event as `addAnswer` takes it. */
const answerOf = (event: NewEvent, seq: number, despiteGpc: boolean): ConsentEvent => ({
  purpose: event.purpose,
  act: event.answer,
  scope: event.scope,
  at: event.occurredAt.epochMilliseconds,
  seq,
  id: event.id,
  rank: event.rank,
  own: event.method !== 'import',
  notice: event.notice?.version ?? 0,
  ...(event.until === undefined ? {} : { until: event.until }),
  ...(event.guardianOk === undefined ? {} : { guardianOk: event.guardianOk }),
  ...(event.action === 'object' ? { objection: true as const } : {}),
  ...(event.method === 'gpc' ? { signal: true as const } : {}),
  ...(despiteGpc ? { despiteGpc: true as const } : {}),
});

const rowOf = (event: NewEvent, seq: number, despiteGpc: boolean): Row =>
  row(consentEvent, {
    id: event.id,
    subjectSeq: seq,
    purpose: event.purpose,
    scope: event.scope,
    action: event.action,
    answer: event.answer,
    noticeVersion: event.notice?.version,
    noticeLanguage: event.notice?.language,
    noticeHash: event.notice?.hash,
    method: event.method,
    rank: event.rank,
    ownAct: event.method !== 'import',
    guardianOk: event.guardianOk,
    despiteGpc: despiteGpc || undefined,
    confirms: event.confirms,
    campaign: event.campaign,
    system: event.system,
    evidence: event.evidence,
    policyDigest: event.policyDigest,
    occurredAt: event.occurredAt.toString(),
    expiresAt: event.until === undefined ? undefined : instantOf(event.until),
  });

/**
 * What becomes of a person by these events, in their order, with everything that follows from the noes among them. Pure. `now`: the moment
 * of the commit. Throws what `addAnswer` throws.
 */
export const commitEvents = (
  consequences: readonly Consequence[],
  catalogue: Catalogue,
  state: SubjectState,
  seq: number,
  events: readonly NewEvent[],
  now: Temporal.Instant,
): Change<number> => {
  const change: Change<number> & { answers: Answers } = { answers: state.answers as Answers, rows: [], result: seq };
  let links = state.links;
  for (const event of events) {
    const before = change.answers;
    const despiteGpc = saidDespiteGpc(event, gpcOf(state));
    change.answers = addAnswer(before, answerOf(event, seq, despiteGpc));
    change.rows.push(rowOf(event, seq, despiteGpc));
    // A no that the legal basis gives no right to is recorded for a human and ends nothing.
    if (event.answer !== 'no' || change.answers === before) continue;
    change.voidLeases = true;
    const ended: GroundEnded = {
      state: { ...state, links },
      before,
      after: change.answers,
      purpose: event.purpose,
      scope: event.scope,
      cause: event.action === 'object' ? 'objected' : 'withdrawn',
      at: now.epochMilliseconds,
      catalogue,
    };
    for (const consequence of consequences) {
      const { rows, ...rest } = consequence(ended);
      Object.assign(change, rest);
      change.rows.push(...rows);
      ended.state = { ...ended.state, links: change.links ?? links };
    }
    links = change.links ?? links;
  }
  return change;
};

/** The event as it was recorded. */
export const recordedEvent = (
  event: NewEvent,
  subjectId: string,
  { result: subjectSeq, recordedAt }: { result: number; recordedAt: string },
): RecordedEvent => ({
  id: event.id,
  subjectId,
  subjectSeq,
  purpose: event.purpose,
  scope: event.scope,
  action: event.action,
  answer: event.answer,
  by: event.rank,
  notice: event.notice ? { ...event.notice, hash: event.notice.hash.toString('hex') } : null,
  method: event.method,
  system: event.system,
  occurredAt: event.occurredAt.toString(),
  recordedAt: Temporal.Instant.from(recordedAt).toString(),
  expiresAt: event.until === undefined ? null : instantOf(event.until),
  confirms: event.confirms ?? null,
  campaign: event.campaign ?? null,
  policyDigest: event.policyDigest,
});
