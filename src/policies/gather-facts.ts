import type { Catalogue } from './catalogue.ts';
import type { Context, RequestFacts } from './context.ts';
import type { PurposeFacts } from './facts.ts';
import type { Action, Dimension, Purpose } from './schema.ts';

/** What a check, a yes or a no is about: at most one value per dimension. */
export type Scope = Partial<Record<Dimension, string>>;

/**
 * What the caller said and what the policy set knows of its purpose. Without who: no identifier, no colleague and no word
 * that the caller made up gets into the facts, because facts of denials are stored. `scope` is what is asked for: the
 * dimensions that the purpose declares. `platform` is that of the account in question; where the context names another,
 * nothing is permitted, so that a yes for one platform never opens a second.
 */
export function gatherFacts(
  catalogue: Catalogue,
  context: Context,
  action: Action,
  platform?: string,
): { request: RequestFacts; purpose: PurposeFacts; scope: Scope } {
  const purpose = catalogue.purposes.get(context.purpose);
  const { scope, missingDimensions, unknownValues } = askedScope(catalogue, purpose, context, platform);
  const request = requestFacts(context);
  for (const dimension of ['channel', 'topic', 'form', 'recipient'] as const) {
    const value = scope[dimension];
    if (value !== undefined && !unknownValues.includes(dimension)) request[dimension] = value;
  }
  const forwardedFor = context.forward?.purpose;
  return {
    scope,
    request,
    purpose: {
      known: purpose !== undefined,
      retired: purpose?.retired !== undefined,
      ...(purpose && { id: purpose.id, legalBasis: purpose.legalBasis }),
      highRisk: purpose?.highRisk ?? false,
      specialCategories: purpose?.specialCategories ?? false,
      automatedDecisions: purpose?.automatedDecisions ?? false,
      actionServed: purpose?.actions.includes(action) ?? false,
      missingDimensions,
      unknownValues,
      forwardCompatible:
        purpose !== undefined &&
        forwardedFor !== undefined &&
        (forwardedFor === purpose.id || purpose.compatiblePurposes.includes(forwardedFor)),
    },
  };
}

function requestFacts(context: Context): RequestFacts {
  const { purpose: _p, customer: _c, chain: _h, forward: _f, review: _r, actor, asksFor, ...rest } = context;
  const { platform: _platform, channel: _channel, topic: _topic, form: _form, recipient: _to, ...stated } = rest;
  const request: RequestFacts = stated;
  if (actor) request.role = actor.role;
  if (asksFor !== undefined) request.asksForConsent = true;
  return request;
}

function askedScope(catalogue: Catalogue, purpose: Purpose | undefined, context: Context, platform?: string) {
  const scope: Scope = {};
  const missingDimensions: Dimension[] = [];
  const unknownValues: Dimension[] = [];
  for (const dimension of purpose?.dimensions ?? []) {
    const value = dimension === 'platform' ? (platform ?? context.platform) : context[dimension];
    if (value === undefined) {
      missingDimensions.push(dimension);
      continue;
    }
    scope[dimension] = value;
    const exists =
      dimension === 'platform'
        ? catalogue.platforms.has(value)
        : purpose!.values[dimension]!.some((allowed) => (typeof allowed === 'string' ? allowed : allowed.id) === value);
    if (!exists) unknownValues.push(dimension);
  }
  const contradicted = platform !== undefined && context.platform !== undefined && platform !== context.platform;
  if (contradicted && !unknownValues.includes('platform')) unknownValues.push('platform');
  return { scope, missingDimensions, unknownValues };
}

/** Whether `systems.yaml` lets a system do this for this purpose. */
export const isGranted = (catalogue: Catalogue, system: string, action: Action, purpose: string): boolean =>
  catalogue.systems
    .get(system)
    ?.may.some((grant) => grant.actions.includes(action) && grant.purposes.includes(purpose)) ?? false;
