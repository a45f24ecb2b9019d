import { liesAhead } from '../kernel/clock.ts';
import { seal } from '../kernel/crypto/key-encryption.ts';
import type { Catalogue, Purpose } from '../policies/index.ts';
import {
  refer,
  registerSubject,
  row,
  SubjectErased,
  type Caller,
  type Change,
  type IdempotencyMark,
  type Row,
  type SubjectDeps,
  type SubjectState,
} from '../subjects/index.ts';
import { addAnswer, answersFor, everything, recordedAct, type Answer, type Answers, type Scope } from './answers.ts';
import { expiryOf } from './expiry.ts';
import { OccurredInFuture, PurposeUnknown, ScopeUnknown } from './errors.ts';
import { wordsShown, type NoticeShown } from './notice.ts';
import { consentEvent } from './table.ts';

export type EventAction = 'give' | 'refuse' | 'withdraw' | 'object' | 'inform';

/** How a person answered. `import` is somebody else's record of it and never ends a no. */
export const methods = ['web-form', 'app', 'email', 'direct-message', 'phone', 'in-person', 'paper', 'import'] as const;
export type Method = (typeof methods)[number];

/** A ground that ended: what the rooms above must know to draw their consequences in the same transaction. */
export type GroundEnded = {
  state: SubjectState;
  before: Answers;
  after: Answers;
  /** A purpose, or `*`. */
  purpose: string;
  scope: Scope;
  cause: 'withdrawn' | 'objected';
  at: number;
  catalogue: Catalogue;
};

/** What a consequence wants in the same transaction. Pure: it may run several times. */
export type Consequence = (ended: GroundEnded) => Pick<Change<never>, 'links' | 'reviewAt'> & { rows: Row[] };

export type ConsentDeps = SubjectDeps & { consequences: readonly Consequence[] };

export type EventInput = {
  subject: string;
  purpose: string;
  scope: Scope;
  action: EventAction;
  notice?: NoticeShown | undefined;
  method: Method;
  occurredAt?: string | undefined;
  evidence?: string | undefined;
  actor?: string | undefined;
  idempotency?: IdempotencyMark | undefined;
};

/** One recorded event, as everybody may see it who may see the subject's consents. Times are RFC 3339 in UTC. */
export type RecordedEvent = {
  id: string;
  subjectId: string;
  subjectSeq: number;
  purpose: string;
  scope: Scope;
  action: EventAction;
  notice: { version: number; language: string; hash: string } | null;
  method: string;
  system: string;
  occurredAt: string;
  recordedAt: string;
  expiresAt: string | null;
  policyDigest: string;
};

/** What an action means to the algebra of answers. */
const actOf: Record<EventAction, Exclude<Answer['act'], 'pending'>> = {
  give: 'yes',
  inform: 'informed',
  refuse: 'no',
  withdraw: 'no',
  object: 'no',
};

/**
 * Whether a scope is one of the purpose. A no may also name what the policies have retired since, if the person ever answered about
 * it: it must stay possible to take back what was given (Art. 7(3) GDPR).
 */
const checkScope = (purpose: Purpose, scope: Scope, catalogue: Catalogue, earlier: readonly Answer[]): void => {
  for (const [dimension, value] of Object.entries(scope) as [keyof Scope, string][]) {
    if (earlier.some((answer) => answer.scope[dimension] === value)) continue;
    if (!purpose.dimensions.includes(dimension)) throw new ScopeUnknown(dimension, purpose.id, 'is not a dimension');
    const exists =
      dimension === 'platform'
        ? catalogue.platforms.has(value)
        : purpose.values[dimension]!.some((allowed) => (typeof allowed === 'string' ? allowed : allowed.id) === value);
    if (!exists) throw new ScopeUnknown(dimension, purpose.id, 'is not a value');
  }
};

/** Under the person's own key, which was made with the person: where it is gone, the person was erased, and none is made again. */
const sealEvidence = async (deps: ConsentDeps, subjectId: string, eventId: string, words: string): Promise<Buffer> => {
  const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  if (!key) throw new SubjectErased();
  return seal(key, Buffer.from(words), `evidence:${eventId}`);
};

/**
 * Records one answer of a person in one transaction with everything that follows from it. The person is found by the identifier, or
 * created: a no of somebody unknown is kept as well as a yes. Noes go in their own lane of the writer.
 * Errors: PurposeUnknown, ScopeUnknown, NoticeUnknown, NoticeWordsDiffer, OccurredInFuture, SubjectErased, and those of `refer`.
 */
