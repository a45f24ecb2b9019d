import { expect, test } from 'vitest';
import { tokenRoutes } from './oauth.ts';
import { RateLimitReached } from './rate-limit.ts';
import { appOf, membersOf } from './test-support.ts';
import type { Scope } from './scopes.ts';

const id = 'desk:1';
const secret = 'p@ss+wörd/=';
const scopes: Scope[] = ['decisions:evaluate', 'links:write'];
const limited: string[] = [];
const { app } = appOf([
  tokenRoutes({
    verifyClient: (clientId, given) =>
      Promise.resolve(clientId === id && given === secret ? { system: 'community-desk', scopes } : undefined),
    issue: async (client) => JSON.stringify(client),
    limit: (clientId) => {
      limited.push(clientId);
      if (limited.length > 50) throw new RateLimitReached({ name: 'tokens', limit: 50, windowSeconds: 60 }, 9);
      return undefined;
    },
  }),
]);

const encoded = (text: string) => encodeURIComponent(text);
const basic = (clientId: string, given: string) =>
  `Basic ${Buffer.from(`${encoded(clientId)}:${encoded(given)}`).toString('base64')}`;
const ask = async (
  form: Record<string, string> | string,
  authorization?: string,
  type = 'application/x-www-form-urlencoded',
) => {
  const response = await app.request('/oauth/token', {
    method: 'POST',
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    headers: { 'content-type': type, ...(authorization === undefined ? {} : { authorization }) },
  });
  return { response, body: await membersOf(response) };
};
const grant = { grant_type: 'client_credentials' };

test('HTTP Basic and the body both authenticate, and the answer is not to be stored (RFC 6749 sections 2.3.1, 4.4, 5.1)', async () => {
  const inHeader = await ask(grant, basic(id, secret));
  const inBody = await ask({ ...grant, client_id: id, client_secret: secret });
  for (const { response, body } of [inHeader, inBody]) {
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect([response.headers.get('cache-control'), response.headers.get('pragma')]).toEqual(['no-store', 'no-cache']);
    expect(body).toEqual({
      access_token: JSON.stringify({ clientId: id, system: 'community-desk', scopes }),
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'decisions:evaluate links:write',
    });
  }
});

test('fewer scopes can be asked for, more are refused rather than left out (section 3.3)', async () => {
  const narrow = await ask({ ...grant, scope: 'links:write' }, basic(id, secret));
  expect(narrow.body).toMatchObject({ scope: 'links:write' });
  expect(narrow.body['access_token']).toContain('["links:write"]');
  for (const scope of ['links:write consents:write', 'everything', 'links:write  decisions:evaluate']) {
    const { response, body } = await ask({ ...grant, scope }, basic(id, secret));
    expect([scope, response.status, body['error']]).toEqual([scope, 400, 'invalid_scope']);
  }
});

test.each([
  ['a wrong secret', grant, basic(id, 'wrong')],
  ['an unknown client', grant, basic('nobody', secret)],
  ['no authentication', grant, undefined],
  ['a client without a secret', { ...grant, client_id: id }, undefined],
  ['a wrong secret in the body', { ...grant, client_id: id, client_secret: 'wrong' }, undefined],
  ['a header that is not credentials', grant, `Basic ${Buffer.from('nocolon').toString('base64')}`],
  ['a header that is not form-encoded', grant, `Basic ${Buffer.from('%:%').toString('base64')}`],
])('%s is 401 invalid_client with a challenge (section 5.2)', async (_, form, authorization) => {
  const { response, body } = await ask(form, authorization);
  expect([response.status, body['error']]).toEqual([401, 'invalid_client']);
  expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
  expect(response.headers.get('cache-control')).toBe('no-store');
});

test.each([
  ['no grant type', {}, 'invalid_request'],
  ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['a repeated parameter', 'grant_type=client_credentials&grant_type=client_credentials', 'invalid_request'],
  ['two ways to authenticate', { ...grant, client_id: id, client_secret: secret }, 'invalid_request'],
  ['two clients', { ...grant, client_id: 'other' }, 'invalid_request'],
])('%s is 400 %3$s', async (_, form, error) => {
  const { response, body } = await ask(form, basic(id, secret));
  expect([response.status, body['error']]).toEqual([400, error]);
});

test('a body of another type or of another size is an error that OAuth clients understand', async () => {
  const json = await ask(JSON.stringify(grant), basic(id, secret), 'application/json');
  expect([json.response.status, json.body['error']]).toEqual([400, 'invalid_request']);
  const large = await ask(`${new URLSearchParams(grant).toString()}&x=${'x'.repeat(9000)}`, basic(id, secret));
  expect([large.response.status, large.body['error']]).toEqual([400, 'invalid_request']);
});

test('no answer repeats the secret or an unknown client id', async () => {
  const { body } = await ask(grant, basic('eva@example.org', 'canary'));
  expect(JSON.stringify(body)).not.toMatch(/eva|canary/);
});

test("nobody can use up another client's rate without its secret; whoever has it can", async () => {
  limited.length = 0;
  for (let i = 0; i < 60; i++) await ask(grant, basic(id, 'guess'));
  expect(limited).toEqual([]);
  for (let i = 0; i < 50; i++) await ask(grant, basic(id, secret));
  const { response } = await ask(grant, basic(id, secret));
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '9']);
});
