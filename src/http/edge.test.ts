import { Hono } from 'hono';
import { expect, test, vi } from 'vitest';
import { answer } from './answer.ts';
import type { HttpEnv } from './env.ts';
import { appOf, listen, membersOf, routes } from './test-support.ts';

const ok = routes({ '/v1/subjects/{subjectId}': (c) => answer(c, 200, '{}', 'application/json') });

test('every answer is protected: from handlers, from errors, from routes that nobody has, from foreign code', async () => {
  const { app } = appOf(
    [
      ok,
      routes({
        '/foreign': () =>
          new Response('x', { headers: { 'content-type': 'text/plain', 'cache-control': 'max-age=5' } }),
        '/broken': () => {
          throw new Error('broken');
        },
      }),
    ],
    { report: () => {} },
  );
  for (const [path, status, cache] of [
    ['/v1/subjects/7', 200, 'no-store'],
    ['/foreign', 200, 'max-age=5'],
    ['/broken', 500, 'no-store'],
    ['/nowhere', 404, 'no-store'],
  ] as const) {
    const { headers, status: actual } = await app.request(path, { headers: { origin: 'https://evil.example' } });
    expect([path, actual]).toEqual([path, status]);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe(cache);
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('x-request-id')).toMatch(/^[\w.-]{10,}$/);
  }
});

test("a caller's request id comes back whatever it is, and is logged only when it is harmless", async () => {
  const lines: string[] = [];
  const { app } = appOf([ok], { writeAccess: (line) => lines.push(line) });
  const strange = ['a "quoted", value', 'eva@example.org', 'x'.repeat(65)];
  for (const given of ['bfe9eb29-ab87-4ca3-be83-a1d5d8305716', ...strange]) {
    const { headers } = await app.request('/v1/subjects/7', { headers: { 'x-request-id': given } });
    expect(headers.get('x-request-id')).toBe(given);
  }
  const [harmless, ...others] = lines.map((line) => JSON.parse(line).requestId);
  expect(harmless).toBe('bfe9eb29-ab87-4ca3-be83-a1d5d8305716');
  expect(new Set(others).size).toBe(3);
  for (const id of others) expect(id).toMatch(/^[\w-]{12}\.\w+$/);
});

test('an access line tells method, pattern, status, time and client, never the path, the query or the body', async () => {
  const lines: string[] = [];
  const { app } = appOf([ok], { writeAccess: (line) => lines.push(line) });
  await app.request('/v1/subjects/canary-1?identifier=canary-2', { headers: { 'user-agent': 'canary-3' } });
  await app.request('/canary-4/canary-5');
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    [
      ['/v1/subjects/:subjectId', 200],
      ['none', 404],
    ].map(([route, status]) => ({
      level: 'info',
      time: expect.any(Number),
      msg: 'request',
      method: 'GET',
      route,
      status,
      ms: expect.any(Number),
      client: null,
      requestId: expect.any(String),
    })),
  );
  expect(lines.join('')).not.toContain('canary');
  expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
});

test('a draining instance refuses with 503 and says so to those who ask for its health', async () => {
  const drain = { draining: false };
  const { app } = appOf([ok, routes({ '/readyz': (c) => answer(c, 503, '{}', 'application/json') })], { drain });
  expect((await app.request('/v1/subjects/7')).status).toBe(200);
  drain.draining = true;
  const refused = await app.request('/v1/subjects/7');
  expect([refused.status, (await membersOf(refused))['code']]).toEqual([503, 'http.draining']);
  expect([refused.headers.get('retry-after'), refused.headers.get('connection')]).toEqual(['1', 'close']);
  expect(await (await app.request('/readyz')).text()).toBe('{}');
});

test('an access line is JSON also where the pattern holds a regular expression', async () => {
  const lines: string[] = [];
  const asset = new Hono<HttpEnv>().get('/assets/:name{.+\\.js}', (c) => c.text('x'));
  const { app } = appOf([asset], { writeAccess: (line) => lines.push(line) });
  expect((await app.request('/assets/a.js')).status).toBe(200);
  expect(lines.map((line) => JSON.parse(line).route)).toEqual(['/assets/:name{.+\\.js}']);
});

test('a handler that finds nothing may say so through Hono', async () => {
  const lines: string[] = [];
  const { app } = appOf([routes({ '/v1/things/{id}': (c) => c.notFound() })], {
    writeAccess: (line) => lines.push(line),
  });
  const { url, close } = await listen(app);
  const response = await fetch(`${url}/v1/things/7`);
  expect([response.status, (await membersOf(response))['code']]).toEqual([404, 'http.not-found']);
  expect(lines.map((line) => JSON.parse(line).route)).toEqual(['/v1/things/:id']);
  await close();
});

test('a request that takes too long is answered with 503, and its late answer harms nobody', async () => {
  const complaints = vi.spyOn(console, 'error');
  const lines: string[] = [];
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  const slow = routes({
    '/slow': async (c) => {
      await done;
      return answer(c, 200, '{}', 'application/json');
    },
    '/fast': (c) => answer(c, 200, '{}', 'application/json'),
  });
  const { app } = appOf([slow], { timeoutMs: 80, writeAccess: (line) => lines.push(line) });
  const { url, close } = await listen(app);
  const startedAt = performance.now();
  const response = await fetch(`${url}/slow`, { headers: { 'x-request-id': 'mine' } });
  expect(performance.now() - startedAt).toBeGreaterThan(79);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  expect((await membersOf(response))['code']).toBe('http.timed-out');
  expect(response.headers.get('x-request-id')).toBe('mine');
  expect((await fetch(`${url}/fast`)).status).toBe(200);
  finish();
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  expect(JSON.parse(lines[1]!)).toMatchObject({ route: '/slow', status: 503 });
  expect((await fetch(`${url}/fast`)).status).toBe(200);
  expect(complaints).not.toHaveBeenCalled();
  await close();
});