export const recordEvent = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: EventInput,
): Promise<RecordedEvent> => {
  const reference = refer(deps, catalogue, caller.system, input.subject, 'subject');
  const purpose = catalogue.purposes.get(input.purpose);
  const act = actOf[input.action];
  const words = purpose && input.notice ? wordsShown(purpose, input.notice) : undefined;
  // PostgreSQL keeps microseconds: what is signed now must be what is read again.
  const now = deps.clock.now().round({ smallestUnit: 'microsecond', roundingMode: 'floor' });
  const occurredAt =
    input.occurredAt === undefined
      ? now
      : Temporal.Instant.from(input.occurredAt).round({ smallestUnit: 'microsecond', roundingMode: 'floor' });
  if (liesAhead(occurredAt, now)) throw new OccurredInFuture();
  const until = act === 'yes' ? expiryOf(occurredAt, purpose?.validity) : undefined;

  const urgent = act === 'no';
  const found = await deps.reader.stateOf(reference.blindIndex, urgent);
  const earlier = urgent && found ? answersFor(found.answers as Answers, input.purpose) : [];
  if (purpose) checkScope(purpose, input.scope, catalogue, earlier);
  else if (!urgent || (input.purpose !== everything && earlier.length === 0)) throw new PurposeUnknown();
  const subjectId = found?.subjectId ?? (await registerSubject(deps, caller, { references: [reference] })).subjectId;
  const eventId = input.idempotency?.resourceId ?? deps.ids.uuid();
  const evidence =
    input.evidence === undefined ? undefined : await sealEvidence(deps, subjectId, eventId, input.evidence);

  const recorded = await deps.writer.change(
    subjectId,
    { verb: `consent-${input.action}`, caller, actor: input.actor, idempotency: input.idempotency, urgent },
    (state, seq) => {
      if (state.erasedAt) throw new SubjectErased();
      const before = state.answers as Answers;
      const answer = purpose && recordedAct(act, purpose.legalBasis) === 'request' ? 'request' : act;
      const after = addAnswer(before, {
        purpose: input.purpose,
        act: answer,
        scope: input.scope,
        at: occurredAt.epochMilliseconds,
        seq,
        id: eventId,
        rank: 'self',
        own: input.method !== 'import',
        notice: input.notice?.version ?? 0,
        ...(until === undefined ? {} : { until }),
        ...(input.action === 'object' ? { objection: true as const } : {}),
      });
      const event = row(consentEvent, {
        id: eventId,
        subjectSeq: seq,
        purpose: input.purpose,
        scope: input.scope,
        action: input.action,
        answer,
        noticeVersion: input.notice?.version,
        noticeLanguage: input.notice?.language,
        noticeHash: words?.hash,
        method: input.method,
        rank: 'self',
        ownAct: input.method !== 'import',
        system: caller.system,
        evidence,
        policyDigest: catalogue.digest,
        occurredAt: occurredAt.toString(),
        expiresAt: until === undefined ? undefined : Temporal.Instant.fromEpochMilliseconds(until).toString(),
      });
      // A no that the legal basis gives no right to is recorded for a human and ends nothing.
      if (act !== 'no' || after === before) return { answers: after, rows: [event], result: seq };
      const cause = input.action === 'object' ? ('objected' as const) : ('withdrawn' as const);
      const change: Change<number> = { answers: after, voidLeases: true, rows: [event], result: seq };
      const ended = {
        state,
        before,
        after,
        purpose: input.purpose,
        scope: input.scope,
        cause,
        at: now.epochMilliseconds,
        catalogue,
      };
      for (const consequence of deps.consequences) {
        const { rows, ...rest } = consequence(ended);
        Object.assign(change, rest);
        change.rows.push(...rows);
      }
      return change;
    },
    found,
  );
  return {
    id: eventId,
    subjectId,
    subjectSeq: recorded!.result,
    purpose: input.purpose,
    scope: input.scope,
    action: input.action,
    notice: words
      ? { version: input.notice!.version, language: input.notice!.language, hash: words.hash.toString('hex') }
      : null,
    method: input.method,
    system: caller.system,
    occurredAt: occurredAt.toString(),
    recordedAt: Temporal.Instant.from(recorded!.recordedAt).toString(),
    expiresAt: until === undefined ? null : Temporal.Instant.fromEpochMilliseconds(until).toString(),
    policyDigest: catalogue.digest,
  };
};
