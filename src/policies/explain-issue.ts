import { z } from 'zod';
import type { Flaw } from './compile-condition.ts';
import { didYouMean } from './did-you-mean.ts';

type Issue = z.core.$ZodIssue;
type At = (string | number)[];

/** Zod's findings on `input`, in words that say what would be right; an unknown member becomes a flaw of its own. */
export function flawsOf(schema: z.ZodType, input: unknown, error: z.ZodError): Flaw[] {
  return error.issues.flatMap((issue) => explain(schema, input, issue as Issue, []));
}

function explain(schema: z.ZodType, input: unknown, issue: Issue, base: At): Flaw[] {
  const path: At = [...base, ...(issue.path as At)];
  const value = valueAt(input, path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = membersOf(schemaAt(schema, path));
      return issue.keys.map((key) => {
        const others = known.filter((name) => !isMember(value, name));
        return { path: [...path, key], message: `unknown member "${key}"; ${didYouMean(key, others)}` };
      });
    }
    case 'invalid_value': {
      const words = issue.values.map(String);
      if (value === undefined) return [{ path, message: `missing; ${didYouMean('', words)}` }];
      return [
        {
          path,
          message: `unknown value ${shown(value)}; ${didYouMean(typeof value === 'string' ? value : '', words)}`,
        },
      ];
    }
    case 'invalid_type':
      if (value === undefined) return [{ path, message: `missing; expected ${kindOf(issue.expected)}` }];
      return [{ path, message: `expected ${kindOf(issue.expected)}, not ${shown(value)}` }];
    case 'invalid_union': {
      // The branch that got furthest is the one that was meant.
      const meant = issue.errors.filter((branch) => branch.every((inner) => inner.path.length > 0))[0];
      if (meant !== undefined) return meant.flatMap((inner) => explain(schema, input, inner, path));
      return [{ path, message: `expected ${issue.errors.map(wanted).filter(Boolean).join(' or ')}` }];
    }
    case 'too_small':
      return [
        {
          path,
          message:
            issue.origin === 'string' ? 'empty; expected text' : `expected ${limit(issue, 'at least', issue.minimum)}`,
        },
      ];
    case 'too_big':
      return [{ path, message: `expected ${limit(issue, 'at most', issue.maximum)}` }];
    case 'invalid_format':
      return [{ path, message: `expected ${formatOf(issue)}, not ${shown(value)}` }];
    case 'custom':
      return [{ path, message: `expected ${issue.message}` }];
    default:
      return [{ path, message: issue.message }];
  }
}

const wanted = (branch: readonly Issue[]): string => {
  const issue = branch[0];
  if (issue?.code === 'invalid_value') return issue.values.map((value) => `"${String(value)}"`).join(' or ');
  return issue?.code === 'invalid_type' ? kindOf(issue.expected) : '';
};

const formats: Record<string, string> = {
  date: 'a date, for example "2026-01-01"',
  email: 'an e-mail address',
  url: 'an https address',
};

const formatOf = (issue: { format: string; message: string }): string => formats[issue.format] ?? issue.message;

const limit = (issue: { origin: string }, words: string, bound: number | bigint): string =>
  `${words} ${bound}${issue.origin === 'array' ? (bound === 1 ? ' entry' : ' entries') : ''}`;

const kinds: Record<string, string> = {
  string: 'text',
  object: 'members',
  record: 'members',
  array: 'a list',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

const kindOf = (expected: string): string => kinds[expected] ?? expected;

/** Policies hold no personal data except the contact addresses of the controller, which are public. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'members';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

const isMember = (value: unknown, name: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name);

function valueAt(input: unknown, path: At): unknown {
  let value = input;
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step];
  return value;
}

function schemaAt(schema: z.ZodType, path: At): z.ZodType | undefined {
  let here: z.ZodType | undefined = unwrap(schema);
  for (const step of path) {
    if (here instanceof z.ZodObject) here = here.shape[step as string] as z.ZodType | undefined;
    else if (here instanceof z.ZodArray) here = here.element as z.ZodType;
    else return undefined;
    here = here && unwrap(here);
  }
  return here;
}

const unwrap = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrap(schema.unwrap() as z.ZodType) : schema;

const membersOf = (schema: z.ZodType | undefined): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
