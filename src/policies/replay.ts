import { asksAnew, counts } from './asks-anew.ts';
import type { Catalogue } from './catalogue.ts';
import type { Facts } from './facts.ts';
import { isGranted, type Scope } from './gather-facts.ts';
import { reasonsOf } from './reasons.ts';
import { dimensions, type Dimension, type Language, type Purpose } from './schema.ts';

/** A recorded decision, as much as a replay needs. `scope` and `customerNamespace` are recorded of permits only. */
export type Replayable = {
  system: string;
  purpose: string;
  permit: boolean;
  facts: Facts;
  scope?: Scope | undefined;
  customerNamespace?: string | undefined;
};

/**
 * What a candidate set would answer otherwise. `rules` are those that make the difference: of a permit that falls the ones that now forbid,
 * of a deny that falls the ones that did. `reasons` say the same in words.
 */
export type Change = {
  kind: 'permit-to-deny' | 'deny-to-permit' | 'other-obligations';
  rules: string[];
  reasons: string[];
};

/**
 * - `not-looked-up`: the system had no grant, or the purpose did not exist, so nothing about the person is recorded.
 * - `unsure`: what is recorded does not tell what the candidate wants to know.
 */
type Unknowable = 'not-looked-up' | 'unsure';
export type Replayed = Change | { kind: 'same' | Unknowable };

/**
 * What a candidate set would have answered to a recorded question. Pure. What comes from a policy set is taken from the candidate: facts of
 * the purpose, scope values, grants, naming of platforms, the cell size, and whether answers to old notices count. What the service had
 * found out about people is as it was.
 */
export const replay = (recorded: Replayable, was: Catalogue, candidate: Catalogue, language: Language): Replayed => {
  const facts = factsUnder(candidate, recorded, was);
  if (typeof facts === 'string') return { kind: facts };
  const verdict = candidate.decide(facts);
  if (!verdict.permit && !recorded.permit) return { kind: 'same' };
  const earlier = was.decide(recorded.facts);
  if (verdict.permit !== recorded.permit) {
    const reasons = verdict.permit
      ? reasonsOf(was, recorded.facts, earlier, language)
      : reasonsOf(candidate, facts, verdict, language);
    return {
      kind: verdict.permit ? 'deny-to-permit' : 'permit-to-deny',
      rules: reasons.map(({ code }) => code),
      reasons: reasons.map(({ admin }) => admin),
    };
  }
  const gained = beyond(earlier.obligations, verdict.obligations);
  const lost = beyond(verdict.obligations, earlier.obligations);
  if (gained.length === 0 && lost.length === 0) return { kind: 'same' };
  const [fired, firedEarlier] = [verdict, earlier].map((one) => one.fired.map(({ id }) => id)) as [string[], string[]];
  return {
    kind: 'other-obligations',
    rules: [...beyond(firedEarlier, fired), ...beyond(fired, firedEarlier)],
    reasons: [...gained.map((obligation) => `+ ${obligation}`), ...lost.map((obligation) => `- ${obligation}`)],
  };
};

const beyond = <T>(fewer: readonly T[], more: readonly T[]): T[] => more.filter((item) => !fewer.includes(item));

const factsUnder = (candidate: Catalogue, recorded: Replayable, was: Catalogue): Facts | 'same' | Unknowable => {
  const { facts } = recorded;
  const purpose = candidate.purposes.get(recorded.purpose);
  const earlier = was.purposes.get(recorded.purpose);
  const granted = isGrantedTo(candidate, recorded);
  if (!earlier || !facts.system.granted) {
    if (!granted || !purpose) return 'same';
    // Where the set of then grants it as well, it was the customer's namespace that the system may not use.
    const identifiers = ({ systems }: Catalogue) => systems.get(recorded.system)?.identifiers ?? [];
    const isAsBefore = isGrantedTo(was, recorded) && beyond(identifiers(was), identifiers(candidate)).length === 0;
    return earlier && isAsBefore ? 'same' : 'not-looked-up';
  }
  if (!purpose) return { ...facts, system: { granted }, purpose: { ...facts.purpose, known: false } };

  const scope = scopeUnder(purpose, earlier, recorded, was, candidate);
  const states = [facts.customer, facts.identity, ...facts.chain].map(({ consent }) =>
    consentUnder(purpose, earlier, consent),
  );
  const compatibleAsBefore =
    facts.action !== 'forward' ||
    new Set(earlier.compatiblePurposes).symmetricDifference(new Set(purpose.compatiblePurposes)).size === 0;
  if (scope === 'unsure' || states.includes('unsure') || !compatibleAsBefore) return 'unsure';

  const [ofCustomer, ofIdentity, ...ofHops] = states as Facts['customer']['consent'][];
  const request = { ...facts.request };
  for (const dimension of dimensions)
    if (dimension !== 'platform' && !scope.known.includes(dimension)) delete request[dimension];
  const naming = candidate.platforms.get(facts.identity.platform ?? '')?.naming;
  return {
    ...facts,
    controller: { minimumCellSize: candidate.controller.minimumCellSize },
    system: { granted },
    purpose: {
      ...facts.purpose,
      retired: purpose.retired !== undefined,
      legalBasis: purpose.legalBasis,
      highRisk: purpose.highRisk,
      specialCategories: purpose.specialCategories,
      automatedDecisions: purpose.automatedDecisions,
      actionServed: purpose.actions.includes(facts.action),
      missingDimensions: scope.missing,
      unknownValues: scope.unknown,
    },
    request,
    customer: { ...facts.customer, consent: ofCustomer! },
    identity: { ...facts.identity, consent: ofIdentity!, ...(naming && { naming }) },
    chain: facts.chain.map((hop, index) => ({ ...hop, consent: ofHops[index]! })),
  };
};

