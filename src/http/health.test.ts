import { expect, test } from 'vitest';
import { healthRoutes, type ReadinessCheck } from './health.ts';
import { appOf, membersOf } from './test-support.ts';

const ask = async (path: string, checks: ReadinessCheck[], drain = { draining: false }) => {
  const response = await appOf([healthRoutes({ checks, roles: 'separate', drain })], { drain }).app.request(path);
  return { status: response.status, body: await membersOf(response) };
};
const passing = { name: 'policies', check: () => Promise.resolve() };

test('an instance is alive whatever else is missing', async () => {
  const down = { name: 'database', check: () => Promise.reject(new Error('down')) };
  expect(await ask('/healthz', [down])).toEqual({ status: 200, body: { status: 'alive' } });
});

test('it is ready when all checks pass, and names the roles it works with', async () => {
  expect(await ask('/readyz', [passing])).toEqual({
    status: 200,
    body: { status: 'ready', roles: 'separate', checks: [{ name: 'policies', ready: true }] },
  });
});

test('a check that fails makes it 503 and is named; why it fails is not shown to everybody', async () => {
  const down = { name: 'database', check: () => Promise.reject(new Error('password of askfirst is wrong')) };
  const { status, body } = await ask('/readyz', [passing, down]);
  expect(status).toBe(503);
  expect(body).toEqual({
    status: 'not-ready',
    roles: 'separate',
    checks: [
      { name: 'policies', ready: true },
      { name: 'database', ready: false },
    ],
  });
});

test('a check that never ends fails after two seconds', async () => {
  const { status } = await ask('/readyz', [{ name: 'database', check: () => new Promise(() => {}) }]);
  expect(status).toBe(503);
});

test('a draining instance is not ready and yet answers', async () => {
  const { status, body } = await ask('/readyz', [passing], { draining: true });
  expect([status, body['status']]).toEqual([503, 'draining']);
});

test('however many ask at once, the checks run once', async () => {
  let runs = 0;
  const slow = { name: 'database', check: () => new Promise((resolve) => setTimeout(resolve, 20, ++runs)) };
  const drain = { draining: false };
  const { app } = appOf([healthRoutes({ checks: [slow], roles: 'shared', drain })]);
  await Promise.all(Array.from({ length: 50 }, async () => app.request('/readyz')));
  expect(runs).toBe(1);
  await app.request('/readyz');
  expect(runs).toBe(2);
});
