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
export type Test = (values: Values) => boolean;

/**
 * The facts that rules name, laid out flat: each path of any rule has a slot and is read once per decision. Looking up
 * members by name in every rule took four fifths of the time of a decision.
 */
export type Values = readonly unknown[];
export type Slots = Map<string, number>;

export type Condition = {
  test: Test;
  /** The tests under `chain: {some: …}`: they name the hops because of which the rule fired. */
  hopTests: ((hop: object) => boolean)[];
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

/**
 * `slots` receives the paths that the condition reads, `flaws` every problem with its path below `when`; a condition
 * returned with flaws is never to be used.
 */
export function compileCondition(when: unknown, vocabulary: Vocabulary, slots: Slots, flaws: Flaw[]): Condition {
  const hopTests: Condition['hopTests'] = [];
  return { test: compile(when, [], { ...vocabulary, prefix: '', slots, hopTests, flaws }), hopTests };
}

/**
 * Reads the paths of `slots` out of an object, in the order of their slots; what is absent is undefined. Each object on the
 * way is looked up once. The values are good until the next call: a decision is made in one go, and an array for each
 * would be its largest cost.
 */
export function reader(slots: Slots): (facts: object) => Values {
  const values: unknown[] = Array.from({ length: slots.size });
  const parents = new Map<string, { name: string; slot: number }[]>();
  for (const [path, slot] of slots) {
    const dot = path.lastIndexOf('.');
    const parent = path.slice(0, Math.max(dot, 0));
    parents.set(parent, [...(parents.get(parent) ?? []), { name: path.slice(dot + 1), slot }]);
  }
  const groups = [...parents].map(([parent, members]) => ({ steps: parent === '' ? [] : parent.split('.'), members }));
  return (facts) => {
    for (const { steps, members } of groups) {
      let parent = facts as Record<string, unknown> | undefined;
      for (const step of steps) parent = parent?.[step] as Record<string, unknown> | undefined;
      for (const { name, slot } of members) values[slot] = parent?.[name];
    }
    return values;
  };
}

type Scope = Vocabulary & { prefix: string; slots: Slots; hopTests: Condition['hopTests']; flaws: Flaw[] };
type At = (string | number)[];

const never: Test = () => false;

function flawed(scope: Scope, path: At, message: string): Test {
  scope.flaws.push({ path, message });
  return never;
}

function compile(condition: unknown, at: At, scope: Scope): Test {
  if (!isMap(condition)) return flawed(scope, at, 'expected conditions, for example {customer.known: true}');
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
        return (values) => !test(values);
      }
      const leaf = scope.paths.get(key);
      if (leaf === undefined) {
        const right = didYouMean(key, ['all', 'any', 'not', ...scope.paths.keys()]);
        return flawed(scope, here, `unknown fact "${scope.prefix}${key}"; ${right}`);
      }
      return compileLeaf(leaf, value, slotOf(key, scope), here, scope);
    }),
  );
}

function compileLeaf(leaf: Leaf, value: unknown, slot: number, at: At, scope: Scope): Test {
  if (isMap(value)) return compileOperators(leaf, value, slot, at, scope);
  if (leaf.kind === 'objects') return flawed(scope, at, 'expected {some: …}, {every: …} or {empty: …}');
  const wanted: unknown[] = Array.isArray(value) ? value : [value];
  if (wanted.length === 0) return flawed(scope, at, 'expected at least one value');
  const fine = wanted.map((item, index) => checkValue(leaf, item, Array.isArray(value) ? [...at, index] : at, scope));
  if (!fine.every(Boolean)) return never;
  if (leaf.kind === 'words') {
    return (values) => (values[slot] as unknown[] | undefined)?.some((item) => wanted.includes(item)) ?? false;
  }
  const [only] = wanted;
  return wanted.length === 1 ? (values) => values[slot] === only : (values) => wanted.includes(values[slot]);
}

function compileOperators(leaf: Leaf, operators: Record<string, unknown>, slot: number, at: At, scope: Scope): Test {
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
          ? (values) => (values[slot] !== undefined) === operand
          : (values) => (((values[slot] as unknown[] | undefined)?.length ?? 0) === 0) === operand;
      }
      if (operator === 'some' || operator === 'every') {
        const { members } = leaf as Extract<Leaf, { kind: 'objects' }>;
        const prefix = `${String(at.at(-1))}.`;
        const slots: Slots = new Map();
        const test = compile(operand, here, { ...scope, paths: members, prefix, slots, hopTests: [] });
        const read = reader(slots);
        const holds = (item: object) => test(read(item));
        if (operator === 'every') return (values) => (values[slot] as object[]).every(holds);
        scope.hopTests.push(holds);
        return (values) => (values[slot] as object[]).some(holds);
      }
      return compileComparison(comparisons[operator]!, operand, slot, here, scope);
    }),
  );
}

function compileComparison(
  compare: (a: number, b: number) => boolean,
  operand: unknown,
  slot: number,
  at: At,
  scope: Scope,
): Test {
  if (typeof operand === 'number') {
    return (values) => {
      const value = values[slot];
      return typeof value === 'number' && compare(value, operand);
    };
  }
  const numbers = [...scope.paths].filter(([, leaf]) => leaf.kind === 'number').map(([path]) => path);
  if (typeof operand !== 'string' || !numbers.includes(operand)) {
    return flawed(scope, at, `expected a number or a fact that is one; ${didYouMean(String(operand), numbers)}`);
  }
  const operandSlot = slotOf(operand, scope);
  return (values) => {
    const value = values[slot];
    const other = values[operandSlot];
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

function slotOf(path: string, { slots }: Scope): number {
  const slot = slots.get(path) ?? slots.size;
  slots.set(path, slot);
  return slot;
}

function allOf(tests: Test[]): Test {
  const [first, second, ...rest] = tests as [Test, ...Test[]];
  if (second === undefined) return first;
  if (rest.length === 0) return (values) => first(values) && second(values);
  return (values) => {
    for (const test of tests) if (!test(values)) return false;
    return true;
  };
}

function anyOf(tests: Test[]): Test {
  return (values) => {
    for (const test of tests) if (test(values)) return true;
    return false;
  };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
