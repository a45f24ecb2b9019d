import { liesAhead } from '../kernel/clock.ts';
import { oneTimeCode } from '../kernel/crypto/one-time-code.ts';
import { seal } from '../kernel/crypto/key-encryption.ts';
import { DatabaseRefused } from '../kernel/database/errors.ts';
import type { TakeTokens } from '../http/rate-limit.ts';
import { mailValues } from '../kernel/mail/mail-values.ts';
import { mail } from '../kernel/table.ts';
import { languages, type Catalogue, type Language, type Purpose } from '../policies/index.ts';
import {
  formatIdentifier,
  refer,
  registerSubject,
  row,
  SubjectContended,
  SubjectErased,
  SubjectNotFound,
  throughAliases,
  type Caller,
  type IdempotencyMark,
  type Reference,
  type Row,
  type SubjectDeps,
  type SubjectState,
} from '../subjects/index.ts';
import { answersFor, everything, recordedAct, within, type Answer, type Answers, type Scope } from './answers.ts';
import { birthMonthId, readBirthMonth } from './birth-month.ts';
import { byAge, consentAge } from './coming-of-age.ts';
import {
  commitEvents,
  recordedEvent,
  type Consequence,
  type EventAction,
  type Method,
  type NewEvent,
  type RecordedEvent,
} from './commit-events.ts';
import { confirmationMail } from './confirmation-mail.ts';
import { expiryOf } from './expiry.ts';
import {
  ConfirmationUnavailable,
  ConsentNotTheBasis,
  EvidenceMissing,
  GuardianUnverified,
  NoSaidAlready,
  OccurredInFuture,
  PurposeRetired,
  PurposeUnknown,
  ScopeUnknown,
  TooManyConfirmations,
} from './errors.ts';
import { wordsShown, type NoticeShown } from './notice.ts';
import { confirmation } from './table.ts';

export type ConsentDeps = SubjectDeps & {
  consequences: readonly Consequence[];
  /** What happens when a record becomes an alias. */
  onMerged: readonly Consequence[];
  /** Whether there is a mail server to send codes by. */
  mailReady: boolean;
  takeTokens: TakeTokens;
};

export type EventInput = {
  /** The person, by an identifier of the caller's or by the id. */
  subject?: string | undefined;
  subjectId?: string | undefined;
  purpose: string;
  scope: Scope;
  action: Exclude<EventAction, 'confirm'>;
  notice?: NoticeShown | undefined;
  method: Method;
  occurredAt?: string | undefined;
  evidence?: string | undefined;
  actor?: string | undefined;
  /** The answer is a guardian's, who confirms a yes by the code in a mail to `confirmAt`. */
  guardian?: { confirmAt?: string | undefined } | undefined;
  /** A mailbox to which the code of a double opt-in goes. */
  confirmAt?: string | undefined;
  /** The confirmation by which the person has just proved the mailbox: what else they chose on the same page needs no mail of its own. */
  confirmedBy?: string | undefined;
  campaign?: string | undefined;
  idempotency?: IdempotencyMark | undefined;
  /** The id of the event, where whoever records it twice must find it recorded: the second time is refused by the database (`isRecordedAlready`). */
  eventId?: string | undefined;
  /** The purpose was one of ours when the link was sealed that says this no: it counts although the policies know the purpose no more. */
  purposeWasOurs?: boolean | undefined;
  /** A no that says only what one since then said already, with nothing but noes after it, is not recorded again (NoSaidAlready). */
  unlessSaidSince?: Temporal.Instant | undefined;
};

/** What an action means to the algebra of answers. */
const actOf: Record<EventInput['action'], Exclude<Answer['act'], 'pending'>> = {
  give: 'yes',
  inform: 'informed',
  refuse: 'no',
  withdraw: 'no',
  object: 'no',
};

const confirmationLifetime = Temporal.Duration.from({ hours: 48 });
const confirmationAttempts = 5;
/** Nobody's mailbox is flooded by forms that somebody else fills in. */
const confirmationsPerDay = 5;

/** Answers that a colleague writes down for a person: how it was given has to be found again (Art. 7(1) GDPR). */
const writtenDown: ReadonlySet<Method> = new Set(['phone', 'paper']);
/** Where a guardian stood or wrote before a colleague, who can say so. */
const guardianSeen: ReadonlySet<Method> = new Set(['phone', 'paper', 'in-person']);
/** Where anybody could have typed anybody's address. */
const typedByAnybody: ReadonlySet<Method> = new Set(['web-form', 'hosted-page']);

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

