import { getRequestListener } from '@hono/node-server';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { HTTPException } from 'hono/http-exception';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { DatabaseRefused } from '../kernel/database/errors.ts';
import { AppError, type ErrorKind } from '../kernel/errors.ts';
import { TokenInvalid } from './auth-errors.ts';
import { InputInvalid } from './errors.ts';
import { problemSchema } from './problem-responses.ts';
import { createUnreadableHandler } from './problem.ts';
import { appOf, routes, membersOf } from './test-support.ts';

const answerTo = async (error: unknown, reported: [unknown, string][] = []) => {
  const throwing = routes({
    '/x': () => {
      throw error;
    },
  });
  const { app } = appOf([throwing], { report: (...report) => reported.push(report) });
  const response = await app.request('/x');
  return { response, body: problemSchema.parse(await response.json()) };
};

test.each<[ErrorKind, number]>([
  ['invalid', 400],
  ['unauthenticated', 401],
  ['forbidden', 403],
  ['not-found', 404],
  ['conflict', 409],
  ['too-large', 413],
  ['unprocessable', 422],
  ['too-many', 429],
  ['unavailable', 503],
])('an error of kind %s is answered with %i as a problem document', async (kind, status) => {
  const { response, body } = await answerTo(new AppError('room.failure', kind, 'what is wrong', { member: 'purpose' }));
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(body).toEqual({
    type: 'urn:askfirst:problem:room.failure',
    title: expect.any(String),
    status,
    detail: 'what is wrong',
    code: 'room.failure',
    errors: [{ member: 'purpose', rule: 'room.failure', detail: 'what is wrong' }],
  });
});

test('503 says when to come back, 401 how to authenticate', async () => {
  const unavailable = await answerTo(new AppError('x.y', 'unavailable', 'later'));
  expect(unavailable.response.headers.get('retry-after')).toBe('1');
  const patient = await answerTo(new AppError('x.y', 'unavailable', 'later', { retryAfterSeconds: 6.2 }));
  expect(patient.response.headers.get('retry-after')).toBe('7');
  const unknown = await answerTo(new AppError('x.y', 'unauthenticated', 'who?'));
  expect(unknown.response.headers.get('www-authenticate')).toBe('Bearer realm="askfirst"');
  const invalid = await answerTo(new TokenInvalid('expired'));
  expect(invalid.response.headers.get('www-authenticate')).toContain('error="invalid_token"');
});

test('all broken members of an input are listed', async () => {
  const errors = [
    { member: 'a', rule: 'required', detail: 'a is required' },
    { member: 'b.c', rule: 'type', detail: 'b.c must be a string' },
  ];
  const { body } = await answerTo(new InputInvalid(errors));
  expect(body).toMatchObject({ status: 400, detail: 'a is required; b.c must be a string', errors });
});

test.each([
  [
    'a driver',
    Object.assign(new Error('insert … values (eva@example.org)'), { detail: 'Key (eva@example.org) exists' }),
  ],
  ['a schema of an answer', z.object({ a: z.string() }).safeParse({ a: 1, eva: 1 }).error],
  ['JSON.parse', new SyntaxError('Unexpected token e in eva@example.org')],
])('of an error of %s nothing leaves but the id of the request, under which it was reported', async (_, error) => {
  const reported: [unknown, string][] = [];
  const { response, body } = await answerTo(error, reported);
  expect(response.status).toBe(500);
  const requestId = response.headers.get('x-request-id');
  expect(body).toMatchObject({ code: 'http.internal-error', instance: `urn:askfirst:request:${requestId}` });
  expect(JSON.stringify(body)).not.toContain('eva');
  expect(reported).toEqual([[error, requestId]]);
});

test("Hono's own refusals keep their status and lose their text", async () => {
  const { response, body } = await answerTo(new HTTPException(413, { message: 'eva@example.org' }));
  expect(response.status).toBe(413);
  expect(JSON.stringify(body)).not.toContain('eva');
});

test('a path without a route is 404, one with a route for another method 405 with Allow', async () => {
  const { app } = appOf([routes({ '/v1/things/{thingId}': () => new Response('x') })]);
  const missing = await app.request('/v1/nothing');
  expect([missing.status, (await membersOf(missing))['code']]).toEqual([404, 'http.not-found']);
  const wrong = await app.request('/v1/things/7', { method: 'DELETE' });
  expect([wrong.status, wrong.headers.get('allow'), (await membersOf(wrong))['code']]).toEqual([
    405,
    'GET, HEAD',
    'http.method-not-allowed',
  ]);
  // CORS is closed: a preflight is a method like any other.
  const preflight = await app.request('/v1/things/7', {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
  });
  expect(preflight.status).toBe(405);
  expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
});

test('a statement that the database refuses is a failure of the service, reported and not told to the caller', async () => {
  const reported: [unknown, string][] = [];
  const error = new DatabaseRefused('22008', undefined);
  const { response, body } = await answerTo(error, reported);
  expect([response.status, body.code]).toEqual([500, 'http.internal-error']);
  expect(JSON.stringify(body)).not.toMatch(/22008|SQLSTATE|database/);
  expect(reported.map(([one]) => one)).toEqual([error]);
});

test.each([
  ['/x', 'a b'],
  ['/x', '['],
  ['/\\x', 'example.org'],
])('a request that has no URL (%s of Host %s) is refused with a problem', async (target, host) => {
  const errorHandler = createUnreadableHandler((error) => {
    throw error;
  });
  const { app } = appOf([routes({ '/x': (c) => c.text('x') })]);
  const listener = getRequestListener(app.fetch, { errorHandler });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  server.close();
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toMatch(/^content-type: application\/problem\+json/im);
  expect(answer).toMatch(/^x-content-type-options: nosniff/im);
  expect(answer).toMatch(/^x-request-id: \S/im);
  expect(answer).toContain('"code":"http.request-unreadable"');
});
