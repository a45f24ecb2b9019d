import { createHash } from 'node:crypto';
import { UnsecuredJWT, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../src/kernel/clock.ts';
import { listClients, registerOutsideClient, revokeClient, verifyClient } from '../src/systems/index.ts';
import { startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { runSource } from './support/command.ts';
import { startOidcProvider, type OidcProvider } from './support/oidc.ts';

/** Real time, which the issuer lives by too, and as much more as a test wants to have passed. */
let aheadSeconds = 0;
const clock = { now: () => systemClock.now().add({ seconds: aheadSeconds }) };
const nowSeconds = () => Math.floor(clock.now().epochMilliseconds / 1000);

/** The audience is fixed, so that both instances take the same tokens. */
const baseUrl = 'https://ask.example.org';
const desk = { id: 'desk-1', secret: 'of-the-desk' };
const stranger = { id: 'somebody-else', secret: 'of-a-stranger' };

let issuer: OidcProvider;
let impostor: OidcProvider;
let app: TestApp;
let second: TestApp;
/** What the desk is registered as. */
let clientId: string;

const register = (externalId: string, scopes: string[], system = 'community-desk') =>
  registerOutsideClient(
    { database: app.db, systems: app.catalogue.systems },
    { system, scopes, issuer: issuer.issuer, externalId },
  );

beforeAll(async () => {
  [issuer, impostor] = await Promise.all([startOidcProvider(), startOidcProvider()]);
  const known = ['obligations:read', 'links:read', 'endpoints:write'];
  const client = ({ id, secret }: typeof desk) => ({
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: known.join(' '),
    id_token_signed_response_alg: 'ES256' as const,
  });
  for (const provider of [issuer, impostor]) provider.serve([client(desk), client(stranger)], { scopes: known });
  const settings = { baseUrl, tokenIssuers: [issuer.issuer, `${impostor.issuer}/`] };
  app = await startTestApp({ clock, settings });
  second = await startTestApp({ clock, settings, database: app.database });
  ({ clientId } = await register(desk.id, ['obligations:read', 'decisions:evaluate', 'endpoints:write']));
});
beforeEach(() => {
  aheadSeconds = 0;
  issuer.comeBack();
});
afterAll(async () => {
  await second.close();
  await app.close();
  await Promise.all([issuer.close(), impostor.close()]);
});

/** `200`, or `401 auth.token-invalid` and the rule that the token breaks. */
const pull = async (token: string, at = app): Promise<string> => {
  const answer = await fetch(`${at.url}/v1/obligations`, { headers: { authorization: `Bearer ${token}` } });
  const { code, detail } = (await answer.json()) as { code?: string; detail?: string };
  return answer.status === 200 ? '200' : `${answer.status} ${code} ${detail}`;
};
/** What a good token of the desk says. */
const claims = (more: Record<string, unknown> = {}) => ({
  iss: issuer.issuer,
  aud: baseUrl,
  sub: desk.id,
  client_id: desk.id,
  scope: 'obligations:read',
  iat: nowSeconds(),
  exp: nowSeconds() + 300,
  jti: String(Math.random()),
  ...more,
});

test('a token of an outside issuer is taken on every instance, for the system that its client was registered for', async () => {
  const token = await issuer.accessToken(desk, baseUrl, 'obligations:read endpoints:write');
  expect(await pull(token)).toBe('200');
  expect(await pull(token)).toBe('200');
  expect(await pull(token, second)).toBe('200');
  const answer = await fetch(`${app.url}/v1/endpoint`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: 'http://127.0.0.1:9/hook' }),
  });
  expect(answer.status).toBe(200);
  expect(await app.db.query('select system from endpoint')).toEqual([{ system: 'community-desk' }]);
});

