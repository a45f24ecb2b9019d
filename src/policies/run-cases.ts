import type { Flaw } from './compile-condition.ts';
import type { Content } from './content.ts';
import type { Verdict } from './decide.ts';
import { flawsOf } from './explain-issue.ts';
import { factsSchema, noCustomer, noIdentity } from './facts.ts';
import type { Facts } from './facts.ts';
import type { Action, Case } from './schema.ts';
import { actions } from './schema.ts';

/** A case with the facts it stands for and what the rules made of them. */
export type PlayedCase = { case: Case; facts: Facts; verdict: Verdict };

/**
 * Plays every case of a set: flaws are cases whose facts are not facts, cases that come out otherwise than they expect, and
 * rules that no case fires.
 */
export function playCases(
  content: Content,
  decide: (facts: Facts) => Verdict,
): { played: PlayedCase[]; flaws: Flaw[] } {
  const played: PlayedCase[] = [];
  const flaws: Flaw[] = [];
  content.cases.forEach((item, index) => {
    const built = factsOfCase(content, item);
    if ('flaws' in built) {
      flaws.push(...built.flaws.map(({ path, message }) => ({ path: ['cases', index, 'facts', ...path], message })));
      return;
    }
    const verdict = decide(built.facts);
    played.push({ case: item, facts: built.facts, verdict });
    flaws.push(
      ...differences(item, verdict).map(({ path, message }) => ({ path: ['cases', index, ...path], message })),
    );
  });
  const fired = new Set(played.flatMap(({ verdict }) => verdict.fired.map(({ id }) => id)));
  content.rules.forEach(({ id }, index) => {
    if (!fired.has(id))
      flaws.push({ path: ['rules', index, 'id'], message: `no case fires "${id}"; add one to cases/` });
  });
  return { played, flaws };
}

/** In what a case comes out otherwise than it expects; paths below the case. */
export function differences(expected: Case, verdict: Verdict): Flaw[] {
  const flaws: Flaw[] = [];
  const outcome = verdict.permit ? 'permit' : 'deny';
  const fired = verdict.fired.map(({ id }) => id).sort();
  const listed = (words: readonly string[]) => `[${words.join(', ')}]`;
  if (outcome !== expected.expect) {
    flaws.push({
      path: ['expect'],
      message: `case "${expected.name}" comes out as ${outcome}; fired: ${listed(fired)}`,
    });
  }
  if (listed(expected.fires.toSorted()) !== listed(fired)) {
    flaws.push({ path: ['fires'], message: `case "${expected.name}" fires ${listed(fired)}` });
  }
  if (expected.obligations && listed(expected.obligations.toSorted()) !== listed(verdict.obligations)) {
    flaws.push({ path: ['obligations'], message: `case "${expected.name}" obliges ${listed(verdict.obligations)}` });
  }
  return flaws;
}

/**
 * The facts of a case: what it says, laid over a request that would be permitted. The facts of its purpose and platform
 * are those of the set, so a case needs to name only `purpose.id` and `identity.platform`.
 */
function factsOfCase(content: Content, { facts: said }: Case): { facts: Facts } | { flaws: Flaw[] } {
  const named = (member: string): Record<string, unknown> | undefined => {
    const value = said[member];
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  };
  const action = (actions as readonly unknown[]).includes(said['action']) ? (said['action'] as Action) : 'link';
  const purposeId = named('purpose')?.['id'] ?? (named('purpose')?.['known'] === false ? undefined : 'profile-linking');
  const purpose = content.purposes.find(({ id }) => id === purposeId);
  if (purposeId !== undefined && purpose === undefined) {
    return { flaws: [{ path: ['purpose', 'id'], message: `no purpose ${JSON.stringify(purposeId)}` }] };
  }
  const resource = said['resource'] ?? (action === 'link' ? 'social_identity' : 'customer');
  const withIdentity = action === 'link' || resource === 'social_identity' || said['identity'] !== undefined;
  const withCustomer = resource === 'customer' || action === 'link' || said['customer'] !== undefined;
  const platformId = named('identity')?.['platform'] ?? (withIdentity ? 'facebook' : undefined);
  const platform = content.platforms.find(({ id }) => id === platformId);
  if (platformId !== undefined && platform === undefined) {
    return { flaws: [{ path: ['identity', 'platform'], message: `no platform ${JSON.stringify(platformId)}` }] };
  }
  const permitted = {
    action,
    resource,
    controller: { minimumCellSize: content.controller.minimumCellSize },
    system: { granted: true },
    purpose: {
      known: purpose !== undefined,
      // Giving up a purpose is one line in its file: it must not fail all cases that were written about it.
      retired: false,
      id: purpose?.id,
      legalBasis: purpose?.legalBasis,
      highRisk: purpose?.highRisk ?? false,
      specialCategories: purpose?.specialCategories ?? false,
      automatedDecisions: purpose?.automatedDecisions ?? false,
      actionServed: purpose?.actions.includes(action) ?? false,
      missingDimensions: [],
      unknownValues: [],
      forwardCompatible: false,
    },
    request: {},
    customer: withCustomer ? { ...noCustomer, named: true, known: true, consent: 'valid-yes' } : noCustomer,
    identity: withIdentity
      ? {
          ...noIdentity,
          named: true,
          known: true,
          platform: platform?.id,
          naming: platform?.naming,
          consent: withCustomer ? 'nothing-recorded' : 'valid-yes',
          controlProved: withCustomer,
        }
      : noIdentity,
    link: withIdentity && withCustomer && action !== 'link' ? 'active' : 'none',
    review: 'none',
    chain: [],
  };
  const parsed = factsSchema.safeParse(laidOver(permitted, said));
  if (parsed.success) return { facts: parsed.data };
  return { flaws: flawsOf(factsSchema, laidOver(permitted, said), parsed.error) };
}

/** Members of `above` win; objects are merged, lists are replaced; a hop is a person who agreed unless it says otherwise. */
function laidOver(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) return above === undefined ? below : above;
  const merged: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) merged[name] = laidOver(below[name], value);
  if (Array.isArray(merged['chain'])) merged['chain'] = merged['chain'].map((hop) => laidOver(agreedHop, hop));
  return merged;
}

const agreedHop = { known: true, consent: 'valid-yes', restricted: false, erased: false, suppressed: false };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