const isGrantedTo = (catalogue: Catalogue, { system, purpose, facts, customerNamespace }: Replayable): boolean => {
  const used = [customerNamespace, facts.identity.platform, ...facts.chain.map(({ namespace }) => namespace)];
  const allowed = catalogue.systems.get(system)?.identifiers ?? [];
  return (
    isGranted(catalogue, system, facts.action, purpose) &&
    used.every((namespace) => namespace === undefined || allowed.includes(namespace))
  );
};

type ScopeRead = { known: Dimension[]; missing: Dimension[]; unknown: Dimension[] };

/** Values that did not exist were not recorded, nor those of a dimension that the purpose did not have. */
const scopeUnder = (
  purpose: Purpose,
  earlier: Purpose,
  { facts, scope }: Replayable,
  was: Catalogue,
  candidate: Catalogue,
): ScopeRead | 'unsure' => {
  const read: ScopeRead = { known: [], missing: [], unknown: [] };
  for (const dimension of purpose.dimensions) {
    const values = valuesOf(purpose, dimension, candidate);
    const valuesEarlier = earlier.dimensions.includes(dimension) ? valuesOf(earlier, dimension, was) : [];
    const value = dimension === 'platform' ? (facts.identity.platform ?? scope?.platform) : facts.request[dimension];
    if (facts.purpose.missingDimensions.includes(dimension)) read.missing.push(dimension);
    else if (facts.purpose.unknownValues.includes(dimension)) {
      if (beyond(valuesEarlier, values).length > 0) return 'unsure';
      read.unknown.push(dimension);
    } else if (value !== undefined) read[values.includes(value) ? 'known' : 'unknown'].push(dimension);
    else if (valuesEarlier.length === 0 || beyond(values, valuesEarlier).length > 0) return 'unsure';
    else read.known.push(dimension);
  }
  return read;
};

const valuesOf = (purpose: Purpose, dimension: Dimension, { platforms }: Catalogue): string[] =>
  dimension === 'platform'
    ? [...platforms.keys()]
    : (purpose.values[dimension] ?? []).map((value) => (typeof value === 'string' ? value : value.id));

/** Which version of the notice somebody answered is not among the facts: so only where all of them still count, or none, is it certain. */
const consentUnder = (
  purpose: Purpose,
  earlier: Purpose,
  consent: Facts['customer']['consent'],
): Facts['customer']['consent'] | 'unsure' => {
  // What a retired purpose denies is denied by the rules: the answers are what they are.
  const [now, then] = [purpose, earlier].map((one) => ({ ...one, retired: undefined })) as [Purpose, Purpose];
  const isUncertain = (were: boolean) =>
    then.notices.some(({ version }) => counts(then, version) === were && counts(now, version) !== were);
  if (consent === 'valid-yes' || consent === 'informed') {
    if (now.legalBasis === 'consent' && consent === 'informed') return 'nothing-recorded';
    if (asksAnew(then, now)) return 'notice-outdated';
    return isUncertain(true) ? 'unsure' : consent;
  }
  if (consent === 'not-informed' && now.legalBasis === 'consent') return 'nothing-recorded';
  return consent === 'notice-outdated' && isUncertain(false) ? 'unsure' : consent;
};
