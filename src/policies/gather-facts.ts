import type { Catalogue } from './catalogue.ts';
import type { Context, RequestFacts } from './context.ts';
import type { PurposeFacts } from './facts.ts';
import type { Action, Dimension } from './schema.ts';

/** What a check, a yes or a no is about: at most one value per dimension. */
export type Scope = Partial<Record<Dimension, string>>;

/** What the caller said, without who: no identifier and no colleague gets into the facts. */
export function requestFacts(context: Context): RequestFacts {
  const { purpose: _p, customer: _c, chain: _h, platform: _f, actor, forward, ...stated } = context;
  const facts: RequestFacts = stated;
  if (actor) facts.role = actor.role;
  if (forward) facts.forwardsTo = forward.department;
  return facts;
}

/**
 * What the policy set knows of the request's purpose, and the scope that is asked for: the dimensions that the purpose
 * declares. `platform` is that of the account in question; where the context names another, nothing is permitted, so that
 * a yes for one platform never opens a second.
 */
export function purposeFacts(
  catalogue: Catalogue,
  context: Context,
  action: Action,
  platform?: string,
): { facts: PurposeFacts; scope: Scope } {
  const purpose = catalogue.purposes.get(context.purpose);
  if (purpose === undefined) return { facts: unknownPurpose, scope: {} };
  const scope: Scope = {};
  const missingDimensions: Dimension[] = [];
  const unknownValues: Dimension[] = [];
  for (const dimension of purpose.dimensions) {
    const value = dimension === 'platform' ? (platform ?? context.platform) : context[dimension];
    if (value === undefined) {
      missingDimensions.push(dimension);
      continue;
    }
    scope[dimension] = value;
    const exists =
      dimension === 'platform'
        ? catalogue.platforms.has(value)
        : purpose.values[dimension]!.some((allowed) => (typeof allowed === 'string' ? allowed : allowed.id) === value);
    if (!exists) unknownValues.push(dimension);
  }
  const contradicted = platform !== undefined && context.platform !== undefined && platform !== context.platform;
  if (contradicted && !unknownValues.includes('platform')) unknownValues.push('platform');
  const forwardedFor = context.forward?.purpose;
  return {
    scope,
    facts: {
      known: true,
      id: purpose.id,
      legalBasis: purpose.legalBasis,
      highRisk: purpose.highRisk,
      specialCategories: purpose.specialCategories,
      automatedDecisions: purpose.automatedDecisions,
      actionServed: purpose.actions.includes(action),
      missingDimensions,
      unknownValues,
      forwardCompatible:
        forwardedFor !== undefined &&
        (forwardedFor === purpose.id || purpose.compatiblePurposes.includes(forwardedFor)),
    },
  };
}

/** Whether `systems.yaml` lets a system do this for this purpose. */
export const isGranted = (catalogue: Catalogue, system: string, action: Action, purpose: string): boolean =>
  catalogue.systems
    .get(system)
    ?.may.some((grant) => grant.actions.includes(action) && grant.purposes.includes(purpose)) ?? false;

/** The id is left out: what a caller made up has no place in stored facts. */
const unknownPurpose: PurposeFacts = Object.freeze({
  known: false,
  highRisk: false,
  specialCategories: false,
  automatedDecisions: false,
  actionServed: false,
  missingDimensions: Object.freeze([]) as never,
  unknownValues: Object.freeze([]) as never,
  forwardCompatible: false,
});
