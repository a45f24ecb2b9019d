import { gatherFacts, noCustomer, noIdentity, type Catalogue, type Facts, type Purpose } from '../policies/index.ts';
import type { Side } from '../subjects/index.ts';
import {
  answersFor,
  consentStatus,
  dialogue,
  dialogueStatus,
  mayBeAsked,
  type Answers,
  type ConsentStatus,
  type Scope,
} from '../consent/index.ts';
import { automatedReply, furtherPurposes, type Named, type Question } from './prepare.ts';

/** What was found out about a question, for the rules (`facts`) and for the record. */
export type Assembled = {
  facts: Facts;
  /** What was asked for: a value for each dimension that the purpose declares. */
  scope: Scope;
  customer: Side | undefined;
  identity: Side | undefined;
  /** The answer that a permit rests on. */
  consent: ConsentStatus | undefined;
  /** What holds for both sides and for each hop: where any of them ends, a permit does. */
  grounds: readonly (ConsentStatus | undefined)[];
};

const nobody: Side = {
  subjectId: null,
  version: 0,
  answers: null,
  everything: null,
  links: null,
  restricted: false,
  erased: false,
  shared: false,
  provedSubjectId: null,
};

const answersOf = (side: Side, purposeId: string): Answers => {
  const answers: Record<string, Answers[string]> = {};
  if (side.answers) answers[purposeId] = side.answers as Answers[string];
  if (side.everything) answers['*'] = side.everything as Answers[string];
  return answers;
};

const statusOf = (side: Side, purpose: Purpose, scope: Scope, at: number): ConsentStatus =>
  consentStatus(answersOf(side, purpose.id), purpose.id, scope, at, purpose);

const personOf = (side: Side, status: ConsentStatus | undefined) => ({
  known: side.subjectId !== null,
  consent: status?.code ?? ('nothing-recorded' as const),
  restricted: side.restricted,
  erased: side.erased,
  suppressed: false,
});

/**
 * What holds for a hop of a chain. On a platform the customer's yes for that platform must cover it, and whoever owns the account
 * there must not have said no;
 * a mailbox or a number is covered by its owner alone, who is the customer or somebody else.
 */
const statusOfHop = (
  hop: Named,
  side: Side,
  customer: Side,
  asked: Scope,
  purpose: Purpose,
  catalogue: Catalogue,
  at: number,
): ConsentStatus => {
  const onPlatform = catalogue.platforms.has(hop.namespace);
  const scope = onPlatform ? { ...asked, platform: hop.namespace } : asked;
  const own = statusOf(side, purpose, scope, at);
  const ofCustomer = onPlatform || (side.subjectId !== null && side.subjectId === customer.subjectId);
  return ofCustomer && own.code !== 'live-no' ? statusOf(customer, purpose, scope, at) : own;
};

type HalfSeen = { linkId: string; identityRef: string; side: string; status: Facts['link'] };

/** A link is live only while both of its halves are: the account's side may have fallen and the customer's not know it yet. */
const linkBetween = (
  customer: Side | undefined,
  identity: Side | undefined,
  account: Named | undefined,
): Facts['link'] => {
  if (!customer?.links || !account) return 'none';
  const theirs = ((identity?.links ?? []) as HalfSeen[]).filter(({ side }) => side === 'identity');
  const statuses = (customer.links as HalfSeen[])
    .filter(({ side, identityRef }) => side === 'customer' && identityRef === account.blindIndex)
    .map(({ linkId, status }) =>
      status === 'active' ? (theirs.find((half) => half.linkId === linkId)?.status ?? 'pending') : status,
    );
  return statuses.includes('active') ? 'active' : (statuses.at(-1) ?? 'none');
};

/** In which forms a message comes, as the purpose of dialogue calls them. */
const formsOf = ({ action, context }: Question): string[] => {
  const byProgram =
    action === 'reply_automatically' || context.automated === true || context.actor?.role === 'automation';
  const closed = context.visibility === 'private' || context.visibility === 'internal';
  const inPublic = context.visibility === 'public' || (context.channel === 'thread' && !closed);
  return [byProgram ? 'bot' : 'person', ...(inPublic ? ['public'] : [])];
};

/** Whether this side may be asked for what the message asks for: also where only a part of it was refused. */
const maybeAskedFor = (side: Side, purpose: Purpose, at: number): boolean => {
  const answers = answersOf(side, purpose.id);
  const refused = answersFor(answers, purpose.id).filter(({ act }) => act === 'no');
  return [{}, ...refused.map(({ scope }) => scope)].every(
    (scope) => mayBeAsked(answers, purpose.id, scope, at, purpose).may,
  );
};

