import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { AppError } from '../kernel/errors.ts';
import { parseJson } from './json-body.ts';
import { respond } from './respond.ts';
import { createRouter } from './router.ts';
import { appOf, listen, membersOf } from './test-support.ts';

const echo = createRouter({}).openapi(
  {
    method: 'post',
    path: '/echo',
    security: [],
    request: { body: { required: true, content: { 'application/json': { schema: z.unknown() } } } },
    responses: {},
  },
  (c) => respond(c, z.unknown(), c.req.valid('json')),
  { bodyLimitBytes: 1000 },
);
const { app } = appOf([echo]);
let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  server = await listen(app);
});
afterAll(() => server.close());

/** Through the app alone (no announced length) and through a real server (announced). */
const ways = {
  'without a server': (init: RequestInit) => app.request('/echo', init),
  'over a connection': (init: RequestInit) => fetch(`${server.url}/echo`, init),
};

const send = (way: keyof typeof ways, body: string | Buffer, type = 'application/json') =>
  ways[way]({ method: 'POST', body, headers: { 'content-type': type } });

const refusal = (text: string): Pick<AppError, 'code' | 'message'> => {
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, message: error.message };
  }
  throw new Error('was not refused');
};

test.each(Object.keys(ways) as (keyof typeof ways)[])('%s JSON is read as it was sent', async (way) => {
  const body = { a: [1, { b: 'ü \u{1f600} "\\' }], c: null };
  const response = await send(way, JSON.stringify(body), 'Application/JSON; charset=utf-8');
  expect([response.status, await response.json()]).toEqual([200, body]);
});

test.each(Object.keys(ways) as (keyof typeof ways)[])('%s a body over the limit is 413', async (way) => {
  const at = await send(way, JSON.stringify('x'.repeat(998)));
  expect(at.status).toBe(200);
  const over = await send(way, JSON.stringify('x'.repeat(999)));
  expect([over.status, (await membersOf(over))['detail']]).toEqual([413, 'the body must have at most 1000 bytes']);
});

test('a body that never says its length is cut off at the limit, not read to its end', async () => {
  let sent = 0;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const call = request(`${server.url}/echo`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    call.on('response', (response) => resolve(response.statusCode)).on('error', reject);
    call.on('close', () => clearInterval(timer));
    const timer = setInterval(() => {
      sent += 400;
      call.write('x'.repeat(400));
      if (sent > 100_000) reject(new Error('it reads for ever'));
    }, 2);
  });
  expect(status).toBe(413);
});

test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
  'JSON that is sent as %s is refused: no page of another origin can send application/json unasked',
  async (type) => {
    const response = await send('over a connection', '{}', type);
    expect([response.status, (await membersOf(response))['code']]).toEqual([400, 'http.content-type']);
  },
);

test.each(Object.keys(ways) as (keyof typeof ways)[])('%s bytes that are not UTF-8 are refused', async (way) => {
  const response = await send(way, Buffer.from([0x22, 0xc3, 0x28, 0x22]));
  expect([response.status, (await membersOf(response))['code']]).toEqual([400, 'http.json-unsafe']);
});

test('a message about broken JSON says where, never what', () => {
  const { code, message } = refusal('{"name": "Eva",\n  eva@example.org}');
  expect(code).toBe('http.json-malformed');
  expect(message).toBe('body is not JSON at line 2, column 3 (offset 18)');
});

test.each([
  ['NUL', '{"a":"x\\u0000"}'],
  ['NUL in a key', '{"a\\u0000":1}'],
  ['an unpaired surrogate', '["\\ud83d"]'],
  ['a surrogate pair in the wrong order', '["\\ude00\\ud83d"]'],
  ['__proto__', '{"a":{"__proto__":{"admin":true}}}'],
  ['__proto__ in disguise', '{"\\u005f_proto__":1}'],
  ['a number that no double holds', '{"a":[1e999]}'],
  ['a number of four hundred digits', `[-${'9'.repeat(400)}]`],
  ['33 arrays', '['.repeat(33) + ']'.repeat(33)],
  ['33 objects', '{"a":'.repeat(33) + '1' + '}'.repeat(33)],
  ['a quarter of a million arrays', '['.repeat(131_072) + ']'.repeat(131_072)],
])('%s is refused', (_, text) => {
  expect(refusal(text).code).toBe('http.json-unsafe');
});

test.each([
  ['an escaped pair of surrogates', '["\\ud83d\\ude00"]', ['\u{1f600}']],
  ['a very small number', '[1e-999]', [0]],
  ['__proto__ as a value', '{"a":"__proto__"}', { a: '__proto__' }],
  ['32 arrays', '['.repeat(32) + ']'.repeat(32), JSON.parse('['.repeat(32) + ']'.repeat(32))],
  [
    'many members side by side',
    JSON.stringify(Array.from({ length: 500 }, () => ({}))),
    Array.from({ length: 500 }, () => ({})),
  ],
])('%s is taken', (_, text, value) => {
  expect(parseJson(text)).toEqual(value);
});