test('a token gives no scope that the issuer did not give, and none that the registration does not', async () => {
  // Registered for obligations:read, but not asked for; asked for links:read, but not registered for it.
  const token = await issuer.accessToken(desk, baseUrl, 'links:read');
  expect(await pull(token)).toContain('403 auth.scope-insufficient');
  const links = await fetch(`${app.url}/v1/subjects/019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11/links`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(links.status).toBe(403);
  expect(await pull(await issuer.forge(claims({ scope: undefined })))).toContain('403 auth.scope-insufficient');
});

test('what the tests forge is taken when nothing is wrong with it, also with azp for client_id and several audiences', async () => {
  expect(await pull(await issuer.forge(claims()))).toBe('200');
  expect(await pull(await issuer.forge(claims({ client_id: undefined, azp: desk.id })))).toBe('200');
  expect(await pull(await issuer.forge(claims({ aud: ['https://other.example', baseUrl] })))).toBe('200');
  // Two servers' clocks differ.
  expect(await pull(await issuer.forge(claims({ iat: nowSeconds() + 30, nbf: nowSeconds() + 30 })))).toBe('200');
});

const refusals: [string, () => Promise<string>, string][] = [
  ['of an issuer that is not configured', () => issuer.forge(claims({ iss: 'https://evil.example' })), 'unknown key'],
  [
    'of a configured name with a slash too many',
    () => issuer.forge(claims({ iss: `${issuer.issuer}/` })),
    'unknown key',
  ],
  ['for another audience', () => issuer.accessToken(desk, 'https://other.example'), 'its aud is not this service'],
  ['without an audience', () => issuer.forge(claims({ aud: undefined })), 'its aud is not this service'],
  ['that is an ID token', () => issuer.forge(claims(), { typ: 'JWT' }), 'no access token'],
  ['without a type', () => issuer.forge(claims(), { typ: undefined }), 'no access token'],
  ['that is expired', () => issuer.forge(claims({ iat: nowSeconds() - 300, exp: nowSeconds() })), 'expired'],
  ['without an end', () => issuer.forge(claims({ exp: undefined })), 'without a usable exp'],
  ['without a beginning', () => issuer.forge(claims({ iat: undefined })), 'without a usable iat'],
  ['that is not valid yet', () => issuer.forge(claims({ nbf: nowSeconds() + 120 })), 'not valid yet'],
  ['from the future', () => issuer.forge(claims({ iat: nowSeconds() + 120, exp: nowSeconds() + 300 })), 'future'],
  ['that lives for longer than an hour', () => issuer.forge(claims({ exp: nowSeconds() + 3_601 })), 'too long'],
  ['without a client', () => issuer.forge(claims({ client_id: undefined })), 'without a usable client_id'],
  ['whose client is no text', () => issuer.forge(claims({ client_id: { id: desk.id } })), 'without a usable client_id'],
  ['whose scope is no text', () => issuer.forge(claims({ scope: ['obligations:read'] })), 'client_id or scope'],
  ['without a key id', () => issuer.forge(claims(), { kid: undefined }), 'without naming its key'],
  ['signed by a stranger who takes a known key id', () => impostor.forge(claims()), 'forged'],
  ['without a signature', async () => new UnsecuredJWT(claims()).encode(), 'algorithm that is not taken'],
  [
    'signed with the public key as an HMAC secret',
    async () => {
      const { keys } = (await (await fetch(`${issuer.issuer}/jwks`)).json()) as { keys: object[] };
      return new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'key-1' })
        .sign(createHash('sha256').update(JSON.stringify(keys[0])).digest());
    },
    'algorithm that is not taken',
  ],
];

test.each(refusals)('a token %s is refused', async (_, make, rule) => {
  const answer = await pull(await make());
  expect(answer).toContain('401 auth.token-invalid');
  expect(answer).toContain(rule);
});

test('a genuine token of a client that nobody registered here is refused by a code of its own', async () => {
  expect(await pull(await issuer.accessToken(stranger, baseUrl))).toContain('401 auth.client-unregistered');
  expect(await pull(await issuer.forge(claims({ client_id: 'desk-1\0' })))).toContain('401 auth.client-unregistered');
});

test('an issuer that calls itself otherwise than it is configured, if only by a slash, is not believed', async () => {
  const token = await impostor.forge({ ...claims(), iss: `${impostor.issuer}/` });
  expect(await pull(token)).toContain('401 auth.issuer-unavailable');
});

test('a token is refused once it has expired, to the second', async () => {
  const token = await issuer.forge(claims());
  aheadSeconds = 298;
  expect(await pull(token)).toBe('200');
  aheadSeconds = 300;
  expect(await pull(token, second)).toMatch(/^401 auth.token-invalid .*expired/);
});

test('revoking the client refuses its tokens at once on every instance, known or not, and registering it anew does not bring them back', async () => {
  const token = await issuer.accessToken(stranger, baseUrl, 'obligations:read');
  const one = await register(stranger.id, ['obligations:read']);
  await expect(register(stranger.id, ['links:read'])).rejects.toMatchObject({ code: 'systems.client-exists' });
  const fresh = await issuer.accessToken(stranger, baseUrl, 'obligations:read');
  expect(await pull(fresh)).toBe('200');
  await revokeClient(app.db, one.clientId);
  expect(await pull(fresh)).toMatch(/^401 auth.token-invalid .*revoked/);
  expect(await pull(fresh, second)).toContain('401 auth.client-unregistered');

  // The next second, so that the tokens of before are older than the registration.
  await new Promise((resolve) => setTimeout(resolve, 1_001 - (Date.now() % 1_000)));
  const anew = await register(stranger.id, ['obligations:read'], 'crm');
  expect(anew.clientId).not.toBe(one.clientId);
  for (const [old, at] of [
    [fresh, app],
    [fresh, second],
    [token, second],
  ] as const)
    expect(await pull(old, at)).toContain('401 auth.token-invalid');
  expect(await pull(await issuer.accessToken(stranger, baseUrl, 'obligations:read'))).toBe('200');
});

