import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { AddressInfo } from 'node:net';
import { authzenConfiguration, authzenPaths } from '../../src/decisions/authzen-metadata.ts';
import { answerResourceSearch, readResourceSearch, type FindResources } from '../../src/decisions/authzen-search.ts';
import { answerEvaluations, readEvaluation, readEvaluations, type Evaluate } from '../../src/decisions/authzen.ts';
import type { AccessEvaluation } from '../../src/decisions/schema.ts';
import { AppError } from '../../src/kernel/errors.ts';

/** What the conformance suite needs to know of the service under test. */
export type AuthzenTarget = {
  /** Base URL, without a slash at the end. */
  url: string;
  /** Value of `Authorization` for the system in the questions below, with the scope for checks or with these scopes. */
  authorization(scopes?: readonly string[]): Promise<string>;
  /** A question that is permitted, however often it is asked, because of its purpose and customer. */
  permitted: Required<AccessEvaluation>;
  /** The same question about another resource, which is denied. */
  denied: Required<AccessEvaluation>;
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

/** The pure parts of AuthZEN behind the smallest transport that can carry them. */
export const startAuthzenTarget = async (): Promise<AuthzenTarget> => {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    const requestId = c.req.header('x-request-id');
    if (requestId !== undefined) c.header('x-request-id', requestId);
  });
  app.get(authzenPaths.configuration, (c) =>
    c.json(authzenConfiguration(url), 200, { 'cache-control': 'max-age=3600' }),
  );
  const tokens = new Map<string, readonly string[]>();
  app.post(
    '/access/*',
    bodyLimit({ maxSize: 1_048_576, onError: (c) => c.json({ detail: 'the body is too large' }, 413) }),
    async (c, next) => {
      const scopes = tokens.get(c.req.header('authorization') ?? '');
      if (!scopes) return c.json({ detail: 'no valid token' }, 401, { 'www-authenticate': 'Bearer' });
      if (!scopes.includes('decisions:evaluate')) return c.json({ detail: 'scope decisions:evaluate is missing' }, 403);
      if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
        return c.json({ detail: 'Content-Type must be application/json' }, 400);
      }
      return next();
    },
  );
  app.post(authzenPaths.evaluation, async (c) =>
    c.json(await answerEvaluations({ single: readEvaluation(await c.req.text()) }, evaluate)),
  );
  app.post(authzenPaths.evaluations, async (c) =>
    c.json(await answerEvaluations(readEvaluations(await c.req.text()), evaluate)),
  );
  app.post(authzenPaths.searchResource, async (c) =>
    c.json(await answerResourceSearch(readResourceSearch(await c.req.text()), find)),
  );
  app.onError((error, c) => c.json({ detail: error.message }, error instanceof AppError ? 400 : 500));
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
    permitted: question as Required<AccessEvaluation>,
    denied: { ...question, resource } as Required<AccessEvaluation>,
    search: { request: { ...question, resource: { type: 'social_identity' } }, found: linked },
    close: () => new Promise((closed) => server.close(() => closed())),
  };
};
