import type { Facts } from './facts.ts';

const person = {
  named: true,
  known: true,
  consent: 'nothing-recorded',
  restricted: false,
  erased: false,
  suppressed: false,
  prefersHumans: false,
  dialogue: 'open',
  mayBeAsked: true,
};

/**
 * What facts mostly are. Recorded decisions hold only what differs, so that a permit costs a fifth to store. Never change a value here:
 * what has been recorded would be read back differently. A member that older records lack belongs here, with what then held.
 */
const usual: Readonly<Record<string, unknown>> = {
  resource: 'social_identity',
  system: { granted: true },
  purpose: {
    known: true,
    retired: false,
    highRisk: false,
    specialCategories: false,
    automatedDecisions: false,
    actionServed: true,
    missingDimensions: [],
    unknownValues: [],
    forwardCompatible: false,
  },
  request: {},
  customer: { ...person, yesNamesPlatform: false },
  identity: { ...person, handleOnly: false, shared: false, controlProved: false },
  link: 'none',
  review: 'none',
  chain: [],
};

/** Facts as they are recorded: the members that are not as usual. */
export type CompactFacts = { [member: string]: unknown };

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isUsual = (value: unknown, expected: unknown): boolean =>
  value === expected || (Array.isArray(value) && value.length === 0 && Array.isArray(expected));

/** Leaves out what is as usual. Pure; `expandFacts` gives back equal facts. */
export const compactFacts = (facts: Facts): CompactFacts => {
  const compact: CompactFacts = {};
  for (const [name, value] of Object.entries(facts as Record<string, unknown>)) {
    const expected = usual[name];
    if (!isGroup(value) || !isGroup(expected)) {
      if (!isUsual(value, expected)) compact[name] = value;
      continue;
    }
    let differs = false;
    const group: Record<string, unknown> = {};
    for (const member in value) {
      if (isUsual(value[member], expected[member])) continue;
      group[member] = value[member];
      differs = true;
    }
    if (differs) compact[name] = group;
  }
  return compact;
};

/** The facts that were recorded. The result is what `factsSchema` describes, if it was made by `compactFacts`. */
export const expandFacts = (compact: CompactFacts): Facts => {
  const facts: Record<string, unknown> = { ...usual, ...compact };
  for (const [name, expected] of Object.entries(usual))
    if (isGroup(expected)) facts[name] = { ...expected, ...(compact[name] as object | undefined) };
  return facts as Facts;
};
