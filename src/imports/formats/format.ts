import type { Scope } from '../../consent/index.ts';

/**
 * What a column of an export means to a person, apart from any purpose: which purposes and scopes it stands for is the mapping's
 * (`mapping.ts`).
 */
export const meanings = [
  'email-opt-in',
  'bulk-email-opt-out',
  'do-not-email',
  'do-not-phone',
  'do-not-sms',
  'do-not-mail',
  'do-not-trade',
  'consent-withdrawn',
] as const;
export type Meaning = (typeof meanings)[number];

export const decisions = ['given', 'refused', 'withdrawn', 'objected', 'informed'] as const;
export type Decision = (typeof decisions)[number];

/** What an answer stands for: a purpose of the policy set or `*`, narrowed by a scope. */
export type StandsFor = { purpose: string; scope: Scope };

/** When a cell says something, and what. Columns are named by their header; spelling of capitals does not matter. */
export type Rule = {
  /** A header; with a star at its end, every header that begins so. */
  column: string;
  /**
   * `flag`: any word but those that mean "not set"; `moment`: a date or time; `always`: every line of a file with this column; a list: one of
   * these words, also among several.
   */
  says: 'flag' | 'moment' | 'always' | readonly string[];
  decision: Decision;
  meaning: Meaning;
  /** The first of these that holds a moment is when it was said. */
  occurredAt?: readonly string[];
  /** Columns that together show how a yes came about: without every one of them it is unproven. */
  evidence?: readonly string[];
};

export type CsvFormat = {
  id: string;
  /** The program and what of it was read, for people and for the evidence of a yes. */
  title: string;
  /** Whose columns these are: program and versions, for people. */
  versions: string;
  /** One column of each group must be there. */
  required: readonly (readonly string[])[];
  /** Strongest first. `number` is the customer number of the exporting program; several in one cell are told apart by `separator`. */
  identifiers: readonly { column: string; kind: 'number' | 'email' | 'phone'; separator?: string }[];
  rules: readonly Rule[];
  /** Whether a file of this name and with these headers (small letters) is one of people who have said yes to nothing. */
  holdsNoYes?(fileName: string, headers: ReadonlySet<string>): boolean;
  /** What a file with these headers (small letters) cannot say, though one might expect it to. */
  warnings?(headers: ReadonlySet<string>): string[];
};

/** Whether a column as a rule names it is this header (small letters). */
export const isColumn = (column: string, header: string): boolean => {
  const name = column.toLowerCase();
  return name.endsWith('*') ? header.startsWith(name.slice(0, -1)) : header === name;
};

/** Every column that is read of a format. */
export const columnsOf = ({ required, identifiers, rules }: CsvFormat): string[] => [
  ...new Set([
    ...required.flat(),
    ...identifiers.map(({ column }) => column),
    ...rules.flatMap(({ column, occurredAt = [], evidence = [] }) => [column, ...occurredAt, ...evidence]),
  ]),
];
