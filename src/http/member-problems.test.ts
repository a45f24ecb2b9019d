import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { memberProblems } from './member-problems.ts';

const schema = z.strictObject({
  purpose: z.string().min(3),
  at: z.iso.datetime(),
  count: z.int().max(3),
  kind: z.enum(['yes', 'no']),
  act: z.literal('link'),
  who: z.union([z.object({ id: z.string(), role: z.string() }), z.string()]),
  form: z.discriminatedUnion('type', [z.object({ type: z.literal('a') }), z.object({ type: z.literal('b') })]),
  chain: z.array(z.object({ id: z.string().regex(/^x:/) })).min(1),
  extras: z.record(z.string(), z.number()),
  key: z.string().refine((value) => value === 'fit', 'must fit'),
});
const valid = {
  purpose: 'abc',
  at: '2026-01-01T00:00:00Z',
  count: 1,
  kind: 'yes',
  act: 'link',
  who: 'me',
  form: { type: 'a' },
  chain: [{ id: 'x:1' }],
  extras: {},
  key: 'fit',
};

const problemsOf = (change: object) => {
  const input = { ...valid, ...change };
  const read = schema.safeParse(input);
  return read.success ? [] : memberProblems(read.error, input, 'body');
};

test.each([
  [{ purpose: undefined }, 'purpose', 'required', 'purpose is required'],
  [{ purpose: null }, 'purpose', 'type', 'purpose must be a string'],
  [{ purpose: 'ab' }, 'purpose', 'size', 'purpose must be at least 3 characters'],
  [{ at: 'yesterday' }, 'at', 'format', 'at must be a time in RFC 3339, UTC'],
  [{ count: 1.5 }, 'count', 'type', 'count must be an integer'],
  [{ count: 4 }, 'count', 'size', 'count must be at most 3'],
  [{ kind: 'maybe' }, 'kind', 'value', 'kind must be one of yes, no'],
  [{ act: 'unlink' }, 'act', 'value', 'act must be link'],
  [{ who: { id: 1, role: 'agent' } }, 'who.id', 'type', 'who.id must be a string'],
  [{ form: { type: 'c' } }, 'form.type', 'form', 'form.type has none of the allowed forms'],
  [{ chain: [] }, 'chain', 'size', 'chain must be at least 1 items'],
  [{ chain: [{ id: 'x:1' }, { id: 'eva' }] }, 'chain.1.id', 'format', 'chain.1.id must be in the expected form'],
  [{ extra: 1 }, 'extra', 'unknown', 'extra is not a known member'],
  [{ key: 'misfit' }, 'key', 'rule', 'key must fit'],
])('%j is reported as member, rule and sentence', (change, member, rule, detail) => {
  expect(problemsOf(change)).toEqual([{ member, rule, detail }]);
});

test('an input that is no object at all is reported as a whole', () => {
  const read = schema.safeParse('eva');
  expect(memberProblems(read.error!, 'eva', 'body')).toEqual([
    { member: 'body', rule: 'type', detail: 'body must be an object' },
  ]);
});

test("the caller's own keys are not repeated, for people use addresses as keys", () => {
  expect(problemsOf({ extras: { 'eva@example.org': 'x' } })).toEqual([
    { member: 'extras.*', rule: 'type', detail: 'extras.* must be a number' },
  ]);
  expect(problemsOf({ 'eva@example.org': 1 })[0]!.member).toBe('*');
});

test('a thousand problems are answered with twenty', () => {
  expect(problemsOf({ chain: Array.from({ length: 1000 }, () => ({ id: 1 })) })).toHaveLength(20);
});

test('no problem ever repeats a value of the input', () => {
  const canary = 'canary7531';
  const anything = fc.letrec((tie) => ({
    node: fc.oneof(
      fc.constant(canary),
      fc.constant(null),
      fc.integer(),
      fc.array(tie('node'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom(...Object.keys(valid), 'id', 'role', 'type', `${canary}@x.org`), tie('node')),
    ),
  })).node;
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(valid)), anything), (change) => {
      expect(JSON.stringify(problemsOf(change))).not.toContain(canary);
    }),
  );
});
