import { serve } from '@hono/node-server';
import { createRoute } from '@hono/zod-openapi';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import { authzenConfiguration, authzenPaths } from '../../src/decisions/authzen-metadata.ts';
import { answerResourceSearch, readResourceSearch, type FindResources } from '../../src/decisions/authzen-search.ts';
import { answerEvaluation, answerEvaluations, readEvaluations, type Evaluate } from '../../src/decisions/authzen.ts';
import {
  accessEvaluationRequestSchema,
  accessEvaluationsRequestSchema,
  authzenConfigurationSchema,
  decisionSchema,
  evaluationsAnswerSchema,
  resourceSearchRequestSchema,
  resourceSearchResponseSchema,
  type AccessEvaluation,
} from '../../src/decisions/schema.ts';
import { ScopeInsufficient, TokenInvalid } from '../../src/http/auth-errors.ts';
import {
  createErrorHandler,
  createNotFoundHandler,
  createRouter,
  parseJson,
  readText,
  respond,
  type Scope,
} from '../../src/http/index.ts';

type Question = Pick<AccessEvaluation, 'subject' | 'action' | 'resource'> & { context: Record<string, unknown> };

/** What the conformance suite needs to know of the service under test. */
export type AuthzenTarget = {
  /** Base URL, without a slash at the end. */
  url: string;
  /** Value of `Authorization` for the system in the questions below, with the scope for checks or with these scopes. */
  authorization(scopes?: readonly Scope[]): Promise<string>;
  /** A question that is permitted, however often it is asked, because of its purpose and customer. */
  permitted: Question;
  /** The same question about another resource, which is denied. */
  denied: Question;
  /** A search and the ids that it finds: at least three. */
  search: { request: object; found: readonly string[] };
  close(): Promise<void>;
};

const question = {
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: 'facebook:1029384756' },
  context: { purpose: 'profile-linking', customer: 'crm:4711' },
};
const linked = ['facebook:1029384756', 'instagram:5647382910', 'linkedin:99', 'x:44196397', 'youtube:7'];

const isPermitted = ({ subject, action, resource, context = {} }: AccessEvaluation) =>
  subject.type === 'system' &&
  subject.id === question.subject.id &&
  action.name === question.action.name &&
  resource.type === question.resource.type &&
  linked.includes(resource.id) &&
  context['purpose'] === question.context.purpose &&
  context['customer'] === question.context.customer;

const evaluate: Evaluate = async (requests) =>
  requests.map((request) =>
    isPermitted(request) ? { decision: true } : { decision: false, context: { reason_admin: { default: 'No rule.' } } },
  );

const find: FindResources = async ({ query, after, limit }) => {
  const all = linked.map((id) => ({ type: query.resource.type, id }));
  const from = after === undefined ? 0 : Number(after);
  const permitted = all.filter((resource) => isPermitted({ ...query, resource })).slice(from, from + limit);
  return { results: permitted, next: from + limit < linked.length ? String(from + limit) : undefined };
};

const json = <S>(schema: S) => ({ 'application/json': { schema } });
const post = <S extends z.ZodType>(path: string, schema: S) =>
  createRoute({
    method: 'post',
    path,
    security: [{ oauth2: ['decisions:evaluate'] }],
    request: { body: { required: true, content: json(schema) } },
    responses: { 200: { description: 'Answer' } },
  });
const getConfiguration = createRoute({
  method: 'get',
  path: authzenPaths.configuration,
  security: [],
  responses: { 200: { description: 'Metadata' } },
});
const batchLimitBytes = 1_048_576;

/** What is pure in AuthZEN, behind the HTTP of the house, with an evaluator that knows five links. */
export const startAuthzenTarget = async (): Promise<AuthzenTarget> => {
  const tokens = new Map<string, readonly Scope[]>();
  const app = createRouter({
    authenticate: async (c, scope) => {
      const scopes = tokens.get(c.req.header('authorization') ?? '');
      if (!scopes) throw new TokenInvalid('unknown');
      if (!scopes.includes(scope)) throw new ScopeInsufficient(scope);
      return { system: question.subject.id, clientId: 'client', scopes, issuedAt: 0, expiresAt: Infinity };
    },
    limit: () => undefined,
  });
  app.use(async (c, next) => {
    c.set('requestId', c.req.header('x-request-id') ?? 'none');
    await next();
  });
  app.onError(createErrorHandler((error) => console.error(error)));
  app.notFound(createNotFoundHandler(app as never));
  app.openapi(getConfiguration, (c) =>
    respond(c, authzenConfigurationSchema, authzenConfiguration(url), 200, { 'Cache-Control': 'max-age=3600' }),
  );
  app.openapi(post(authzenPaths.evaluation, accessEvaluationRequestSchema), async (c) =>
    respond(c, decisionSchema, await answerEvaluation(c.req.valid('json'), evaluate)),
  );
  app.openapi(
    post(authzenPaths.evaluations, accessEvaluationsRequestSchema),
    async (c) => {
      const body = parseJson(await readText(c, 'application/json', batchLimitBytes));
      return respond(c, evaluationsAnswerSchema, await answerEvaluations(readEvaluations(body), evaluate));
    },
    { handlerReadsBody: true },
  );
  app.openapi(post(authzenPaths.searchResource, resourceSearchRequestSchema), async (c) =>
    respond(c, resourceSearchResponseSchema, await answerResourceSearch(readResourceSearch(c.req.valid('json')), find)),
  );
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise((listening) => server.once('listening', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const resource = { type: 'social_identity', id: 'facebook:1' };
  return {
    url,
    authorization: async (scopes = ['decisions:evaluate']) => {
      const token = `Bearer ${tokens.size}`;
      tokens.set(token, scopes);
      return token;
    },
    permitted: question,
    denied: { ...question, resource },
    search: { request: { ...question, resource: { type: 'social_identity' } }, found: linked },
    close: () => new Promise((closed) => server.close(() => closed())),
  };
};
