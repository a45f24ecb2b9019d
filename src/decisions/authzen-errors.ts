import type { z } from 'zod';
import { AppError } from '../kernel/errors.ts';

/** One broken rule: the member by its path (`evaluations.3.resource.id`), the rule's name, a sentence. Never a value. */
export type MemberProblem = { member: string; rule: string; detail: string };

const problem = (member: string, rule: string, must: string): MemberProblem => ({
  member,
  rule,
  detail: `${member} ${must}`,
});

/** A member that has to be there and is not. */
export const missing = (member: string): MemberProblem => problem(member, 'required', 'is required');

/** A member whose value is not allowed; `must` completes the sentence that its name begins. */
export const unfit = (member: string, must: string): MemberProblem => problem(member, 'value', must);

/**
 * An AuthZEN request that cannot be understood (AuthZEN §10.1.2, status 400). The message names the first few members;
 * `errors` holds all of them in the form of the problem document.
 */
export class RequestInvalid extends AppError {
  readonly errors: readonly MemberProblem[];

  constructor(problems: readonly MemberProblem[]) {
    const details = problems.slice(0, 5).map((one) => one.detail);
    super('decisions.request-invalid', 'invalid', details.join('; '), { member: problems[0]?.member });
    this.errors = problems;
  }
}

const nouns: Record<string, string> = { object: 'an object', array: 'an array', int: 'an integer', string: 'a string' };

const describe = (issue: z.core.$ZodIssue, member: string): MemberProblem => {
  switch (issue.code) {
    case 'invalid_type':
      return problem(member, 'type', `must be ${nouns[issue.expected] ?? issue.expected}`);
    case 'invalid_value':
      return unfit(member, `must be one of ${issue.values.join(', ')}`);
    case 'too_big':
      return problem(
        member,
        'size',
        `must have at most ${issue.maximum} ${issue.origin === 'array' ? 'items' : 'characters'}`,
      );
    case 'too_small':
      return unfit(member, `must be at least ${issue.minimum}`);
    default:
      return problem(member, 'type', issue.message);
  }
};

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);

/**
 * Says in words what zod found wrong with `input`. `prefix` is the path of `input` in the body (`evaluations.3`).
 * JSON knows no undefined, so a member that is undefined was left out.
 */
export const problemsOf = (error: z.core.$ZodError, input: unknown, prefix = ''): MemberProblem[] =>
  error.issues.map((issue) => {
    const path = [prefix, ...issue.path.map(String)].filter((part) => part !== '').join('.');
    return path !== '' && valueAt(input, issue.path) === undefined
      ? missing(path)
      : describe(issue, path || 'the body');
  });