/**
 * What needs no consent is agreed to in two ways only: narrowed, as a choice within it (the channel on which a contract is served), or by
 * whoever takes an objection back. Throws ConsentNotTheBasis.
 */
const assertMayAgree = (purpose: Purpose, scope: Scope, known: SubjectState | undefined): void => {
  if (purpose.legalBasis === 'consent' || Object.keys(scope).length > 0) return;
  const answers = (known?.answers ?? {}) as Answers;
  const objected = [...answersFor(answers, purpose.id), ...answersFor(answers, everything)].some(
    ({ act }) => act === 'no',
  );
  if (!objected) throw new ConsentNotTheBasis(purpose.id);
};

/** The person's own key, which was made with the person: where it is gone, the person was erased, and none is made again. */
const keyOf = async (deps: Pick<SubjectDeps, 'keys'>, subjectId: string): Promise<Buffer> => {
  const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  if (!key) throw new SubjectErased();
  return key;
};

/** PostgreSQL keeps microseconds: what is signed now must be what is read again. */
export const microseconds = (instant: Temporal.Instant): Temporal.Instant =>
  instant.round({ smallestUnit: 'microsecond', roundingMode: 'floor' });

/** The mailbox that must confirm this yes; undefined where none has to. Throws ConfirmationUnavailable, GuardianUnverified. */
const mailboxOf = (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: EventInput,
  purpose: Purpose,
): Reference | undefined => {
  if (input.action !== 'give' || input.confirmedBy !== undefined) return undefined;
  const { guardian, scope, method, evidence } = input;
  const refuse = (member: string, why: string) => new ConfirmationUnavailable(member, why);
  const member = guardian ? 'guardian.confirmAt' : 'confirmAt';
  let address = guardian ? guardian.confirmAt : input.confirmAt;
  if (guardian && address === undefined) {
    // Art. 8(2) GDPR: reasonable efforts to see that it is the guardian who speaks.
    if (evidence === undefined || !guardianSeen.has(method)) throw new GuardianUnverified();
    return undefined;
  }
  const mustConfirm =
    purpose.doubleOptIn && typedByAnybody.has(method) && (scope.channel === undefined || scope.channel === 'email');
  if (address === undefined && mustConfirm) {
    if (!input.subject?.startsWith('email:'))
      throw refuse(
        member,
        'must name the mailbox ("email:…") that is to confirm: this purpose asks for a double opt-in',
      );
    address = input.subject;
  }
  if (address === undefined) return undefined;
  const mailbox = refer(deps, catalogue, caller.system, address, member);
  if (mailbox.namespace !== 'email') throw refuse(member, 'must be a mailbox such as "email:eva@example.org"');
  if (!deps.mailReady) throw refuse(member, 'cannot be asked: this service has no mail server (MAIL_URL)');
  return mailbox;
};

/**
 * Whether a mailbox is known to be the person's. A code proves something only where it goes to whoever the answer is said to be of: not to somebody else,
 * not to a family at once, and a guardian's not to the child. Throws ConfirmationUnavailable, GuardianUnverified.
 */
const isOwnMailbox = async (
  deps: ConsentDeps,
  mailbox: Reference,
  who: { reference: Reference | undefined; known: SubjectState | undefined; isGuardian: boolean },
): Promise<boolean> => {
  const { sides } = await deps.reader.sides([{ blindIndex: mailbox.blindIndex, purpose: everything }]);
  const { subjectId, shared } = sides[0]!;
  const isTheirs =
    mailbox.blindIndex === who.reference?.blindIndex || (subjectId !== null && subjectId === who.known?.subjectId);
  if (who.isGuardian) {
    if (isTheirs) throw new GuardianUnverified();
    return true;
  }
  if (shared)
    throw new ConfirmationUnavailable('confirmAt', 'is shared by several people, so nobody can confirm by it');
  if (!isTheirs && subjectId !== null)
    throw new ConfirmationUnavailable('confirmAt', 'must be a mailbox of the person, or of nobody yet');
  return isTheirs;
};

