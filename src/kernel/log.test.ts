import { expect, test } from 'vitest';
import { z } from 'zod';
import { AppError } from './errors.ts';
import { createLog, personalMembers, type Log } from './log.ts';
import { personal } from './personal.ts';

const identifier = personal(z.string()).meta({ id: 'LoggedIdentifier', 'x-personal-data': true });
const schema = z.object({
  purpose: z.string(),
  resource: z.object({ accountId: personal(z.string()) }),
  chain: z.array(identifier),
  customer: identifier.optional(),
  evidence: personal(z.object({ words: z.string() })).nullable(),
  byName: z.record(z.string(), z.union([z.object({ handle: personal(z.string()) }), z.number()])),
  counted: z.string().transform((text) => text.length),
});
const personalNames = personalMembers([schema]);

const lines: string[] = [];
const log: Log = createLog({
  level: 'debug',
  stream: { write: (line) => void lines.push(line) },
  personal: personalNames,
});
const written = (write: () => void): { text: string; line: Record<string, any> } => {
  lines.length = 0;
  write();
  const text = lines.join('');
  return { text, line: JSON.parse(text) };
};
const canary = 'canary-4711';

test('the marks of schemas name what is personal: in objects, lists, unions, records, references', () => {
  expect([...personalNames].toSorted()).toEqual(['accountid', 'chain', 'customer', 'evidence', 'handle']);
});

test('marked members are redacted at any depth and in whatever object they are logged', () => {
  const { text, line } = written(() =>
    log.info(
      {
        purpose: 'newsletter',
        resource: { accountId: canary },
        deep: [{ a: { b: { c: { chain: [canary], customer: canary } } } }],
        row: { account_id: canary, evidence: { words: canary } },
        handle: canary,
      },
      'asked',
    ),
  );
  expect(text).not.toContain(canary);
  expect(line).toMatchObject({ level: 'info', msg: 'asked', purpose: 'newsletter' });
  expect(line['resource'].accountId).toBe('[redacted]');
});

test('what is bound to a child logger is redacted too, and so are secrets', () => {
  const { text } = written(() =>
    log
      .child({ customer: canary, authorization: `Bearer ${canary}` })
      .child({ job: 'sweep', handle: canary })
      .warn({ clientSecret: canary, access_token: canary }, 'x'),
  );
  expect(text).not.toContain(canary);
  expect(text).toContain('"job":"sweep"');
});

test('addresses and numbers inside sentences are blotted out', () => {
  const { text, line } = written(() =>
    log.info({ note: 'of <eva.müller+x@example.org>' }, 'mail to eva@example.org or +41791234567, 4711 times'),
  );
  expect(line['msg']).toBe('mail to [redacted] or [redacted], 4711 times');
  expect(text).not.toMatch(/eva|791234567/);
});

test.each([
  [
    'the query of a driver',
    Object.assign(new Error(`Failed query: insert ${canary}\nparams: ${canary}`), { query: canary, params: [canary] }),
  ],
  [
    'PostgreSQL',
    Object.assign(new Error('duplicate key'), {
      name: 'PostgresError',
      code: '23505',
      detail: `Key (identifier)=(${canary}) already exists.`,
      constraint_name: 'identifier_pkey',
    }),
  ],
  [
    'JSON.parse',
    (() => {
      try {
        return JSON.parse(`{"a": ${canary}}`);
      } catch (error) {
        return error;
      }
    })(),
  ],
  ['zod', z.object({ a: z.string() }).safeParse({ a: 1, [canary]: canary }).error],
  ['a cause', new Error('outer', { cause: new Error(canary) })],
  ['a message that looks like a frame', new Error(`x\n    at ${canary} (file:///${canary}:1:1)`)],
])('of an error of %s neither message nor parameters are logged', (_, error) => {
  for (const write of [
    () => log.error(error as Error),
    () => log.error({ err: error }, 'request failed'),
    () => log.error({ inner: { error } }),
    () => log.error({ err: error }),
  ]) {
    expect(written(write).text).not.toContain(canary);
  }
});

test('an error is logged as class, codes and frames', () => {
  const refused = Object.assign(new AppError('database.refused', 'unprocessable', 'refused', { member: 'purpose' }), {
    sqlState: '23505',
    constraint: 'identifier_pkey',
  });
  const { line } = written(() => log.error({ err: new TypeError('x', { cause: refused }) }, 'request failed'));
  expect(line).toMatchObject({
    msg: 'request failed',
    err: {
      type: 'TypeError',
      frames: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: {
        type: 'AppError',
        code: 'database.refused',
        sqlState: '23505',
        constraint: 'identifier_pkey',
        member: 'purpose',
      },
    },
  });
});

test('an error without words of ours gets no words of its own', () => {
  expect(written(() => log.error(new Error(canary))).line['msg']).toBe('error');
  expect(written(() => log.error(new Error(canary), 'request failed')).line['msg']).toBe('request failed');
});

test('times are readable, of bytes and of unknown objects only that they are there', () => {
  const { line, text } = written(() =>
    log.info(
      {
        at: Temporal.Instant.from('2026-01-01T00:00:00Z'),
        key: Buffer.from(canary),
        known: new Map([[canary, canary]]),
      },
      'x',
    ),
  );
  expect(line).toMatchObject({ at: '2026-01-01T00:00:00Z', key: '[11 bytes]', known: '[object]' });
  expect(text).not.toContain(canary);
});

test('an object that holds itself is logged and does no harm', () => {
  const loop: Record<string, unknown> = { a: 1 };
  loop['self'] = loop;
  expect(written(() => log.info(loop, 'x')).line['a']).toBe(1);
});