/** What else the question asks of one side: `further` holds what was looked up for it, by purpose. */
const wishesOf = (
  question: Question,
  further: ReadonlyMap<string, Side>,
  catalogue: Catalogue,
  scope: Scope,
  at: number,
): Pick<Facts['customer'], 'prefersHumans' | 'dialogue' | 'mayBeAsked'> => {
  const { context, purpose } = question;
  const of = (id: string) => {
    const [side, rules] = [further.get(id), catalogue.purposes.get(id)];
    return side && rules && { side, rules };
  };
  const [spoken, automated] = [of(dialogue), of(automatedReply)];
  const asked = context.asksFor === undefined ? undefined : of(context.asksFor);
  // What serves a contract is about the person's own enquiry.
  const topic = context.topic ?? (purpose?.legalBasis === 'contract' ? 'service' : undefined);
  const about: Scope = { ...(context.channel && { channel: context.channel }), ...(topic && { topic }) };
  return {
    prefersHumans:
      question.action === 'reply_automatically' &&
      automated !== undefined &&
      statusOf(automated.side, automated.rules, scope, at).code === 'live-no',
    dialogue: spoken
      ? dialogueStatus(answersOf(spoken.side, dialogue), about, formsOf(question), at, spoken.rules)
      : 'open',
    mayBeAsked: asked === undefined || maybeAskedFor(asked.side, asked.rules, at),
  };
};

/**
 * Turns a question and what the primary said about its sides (in the order of `keysOf`) into the facts of the rules. Pure; `at` is
 * epoch milliseconds, `review` what a colleague found of the match. Nothing in it comes from the caller but what the context's schema lets through.
 */
export const assembleFacts = (
  question: Question,
  sides: readonly Side[],
  catalogue: Catalogue,
  at: number,
  review: Facts['review'] = 'none',
): Assembled => {
  const { purpose, identity: identityName, customer: customerName } = question;
  const gathered = gatherFacts(catalogue, question.context, question.action, identityName?.namespace);
  const { scope } = gathered;
  const lookedUp = sides.length > 0;
  let next = 0;
  const customer = customerName && lookedUp ? sides[next++] : undefined;
  const identity = identityName && lookedUp ? sides[next++] : undefined;
  const hops = question.chain.map(() => (lookedUp ? sides[next++]! : nobody));
  const ofCustomer = new Map<string, Side>();
  const ofIdentity = new Map<string, Side>();
  for (const id of lookedUp ? furtherPurposes(question) : []) {
    if (customerName) ofCustomer.set(id, sides[next++]!);
    if (identityName) ofIdentity.set(id, sides[next++]!);
  }

  const customerStatus = purpose && customer ? statusOf(customer, purpose, scope, at) : undefined;
  const identityStatus = purpose && identity ? statusOf(identity, purpose, scope, at) : undefined;
  const hopStatuses = question.chain.map((hop, index) =>
    purpose && lookedUp ? statusOfHop(hop, hops[index]!, customer ?? nobody, scope, purpose, catalogue, at) : undefined,
  );
  const platform = identityName && catalogue.platforms.get(identityName.namespace);

  const facts: Facts = {
    action: question.action,
    resource: question.resource,
    controller: { minimumCellSize: catalogue.controller.minimumCellSize },
    system: { granted: question.granted },
    purpose: gathered.purpose,
    request: gathered.request,
    customer: customerName
      ? {
          named: true,
          ...personOf(customer ?? nobody, customerStatus),
          yesNamesPlatform: customerStatus?.code === 'valid-yes' && customerStatus.scope?.platform !== undefined,
          ...wishesOf(question, ofCustomer, catalogue, scope, at),
        }
      : noCustomer,
    identity: identityName
      ? {
          named: true,
          ...personOf(identity ?? nobody, identityStatus),
          ...wishesOf(question, ofIdentity, catalogue, scope, at),
          platform: identityName.namespace,
          ...(platform && { naming: platform.naming }),
          handleOnly: identityName.handle,
          shared: identity?.shared ?? false,
          controlProved:
            identity !== undefined &&
            identity.provedSubjectId !== null &&
            identity.provedSubjectId === customer?.subjectId,
        }
      : noIdentity,
    link: linkBetween(customer, identity, identityName),
    review,
    chain: question.chain.map((hop, index) => ({
      ...personOf(hops[index]!, hopStatuses[index]),
      namespace: hop.namespace,
    })),
  };
  return {
    facts,
    scope,
    customer,
    identity,
    consent: customerName ? customerStatus : identityStatus,
    grounds: [customerStatus, identityStatus, ...hopStatuses],
  };
};
