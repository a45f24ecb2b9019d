import type { ZodError } from 'zod';
import {
  actions,
  contextSchema,
  isGranted,
  type Action,
  type Catalogue,
  type Context,
  type Purpose,
} from '../policies/index.ts';
import { dialogue } from '../consent/index.ts';
import { blindIndex, parseIdentifier, type Identifier, type SideKey } from '../subjects/index.ts';
import { AppError } from '../kernel/errors.ts';
import type { AccessEvaluation } from './schema.ts';

/** An identifier of the question, ready to be looked up. */
export type Named = Identifier & { blindIndex: string };

/** A question that can be looked up: everything that the request itself says, read and normalised. */
export type Question = {
  action: Action;
  context: Context;
  resource: 'customer' | 'social_identity' | 'aggregate';
  purposeId: string;
  purpose: Purpose | undefined;
  customer: Named | undefined;
  identity: Named | undefined;
  chain: Named[];
  /** Whether `systems.yaml` lets the asker do this at all. Where it does not, nobody is looked up. */
  granted: boolean;
};

/** A question that cannot become facts, and so is denied: the rule's code and what is wrong, without any value. */
export type Refusal = { code: 'actor-mismatch' | 'facts-invalid'; detail: string };

const isEmpty = (properties: Record<string, unknown> | undefined): boolean => {
  for (const _ in properties) return false;
  return true;
};

const wrongMember = (error: ZodError): string => {
  const [issue] = error.issues;
  const path = ['context', ...issue!.path].join('.');
  return issue!.code === 'unrecognized_keys'
    ? `${path} has an unknown member`
    : `${path} is missing or has a value that is not understood`;
};

const refuse = (detail: string): { refusal: Refusal } => ({ refusal: { code: 'facts-invalid', detail } });

/**
 * Reads one AuthZEN question against the catalogue. Pure. What is misspelt is refused, never ignored: an unknown condition must not
 * widen (DESIGN section 7). `secret` keys the blind index.
 */
export const prepare = (
  request: AccessEvaluation,
  system: string,
  catalogue: Catalogue,
  secret: Buffer,
): { question: Question } | { refusal: Refusal } => {
  const { subject, action, resource } = request;
  if (subject.type !== 'system' || subject.id !== system)
    return { refusal: { code: 'actor-mismatch', detail: 'subject must be the system of the access token' } };
  if (!isEmpty(subject.properties)) return refuse('subject.properties has an unknown member');
  if (!isEmpty(action.properties)) return refuse('action.properties has an unknown member');
  if (!isEmpty(resource.properties)) return refuse('resource.properties has an unknown member');
  if (!(actions as readonly string[]).includes(action.name))
    return refuse('action.name is not an action of the policy set');
  const { type } = resource;
  if (type !== 'customer' && type !== 'social_identity' && type !== 'aggregate')
    return refuse('resource.type must be customer, social_identity or aggregate');
  const read = contextSchema.safeParse(request.context ?? {});
  if (!read.success) return refuse(wrongMember(read.error));
  const context = read.data;
  // Whether somebody may be asked for a consent that cannot be given has no answer.
  const asked = context.asksFor === undefined ? undefined : catalogue.purposes.get(context.asksFor);
  if (context.asksFor !== undefined && (!asked || asked.retired))
    return refuse('context.asksFor is no purpose of the policy set, or one that is retired');

  const namespaces = catalogue.systems.get(system)?.identifiers ?? [];
  let granted = isGranted(catalogue, system, action.name as Action, context.purpose);
  const named = (text: string, member: string): Named => {
    const identifier = parseIdentifier(text, catalogue, member);
    granted &&= namespaces.includes(identifier.namespace);
    return { ...identifier, blindIndex: blindIndex(secret, identifier) };
  };
  try {
    const identity = type === 'social_identity' ? named(resource.id, 'resource.id') : undefined;
    const asCustomer = type === 'customer' ? named(resource.id, 'resource.id') : undefined;
    const inContext = context.customer === undefined ? undefined : named(context.customer, 'context.customer');
    if (asCustomer && inContext && asCustomer.blindIndex !== inContext.blindIndex)
      return refuse('context.customer must be the customer that resource.id names');
    if (identity && !catalogue.platforms.has(identity.namespace))
      return refuse('resource.id must be an account of a platform');
    return {
      question: {
        action: action.name as Action,
        context,
        resource: type,
        purposeId: context.purpose,
        purpose: catalogue.purposes.get(context.purpose),
        customer: asCustomer ?? inContext,
        identity,
        chain: context.chain?.map((hop, index) => named(hop, `context.chain.${index}`)) ?? [],
        granted,
      },
    };
  } catch (error) {
    if (error instanceof AppError && error.kind === 'invalid') return refuse(error.message);
    throw error;
  }
};

/** The purpose under which somebody says that only humans shall answer. */
export const automatedReply = 'automated-reply';

/** What else a question asks of its two sides than the purpose itself: whether they want to be spoken to so, and asked that. In this order. */
export const furtherPurposes = ({ action, context }: Pick<Question, 'action' | 'context'>): string[] => {
  const speaks = action === 'contact' || action === 'reply' || action === 'reply_automatically';
  const further = speaks ? [dialogue] : [];
  if (action === 'reply_automatically') further.push(automatedReply);
  if (context.asksFor !== undefined) further.push(context.asksFor);
  return further;
};

/** What to look up for a question, in the order in which `assembleFacts` takes it: customer, identity, hops, and what else is asked of the two. */
export const keysOf = (question: Question): SideKey[] => {
  const { customer, identity, chain, purposeId } = question;
  const keys: SideKey[] = [];
  if (customer) keys.push({ blindIndex: customer.blindIndex, purpose: purposeId });
  if (identity) keys.push({ blindIndex: identity.blindIndex, purpose: purposeId });
  for (const hop of chain) keys.push({ blindIndex: hop.blindIndex, purpose: purposeId });
  for (const purpose of furtherPurposes(question)) {
    if (customer) keys.push({ blindIndex: customer.blindIndex, purpose });
    if (identity) keys.push({ blindIndex: identity.blindIndex, purpose });
  }
  return keys;
};
