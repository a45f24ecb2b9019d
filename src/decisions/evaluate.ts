import type { Clock } from '../kernel/clock.ts';
import type { Ids } from '../kernel/ids.ts';
import {
  compactFacts,
  reasonsOf,
  type Catalogue,
  type Language,
  type PolicySets,
  type Reason,
  type Texts,
  type Verdict,
} from '../policies/index.ts';
import type { SubjectReader } from '../subjects/index.ts';
import { assembleFacts, type Assembled } from './assemble-facts.ts';
import { readFacts } from './find-decision.ts';
import { keysOf, prepare, type Question, type Refusal } from './prepare.ts';
import type { DenialRecord, DenialRecorder } from './record-denials.ts';
import type { PermitRecord, PermitRecorder, PermittedDecision, StoredName } from './record-permits.ts';
import { reviewsOf, type FindReviews } from './review-outcome.ts';
import type { AccessEvaluation, Decision } from './schema.ts';

export type DecisionDeps = {
  reader: SubjectReader;
  policySets: PolicySets;
  permits: PermitRecorder;
  denials: DenialRecorder;
  blindIndexSecret: Buffer;
  findReviews: FindReviews;
  clock: Clock;
  ids: Ids;
};

/** Enough for whoever records nothing. */
type AdvisingDeps = Omit<DecisionDeps, 'permits' | 'denials'>;

type Asker = { system: string; language: Language };

/** What all decisions of one call have in common; times RFC 3339. */
type Moment = { catalogue: Catalogue; batchId: string; decidedAt: string; leaseEndsAt: string };

type Answered = { decision: Decision; permit?: PermitRecord; denial?: DenialRecord };

/**
 * Decides questions of one caller, in order, at one moment, and makes the decisions durable: permits before this resolves. With `stopAt`
 * the first decision equal to it is the last one answered and recorded. Errors: PolicySetUnavailable, DatabaseUnavailable, Overloaded
 * (all 503: never a permit).
 */
export const evaluate = async (
  deps: DecisionDeps,
  asker: Asker,
  requests: readonly AccessEvaluation[],
  stopAt?: boolean,
): Promise<Decision[]> => {
  const answered = await decide(deps, asker, requests, stopAt);
  await recordAll(deps, answered);
  return answered.map(({ decision }) => decision);
};

/** The same without a record and therefore without a permit: only for advice (AuthZEN search). Answers `decision` as it would be. */
export const advise = async (
  deps: AdvisingDeps,
  asker: Asker,
  requests: readonly AccessEvaluation[],
): Promise<boolean[]> => (await decide(deps, asker, requests)).map(({ decision }) => decision.decision);

/** What the rules would see if this were asked now, and by which policy set they would judge it. Records nothing. */
export const factsOf = async (
  deps: AdvisingDeps,
  asker: Asker,
  request: AccessEvaluation,
): Promise<{ policyDigest: string; facts: unknown }> => {
  const [answered] = await decide(deps, asker, [request]);
  const { policy_digest: policyDigest } = answered!.permit ?? answered!.denial!;
  return { policyDigest, facts: readFacts(answered!.denial?.facts ?? answered!.permit!.decisions[0]!.facts) };
};

/** Every person concerned is read anew from the primary, in one statement together with the digest of the active policy set. */
const decide = async (
  deps: AdvisingDeps,
  asker: Asker,
  requests: readonly AccessEvaluation[],
  stopAt?: boolean,
): Promise<Answered[]> => {
  const decidedAt = deps.clock.now();
  let catalogue = deps.policySets.latest() ?? (await deps.policySets.current());
  for (;;) {
    const prepared = requests.map((request) => prepare(request, asker.system, catalogue, deps.blindIndexSecret));
    // Nobody is looked up for a system that may not ask: its answer must be the same whether the person is known or not.
    const keys = prepared.map((item) =>
      'question' in item && item.question.granted && item.question.purpose ? keysOf(item.question) : [],
    );
    const wanted = keys.flat();
    const read = wanted.length > 0 ? await deps.reader.sides(wanted) : { sides: [] };
    const active =
      'policyDigest' in read ? await deps.policySets.byDigest(read.policyDigest) : await deps.policySets.current();
    if (active !== catalogue) {
      // Another policy set has been activated: the question is read again with its words.
      catalogue = active;
      continue;
    }
    const review = await reviewsOf(
      deps,
      prepared.flatMap((item) => ('question' in item && item.question.granted ? item.question : [])),
    );
    let from = 0;
    const answered: Answered[] = [];
    const now = decidedAt.epochMilliseconds;
    const moment: Moment = {
      catalogue,
      batchId: deps.ids.uuid(),
      decidedAt: decidedAt.toString(),
      leaseEndsAt: decidedAt.add({ seconds: catalogue.controller.leaseSeconds }).toString(),
    };
    for (const [index, item] of prepared.entries()) {
      const sides = read.sides.slice(from, (from += keys[index]!.length));
      const answer =
        'question' in item
          ? answerQuestion(
              deps,
              asker,
              item.question,
              assembleFacts(item.question, sides, catalogue, now, review(item.question, asker.system, decidedAt)),
              moment,
            )
          : answerRefusal(deps, asker, requests[index]!, item.refusal, moment);
      answered.push(answer);
      if (answer.decision.decision === stopAt) break;
    }
    return answered;
  }
};

