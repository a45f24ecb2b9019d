import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Caller } from './env.ts';
import { buildDocument } from './openapi.ts';
import { RateLimitReached } from './rate-limit.ts';
import { respond } from './respond.ts';
import { createRouter, type Guards } from './router.ts';
import type { Scope } from './scopes.ts';
import { appOf, membersOf } from './test-support.ts';

const asked: Scope[] = [];
const spent: string[] = [];
const guards: Guards = {
  authenticate: (c, scope) => {
    asked.push(scope);
    const caller: Caller = { system: 'crm', clientId: 'c', scopes: [scope], issuedAt: 0, expiresAt: 0 };
    c.set('caller', caller);
    return Promise.resolve(caller);
  },
  limit: (clientId) => void spent.push(clientId),
};
const anything = z.looseObject({});
const get = { method: 'get', responses: {} } as const;

test('the scope that the reference shows is the scope that is enforced', async () => {
  const router = createRouter(guards)
    .openapi({ ...get, path: '/links', security: [{ oauth2: ['links:read'] }] }, (c) => respond(c, anything, {}))
    .openapi({ ...get, path: '/open', security: [] }, (c) => respond(c, anything, {}));
  const { app } = appOf([router]);
  await app.request('/links');
  expect(asked).toEqual(['links:read']);
  await app.request('/open');
  expect(asked).toHaveLength(1);
});

test('a route that does not say who may call it is not taken, nor one whose scope nobody knows', () => {
  const handler = () => new Response();
  const add = (security: { [scheme: string]: string[] }[] | undefined, withGuards: Partial<Guards> = guards) =>
    createRouter(withGuards).openapi({ ...get, path: '/x', ...(security === undefined ? {} : { security }) }, handler);
  expect(() => add(undefined)).toThrow('does not say who may call it');
  expect(() => add([{ oauth2: ['links:delete'] }])).toThrow('needs one known scope');
  expect(() => add([{ oauth2: ['links:read'] }, { oauth2: ['links:write'] }])).toThrow('needs one known scope');
  expect(() => add([{ oauth2: ['links:read'] }], {})).toThrow('without guards');
});

test('calls count against the rate of the client, withdrawals do not', async () => {
  const security = [{ oauth2: ['consents:write'] }];
  const router = createRouter(guards)
    .openapi({ ...get, path: '/limited', security }, (c) => respond(c, anything, {}))
    .openapi({ ...get, path: '/withdraw', security }, (c) => respond(c, anything, {}), { unlimited: true });
  const { app } = appOf([router]);
  spent.length = 0;
  await app.request('/withdraw');
  expect(spent).toEqual([]);
  await app.request('/limited');
  expect(spent).toEqual(['c']);
  const { paths } = buildDocument(app, '1') as unknown as { paths: Record<string, { get: { responses: object } }> };
  expect(Object.keys(paths['/limited']!.get.responses)).toContain('429');
  expect(Object.keys(paths['/withdraw']!.get.responses)).not.toContain('429');
});

test('a call beyond the rate is refused before anything is read or done', async () => {
  let done = 0;
  const refusing: Guards = {
    ...guards,
    limit: () => Promise.reject(new RateLimitReached({ name: 'calls', limit: 1, windowSeconds: 60 }, 7)),
  };
  const router = createRouter(refusing).openapi(
    { ...get, path: '/limited', security: [{ oauth2: ['links:read'] }] },
    (c) => respond(c, anything, { done: ++done }),
  );
  const response = await appOf([router]).app.request('/limited');
  expect([response.status, response.headers.get('retry-after'), done]).toEqual([429, '7', 0]);
});

const input = createRouter({}).openapi(
  {
    method: 'post',
    path: '/subjects/{subjectId}',
    security: [],
    request: {
      params: z.object({ subjectId: z.uuid() }),
      query: z.object({ limit: z.coerce.number().max(9).default(3), asOf: z.iso.datetime().optional() }),
      body: { content: { 'application/json': { schema: z.object({ purpose: z.string() }) } } },
    },
    responses: {},
  },
  (c) => {
    const { subjectId } = c.req.valid('param');
    return respond(c, anything, { subjectId, ...c.req.valid('query'), ...c.req.valid('json') });
  },
);
const { app } = appOf([input]);
const id = '0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e';
const post = async (path: string, body: object = { purpose: 'p', extra: 1 }) => {
  const response = await app.request(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  return { status: response.status, ...(await membersOf(response)) };
};

test('parameters, query and body reach the handler as their schemas read them', async () => {
  expect(await post(`/subjects/${id}`)).toEqual({ status: 200, subjectId: id, limit: 3, purpose: 'p' });
  expect(await post(`/subjects/${id}?limit=7`)).toMatchObject({ limit: 7 });
});

test.each([
  ['/subjects/eva@example.org', 'subjectId', 'format'],
  [`/subjects/${id}?limit=10`, 'limit', 'size'],
  [`/subjects/${id}?asOf=eva`, 'asOf', 'format'],
  [`/subjects/${id}?asOf=2026-01-01T00:00:00Z&asOf=2026-01-02T00:00:00Z`, 'asOf', 'type'],
])('%s is 400 and names %s', async (path, member, rule) => {
  const refusal = await post(path);
  expect(refusal).toMatchObject({ status: 400, code: 'http.input-invalid', errors: [{ member, rule }] });
  expect(JSON.stringify(refusal)).not.toContain('eva');
});

test('a body that breaks its schema is 400 and names the member', async () => {
  expect(await post(`/subjects/${id}`, {})).toMatchObject({ status: 400, detail: 'purpose is required' });
});

test('a body that may be left out may be left out, with its type or without, and is held to its schema where it is sent', async () => {
  const content = { 'application/json': { schema: z.strictObject({ purpose: z.string() }) } };
  const router = createRouter(guards).openapi(
    {
      ...get,
      method: 'post',
      path: '/done',
      security: [{ oauth2: ['obligations:read'] }],
      request: { body: { content } },
    },
    (c) => respond(c, anything, { read: c.req.valid('json' as never) ?? 'nothing' }),
  );
  const { app } = appOf([router]);
  const send = async (body?: string, type?: string) => {
    const headers = type === undefined ? undefined : { 'content-type': type };
    const response = await app.request('/done', {
      method: 'POST',
      ...(headers && { headers }),
      body: body ?? null,
    });
    const { read, code } = await membersOf(response);
    return [response.status, code ?? read];
  };
  expect(await send()).toEqual([200, 'nothing']);
  expect(await send('', 'application/json')).toEqual([200, 'nothing']);
  expect(await send('{"purpose":"p"}', 'application/json')).toEqual([200, { purpose: 'p' }]);
  expect(await send('{}', 'application/json')).toEqual([400, 'http.input-invalid']);
  expect(await send('{"purpose":"p"}', 'text/plain')).toEqual([400, 'http.content-type']);
});
