import { didYouMean } from './did-you-mean.ts';
import type { Leaf } from './fact-paths.ts';

/**
 * Compiles the `when` of a rule to closures, once. The language is closed:
 *
 *   {path: value, …}                       all of them; a value is a word, a number or true/false
 *   {path: [a, b]}                         one of them (for a list of words: it holds one of them)
 *   {path: {lessThan: 5}}                  also atMost, moreThan, atLeast; the operand is a number or a path
 *   {path: {present: true}}                the request says something about it
 *   {path: {empty: true}}                  of a list: nothing in it, or not said
 *   {path: {some: {…}}}, {every: {…}}      of a list of objects; the paths inside are the object's members
 *   {all: […]}, {any: […]}, {not: {…}}
 *
 * A comparison with something absent is false, so a forbid rule that must fail closed says `not: {path: what is fine}`.
 */
export type Test = (facts: object) => boolean;

export type Condition = {
  test: Test;
  /** The tests under `chain: {some: …}`: they name the hops because of which the rule fired. */
  hopTests: Test[];
};

export type Vocabulary = {
  paths: ReadonlyMap<string, Leaf>;
  /** Words of the policy set itself, by what a path refers to: purposes, platforms, channels …; absent: not judged. */
  references: ReadonlyMap<string, ReadonlySet<string>>;
};

export type Flaw = { path: (string | number)[]; message: string };

const comparisons: Record<string, (a: number, b: number) => boolean> = {
  lessThan: (a, b) => a < b,
  atMost: (a, b) => a <= b,
  moreThan: (a, b) => a > b,
  atLeast: (a, b) => a >= b,
};

/** `flaws` receives every problem, with its path below `when`; the condition returned with flaws is never to be used. */
export function compileCondition(when: unknown, vocabulary: Vocabulary, flaws: Flaw[]): Condition {
  const hopTests: Test[] = [];
  return { test: compile(when, [], { ...vocabulary, prefix: '', hopTests, flaws }), hopTests };
}

type Scope = Vocabulary & { prefix: string; hopTests: Test[]; flaws: Flaw[] };
type At = (string | number)[];

const never: Test = () => false;

function flawed(scope: Scope, path: At, message: string): Test {
  scope.flaws.push({ path, message });
  return never;
}

function compile(condition: unknown, at: At, scope: Scope): Test {
  if (!isMap(condition)) return flawed(scope, at, 'expected conditions, for example {customer.consent: yes}');
  const entries = Object.entries(condition);
  if (entries.length === 0) return flawed(scope, at, 'expected at least one condition');
  return allOf(
    entries.map(([key, value]) => {
      const here = [...at, key];
      if (key === 'all' || key === 'any') {
        if (!Array.isArray(value) || value.length === 0) {
          return flawed(scope, here, `expected a list of conditions under "${key}"`);
        }
        const tests = value.map((item, index) => compile(item, [...here, index], scope));
        return key === 'all' ? allOf(tests) : anyOf(tests);
      }
      if (key === 'not') {
        const test = compile(value, here, scope);
        return (facts) => !test(facts);
      }
      const leaf = scope.paths.get(key);
      if (leaf === undefined) {
        const right = didYouMean(key, ['all', 'any', 'not', ...scope.paths.keys()]);
        return flawed(scope, here, `unknown fact "${scope.prefix}${key}"; ${right}`);
      }
      return compileLeaf(leaf, value, getter(key), here, scope);
    }),
  );
}

function compileLeaf(leaf: Leaf, value: unknown, get: Getter, at: At, scope: Scope): Test {
  if (isMap(value)) return compileOperators(leaf, value, get, at, scope);
  if (leaf.kind === 'objects') return flawed(scope, at, 'expected {some: …}, {every: …} or {empty: …}');
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) return flawed(scope, at, 'expected at least one value');
  const fine = values.map((item, index) => checkValue(leaf, item, Array.isArray(value) ? [...at, index] : at, scope));
  if (!fine.every(Boolean)) return never;
  const [only, ...others] = values;
  if (leaf.kind === 'words') {
    return others.length === 0
      ? (facts) => (get(facts) as unknown[] | undefined)?.includes(only) ?? false
      : (facts) => (get(facts) as unknown[] | undefined)?.some((item) => values.includes(item)) ?? false;
  }
  return others.length === 0 ? (facts) => get(facts) === only : (facts) => values.includes(get(facts));
}