/** Whether the person's own no to exactly this is no older than `since`, and nothing but noes came after it. */
const isSaidSince = (answers: Answers, { purpose, scope }: EventInput, since: Temporal.Instant): boolean => {
  const all = answersFor(answers, purpose);
  const last = Math.max(0, ...all.filter(({ act }) => act !== 'no').map(({ seq }) => seq));
  return all.some(
    (one) =>
      one.act === 'no' &&
      one.rank === 'self' &&
      !one.signal &&
      one.at >= since.epochMilliseconds &&
      one.seq > last &&
      within(one.scope, scope) &&
      within(scope, one.scope),
  );
};

/** Whether recording failed because an event of this `eventId` is recorded already. */
export const isRecordedAlready = (error: unknown): boolean =>
  error instanceof DatabaseRefused && error.constraint === 'consent_event_subject_id_id_pk';

const earliest = (...moments: (number | undefined)[]): number | undefined => {
  const given = moments.filter((moment) => moment !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
};

/**
 * Until when a yes holds, and what the guardian's part is worth: for the yes itself and for its confirmation. True as long as `birthMonth` is the
 * one that counts: another may be told at any moment.
 */
export const termsOfYes = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  catalogue: Catalogue,
  purpose: Purpose,
  yes: { state: SubjectState | undefined; occurredAt: Temporal.Instant; isGuardian: boolean },
): Promise<{
  birthMonth: string | undefined;
  until?: number | undefined;
  guardianOk?: boolean | undefined;
}> => {
  const { state, occurredAt, isGuardian } = yes;
  const birthMonth = state && birthMonthId(state.signals);
  const end = expiryOf(occurredAt, purpose.validity);
  if (purpose.legalBasis !== 'consent') return { birthMonth, until: end };
  const month = state && (await readBirthMonth(deps, state));
  const age = consentAge(purpose, catalogue.jurisdictions.get(catalogue.controller.jurisdiction));
  const { guardianOk, until } = byAge(month, age, occurredAt, isGuardian);
  return { birthMonth, guardianOk, until: earliest(end, until) };
};

const find = async (
  deps: ConsentDeps,
  input: EventInput,
  reference: Reference | undefined,
  urgent: boolean,
): Promise<SubjectState | undefined> => {
  const state = reference
    ? await deps.reader.stateOf(reference.blindIndex, urgent)
    : await deps.reader.state(input.subjectId!, urgent);
  if (!reference && state!.version === 0) throw new SubjectNotFound('subjectId');
  return state && throughAliases(deps, state);
};

/** The rows of a double opt-in: the code's attempts and the mail that carries it. */
const confirmationRows = (
  deps: ConsentDeps,
  catalogue: Catalogue,
  about: {
    mailbox: Reference;
    key: Buffer;
    event: NewEvent;
    purpose: Purpose;
    now: Temporal.Instant;
    endsAt: Temporal.Instant;
    isOwn: boolean;
  },
): Row[] => {
  const { mailbox, key, event, purpose, now, endsAt, isOwn } = about;
  const content = confirmationMail({
    to: formatIdentifier(mailbox).slice('email:'.length),
    language: (languages as readonly string[]).includes(event.notice?.language ?? '')
      ? (event.notice!.language as Language)
      : catalogue.controller.languages[0]!,
    code: oneTimeCode(deps.secrets.codes.key, `confirm:${event.id}`),
    controller: catalogue.controller.name,
    purpose,
    forChild: event.rank === 'guardian',
  });
  return [
    row(confirmation, {
      id: event.id,
      attemptsLeft: confirmationAttempts,
      expiresAt: endsAt.toString(),
      ...(isOwn ? {} : { sealedMailbox: seal(key, Buffer.from(formatIdentifier(mailbox)), `confirm:${event.id}`) }),
    }),
    row(mail, mailValues(key, { id: event.id, kind: 'confirm-consent', content, now, endsAt })),
  ];
};

/**
 * Records one answer of a person in one transaction with everything that follows from it. The person is found by the identifier, or
 * created: a no of somebody unknown is kept as well as a yes. Noes go in their own lane of the writer. A yes that has to be confirmed is
 * `pending`, and the mail with its code is owed by the same transaction.
 * Errors: PurposeUnknown, PurposeRetired, ConsentNotTheBasis, ScopeUnknown, NoticeUnknown, NoticeWordsDiffer, OccurredInFuture, EvidenceMissing, GuardianUnverified, GuardianNotNeeded,
 * ConfirmationUnavailable, TooManyConfirmations, NoSaidAlready, SubjectErased, SubjectNotFound, and those of `refer`.
 */
