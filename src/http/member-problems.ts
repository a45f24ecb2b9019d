import type { z } from 'zod';
import type { MemberProblem } from './errors.ts';

type Issue = z.core.$ZodIssue;

/** How many problems one answer lists: a wrong batch of a thousand says enough with twenty. */
const most = 20;

/** What a member of ours is called. Anything else in a path is the caller's own text (a key of a record), perhaps an e-mail address. */
const memberName = /^[A-Za-z_$][A-Za-z0-9_$-]{0,39}$/;

const segment = (key: PropertyKey): string =>
  typeof key === 'number' || (typeof key === 'string' && memberName.test(key)) ? String(key) : '*';

const nouns: Readonly<Record<string, string>> = {
  object: 'an object',
  record: 'an object',
  array: 'an array',
  tuple: 'an array',
  int: 'an integer',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  null: 'null',
};

const formats: Readonly<Record<string, string>> = {
  datetime: 'a time in RFC 3339, UTC',
  date: 'a date (YYYY-MM-DD)',
  duration: 'a duration in ISO 8601',
  uuid: 'a UUID',
  guid: 'a UUID',
  email: 'an e-mail address',
  url: 'a URL',
  regex: 'in the expected form',
};

const unit = (origin: string): string =>
  origin === 'string' ? ' characters' : origin === 'array' || origin === 'set' ? ' items' : '';

/** The rule that an issue names and the rest of the sentence that begins with its member. */
const ruleOf = (issue: Issue): [rule: string, must: string] => {
  switch (issue.code) {
    case 'invalid_type':
      return ['type', `must be ${nouns[issue.expected] ?? issue.expected}`];
    case 'invalid_value':
      return ['value', `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`];
    case 'invalid_format':
      return ['format', `must be ${formats[issue.format] ?? `in the format ${issue.format}`}`];
    case 'too_small':
      return [
        'size',
        `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}`,
      ];
    case 'too_big':
      return [
        'size',
        `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin)}`,
      ];
    case 'not_multiple_of':
      return ['value', `must be a multiple of ${issue.divisor}`];
    case 'invalid_key':
      return ['key', 'has a member whose name is not allowed'];
    case 'custom':
      return ['rule', issue.message];
    default:
      return ['form', 'has none of the allowed forms'];
  }
};

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], input);

/**
 * Of a union's forms the one that was probably meant: the one with the fewest problems, a deep one before a shallow one,
 * because whoever got further had that form in mind.
 */
const nearest = (forms: readonly (readonly Issue[])[]): readonly Issue[] =>
  forms.toSorted((a, b) => a.length - b.length || (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0] ?? [];

const flatten = (issue: Issue, above: readonly PropertyKey[]): Issue[] => {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return nearest(issue.errors).flatMap((inner) => flatten(inner, path));
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ ...issue, keys: [key], path: [...path, key] }));
  }
  return [{ ...issue, path }];
};

/**
 * Says in words what zod found wrong with `input`: which member breaks which rule, never the value.
 * `whole` names the input where the problem is not inside a member (`body`).
 */
export const memberProblems = (error: z.core.$ZodError, input: unknown, whole: string): MemberProblem[] =>
  error.issues
    .flatMap((issue) => flatten(issue, []))
    .slice(0, most)
    .map((issue) => {
      const member = issue.path.map(segment).join('.') || whole;
      // JSON knows no undefined: a member that is undefined was left out.
      const [rule, must] =
        issue.code === 'unrecognized_keys'
          ? ['unknown', 'is not a known member']
          : valueAt(input, issue.path) === undefined
            ? ['required', 'is required']
            : ruleOf(issue);
      return { member, rule, detail: `${member} ${must}` };
    });
