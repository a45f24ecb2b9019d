import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../src/kernel/clock.ts';
import { createRouter } from '../src/http/index.ts';
import { appOf } from '../src/http/test-support.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { createStaffGuard } from '../src/staff/index.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { createBrowser, startOidcProvider, type Browser, type OidcProvider } from './support/oidc.ts';

/** Real time, which the provider lives by too, and as much more as a test wants to have passed. */
let ahead = Temporal.Duration.from({ seconds: 0 });
const clock = { now: () => systemClock.now().add(ahead) };

let provider: OidcProvider;
let app: TestApp;
/** The same installation, with its roles elsewhere. */
let nested: TestApp;
let owner: Database;
const secret = 'a secret of the provider’s choice'.replaceAll(/[^a-z]/g, '-');
const staffProvider = (rolesClaim: string, scope = 'openid', clientSecret = secret) => ({
  issuer: provider.issuer,
  clientId: 'askfirst',
  clientSecret,
  scope,
  rolesClaim,
});

const serve = (settings = {}) =>
  provider.serve(
    [
      {
        client_id: 'askfirst',
        client_secret: secret,
        redirect_uris: [`${app.url}/staff/callback`, `${nested.url}/staff/callback`],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    settings,
  );

beforeAll(async () => {
  provider = await startOidcProvider();
  app = await startTestApp({ clock, staffProvider: staffProvider('roles') });
  nested = await startTestApp({
    clock,
    database: app.database,
    staffProvider: staffProvider('groups.crm', 'openid groups'),
  });
  owner = connect(app.database.urls.owner, { connections: 1 });
});
beforeEach(() => {
  ahead = Temporal.Duration.from({ seconds: 0 });
  provider.person = { sub: 'u17', roles: ['askfirst-caseworker', 'printer'] };
  provider.comeBack();
  provider.publishes = undefined;
  serve();
});
afterAll(async () => {
  await owner.end();
  await nested.close();
  await app.close();
  await provider.close();
});

const codeOf = async (response: Response): Promise<[number, string]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
];
const signIn = async (browser: Browser, to = '/staff/me', at = app) => {
  const callback = await browser.follow(
    `${at.url}/staff/sign-in?to=${encodeURIComponent(to)}`,
    `${at.url}/staff/callback`,
  );
  return browser.visit(callback.url);
};
const me = (browser: Browser, at = app) => browser.visit(`${at.url}/staff/me`);
const sessions = async () => {
  const [row] = await owner.query<{ count: string }>('select count(*) from staff_session');
  return Number(row!.count);
};
/** No session came of it: neither a cookie nor a row. */
const refused = async (act: () => Promise<Response>, browser: Browser): Promise<[number, string]> => {
  const before = await sessions();
  const response = await act();
  expect(await sessions()).toBe(before);
  expect(browser.cookies.filter(({ name }) => name.endsWith('askfirst-staff'))).toEqual([]);
  return codeOf(response);
};

test('a colleague signs in at the provider, comes back to where they were, and is known by sub and role', async () => {
  const browser = createBrowser();
  const begun = await browser.visit(`${app.url}/staff/sign-in?to=/staff/me%3Fx=1`);
  const authorize = new URL(begun.headers.get('location')!);
  expect(authorize.origin).toBe(provider.issuer);
  expect(Object.fromEntries(authorize.searchParams)).toMatchObject({
    response_type: 'code',
    client_id: 'askfirst',
    scope: 'openid',
    redirect_uri: `${app.url}/staff/callback`,
    code_challenge_method: 'S256',
    state: expect.stringMatching(/.{40}/),
    nonce: expect.stringMatching(/.{40}/),
  });
  const { url } = await browser.follow(authorize.href, `${app.url}/staff/callback`);
  const done = await browser.visit(url);
  expect([done.status, done.headers.get('location')]).toEqual([302, `${app.url}/staff/me?x=1`]);

  const answer = await me(browser);
  expect(answer.status).toBe(200);
  const staff = (await answer.json()) as { endsAt: string };
  expect(staff).toEqual({ person: 'u17', roles: ['caseworker'], endsAt: expect.any(String) });
  const hours = Temporal.Instant.from(staff.endsAt).since(clock.now()).total('hours');
  expect(hours).toBeCloseTo(8, 1);
});

test('the cookie is 256 random bits for this host and HTTP alone, and only its hash is stored', async () => {
  const browser = createBrowser();
  await signIn(browser);
  const cookie = browser.cookies.find(({ name }) => name === 'askfirst-staff')!;
  expect(Buffer.from(cookie.value, 'base64url')).toHaveLength(32);
  expect(cookie.attributes).toMatch(/; Path=\/(;|$)/);
  expect(cookie.attributes).toContain('; HttpOnly');
  expect(cookie.attributes).toContain('; SameSite=Lax');
  expect(cookie.attributes).not.toMatch(/Domain/i);
  // What was kept for the way to the provider and back is gone.
  expect(browser.cookies.some(({ name }) => name === 'askfirst-sign-in')).toBe(false);
  const [row] = await owner.query<{ everything: string }>(
    `select json_agg(s)::text as everything from staff_session s`,
  );
  expect(row!.everything).not.toContain(cookie.value);
  expect(row!.everything).not.toContain(Buffer.from(cookie.value).toString('hex'));
});

test('behind https the cookies are Secure and bound to the host by their name', async () => {
  const secure = await startTestApp({
    database: app.database,
    settings: { baseUrl: 'https://ask.example.org' },
    staffProvider: staffProvider('roles'),
  });
  const begun = await fetch(`${secure.url}/staff/sign-in`, { redirect: 'manual' });
  expect(begun.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-askfirst-sign-in=[\w-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
  ]);
  expect(new URL(begun.headers.get('location')!).searchParams.get('redirect_uri')).toBe(
    'https://ask.example.org/staff/callback',
  );
  const browser = createBrowser();
  await signIn(browser);
  const value = browser.cookies.find(({ name }) => name === 'askfirst-staff')!.value;
  const withName = (name: string) => fetch(`${secure.url}/staff/me`, { headers: { cookie: `${name}=${value}` } });
  expect((await withName('__Host-askfirst-staff')).status).toBe(200);
  expect((await withName('askfirst-staff')).status).toBe(401);
  await secure.close();
});

test('roles are found in a nested claim of the user info as well, and several are several', async () => {
  serve({ conformIdTokenClaims: true });
  provider.person = { sub: 'u18', groups: { crm: ['dpo', 'auditor', 'Caseworker', 'askfirst-admin'] } };
  const browser = createBrowser();
  await signIn(browser, '/staff/me', nested);
  expect(provider.asked.get('/me')).toBeGreaterThan(0);
  expect(await (await me(browser, nested)).json()).toMatchObject({ person: 'u18', roles: ['dpo', 'auditor'] });
});

test.each([
  ['no claim', {}],
  ['an empty list', { roles: [] }],
  ['roles of other tools', { roles: ['admin', 'case-worker'] }],
  ['something that is no role', { roles: { caseworker: true } }],
])('whoever the provider knows with %s is signed in nowhere', async (_, claims) => {
  provider.person = { sub: 'u19', ...claims };
  const browser = createBrowser();
  expect(await refused(() => signIn(browser), browser)).toEqual([403, 'staff.role-missing']);
});

test('who says no at the provider is signed in nowhere', async () => {
  provider.person = undefined;
  const browser = createBrowser();
  expect(await refused(() => signIn(browser), browser)).toEqual([400, 'staff.sign-in-refused']);
});

test('a callback is good once: the same again, with or without what the browser had kept, opens nothing', async () => {
  const browser = createBrowser();
  const { url } = await browser.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`);
  const thief = createBrowser();
  thief.cookies = [...browser.cookies];
  expect((await browser.visit(url)).status).toBe(302);
  const again = createBrowser();
  expect(await refused(() => again.visit(url), again)).toEqual([400, 'staff.sign-in-not-begun']);
  expect(await refused(() => thief.visit(url), thief)).toEqual([400, 'staff.sign-in-refused']);
});

test('a callback of somebody else’s sign-in opens no session in this browser', async () => {
  const [attacker, victim] = [createBrowser(), createBrowser()];
  const { url } = await attacker.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`);
  expect(await refused(() => victim.visit(url), victim)).toEqual([400, 'staff.sign-in-not-begun']);
  await victim.visit(`${app.url}/staff/sign-in`);
  expect(await refused(() => victim.visit(url), victim)).toEqual([400, 'staff.sign-in-refused']);
});

