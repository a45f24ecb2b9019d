import type { Judged } from '../consent/index.ts';

/** A line that could not be taken, or a part of one. Never holds what stands there. */
export type Problem = { line: number; problem: string; whole: boolean };

/** What an import came to. Kept with its progress, so plain JSON. */
export type Tally = {
  lines: number;
  bad: number;
  /** Lines on which nothing is said about a person's wishes. */
  silent: number;
  /** Lines of people who are known, and of others. */
  known: number;
  unknown: number;
  /** Answers by kind, purpose and scope. */
  answers: Record<string, number>;
  /** Of the answers, those that are recorded from an earlier time. */
  already: number;
  /** Why yeses are unproven. */
  unproven: Record<string, number>;
  /** Parts of lines that were left out, by reason. */
  leftOut: Record<string, number>;
};

export const newTally = (): Tally => ({
  lines: 0,
  bad: 0,
  silent: 0,
  known: 0,
  unknown: 0,
  answers: {},
  already: 0,
  unproven: {},
  leftOut: {},
});

const count = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};

/** `no newsletter channel=email`. */
export const countAnswer = (tally: Tally, { answer, purpose, scope, because }: Judged): void => {
  const narrowed = Object.entries(scope).map(([dimension, value]) => `${dimension}=${value}`);
  count(tally.answers, [answer, purpose, ...narrowed.toSorted()].join(' '));
  if (because) count(tally.unproven, because);
};

export const countProblem = (tally: Tally, { whole, problem }: Problem): void => {
  if (whole) tally.bad++;
  else count(tally.leftOut, problem);
};
