import { expect, test } from 'vitest';
import { z } from 'zod';
import { AppError } from '../kernel/errors.ts';
import type { Caller, Idempotency } from './env.ts';
import {
  createReplayOrRun,
  idempotencyHeaders,
  identifyRequest,
  parseIdempotencyKey,
  type IdempotencyRecord,
} from './idempotency.ts';
import { respond } from './respond.ts';
import { createRouter } from './router.ts';
import { appOf, membersOf } from './test-support.ts';

test.each([
  ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
  ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
  ['"a \\"b\\" \\\\c"', 'a "b" \\c'],
  ['"a";version=1', 'a'],
  [` "${'k'.repeat(255)}" `, 'k'.repeat(255)],
])('the key of %s is %s', (header, key) => {
  expect(parseIdempotencyKey(header)).toBe(key);
});

test.each(['', '""', '"', '"a', 'a b', '"ü"', 'ü', '"a\\b"', '"a" "b"', 'k'.repeat(256), '"a", "b"'])(
  '%j is no key',
  (header) => {
    expect(() => parseIdempotencyKey(header)).toThrow(expect.objectContaining({ code: 'idempotency.key-malformed' }));
  },
);

test('the same request has the same fingerprint whatever the order of its members', () => {
  const of = (body: unknown, path = '/v1/consents', key = 'k', clientId = 'c') =>
    identifyRequest(clientId, key, 'POST', path, body);
  const one = of({ a: 1, b: { c: [1, 2], d: 'x' } });
  expect(of({ b: { d: 'x', c: [1, 2] }, a: 1 })).toEqual(one);
  expect(of({ a: 1, b: { c: [2, 1], d: 'x' } }).fingerprint).not.toEqual(one.fingerprint);
  expect(of({ a: 1, b: { c: [1, 2], d: 'x' } }, '/v1/subjects').fingerprint).not.toEqual(one.fingerprint);
  expect(of({}, '/', 'k', 'c').hash).not.toEqual(of({}, '/', 'k', 'd').hash);
  expect(of({}, '/', 'k2', 'c').hash).not.toEqual(of({}, '/', 'k', '2c').hash);
});

test('a fingerprint cannot be tried against a guess by somebody who has only what is stored', () => {
  const body = { identifier: 'email:eva@example.org' };
  const stored = identifyRequest('c', 'secret-of-the-client', 'POST', '/v1/subjects', body);
  const guess = identifyRequest('c', stored.hash.toString('hex'), 'POST', '/v1/subjects', body);
  expect(guess.fingerprint).not.toEqual(stored.fingerprint);
});

class Raced extends AppError {
  constructor() {
    super('idempotency.raced', 'conflict', 'another instance was faster');
  }
}

/** Two instances on one table; the primary key of the table is the only thing between them. */
const setUp = () => {
  const rows = new Map<string, IdempotencyRecord>();
  const created: string[] = [];
  let hold: Promise<void> | undefined;
  const store = { find: async (hash: Buffer) => rows.get(hash.toString('hex')) };
  const insert = async (idempotency: Idempotency | undefined, name: string): Promise<string> => {
    await hold;
    const id = `r${created.length + 1}`;
    if (idempotency !== undefined) {
      const hash = idempotency.hash.toString('hex');
      if (rows.has(hash)) throw new Raced();
      rows.set(hash, { fingerprint: idempotency.fingerprint, subjectId: 's', resourceId: id });
    }
    created.push(name);
    return id;
  };
  const answer = z.object({ id: z.string() });
  const instance = () => {
    const replayOrRun = createReplayOrRun(store);
    const caller: Caller = { system: 'crm', clientId: 'c', scopes: ['consents:write'], issuedAt: 0, expiresAt: 0 };
    const router = createRouter({
      authenticate: (c) => {
        c.set('caller', caller);
        return Promise.resolve(caller);
      },
      limit: () => undefined,
    }).openapi(
      {
        method: 'post',
        path: '/things',
        security: [{ oauth2: ['consents:write'] }],
        request: {
          headers: idempotencyHeaders,
          body: { content: { 'application/json': { schema: z.object({ name: z.string() }) } } },
        },
        responses: {},
      },
      (c) =>
        replayOrRun(c, {
          run: async (idempotency) =>
            respond(c, answer, { id: await insert(idempotency, c.req.valid('json').name) }, 201),
          reload: async ({ resourceId }) => respond(c, answer, { id: resourceId }, 201),
        }),
    );
    const { app } = appOf([router]);
    return async (name: string, key?: string) => {
      const response = await app.request('/things', {
        method: 'POST',
        body: JSON.stringify({ name }),
        headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      });
      return { status: response.status, ...(await membersOf(response)) };
    };
  };
  return {
    instance,
    created,
    rows,
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      hold = promise;
      return () => {
        hold = undefined;
        resolve();
      };
    },
  };
};