test('a state that was changed, left out or given twice, or another issuer, opens nothing', async () => {
  for (const change of [
    (url: URL) => url.searchParams.set('state', 'another'),
    (url: URL) => url.searchParams.delete('state'),
    (url: URL) => url.searchParams.append('state', url.searchParams.get('state')!),
    // A provider that mixes itself up with another (RFC 9207).
    (url: URL) => url.searchParams.set('iss', 'https://evil.example'),
  ]) {
    const browser = createBrowser();
    const callback = new URL((await browser.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`)).url);
    change(callback);
    expect(await refused(() => browser.visit(callback.href), browser)).toEqual([400, 'staff.sign-in-refused']);
  }
});

test('a code that was asked for with another nonce, or under another challenge, opens nothing', async () => {
  for (const parameter of ['nonce', 'code_challenge']) {
    const browser = createBrowser();
    const begun = await browser.visit(`${app.url}/staff/sign-in`);
    const authorize = new URL(begun.headers.get('location')!);
    authorize.searchParams.set(parameter, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
    const { url } = await browser.follow(authorize.href, `${app.url}/staff/callback`);
    expect([parameter, ...(await refused(() => browser.visit(url), browser))]).toEqual([
      parameter,
      400,
      'staff.sign-in-refused',
    ]);
  }
});

test('what the browser keeps cannot be forged, and is good for ten minutes', async () => {
  const browser = createBrowser();
  const { url } = await browser.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`);
  const kept = browser.cookies.find(({ name }) => name === 'askfirst-sign-in')!;
  const { value } = kept;
  kept.value = `${value.slice(0, -2)}${value.endsWith('AA') ? 'BB' : 'AA'}`;
  expect(await refused(() => browser.visit(url), browser)).toEqual([400, 'staff.sign-in-not-begun']);
  kept.value = value;
  ahead = Temporal.Duration.from({ minutes: 10 });
  expect(await refused(() => browser.visit(url), browser)).toEqual([400, 'staff.sign-in-not-begun']);
  ahead = Temporal.Duration.from({ minutes: 9 });
  expect((await browser.visit(url)).status).toBe(302);
});

test.each(['https://evil.example/', '//evil.example/', '/\\evil.example', 'staff/me', '/a b', '/\tevil', '/ä'])(
  'nobody is led away: %s is no place to go on to',
  async (to) => {
    const answer = await fetch(`${app.url}/staff/sign-in?to=${encodeURIComponent(to)}`, { redirect: 'manual' });
    expect(await codeOf(answer)).toEqual([400, 'http.input-invalid']);
  },
);

test('a path that a browser would read as another host stays on ours', async () => {
  const done = await signIn(createBrowser(), '/.//evil.example/');
  expect(new URL(done.headers.get('location')!).origin).toBe(app.url);
});

test('a session of before the sign-in does not become one of after it', async () => {
  const browser = createBrowser();
  await signIn(browser);
  const planted = browser.cookies.find(({ name }) => name === 'askfirst-staff')!.value;
  await signIn(browser);
  const fresh = browser.cookies.find(({ name }) => name === 'askfirst-staff')!.value;
  expect(fresh).not.toBe(planted);
  const old = await fetch(`${app.url}/staff/me`, { headers: { cookie: `askfirst-staff=${planted}` } });
  expect(await codeOf(old)).toEqual([401, 'staff.sign-in-missing']);
});

test('a session is over after eight hours however much it is used, and after sign-out at once on every instance', async () => {
  const browser = createBrowser();
  await signIn(browser);
  ahead = Temporal.Duration.from({ hours: 7, minutes: 59 });
  expect((await me(browser)).status).toBe(200);
  ahead = Temporal.Duration.from({ hours: 8 });
  expect(await codeOf(await me(browser))).toEqual([401, 'staff.sign-in-missing']);

  ahead = Temporal.Duration.from({ seconds: 0 });
  const other = createBrowser();
  await signIn(other);
  const kept = [...other.cookies];
  const out = await other.visit(`${app.url}/staff/sign-out`, { method: 'POST', headers: { origin: app.url } });
  expect(out.status).toBe(204);
  expect(other.cookies.some(({ name }) => name === 'askfirst-staff')).toBe(false);
  other.cookies = kept;
  for (const instance of [app, nested])
    expect(await codeOf(await me(other, instance))).toEqual([401, 'staff.sign-in-missing']);
});

test('another site cannot sign anybody out', async () => {
  const browser = createBrowser();
  await signIn(browser);
  for (const headers of [
    {},
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site', origin: app.url },
    { 'sec-fetch-site': 'cross-site' },
  ] as Record<string, string>[]) {
    const answer = await browser.visit(`${app.url}/staff/sign-out`, { method: 'POST', headers });
    expect([headers, ...(await codeOf(answer))]).toEqual([headers, 403, 'staff.cross-site']);
  }
  expect((await me(browser)).status).toBe(200);
  const own = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } };
  expect((await browser.visit(`${app.url}/staff/sign-out`, own)).status).toBe(204);
});