export const recordEvent = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: EventInput,
): Promise<RecordedEvent> => {
  const reference =
    input.subject === undefined ? undefined : refer(deps, catalogue, caller.system, input.subject, 'subject');
  const purpose = catalogue.purposes.get(input.purpose);
  const act = actOf[input.action];
  const urgent = act === 'no';
  const words = purpose && input.notice ? wordsShown(purpose, input.notice) : undefined;
  const now = microseconds(deps.clock.now());
  const occurredAt = input.occurredAt === undefined ? now : microseconds(Temporal.Instant.from(input.occurredAt));
  if (liesAhead(occurredAt, now)) throw new OccurredInFuture();
  if (purpose?.retired && act !== 'no') throw new PurposeRetired(purpose.id);
  if (act === 'yes' && writtenDown.has(input.method)) {
    if (input.evidence === undefined) throw new EvidenceMissing('evidence');
    if (input.actor === undefined) throw new EvidenceMissing('actor');
  }

  const known = await find(deps, input, reference, urgent);
  const earlier = urgent && known ? answersFor(known.answers as Answers, input.purpose) : [];
  if (purpose) checkScope(purpose, input.scope, catalogue, earlier);
  else if (!urgent || (input.purpose !== everything && earlier.length === 0 && !input.purposeWasOurs))
    throw new PurposeUnknown();
  if (purpose && input.action === 'give') assertMayAgree(purpose, input.scope, known);
  const mailbox = purpose && mailboxOf(deps, caller, catalogue, input, purpose);
  const isOwn =
    mailbox && (await isOwnMailbox(deps, mailbox, { reference, known, isGuardian: input.guardian !== undefined }));
  if (mailbox) {
    const { granted } = await deps.takeTokens(`confirm:${mailbox.blindIndex}`, 1, confirmationsPerDay, 86_400);
    if (granted === 0) throw new TooManyConfirmations();
  }
  const eventId = input.eventId ?? input.idempotency?.resourceId ?? deps.ids.uuid();

  let found = known;
  for (let attempt = 0; attempt < 50; attempt++) {
    const subjectId = found?.subjectId ?? (await registerSubject(deps, caller, { references: [reference!] })).subjectId;
    const sealsSomething = input.evidence !== undefined || mailbox !== undefined;
    const key = sealsSomething ? await keyOf(deps, subjectId) : undefined;
    const isGuardian = input.guardian !== undefined;
    const terms =
      act === 'yes' ? await termsOfYes(deps, catalogue, purpose!, { state: found, occurredAt, isGuardian }) : undefined;
    const endsAt = now.add(confirmationLifetime);
    const event: NewEvent = {
      id: eventId,
      purpose: input.purpose,
      scope: input.scope,
      action: input.action,
      answer: mailbox ? 'pending' : purpose ? recordedAct(act, purpose.legalBasis) : act,
      notice: words && { version: input.notice!.version, language: input.notice!.language, hash: words.hash },
      method: input.method,
      rank: isGuardian ? 'guardian' : 'self',
      occurredAt,
      until: mailbox ? endsAt.epochMilliseconds : terms?.until,
      guardianOk: terms?.guardianOk,
      campaign: input.campaign,
      evidence:
        input.evidence === undefined ? undefined : seal(key!, Buffer.from(input.evidence), `evidence:${eventId}`),
      system: caller.system,
      policyDigest: catalogue.digest,
    };
    const owed = mailbox
      ? confirmationRows(deps, catalogue, { mailbox, key: key!, event, purpose: purpose!, now, endsAt, isOwn: isOwn! })
      : [];

    const recorded = await deps.writer.change(
      subjectId,
      { verb: `consent-${input.action}`, caller, actor: input.actor, idempotency: input.idempotency, urgent },
      (state, seq) => {
        if (state.erasedAt) throw new SubjectErased();
        if (input.unlessSaidSince && isSaidSince(state.answers as Answers, input, input.unlessSaidSince))
          throw new NoSaidAlready();
        // The record became an alias, or another birth month was told since it was read.
        if (state.mergedInto !== null || (terms && birthMonthId(state.signals) !== terms.birthMonth)) return undefined;
        const change = commitEvents(deps.consequences, catalogue, state, seq, [event], now);
        return { ...change, rows: [...change.rows, ...owed] };
      },
      found,
    );
    if (recorded) return recordedEvent(event, subjectId, recorded);
    found = await throughAliases(deps, await deps.reader.state(subjectId, urgent));
  }
  throw new SubjectContended();
};
