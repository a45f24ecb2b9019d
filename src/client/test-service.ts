import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What arrived, for the test to look at. */
type Received = { method: string; path: string; headers: IncomingHttpHeaders; body: string; json: any };
/** Answers in its own way, or returns what is to be sent: a string as it is, anything else as JSON. */
type Answer = (request: Received, response: ServerResponse) => { status?: number; body?: unknown } | void;

/**
 * A small HTTP server that speaks the service's wire, right and wrong: each test says what a path answers. Tokens are
 * issued to `listening`/`s3cret+/=` and looked at on every other path.
 */
export const startService = async (lifetimeSeconds = 300) => {
  const received: Received[] = [];
  const answers = new Map<string, Answer>();
  const tokens = new Set<string>();

  answers.set('/oauth/token', ({ headers, body }) => {
    const basic = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    if (basic !== `listening:${encodeURIComponent('s3cret+/=')}` || body !== 'grant_type=client_credentials')
      return { status: 401, body: { error: 'invalid_client' } };
    const token = `token-${tokens.size + 1}-${received.length}`;
    tokens.add(token);
    return { body: { access_token: token, token_type: 'Bearer', expires_in: lifetimeSeconds } };
  });

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const path = request.url ?? '';
    // undici sends a request again after 421, then without its body.
    const json = request.headers['content-type'] === 'application/json' && body !== '' ? JSON.parse(body) : undefined;
    const one: Received = { method: request.method ?? '', path, headers: request.headers, body, json };
    received.push(one);
    const bearer = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const answer =
      path !== '/oauth/token' && !tokens.has(bearer)
        ? { status: 401, body: { code: 'auth.token-invalid' } }
        : (answers.get(path) ?? (() => ({ status: 404, body: { code: 'http.not-found' } })))(one, response);
    if (!answer) return;
    response.statusCode = answer.status ?? 200;
    response.setHeader('content-type', 'application/json');
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    received,
    options: {
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      system: 'listening',
      clientId: 'listening',
      clientSecret: 's3cret+/=',
      timeoutMs: 10_000,
    },
    answer: (path: string, how: Answer) => void answers.set(path, how),
    asked: (path: string) => received.filter((request) => request.path === path),
    accept: (token: string) => void tokens.add(token),
    forgetTokens: () => tokens.clear(),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

export type Service = Awaited<ReturnType<typeof startService>>;

export const decisionId = '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e11';

/** What the service answers to a permitted link. */
export const permit = () => ({
  decision: true,
  context: {
    decisionId,
    policyDigest: '9f2b',
    reason_admin: { 'link-with-consent-and-proof': 'Valid consent, and the account is proved.' },
    reason_user: { 'link-with-consent-and-proof': 'You agreed to this link.' },
    lease: { id: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e12', expiresAt: '2026-07-15T09:30:05Z' },
  },
});

export const refusal = () => ({
  decision: false,
  context: {
    decisionId,
    reason_admin: { 'consent-missing': 'No valid consent.' },
    reason_user: { 'consent-missing': 'You have not agreed to this.' },
    obligations: ['human-review'],
  },
});
