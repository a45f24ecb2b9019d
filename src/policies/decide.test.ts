import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { arbitraryFacts } from '../../test/support/arbitrary-facts.ts';
import { compileRules } from './catalogue.ts';
import type { Catalogue } from './catalogue.ts';
import { decider } from './decide.ts';
import type { Verdict } from './decide.ts';
import { factPaths } from './fact-paths.ts';
import type { Leaf } from './fact-paths.ts';
import { factsSchema } from './facts.ts';
import type { Facts } from './facts.ts';
import { loadCatalogue } from './load.ts';
import { actions, obligations } from './schema.ts';
import type { Rule } from './schema.ts';

const words = ['profile-linking', 'customer-service', 'social-monitoring', 'newsletter', 'facebook', 'forum', 'email'];
const facts = arbitraryFacts(words);
const runs = { numRuns: 3000 };

const texts = { de: 'x', fr: 'x', it: 'x', en: 'x' };
const rule = (own: Pick<Rule, 'id' | 'effect' | 'actions' | 'when'> & Partial<Rule>): Rule => ({
  obligations: [],
  because: { admin: texts, person: texts },
  sources: ['test'],
  ...own,
});

function deciderOf(rules: readonly Rule[]): (facts: Facts) => Verdict {
  const { rules: compiled, slots, flaws } = compileRules(rules, new Map());
  expect(flaws).toEqual([]);
  return decider(compiled, slots);
}

/** Any condition that the language allows. */
function conditions(paths: ReadonlyMap<string, Leaf>): fc.Arbitrary<Record<string, unknown>> {
  const numbers = [...paths].filter(([, leaf]) => leaf.kind === 'number').map(([path]) => path);
  const flag = fc.boolean();
  const oneOrMore = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof<fc.Arbitrary<unknown>[]>(value, fc.array(value, { minLength: 1, maxLength: 3 }));
  const ofLeaf = (leaf: Leaf): fc.Arbitrary<unknown> => {
    const present = fc.record({ present: flag });
    if (leaf.kind === 'boolean') return fc.oneof(oneOrMore(flag), present);
    if (leaf.kind === 'word') return fc.oneof(oneOrMore(fc.constantFrom(...(leaf.words ?? words))), present);
    if (leaf.kind === 'words')
      return fc.oneof(oneOrMore(fc.constantFrom(...leaf.words)), present, fc.record({ empty: flag }));
    if (leaf.kind === 'number') {
      const operand = fc.oneof(
        fc.integer({ min: -5, max: 40 }),
        ...(numbers.length > 0 ? [fc.constantFrom(...numbers)] : []),
      );
      const comparison = fc.constantFrom('lessThan', 'atMost', 'moreThan', 'atLeast');
      return fc.oneof(
        fc.integer({ min: -5, max: 40 }),
        present,
        fc.tuple(comparison, operand).map(([operator, value]) => ({ [operator]: value })),
      );
    }
    const inner = conditions(leaf.members);
    return fc.oneof(fc.record({ some: inner }), fc.record({ every: inner }), fc.record({ empty: flag }));
  };
  const { condition } = fc.letrec<{ condition: Record<string, unknown> }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.oneof(...[...paths].map(([path, leaf]) => ofLeaf(leaf).map((value) => ({ [path]: value })))),
      fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
      fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
      tie('condition').map((not) => ({ not })),
      fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => ({ ...a, ...b })),
    ),
  }));
  return condition;
}

/** The rule language once more, as slowly and plainly as it can be said. */
function holds(condition: unknown, facts: object): boolean {
  return Object.entries(condition as object).every(([key, wanted]) => {
    if (key === 'all') return (wanted as unknown[]).every((one) => holds(one, facts));
    if (key === 'any') return (wanted as unknown[]).some((one) => holds(one, facts));
    if (key === 'not') return !holds(wanted, facts);
    const value = at(facts, key);
    if (Array.isArray(wanted)) return wanted.some((one) => matches(value, one));
    if (typeof wanted !== 'object') return matches(value, wanted);
    return Object.entries(wanted as object).every(([operator, operand]) => {
      if (operator === 'present') return (value !== undefined) === operand;
      if (operator === 'empty') return (value === undefined || (value as unknown[]).length === 0) === operand;
      if (operator === 'some') return (value as object[]).some((item) => holds(operand, item));
      if (operator === 'every') return (value as object[]).every((item) => holds(operand, item));
      const other = typeof operand === 'string' ? at(facts, operand) : operand;
      if (typeof value !== 'number' || typeof other !== 'number') return false;
      if (operator === 'lessThan') return value < other;
      if (operator === 'atMost') return value <= other;
      return operator === 'moreThan' ? value > other : value >= other;
    });
  });
}
const at = (object: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], object);
const matches = (value: unknown, wanted: unknown): boolean =>
  Array.isArray(value) ? value.includes(wanted) : value === wanted;