test('a route for colleagues lets in who has one of its roles, and takes changes from our own pages only', async () => {
  const requireStaff = createStaffGuard({ database: app.db, clock, baseUrl: app.url });
  const { app: guarded } = appOf([
    createRouter({})
      .openapi({ method: 'post', path: '/decide', security: [{ staffSession: [] }], responses: {} }, async (c) =>
        c.json(await requireStaff(c, ['caseworker'])),
      )
      .openapi({ method: 'get', path: '/read', security: [{ staffSession: [] }], responses: {} }, async (c) =>
        c.json(await requireStaff(c, ['dpo', 'auditor'])),
      ),
  ]);
  const browser = createBrowser();
  await signIn(browser);
  const cookie = `askfirst-staff=${browser.cookies.find(({ name }) => name === 'askfirst-staff')!.value}`;
  const decide = (headers: Record<string, string>) => guarded.request('/decide', { method: 'POST', headers });
  const decided = await decide({ cookie, origin: app.url });
  expect(await decided.json()).toMatchObject({ person: 'u17', roles: ['caseworker'] });
  expect((await decide({ cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  expect(await codeOf(await decide({ cookie }))).toEqual([403, 'staff.cross-site']);
  expect(await codeOf(await decide({ cookie, origin: 'https://evil.example' }))).toEqual([403, 'staff.cross-site']);
  expect(await codeOf(await decide({ cookie, origin: app.url, 'sec-fetch-site': 'same-site' }))).toEqual([
    403,
    'staff.cross-site',
  ]);
  expect(await codeOf(await decide({ origin: app.url }))).toEqual([401, 'staff.sign-in-missing']);
  expect(await codeOf(await guarded.request('/read', { headers: { cookie } }))).toEqual([403, 'staff.role-missing']);
});

test('nobody is somebody without a session, and a system’s token is none', async () => {
  const nobody = createBrowser();
  const answer = await me(nobody);
  expect(answer.headers.get('www-authenticate')).toBe('Cookie realm="askfirst-staff"');
  expect(await codeOf(answer)).toEqual([401, 'staff.sign-in-missing']);
  const system = await fetch(`${app.url}/staff/me`, { headers: { authorization: await app.token('crm') } });
  expect(system.status).toBe(401);
});

test('the provider may change its keys at any time', async () => {
  for (const _ of [1, 2]) {
    await provider.rotate();
    const browser = createBrowser();
    expect((await signIn(browser)).status).toBe(302);
    expect((await me(browser)).status).toBe(200);
  }
});

test('an ID token that does not fit the keys that the provider publishes opens nothing', async () => {
  const other = await exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey);
  const published = (await (await fetch(`${provider.issuer}/jwks`)).json()) as { keys: { kid: string }[] };
  const { kid } = published.keys[0]!;
  provider.publishes = { keys: [{ ...other, kid, alg: 'ES256', use: 'sig' }] };
  const browser = createBrowser();
  expect(await refused(() => signIn(browser), browser)).toEqual([400, 'staff.sign-in-refused']);
  provider.publishes = undefined;
  expect((await signIn(browser)).status).toBe(302);
});

test('a provider that is down signs nobody in, and one that is back does', async () => {
  const late = await startTestApp({ clock, database: app.database, staffProvider: staffProvider('roles') });
  provider.goDown();
  const down = await fetch(`${late.url}/staff/sign-in`, { redirect: 'manual' });
  expect(await codeOf(down)).toEqual([503, 'staff.provider-unavailable']);
  provider.comeBack();
  expect((await fetch(`${late.url}/staff/sign-in`, { redirect: 'manual' })).status).toBe(302);

  const browser = createBrowser();
  const { url } = await browser.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`);
  provider.goDown();
  expect(await refused(() => browser.visit(url), browser)).toEqual([503, 'staff.provider-unavailable']);
  provider.comeBack();
  expect((await browser.visit(url)).status).toBe(302);
  await late.close();
});

test('a service that the provider does not know the secret of says so', async () => {
  const wrong = await startTestApp({
    database: app.database,
    staffProvider: staffProvider('roles', 'openid', 'wrong'),
  });
  provider.serve([
    {
      client_id: 'askfirst',
      client_secret: secret,
      redirect_uris: [`${wrong.url}/staff/callback`],
      id_token_signed_response_alg: 'ES256',
    },
  ]);
  const browser = createBrowser();
  const answer = await signIn(browser, '/staff/me', wrong);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({
    code: 'staff.provider-unavailable',
    detail: 'the identity provider does not accept what STAFF_CLIENT_ID and STAFF_CLIENT_SECRET say',
  });
  await wrong.close();
});

test('without a provider there is no sign-in', async () => {
  const without = await startTestApp({ database: app.database });
  for (const path of ['/staff/sign-in', '/staff/callback'])
    expect(await codeOf(await fetch(without.url + path))).toEqual([404, 'staff.sign-in-not-configured']);
  await without.close();
});
