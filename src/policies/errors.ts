import { AppError } from '../kernel/errors.ts';

/** What is wrong in one place of a policy folder, and what would be right there. */
export type Problem = { file: string; line: number; member: string; message: string };

/** A policy set that does not load. Holds all problems at once, sorted by file and line. */
export class PolicyError extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const sorted = problems.toSorted(
      (a, b) =>
        compareText(a.file, b.file) ||
        a.line - b.line ||
        compareText(a.member, b.member) ||
        compareText(a.message, b.message),
    );
    const lines = sorted.map(({ file, line, member, message }) => `${file}:${line}: ${member}: ${message}`);
    super('policies.invalid', 'invalid', `the policy set has ${sorted.length} problem(s)\n${lines.join('\n')}`);
    this.problems = sorted;
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