describe('rules', () => {
  test('with no rule at all, everything is denied', () => {
    const decide = deciderOf([]);
    fc.assert(fc.property(facts, (some) => !decide(some).permit));
  });

  test('the compiled language says the same as a plain reading of it', () => {
    fc.assert(
      fc.property(conditions(factPaths()), facts, (when, some) => {
        const decide = deciderOf([rule({ id: 'one', effect: 'permit', actions: 'all', when })]);
        expect(decide(some).permit).toBe(holds(when, some));
      }),
      runs,
    );
  });

  test('forbid wins, default is deny, and the trace holds every rule', () => {
    const someRules = fc.array(
      fc.record({
        effect: fc.constantFrom('permit' as const, 'forbid' as const, 'oblige' as const),
        actions: fc.oneof(fc.constant('all' as const), fc.subarray([...actions], { minLength: 1 })),
        when: conditions(factPaths()),
        obligations: fc.subarray([...obligations], { minLength: 1 }),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(someRules, facts, (drafts, some) => {
        const rules = drafts.map((draft, index) => rule({ id: `rule-${index}`, ...draft }));
        const verdict = deciderOf(rules)(some);
        const about = (one: Rule) => one.actions === 'all' || one.actions.includes(some.action);
        const fires = rules.filter((one) => about(one) && holds(one.when, some));
        const permit =
          fires.some(({ effect }) => effect === 'permit') && !fires.some(({ effect }) => effect === 'forbid');
        expect(verdict.permit).toBe(permit);
        expect(verdict.fired.map(({ id }) => id)).toEqual(fires.map(({ id }) => id));
        expect(verdict.trace).toEqual(
          rules.map((one) => ({ id: one.id, effect: one.effect, applies: about(one), fired: fires.includes(one) })),
        );
        const owed = fires.filter(({ effect }) => (effect === 'forbid') !== permit).flatMap((one) => one.obligations);
        expect(verdict.obligations).toEqual([...new Set(owed)].sort());
      }),
      runs,
    );
  });
});

describe('the default policies', () => {
  let catalogue: Catalogue;
  beforeAll(async () => {
    catalogue = await loadCatalogue(join(import.meta.dirname, '../../policies'));
  });

  test('decide any valid facts without an error, and permit only what a rule permits and none forbids', () => {
    fc.assert(
      fc.property(facts, (some) => {
        const { permit, fired, trace } = catalogue.decide(some);
        expect(trace).toHaveLength(catalogue.rules.length);
        const effects = fired.map(({ effect }) => effect);
        expect(permit).toBe(effects.includes('permit') && !effects.includes('forbid'));
      }),
      runs,
    );
  });

  test('one more forbid rule never turns a deny into a permit', () => {
    fc.assert(
      fc.property(conditions(factPaths()), facts, (when, some) => {
        const more = deciderOf([...catalogue.rules, rule({ id: 'one-more', effect: 'forbid', actions: 'all', when })]);
        if (!catalogue.decide(some).permit) expect(more(some).permit).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  /** Facts of a link that differ from a permitted one here and there: random facts alone are hardly ever permitted. */
  const nearlyPermitted = (): fc.Arbitrary<Facts> => {
    const permitted = catalogue.cases.filter(({ verdict }) => verdict.permit).map((played) => played.facts);
    return fc
      .tuple(fc.constantFrom(...permitted), facts, fc.array(fc.constantFrom(...factPaths().keys()), { maxLength: 4 }))
      .map(([base, other, paths]) => {
        const mixed = structuredClone(base) as unknown as Record<string, unknown>;
        for (const path of paths) {
          const [section, member, third] = path.split('.') as [string, string?, string?];
          const value = at(other, third === undefined ? path : `${section}.${member}`);
          if (member === undefined) mixed[section] = value;
          else if (value === undefined) delete (mixed[section] as Record<string, unknown>)[member];
          else (mixed[section] as Record<string, unknown>)[member] = value;
        }
        return factsSchema.parse(mixed);
      });
  };

  test('permit a link only with a yes, with proof, without a no on either side, and with every hop asked', () => {
    let permits = 0;
    fc.assert(
      fc.property(nearlyPermitted(), (some) => {
        if (some.action !== 'link' || !catalogue.decide(some).permit) return;
        permits += 1;
        const { customer, identity, chain, request } = some;
        expect(customer).toMatchObject({
          named: true,
          known: true,
          consent: 'valid-yes',
          restricted: false,
          erased: false,
        });
        expect(identity).toMatchObject({
          named: true,
          controlProved: true,
          handleOnly: false,
          shared: false,
          erased: false,
        });
        expect(identity.consent).not.toBe('live-no');
        if (identity.naming === 'pseudonymous') expect(customer.yesNamesPlatform).toBe(true);
        for (const hop of chain) expect(hop).toMatchObject({ consent: 'valid-yes', erased: false, restricted: false });
        expect(some.review).not.toBe('not-same-person');
        if (some.review !== 'same-person') {
          expect(request.match?.method).not.toBe('probabilistic');
          expect(request.match?.confidence ?? 1).toBe(1);
        }
        expect(some.purpose).toMatchObject({
          known: true,
          retired: false,
          actionServed: true,
          missingDimensions: [],
          unknownValues: [],
        });
        expect(some.system.granted).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(permits).toBeGreaterThan(100);
  });

  test('permit nothing at all against a no or a wish, for the erased, to a system without a grant, or under a purpose given up', () => {
    const speaking: string[] = ['contact', 'reply', 'reply_automatically'];
    let permits = 0;
    fc.assert(
      fc.property(nearlyPermitted(), (some) => {
        if (!catalogue.decide(some).permit) return;
        permits += 1;
        for (const side of [some.customer, some.identity]) {
          expect(side.consent).not.toBe('live-no');
          expect(side.erased || side.suppressed).toBe(false);
          if (some.action !== 'retain') expect(side.restricted).toBe(false);
          if (!speaking.includes(some.action)) continue;
          if (some.purpose.legalBasis !== 'legal-obligation') expect(side.dialogue).toBe('open');
          if (some.request.asksForConsent) expect(side.mayBeAsked).toBe(true);
        }
        if (some.action !== 'retain') expect(some.purpose.retired).toBe(false);
        expect(some.system.granted && some.purpose.known && some.purpose.actionServed).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(permits).toBeGreaterThan(500);
  });

  test('are not widened by a worse state of the person', () => {
    const worse = fc.constantFrom('live-no', 'expired', 'pending', 'nothing-recorded', 'not-informed') as fc.Arbitrary<
      Facts['customer']['consent']
    >;
    fc.assert(
      fc.property(
        nearlyPermitted(),
        worse,
        fc.constantFrom('customer' as const, 'identity' as const),
        (some, consent, side) => {
          const before = some[side].consent;
          if (before !== 'valid-yes' || catalogue.decide(some).permit) return;
          const after = { ...some, [side]: { ...some[side], consent } };
          expect(catalogue.decide(after).permit).toBe(false);
        },
      ),
      { numRuns: 10_000 },
    );
  });
});

describe('facts', () => {
  test('with an unknown member anywhere are refused', () => {
    fc.assert(
      fc.property(
        facts,
        fc.constantFrom('', 'purpose', 'request', 'customer', 'identity', 'system'),
        (some, section) => {
          const spoilt = structuredClone(some) as unknown as Record<string, Record<string, unknown>>;
          (section === '' ? spoilt : spoilt[section]!)['consnet'] = 'valid-yes' as never;
          expect(factsSchema.safeParse(some).success).toBe(true);
          expect(factsSchema.safeParse(spoilt).success).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });
});
