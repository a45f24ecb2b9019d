import { expect, test } from 'vitest';
import { z } from 'zod';
import { ClientRevoked, TokenInvalid } from './auth-errors.ts';
import { createAuthenticate } from './authenticate.ts';
import type { Caller } from './env.ts';
import { respond } from './respond.ts';
import { createRouter } from './router.ts';
import type { Scope } from './scopes.ts';
import { appOf, membersOf } from './test-support.ts';

const callers = new Map<string, Caller>();
const token = (name: string, scopes: readonly Scope[]): string => {
  callers.set(name, { system: 'crm', clientId: name, scopes, issuedAt: 7, expiresAt: 307 });
  return `Bearer ${name}`;
};
const revoked = new Set<string>();
const asked: unknown[] = [];
let bodiesRead = 0;

const authenticate = createAuthenticate(
  (given) => {
    const caller = callers.get(given);
    if (caller === undefined) throw new TokenInvalid('unknown');
    return caller;
  },
  async (clientId, issuedAt) => {
    asked.push([clientId, issuedAt]);
    if (revoked.has(clientId)) throw new ClientRevoked();
  },
);

const router = createRouter({ authenticate, limit: () => undefined }).openapi(
  {
    method: 'post',
    path: '/secured',
    security: [{ oauth2: ['links:write'] }],
    request: {
      body: { content: { 'application/json': { schema: z.unknown().refine(() => ++bodiesRead > 0) } } },
    },
    responses: {},
  },
  (c) => respond(c, z.object({ system: z.string() }), c.get('caller')),
);
const { app } = appOf([router]);
const call = (authorization?: string) =>
  app.request('/secured', {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
  });

test('a system with the scope is let in as itself', async () => {
  const response = await call(token('good', ['links:write']));
  expect([response.status, await membersOf(response)]).toEqual([200, { system: 'crm' }]);
});

test("the scheme's case does not matter", async () => {
  expect((await call(token('good', ['links:write']).replace('Bearer', 'BEARER'))).status).toBe(200);
});

test.each([undefined, 'Basic Y3JtOnNlY3JldA==', 'Bearer', 'good'])(
  'without a bearer token (%s) it is 401 with a challenge that names no error',
  async (authorization) => {
    const response = await call(authorization);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="askfirst"']);
  },
);

test('an invalid token is 401 invalid_token', async () => {
  const response = await call('Bearer wrong');
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="askfirst", error="invalid_token", error_d/);
});

test('a token without the scope is 403 insufficient_scope and names the scope', async () => {
  const response = await call(token('narrow', ['links:read', 'decisions:evaluate']));
  expect(response.status).toBe(403);
  expect(response.headers.get('www-authenticate')).toBe(
    'Bearer realm="askfirst", error="insufficient_scope", scope="links:write"',
  );
});

test('whether the client was revoked is asked at each request, and counts at once', async () => {
  const authorization = token('soon', ['links:write']);
  asked.length = 0;
  expect((await call(authorization)).status).toBe(200);
  expect((await call(authorization)).status).toBe(200);
  revoked.add('soon');
  expect((await call(authorization)).status).toBe(401);
  expect(asked).toEqual(Array.from({ length: 3 }, () => ['soon', 7]));
});

test('who is refused has no body read', async () => {
  bodiesRead = 0;
  revoked.add('gone');
  for (const authorization of [undefined, 'Bearer wrong', token('narrow', []), token('gone', ['links:write'])]) {
    await call(authorization);
  }
  expect(bodiesRead).toBe(0);
  await call(token('good', ['links:write']));
  expect(bodiesRead).toBe(1);
});
