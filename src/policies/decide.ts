import { reader } from './compile-condition.ts';
import type { Condition, Slots } from './compile-condition.ts';
import type { Facts } from './facts.ts';
import { actions } from './schema.ts';
import type { Action, Obligation, Rule } from './schema.ts';

/** One rule that fired. `hops` are indices into `facts.chain`, where hops made it fire. */
export type Fired = Pick<Rule, 'id' | 'effect' | 'because'> & { hops?: number[] };

/** One line for each rule of the set. `applies` is false where the rule is not about this action. */
export type TraceEntry = { id: string; effect: Rule['effect']; applies: boolean; fired: boolean };

/**
 * The outcome of all rules. On a permit `obligations` are those of every permit and oblige rule that fired, on a deny those
 * of the forbid rules (a probabilistic match is denied *and* goes to a human).
 */
export type Verdict = { permit: boolean; fired: Fired[]; obligations: Obligation[]; trace: readonly TraceEntry[] };

export type CompiledRule = { rule: Rule } & Condition;

/**
 * Default deny, forbid wins, and every rule runs, so that the trace is complete: no rule is skipped because another has
 * already decided. The rules of an action and the three possible trace entries of each rule are laid out beforehand.
 */
export function decider(rules: readonly CompiledRule[], slots: Slots): (facts: Facts) => Verdict {
  const read = reader(slots);
  const plans = new Map(actions.map((action) => [action, planOf(rules, action)]));
  return (facts) => {
    const { untouched, applicable } = plans.get(facts.action)!;
    const values = read(facts);
    const trace = untouched.slice();
    const fired: Fired[] = [];
    const obliging: Rule[] = [];
    let permitted = false;
    let forbidden = false;
    for (const { compiled, index, firedEntry } of applicable) {
      if (!compiled.test(values)) continue;
      const { rule } = compiled;
      trace[index] = firedEntry;
      if (rule.effect === 'permit') permitted = true;
      else if (rule.effect === 'forbid') forbidden = true;
      if (rule.obligations.length > 0) obliging.push(rule);
      const { id, effect, because } = rule;
      if (compiled.hopTests.length === 0) fired.push({ id, effect, because });
      else fired.push({ id, effect, because, hops: guiltyHops(compiled.hopTests, facts) });
    }
    const permit = permitted && !forbidden;
    return { permit, fired, obligations: obligationsOf(obliging, permit), trace };
  };
}

type Step = { compiled: CompiledRule; index: number; firedEntry: TraceEntry };

function planOf(rules: readonly CompiledRule[], action: Action): { untouched: TraceEntry[]; applicable: Step[] } {
  const untouched: TraceEntry[] = [];
  const applicable: Step[] = [];
  rules.forEach((compiled, index) => {
    const { id, effect, actions: about } = compiled.rule;
    const applies = about === 'all' || about.includes(action);
    untouched.push(Object.freeze({ id, effect, applies, fired: false }));
    if (applies) applicable.push({ compiled, index, firedEntry: Object.freeze({ id, effect, applies, fired: true }) });
  });
  return { untouched, applicable };
}

function obligationsOf(obliging: readonly Rule[], permit: boolean): Obligation[] {
  const found: Obligation[] = [];
  for (const { effect, obligations } of obliging) {
    if ((effect === 'forbid') === permit) continue;
    for (const obligation of obligations) if (!found.includes(obligation)) found.push(obligation);
  }
  return found.sort();
}

function guiltyHops(tests: Condition['hopTests'], facts: Facts): number[] {
  const hops: number[] = [];
  facts.chain.forEach((hop, index) => {
    if (tests.some((test) => test(hop))) hops.push(index);
  });
  return hops;
}
