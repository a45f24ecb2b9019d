import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLimit, RateLimitReached } from '../src/http/rate-limit.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { takeTokens } from '../src/kernel/database/take-tokens.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';

let database: TestDatabase;
let pools: Database[];
let apps: TestApp[];
beforeAll(async () => {
  database = await freshDatabase();
  pools = [1, 2].map(() => connect(database.urls.app, { connections: 8, name: 'rate-limits' }));
  const settings = { callsPerMinute: 10, baseUrl: 'https://askfirst.example' };
  apps = [await startTestApp({ database, settings }), await startTestApp({ database, settings })];
});
afterAll(async () => {
  await Promise.all([...apps.map((app) => app.close()), ...pools.map((pool) => pool.end())]);
  await database.drop();
});

/** What 50 takers get who ask at once, over two pools of connections as two instances have them. */
const takeAtOnce = (key: string, count: (taker: number) => number, limit: number, windowSeconds: number) =>
  Promise.all(
    Array.from({ length: 50 }, (_, taker) => takeTokens(pools[taker % 2]!)(key, count(taker), limit, windowSeconds)),
  );
const sum = (takes: { granted: number }[]): number => takes.reduce((total, { granted }) => total + granted, 0);

test.each([1, 7, 100, 149])('fifty takers at once get a limit of %i together, to the token', async (limit) => {
  const takes = await takeAtOnce(`at-once-${limit}`, () => 3, limit, 60);
  expect(sum(takes)).toBe(limit);
  for (const { granted, endsInMs } of takes) {
    expect(granted).toBeGreaterThanOrEqual(0);
    expect(granted).toBeLessThanOrEqual(3);
    expect(endsInMs).toBeGreaterThan(50_000);
    // A taker that waited for the row reckons from when it asked, a moment before the window began.
    expect(endsInMs).toBeLessThan(61_000);
  }
  expect(sum(await takeAtOnce(`at-once-${limit}`, () => 3, limit, 60))).toBe(0);
});

test('who wants less than the limit gets what they want', async () => {
  const takes = await takeAtOnce('less', (taker) => taker % 4, 1_000, 60);
  expect(takes.map(({ granted }) => granted)).toEqual(takes.map((_, taker) => taker % 4));
});

test('the window after gives the limit again, once, however many notice its beginning at once', async () => {
  const first = await takeAtOnce('windows', () => 1, 20, 1);
  expect(sum(first)).toBe(20);
  await sleep(Math.max(...first.map(({ endsInMs }) => endsInMs)) + 20);
  expect(sum(await takeAtOnce('windows', () => 30, 20, 60)), 'each wants more than all').toBe(20);
});

test('each key has a limit of its own', async () => {
  const takes = await Promise.all(['one', 'other'].map((key) => takeAtOnce(`own-${key}`, () => 1, 5, 60)));
  expect(takes.map(sum)).toEqual([5, 5]);
});

test('an instance with a lower limit, as while a new setting rolls out, gives nothing back that others have spent', async () => {
  const take = takeTokens(pools[0]!);
  expect(await take('rollout', 60, 100, 60)).toMatchObject({ granted: 60 });
  expect(await take('rollout', 5, 10, 60)).toMatchObject({ granted: 0 });
  expect(await take('rollout', 100, 100, 60)).toMatchObject({ granted: 40 });
});

test('instances that spend from the row at once never spend more than the limit', async () => {
  const rate = { name: 'spending', limit: 160, windowSeconds: 60 };
  const limits = pools.map((pool) => createLimit(rate, takeTokens(pool)));
  const spent = await Promise.allSettled(Array.from({ length: 800 }, async (_, call) => limits[call % 2]!('crm')));
  for (const one of spent) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(RateLimitReached);
  // A chunk is a sixteenth: what is left over at most in the pocket of either.
  const passed = spent.filter(({ status }) => status === 'fulfilled').length;
  expect(passed).toBeLessThanOrEqual(160);
  expect(passed).toBeGreaterThanOrEqual(140);
});

test('two instances let ten calls of a client pass in a minute between them, then say when to come again, and a no passes always', async () => {
  const authorization = await apps[0]!.token('crm');
  const call = (index: number, method: string, path: string, body?: object) =>
    apps[index % 2]!.call(method, path, { headers: { authorization }, body });
  const answers = await Promise.all(Array.from({ length: 32 }, (_, index) => call(index, 'GET', '/v1/purposes')));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
  const refused = answers.filter(({ status }) => status !== 200);
  for (const { status, headers, body } of refused) {
    expect(status).toBe(429);
    expect(body).toMatchObject({ status: 429, code: 'http.rate-limit-reached' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(50);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(61);
    expect(headers.get('ratelimit')).toBe(`"calls";r=0;t=${headers.get('retry-after')}`);
    expect(headers.get('ratelimit-policy')).toBe('"calls";q=10;w=60');
  }

  const no = { subject: 'crm:4711', purpose: 'newsletter', method: 'web-form' };
  for (let index = 0; index < 12; index++) {
    const verb = index % 3 === 0 ? 'object' : 'withdraw';
    expect((await call(index, 'POST', `/v1/consents/${verb}`, no)).status).toBe(201);
  }
  // A yes and a look at things can wait for the minute's end.
  const yes = { ...no, decision: 'given', notice: { version: 1, language: 'en' } };
  expect((await call(0, 'POST', '/v1/consents', yes)).status).toBe(429);

  const other = await apps[1]!.token('newsletter');
  expect((await apps[0]!.call('GET', '/v1/purposes', { headers: { authorization: other } })).status).toBe(200);
});
