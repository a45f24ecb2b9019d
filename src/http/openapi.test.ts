import { expect, test } from 'vitest';
import { z } from 'zod';
import { personal } from '../kernel/personal.ts';
import { healthRoutes } from './health.ts';
import { idempotencyHeaders } from './idempotency.ts';
import { jwksRoutes } from './jwks.ts';
import { tokenRoutes } from './oauth.ts';
import { buildDocument, documentProblems, formatDocument } from './openapi.ts';
import { respond } from './respond.ts';
import type { RouteConfig } from '@hono/zod-openapi';
import { createRouter, type Guards } from './router.ts';
import { problems } from './problem-responses.ts';
import { appOf } from './test-support.ts';

const guards: Guards = { authenticate: () => Promise.reject(new Error('not called')), limit: () => undefined };
const identifier = personal(z.string().min(3)).meta({
  id: 'Identifier',
  description: 'namespace:value',
  'x-personal-data': true,
});
const thing = z.object({ id: z.string(), identifier }).meta({ id: 'Thing' });
const body = { schema: z.object({ identifier }), example: { identifier: 'crm:4711' } };
const request = {
  params: z.object({ thingId: z.uuid().meta({ examples: ['0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e'] }) }),
  headers: idempotencyHeaders,
  body: { required: true, content: { 'application/json': body } },
};
const operation: RouteConfig = {
  method: 'post',
  path: '/v1/things/{thingId}',
  operationId: 'changeThing',
  summary: 'Change a thing',
  tags: ['Consent'],
  security: [{ oauth2: ['consents:write'] }],
  request,
  responses: { 200: { description: 'Changed', content: { 'application/json': { schema: thing } } }, ...problems(404) },
};

const appWith = (change: object) => {
  const route = { ...operation, ...change };
  const router = createRouter(guards).openapi(route, (c) => respond(c, thing, { id: '1', identifier: 'crm:1' }));
  return appOf([router]).app;
};

test('the document names what callers need: scopes, problems, personal data, examples', () => {
  const document = buildDocument(appWith({}), '1.2.3');
  expect(document.openapi).toBe('3.1.0');
  const described = document.paths['/v1/things/{thingId}']!['post'] as { responses: object };
  expect(Object.keys(described.responses)).toEqual([
    '200',
    '400',
    '401',
    '403',
    '404',
    '409',
    '413',
    '422',
    '429',
    '500',
    '503',
  ]);
  const { components } = document as unknown as { components: Record<string, Record<string, never>> };
  expect(components['schemas']!['Identifier']).toMatchObject({ 'x-personal-data': true, minLength: 3 });
  expect(components['schemas']!['Problem']).toBeDefined();
  expect(components['responses']!['Problem404']).toMatchObject({
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  });
  expect(components['securitySchemes']!['oauth2']).toMatchObject({
    flows: { clientCredentials: { tokenUrl: '/oauth/token', scopes: { 'consents:write': expect.any(String) } } },
  });
});

test('every reference in the document leads somewhere', () => {
  const document = buildDocument(appWith({}), '1');
  const references = [...formatDocument(document).matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path]) => path!);
  expect(references).toContain('components/schemas/Problem');
  for (const path of references) {
    const target = path.split('/').reduce<any>((at, part) => at?.[part], document);
    expect([path, typeof target]).toEqual([path, 'object']);
  }
});

test('the document is the same however often and in whatever order it is built', () => {
  const other = createRouter({}).openapi(
    { method: 'get', path: '/a', operationId: 'a', summary: 'A', tags: ['Access'], security: [], responses: {} },
    () => new Response(),
  );
  const router = createRouter(guards).openapi(operation, (c) => respond(c, thing, { id: '1', identifier: 'x:1' }));
  const text = (routers: Parameters<typeof appOf>[0]) => formatDocument(buildDocument(appOf(routers).app, '1'));
  expect(text([other, router])).toBe(text([router, other]));
  const { app } = appOf([other]);
  expect(formatDocument(buildDocument(app, '1'))).toBe(formatDocument(buildDocument(app, '1')));
});

test("the house's own operations leave no gap", () => {
  const { app } = appOf([
    healthRoutes({ checks: [], roles: 'separate', drain: { draining: false } }),
    jwksRoutes(async () => []),
    tokenRoutes({ verifyClient: () => Promise.resolve(undefined), issue: async () => '', limit: () => undefined }),
  ]);
  expect(documentProblems(app)).toEqual([]);
  expect(documentProblems(appWith({}))).toEqual([]);
});

const withBody = (content: object) => ({ request: { ...request, body: { required: true, content } } });

test.each([
  ['has no summary', { summary: undefined }],
  ['has no operationId', { operationId: undefined }],
  ['has no known tag', { tags: ['Things'] }],
  ['has no answer of success', { responses: {} }],
  ['has no example body (application/json)', withBody({ 'application/json': { schema: body.schema } })],
  [
    'has an example body that its schema refuses at identifier',
    withBody({ 'application/json': { schema: body.schema, example: { identifier: 'x' } } }),
  ],
  ['has no example of thingId', { request: { ...request, params: z.object({ thingId: z.string() }) } }],
  [
    'has an example of thingId that its schema refuses',
    { request: { ...request, params: z.object({ thingId: z.uuid().meta({ examples: ['7'] }) }) } },
  ],
])('an operation that %s is found', (gap, change) => {
  expect(documentProblems(appWith(change))).toEqual([`POST /v1/things/{thingId} ${gap}`]);
});

test('two operations of one name are found, and an app without any', () => {
  const route = (path: string): RouteConfig => ({
    method: 'get',
    path,
    operationId: 'a',
    summary: 'A',
    tags: ['Access'],
    security: [],
    responses: { 200: { description: '' } },
  });
  const router = createRouter({})
    .openapi(route('/a'), () => new Response())
    .openapi(route('/b'), () => new Response());
  expect(documentProblems(appOf([router]).app)).toEqual([
    'GET /a shares its operationId',
    'GET /b shares its operationId',
  ]);
  expect(documentProblems(createRouter({}))).toEqual(['the API has no operations']);
});