test('a repetition creates nothing and is answered like the first call, on every instance', async () => {
  const { instance, created } = setUp();
  const [one, other] = [instance(), instance()];
  expect(await one('a', '"k"')).toEqual({ status: 201, id: 'r1' });
  expect(await one('a', 'k')).toEqual({ status: 201, id: 'r1' });
  expect(await other('a', '"k"')).toEqual({ status: 201, id: 'r1' });
  expect(created).toEqual(['a']);
});

test('without a key, or with another one, each call is its own', async () => {
  const { instance, created } = setUp();
  const call = instance();
  await Promise.all([call('a'), call('a'), call('a', 'k1'), call('a', 'k2')]);
  expect(created).toHaveLength(4);
});

test('the key of another request is 422', async () => {
  const { instance, created } = setUp();
  const call = instance();
  await call('a', 'k');
  expect(await call('b', 'k')).toMatchObject({ status: 422, code: 'idempotency.key-reused' });
  expect(created).toEqual(['a']);
});

test('a malformed key is 400 and nothing is created', async () => {
  const { instance, created } = setUp();
  expect(await instance()('a', '"a')).toMatchObject({ status: 400, code: 'idempotency.key-malformed' });
  expect(created).toEqual([]);
});

test('a repetition while the first call is answered is 409, and later the first answer', async () => {
  const { instance, hold, created } = setUp();
  const call = instance();
  const release = hold();
  const first = call('a', 'k');
  expect(await call('a', 'k')).toMatchObject({ status: 409, code: 'idempotency.in-progress' });
  release();
  expect(await first).toEqual({ status: 201, id: 'r1' });
  expect(await call('a', 'k')).toEqual({ status: 201, id: 'r1' });
  expect(created).toEqual(['a']);
});

test('when two instances get the same call at once, one acts and both answer alike', async () => {
  const { instance, hold, created } = setUp();
  const [one, other] = [instance(), instance()];
  const release = hold();
  const both = Promise.all([one('a', 'k'), other('a', 'k')]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  release();
  expect(await both).toEqual([
    { status: 201, id: 'r1' },
    { status: 201, id: 'r1' },
  ]);
  expect(created).toEqual(['a']);
});

test('when two instances get different calls under one key at once, the loser is told so', async () => {
  const { instance, hold, created } = setUp();
  const [one, other] = [instance(), instance()];
  const release = hold();
  const both = Promise.all([one('a', 'k'), other('b', 'k')]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  release();
  expect(new Set((await both).map(({ status }) => status))).toEqual(new Set([201, 422]));
  expect(created).toHaveLength(1);
});

test('a call that failed may be repeated under its key', async () => {
  const { rows } = setUp();
  const replayOrRun = createReplayOrRun({ find: async (hash) => rows.get(hash.toString('hex')) });
  const c = { get: () => identifyRequest('c', 'k', 'POST', '/', {}) } as never;
  const reload = () => Promise.reject(new Error('nothing was created'));
  await expect(replayOrRun(c, { reload, run: () => Promise.reject(new Error('down')) })).rejects.toThrow('down');
  const done = new Response('done');
  expect(await replayOrRun(c, { reload, run: () => Promise.resolve(done) })).toBe(done);
});
