import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { compileCondition } from './compile-condition.ts';
import type { Flaw, Slots, Vocabulary } from './compile-condition.ts';
import { contentSchema } from './content.ts';
import type { Content } from './content.ts';
import { crossCheck, referencesOf } from './cross-check.ts';
import { decider } from './decide.ts';
import type { CompiledRule, Verdict } from './decide.ts';
import { PolicyError } from './errors.ts';
import { flawsOf } from './explain-issue.ts';
import { factPaths } from './fact-paths.ts';
import type { Facts } from './facts.ts';
import { checkPlaceholders } from './reasons.ts';
import { playCases } from './run-cases.ts';
import type { PlayedCase } from './run-cases.ts';
import type { Controller, Jurisdiction, Platform, Purpose, Rule, System } from './schema.ts';

/**
 * A policy set that has passed every check, frozen to its last member. `digest` is the SHA-256 (hexadecimal) of `json`,
 * its canonical form (RFC 8785), which is what the database stores and what a regulator can hash again.
 */
export type Catalogue = {
  readonly digest: string;
  readonly json: string;
  readonly controller: Controller;
  readonly jurisdictions: ReadonlyMap<string, Jurisdiction>;
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly systems: ReadonlyMap<string, System>;
  readonly purposes: ReadonlyMap<string, Purpose>;
  readonly rules: readonly Rule[];
  readonly cases: readonly PlayedCase[];
  /** Pure: the same facts give the same verdict for ever under one digest. Never throws on facts that pass `factsSchema`. */
  decide(facts: Facts): Verdict;
};

/** Restores a set from its stored canonical form, to the same digest. Throws PolicyError where this version cannot read it. */
export function readCatalogue(json: string): Catalogue {
  const stored = (flaws: readonly Flaw[]) =>
    new PolicyError(
      flaws.map(({ path, message }) => ({ file: 'stored policy set', line: 1, member: memberName(path), message })),
    );
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw stored([{ path: [], message: 'expected JSON' }]);
  }
  // Otherwise two texts of one meaning would have two digests.
  if (canonicalize(value) !== json) throw stored([{ path: [], message: 'expected the canonical form of RFC 8785' }]);
  const parsed = contentSchema.safeParse(value);
  if (!parsed.success) throw stored(flawsOf(contentSchema, value, parsed.error));
  const judged = judge(parsed.data, json);
  if (Array.isArray(judged)) throw stored(judged);
  return judged;
}

/** The catalogue of a content, or everything that is wrong with it, as paths into the content. */
export function judge(content: Content, json: string): Catalogue | Flaw[] {
  const { rules, slots, flaws: ruleFlaws } = compileRules(content.rules, referencesOf(content));
  const flaws = [...crossCheck(content), ...ruleFlaws];
  const decide = decider(rules, slots);
  // A case says nothing about a set whose rules are not what their author meant.
  const { played, flaws: caseFlaws } = ruleFlaws.length > 0 ? { played: [], flaws: [] } : playCases(content, decide);
  flaws.push(...caseFlaws);
  if (flaws.length > 0) return flaws;
  return deepFreeze({
    digest: createHash('sha256').update(json).digest('hex'),
    json,
    controller: content.controller,
    jurisdictions: byId(content.jurisdictions),
    platforms: byId(content.platforms),
    systems: byId(content.systems),
    purposes: byId(content.purposes),
    rules: content.rules,
    cases: played,
    decide,
  });
}

/** `rules[3].when.customer` as people write it. */
export const memberName = (path: readonly (string | number)[]): string =>
  path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return /^\w+$/.test(step) ? `.${step}` : `["${step}"]`;
    })
    .join('')
    .replace(/^\./, '') || '(whole)';

/** `references` may be empty: then only the words of the rule language itself are judged. */
export function compileRules(
  rules: readonly Rule[],
  references: Vocabulary['references'],
): { rules: CompiledRule[]; slots: Slots; flaws: Flaw[] } {
  const slots: Slots = new Map();
  const vocabulary = { paths: factPaths(), references };
  const flaws: Flaw[] = [];
  const compiled = rules.map((rule, index) => {
    const own: Flaw[] = [];
    const { test, hopTests } = compileCondition(rule.when, vocabulary, slots, own);
    const inWhen = own.map(({ path, message }) => ({ path: ['when', ...path], message }));
    for (const { path, message } of [...inWhen, ...checkPlaceholders(rule)]) {
      flaws.push({ path: ['rules', index, ...path], message });
    }
    return { rule, test, hopTests };
  });
  return { rules: compiled, slots, flaws };
}

const byId = <T extends { id: string }>(items: readonly T[]): ReadonlyMap<string, T> =>
  new Map(items.map((item) => [item.id, item]));

/** A frozen Map still takes entries, so its writing methods go as well. */
function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    for (const member of value.values()) deepFreeze(member as object);
    const refuse = () => {
      throw new TypeError('a policy set does not change');
    };
    Object.assign(value, { set: refuse, delete: refuse, clear: refuse });
  } else {
    for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}