const recordAll = async (deps: DecisionDeps, answered: readonly Answered[]): Promise<void> => {
  const permits = new Map<string, PermitRecord>();
  const denials: DenialRecord[] = [];
  for (const { permit, denial } of answered) {
    if (denial) denials.push(denial);
    if (!permit) continue;
    const record = permits.get(permit.subject_id);
    if (record) record.decisions.push(...permit.decisions);
    else permits.set(permit.subject_id, permit);
  }
  await Promise.all([
    permits.size > 0 ? deps.permits.record([...permits.values()]) : undefined,
    denials.length > 0 ? deps.denials.record(denials) : undefined,
  ]);
};

/** Reasons as AuthZEN wants them: a text per rule. */
const byRule = (reasons: readonly Reason[]) => {
  const reason_admin: Record<string, string> = {};
  const reason_user: Record<string, string> = {};
  for (const { code, admin, person } of reasons) {
    reason_admin[code] = admin;
    reason_user[code] = person;
  }
  return { reason_admin, reason_user };
};

const answerQuestion = (
  deps: AdvisingDeps,
  asker: Asker,
  question: Question,
  assembled: Assembled,
  { catalogue, batchId, decidedAt, leaseEndsAt }: Moment,
): Answered => {
  const { facts, customer, identity, consent } = assembled;
  const verdict = catalogue.decide(facts);
  const id = deps.ids.uuid();
  const context: NonNullable<Decision['context']> = {
    decisionId: id,
    policyDigest: catalogue.digest,
    ...byRule(reasonsOf(catalogue, facts, verdict, asker.language)),
  };
  if (verdict.obligations.length > 0) context.obligations = verdict.obligations;
  const rules = verdict.fired.map((rule) => rule.id);
  const common = { system: asker.system, policy_digest: catalogue.digest, decided_at: decidedAt };
  if (!verdict.permit) {
    const { action } = question;
    // Whatever a caller wrote there may name a person: only words of the policy set are kept.
    const purpose = question.purpose?.id ?? 'unknown';
    // One side only: with both, a denial would itself be the link that was denied.
    const subject_id = customer?.subjectId ?? (customer ? null : identity?.subjectId) ?? id;
    return {
      decision: { decision: false, context },
      denial: { ...common, subject_id, id, action, purpose, facts: compactFacts(facts), rules },
    };
  }
  if (question.action === 'link') context.lease = { id: batchId, expiresAt: leaseEndsAt };
  if (consent?.code === 'valid-yes') context.consent = { id: consent.reliedOn!, noticeVersion: consent.notice! };
  const person = customer ?? identity;
  return {
    decision: { decision: true, context },
    permit: {
      ...common,
      subject_id: person?.subjectId ?? id,
      id: batchId,
      version: person?.version ?? 0,
      lease_ends_at: leaseEndsAt,
      decisions: [permitted(id, question, verdict, rules, assembled)],
    },
  };
};

const stored = ({ namespace, blindIndex }: StoredName): StoredName => ({ namespace, blindIndex });

const permitted = (
  id: string,
  question: Question,
  verdict: Verdict,
  rules: string[],
  { facts, scope, consent, identity }: Assembled,
): PermittedDecision => ({
  id,
  action: question.action,
  purpose: question.purposeId,
  scope,
  rules,
  obligations: verdict.obligations,
  reliedOn: consent?.reliedOn,
  customer: question.customer && stored(question.customer),
  identity: question.identity && stored(question.identity),
  identityVersion: identity?.version,
  chain: question.chain.map(stored),
  review: question.context.review,
  facts: compactFacts(facts),
});

const notUnderstood: Texts = {
  de: 'Die Anfrage war nicht eindeutig, deshalb ist nichts erlaubt.',
  fr: 'La demande n’était pas claire, rien n’est donc permis.',
  it: 'La richiesta non era chiara, quindi nulla è permesso.',
  en: 'The question was not clear, so nothing is allowed.',
};

const answerRefusal = (
  deps: AdvisingDeps,
  asker: Asker,
  request: AccessEvaluation,
  refusal: Refusal,
  { catalogue, decidedAt }: Moment,
): Answered => {
  const id = deps.ids.uuid();
  const known = (name: string, set: { has(name: string): boolean }) => (set.has(name) ? name : 'unknown');
  const purpose = typeof request.context?.['purpose'] === 'string' ? request.context['purpose'] : '';
  return {
    decision: {
      decision: false,
      context: {
        decisionId: id,
        policyDigest: catalogue.digest,
        reason_admin: { [refusal.code]: refusal.detail },
        reason_user: { [refusal.code]: notUnderstood[asker.language] },
      },
    },
    denial: {
      subject_id: id,
      id,
      system: asker.system,
      action: 'unknown',
      purpose: known(purpose, catalogue.purposes),
      policy_digest: catalogue.digest,
      facts: { refused: refusal.detail },
      rules: [refusal.code],
      decided_at: decidedAt,
    },
  };
};