function compileOperators(leaf: Leaf, operators: Record<string, unknown>, get: Getter, at: At, scope: Scope): Test {
  const allowed = operatorsOf(leaf);
  const entries = Object.entries(operators);
  if (entries.length === 0) return flawed(scope, at, `expected an operator; allowed: ${allowed.join(', ')}`);
  return allOf(
    entries.map(([operator, operand]) => {
      const here = [...at, operator];
      if (!allowed.includes(operator)) {
        return flawed(scope, here, `unknown operator "${operator}"; ${didYouMean(operator, allowed)}`);
      }
      if (operator === 'present' || operator === 'empty') {
        if (typeof operand !== 'boolean') return flawed(scope, here, 'expected true or false');
        return operator === 'present'
          ? (facts) => (get(facts) !== undefined) === operand
          : (facts) => (((get(facts) as unknown[] | undefined)?.length ?? 0) === 0) === operand;
      }
      if (operator === 'some' || operator === 'every') {
        const { members } = leaf as Extract<Leaf, { kind: 'objects' }>;
        const prefix = `${String(at.at(-1))}.`;
        const test = compile(operand, here, { ...scope, paths: members, prefix, hopTests: [] });
        if (operator === 'every') return (facts) => (get(facts) as object[]).every(test);
        scope.hopTests.push(test);
        return (facts) => (get(facts) as object[]).some(test);
      }
      return compileComparison(comparisons[operator]!, operand, get, here, scope);
    }),
  );
}

function compileComparison(
  compare: (a: number, b: number) => boolean,
  operand: unknown,
  get: Getter,
  at: At,
  scope: Scope,
): Test {
  if (typeof operand === 'number') {
    return (facts) => {
      const value = get(facts);
      return typeof value === 'number' && compare(value, operand);
    };
  }
  const numbers = [...scope.paths].filter(([, leaf]) => leaf.kind === 'number').map(([path]) => path);
  if (typeof operand !== 'string' || !numbers.includes(operand)) {
    return flawed(scope, at, `expected a number or a fact that is one; ${didYouMean(String(operand), numbers)}`);
  }
  const getOperand = getter(operand);
  return (facts) => {
    const value = get(facts);
    const other = getOperand(facts);
    return typeof value === 'number' && typeof other === 'number' && compare(value, other);
  };
}

function operatorsOf(leaf: Leaf): string[] {
  if (leaf.kind === 'number') return [...Object.keys(comparisons), 'present'];
  if (leaf.kind === 'words') return ['present', 'empty'];
  if (leaf.kind === 'objects') return ['some', 'every', 'empty'];
  return ['present'];
}

function checkValue(leaf: Leaf, value: unknown, at: At, scope: Scope): boolean {
  const refuse = (message: string) => {
    scope.flaws.push({ path: at, message });
    return false;
  };
  if (leaf.kind === 'boolean') return typeof value === 'boolean' || refuse('expected true or false');
  if (leaf.kind === 'number') return typeof value === 'number' || refuse('expected a number');
  if (typeof value !== 'string') return refuse('expected a word (in quotation marks where YAML reads something else)');
  const words = leaf.kind === 'objects' ? undefined : (leaf.words ?? referredWords(leaf, scope));
  if (words === undefined || words.includes(value)) return true;
  return refuse(`unknown value "${value}"; ${didYouMean(value, words)}`);
}

function referredWords(leaf: Leaf, scope: Scope): string[] | undefined {
  if (leaf.kind !== 'word' || leaf.refersTo === undefined) return undefined;
  const words = scope.references.get(leaf.refersTo);
  return words && [...words];
}

type Getter = (facts: object) => unknown;

/** At most three names deep, as the facts are; spelt out because this runs for every rule of every decision. */
function getter(path: string): Getter {
  const [a, b, c] = path.split('.') as [string, string?, string?];
  type Node = Record<string, Record<string, Record<string, unknown> | undefined> | undefined>;
  if (b === undefined) return (facts) => (facts as Node)[a];
  if (c === undefined) return (facts) => (facts as Node)[a]?.[b];
  return (facts) => (facts as Node)[a]?.[b]?.[c];
}

function allOf(tests: Test[]): Test {
  const [first, second, ...rest] = tests as [Test, ...Test[]];
  if (second === undefined) return first;
  if (rest.length === 0) return (facts) => first(facts) && second(facts);
  return (facts) => {
    for (const test of tests) if (!test(facts)) return false;
    return true;
  };
}

function anyOf(tests: Test[]): Test {
  return (facts) => {
    for (const test of tests) if (test(facts)) return true;
    return false;
  };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