test('a client of an outside issuer has no secret here, so none is right', async () => {
  for (const secret of ['', '\0'.repeat(32), desk.secret, 'null'])
    expect(await verifyClient(app.db, clientId, secret)).toBeUndefined();
  const answer = await fetch(`${app.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([401, 'invalid_client']);
});

test('our own tokens go on being taken beside, and nobody can have them issued by an outside issuer', async () => {
  expect((await app.call('GET', '/v1/obligations')).status).toBe(200);
  expect(await pull(await issuer.forge(claims({ iss: baseUrl })))).toContain('401 auth.token-invalid');
});

test('the issuer may change its keys while instances run; unknown ones make them ask it at most once in ten seconds', async () => {
  expect(await pull(await issuer.forge(claims()))).toBe('200');
  aheadSeconds = 20;
  const fetchedBefore = issuer.asked.get('/jwks')!;
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) =>
      expect(await pull(await issuer.forge(claims(), { kid: `made-up-${index}` }))).toMatch(
        /^401 auth.token-invalid .*unknown key/,
      ),
    ),
  );
  expect(issuer.asked.get('/jwks')! - fetchedBefore).toBe(1);

  await issuer.rotate();
  const token = await issuer.accessToken(desk, baseUrl, 'obligations:read');
  expect(await pull(token)).toMatch(/^401 auth.token-invalid .*unknown key/);
  aheadSeconds = 31;
  expect(await pull(token)).toBe('200');
  expect(await pull(token, second)).toBe('200');
});

test('while the issuer is down, known keys go on working and unknown ones are refused by a code of their own', async () => {
  expect(await pull(await issuer.forge(claims()))).toBe('200');
  issuer.goDown();
  for (aheadSeconds of [20, 400, 4_000]) {
    expect(await pull(await issuer.forge(claims()))).toBe('200');
    expect(await pull(await issuer.forge(claims(), { kid: 'made-up' }))).toContain('401 ');
  }
  aheadSeconds += 20;
  expect(await pull(await issuer.forge(claims(), { kid: 'made-up' }))).toContain('401 auth.issuer-unavailable');

  // An instance that never heard of the issuer's keys.
  const late = await startTestApp({
    clock,
    settings: { baseUrl, tokenIssuers: [issuer.issuer] },
    database: app.database,
  });
  const token = await issuer.forge(claims());
  expect(await pull(token, late)).toContain('401 auth.issuer-unavailable');
  issuer.comeBack();
  aheadSeconds += 11;
  expect(await pull(token, late)).toBe('200');
  await late.close();
});

test('a key that the issuer has withdrawn is not taken for much longer', async () => {
  const token = await issuer.forge(claims({ exp: nowSeconds() + 3_000 }));
  expect(await pull(token, second)).toBe('200');
  const again = await issuer.forge(claims({ exp: nowSeconds() + 3_000 }));
  await issuer.rotate();
  const fetchedBefore = issuer.asked.get('/jwks')!;
  aheadSeconds = 400;
  expect(await pull(again, second)).toContain('401 auth.token-invalid');
  expect(issuer.asked.get('/jwks')! - fetchedBefore).toBe(1);
});

test('an operator registers and sees such a client on the command line', async () => {
  const env = {
    DATABASE_URL: app.database.urls.app,
    KEYS_DATABASE_URL: app.database.urls.keys,
    KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
    TOKEN_ISSUERS: `https://login.example.org/realms/club, ${issuer.issuer}`,
  };
  const create = (url: string) =>
    `clients create crm --scope consents:read --issuer ${url} --external-id crm-prod`.split(' ');
  const made = await runSource('cli.ts', create(issuer.issuer), { env });
  expect(made).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(/^ASKFIRST_CLIENT_ID=crm\.\w{12}\n$/),
  });
  const other = await runSource('cli.ts', create('https://login.example.org/realms/clubs'), { env });
  expect(other.stderr).toContain('TOKEN_ISSUERS does not name https://login.example.org/realms/clubs');
  const list = await runSource('cli.ts', ['clients', 'list'], { env });
  expect(list.stdout).toContain(`crm-prod of ${issuer.issuer}`);
  expect(list.stdout).toContain('crm-prod of https://login.example.org/realms/clubs');
  const clients = await listClients(app.db);
  expect(clients.filter(({ externalId }) => externalId === 'crm-prod')).toEqual([
    expect.objectContaining({ system: 'crm', scopes: ['consents:read'], revokedAt: null, issuer: issuer.issuer }),
    expect.objectContaining({ issuer: 'https://login.example.org/realms/clubs' }),
  ]);
});
