/** One suite over every operation of the API reference: a route that somebody adds tomorrow is tested without an edit here. */
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore, type SigningKey } from '../src/kernel/crypto/key-store.ts';
import { createClient, revokeClient } from '../src/systems/index.ts';
import { allScopes, startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { createWireClient, type WireAnswer } from './support/openapi-client.ts';
import { readOperations, resolve, type Operation } from './support/openapi-operations.ts';
import { agreeToLinking, linkAccount, linkQuestion, proveControl } from './support/people.ts';

const { document, operations } = readOperations();
const secured = operations.filter(({ scope }) => scope !== undefined);

const baseUrl = 'http://127.0.0.1:1';
let database: TestDatabase;
/** Two instances behind one name. */
let app: TestApp;
let other: TestApp;
let keys: { tokens: SigningKey; receipts: SigningKey };

beforeAll(async () => {
  database = await freshDatabase();
  app = await startTestApp({ database, settings: { baseUrl } });
  other = await startTestApp({ database, settings: { baseUrl } });
  const store = createKeyStore(database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  keys = { tokens: (await store.signingKeys('tokens'))[0]!, receipts: (await store.signingKeys('receipts'))[0]! };
  await store.database.end();
});
afterAll(async () => {
  await Promise.all([app?.close(), other?.close()]);
  await database?.drop();
});

/** The documented example of an operation, with an id that nobody has for each parameter. */
const exampleCall = (operation: Operation, headers: Record<string, string> = {}) => {
  const path = operation.parameters
    .filter((one) => one.in === 'path')
    .reduce((text, { name }) => text.replace(`{${name}}`, randomUUID()), operation.path);
  const { body } = operation;
  const form = body !== undefined && body.contentType !== 'application/json';
  return {
    method: operation.method,
    path,
    headers: { ...headers, ...(body ? { 'content-type': body.contentType } : {}) },
    body:
      body &&
      Buffer.from(
        form
          ? new URLSearchParams(body.example as Record<string, string>).toString()
          : JSON.stringify(body.example ?? {}),
      ),
  };
};

const send = async (to: TestApp, call: Parameters<ReturnType<typeof createWireClient>['send']>[0]) => {
  const client = createWireClient(to.url);
  try {
    return await client.send(call);
  } finally {
    client.close();
  }
};

const problemOf = ({ text }: WireAnswer) => JSON.parse(text) as { code: string; status: number; detail: string };

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const claimsNow = () => {
  const iat = Math.floor(Temporal.Now.instant().epochMilliseconds / 1000);
  const claims = { iss: baseUrl, aud: baseUrl, sub: 'crm', client_id: 'crm.test', scope: allScopes.join(' ') };
  return { ...claims, iat, exp: iat + 300, jti: randomUUID() };
};

/** A token as the service makes them, but for what `claims` and `header` change. */
const tokenWith = (claims: object, header: object = {}, key: { kid: string; privateKey: KeyObject } = keys.tokens) => {
  const signed = `${encode({ alg: 'ES256', typ: 'at+jwt', kid: key.kid, ...header })}.${encode({ ...claimsNow(), ...claims })}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
};

test('the reference names operations, most of them behind a token', () => {
  expect(operations.length).toBeGreaterThan(20);
  expect(secured.length).toBeGreaterThan(15);
});

describe.each(secured)('$method $path', (operation) => {
  test('without a token it is refused, and told how to authenticate', async () => {
    const answer = await send(app, exampleCall(operation));
    expect([answer.status, problemOf(answer).code]).toEqual([401, 'auth.token-missing']);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="askfirst"');
  });

  test('with a token for everything else it is refused', async () => {
    const token = await app.token(
      'crm',
      allScopes.filter((scope) => scope !== operation.scope),
    );
    const answer = await send(app, exampleCall(operation, { authorization: token }));
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'auth.scope-insufficient']);
    expect(answer.headers['www-authenticate']).toContain(`error="insufficient_scope", scope="${operation.scope}"`);
  });

  test('with a token for nothing else it is not refused for the token', async () => {
    const token = await app.token('crm', [operation.scope!]);
    const answer = await send(app, exampleCall(operation, { authorization: token }));
    expect(operation.statuses).toContain(answer.status);
    expect(answer.text).not.toContain('auth.');
  });

  test('tokens that are expired, forged, foreign or of another kind are refused', async () => {
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = claimsNow();
    const good = tokenWith({});
    const [head, body, signature] = good.split('.') as [string, string, string];
    const publicPem = createPublicKey(keys.tokens.privateKey).export({ type: 'spki', format: 'pem' });
    const hmac = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: keys.tokens.kid })}.${encode(now)}`;
    const bad = {
      expired: tokenWith({ iat: now.iat - 400, exp: now.iat - 100 }),
      'alg none': `${encode({ alg: 'none', typ: 'at+jwt', kid: keys.tokens.kid })}.${encode(now)}.`,
      'signed with the public key as a secret': `${hmac}.${createHmac('sha256', publicPem).update(hmac).digest('base64url')}`,
      'signed by a stranger': tokenWith({}, {}, { kid: keys.tokens.kid, privateKey: stranger.privateKey }),
      'signed by a stranger under another name': tokenWith(
        {},
        {},
        { kid: 'none-such', privateKey: stranger.privateKey },
      ),
      "signed with the receipts' key": tokenWith({}, {}, keys.receipts),
      'with other claims under the same signature': `${head}.${encode({ ...now, sub: 'listening' })}.${signature}`,
      'without its signature': `${head}.${body}.`,
      'of another issuer': tokenWith({ iss: 'https://elsewhere.example' }),
      'for another audience': tokenWith({ aud: 'https://elsewhere.example' }),
      'of another type': tokenWith({}, { typ: 'JWT' }),
      'of a receipt': tokenWith({}, { typ: 'consent-receipt+jwt' }),
      'that lives too long': tokenWith({ exp: now.iat + 3_600 }),
      'from the future': tokenWith({ nbf: now.iat + 3_600 }),
      'without a subject': tokenWith({ sub: undefined }),
      'without a scope': tokenWith({ scope: undefined }),
      'that is nothing': 'x',
    };
    for (const [kind, token] of Object.entries(bad)) {
      const answer = await send(app, exampleCall(operation, { authorization: `Bearer ${token}` }));
      expect([kind, answer.status, problemOf(answer).code]).toEqual([kind, 401, 'auth.token-invalid']);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
    }
    // The same hand makes one that is taken: so it was these faults.
    expect((await send(app, exampleCall(operation, { authorization: `Bearer ${good}` }))).text).not.toContain('auth.');
  });

  test('a client that was revoked is refused at once on the other instance, with a token it had used there', async () => {
    const { clientId } = await createClient(
      { database: app.db, systems: app.catalogue.systems },
      { system: 'crm', scopes: allScopes },
    );
    const authorization = `Bearer ${tokenWith({ client_id: clientId })}`;
    for (const instance of [app, other])
      expect((await send(instance, exampleCall(operation, { authorization }))).status).not.toBe(401);
    await revokeClient(app.db, clientId);
    for (const instance of [other, app]) {
      const answer = await send(instance, exampleCall(operation, { authorization }));
      expect([answer.status, problemOf(answer).code]).toEqual([401, 'auth.token-invalid']);
    }
  });

  test.runIf(operation.body !== undefined)('a body over its limit is refused, announced or not', async () => {
    const limit = operation.id === 'evaluateMany' ? 4 * 1024 * 1024 : 256 * 1024;
    const authorization = await app.token('crm');
    for (const chunked of [false, true]) {
      const call = { ...exampleCall(operation, { authorization }), body: Buffer.alloc(limit + 1, ' '), chunked };
      const answer = await send(app, call);
      expect([answer.status, problemOf(answer).code]).toEqual([413, 'http.body-too-large']);
    }
    const within = { ...exampleCall(operation, { authorization }), body: Buffer.alloc(limit, ' ') };
    expect((await send(app, within)).status).toBe(400);
  });
});

describe.each(operations)('$method $path', (operation) => {
  test('every answer carries the headers that protect it, and none that opens it to other origins', async () => {
    const authorization = await app.token('crm');
    const calls = [
      exampleCall(operation, { authorization, origin: 'https://evil.example' }),
      exampleCall(operation, { origin: 'null' }),
      {
        ...exampleCall(operation),
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': operation.method },
        body: undefined,
      },
    ];
    for (const call of calls) {
      const { headers } = await send(app, call);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
        'x-request-id': expect.stringMatching(/./),
        'cache-control': expect.stringMatching(/^(no-store|public, max-age=\d+)/),
      });
      expect(
        Object.keys(headers).filter((name) => /^access-control-|^server$|^x-powered-by$|^set-cookie$/.test(name)),
      ).toEqual([]);
    }
  });

  test('other methods are not allowed, and those that are are named', async () => {
    const here = operations.filter(({ path }) => path === operation.path).map(({ method }) => method);
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      if (here.includes(method)) continue;
      const answer = await send(app, { ...exampleCall(operation), method, body: undefined });
      expect([method, answer.status]).toEqual([method, 405]);
      const allowed = answer.headers['allow']!.split(', ');
      expect(allowed).toEqual(here.includes('GET') ? [...here, 'HEAD'] : here);
    }
  });
});

test('what may be cached by others names nobody: keys and metadata, and nothing behind a token', () => {
  const shared = ['/.well-known/jwks.json', '/.well-known/authzen-configuration'];
  for (const { path } of secured) expect(shared).not.toContain(path);
});

test('a token is issued to nobody who is not a client, whatever is wrong, in the same words', async () => {
  const { clientId, clientSecret } = await createClient(
    { database: app.db, systems: app.catalogue.systems },
    { system: 'crm', scopes: ['subjects:read'] },
  );
  const ask = (id: string, secret: string, form: Record<string, string> = { grant_type: 'client_credentials' }) =>
    send(app, {
      method: 'POST',
      path: '/oauth/token',
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: Buffer.from(new URLSearchParams(form).toString()),
    });
  const wrongSecret = await ask(clientId, `${clientSecret}x`);
  const unknown = await ask('crm.none-such', clientSecret);
  expect(wrongSecret.status).toBe(401);
  expect(wrongSecret.headers['www-authenticate']).toMatch(/^Basic /);
  expect([unknown.status, unknown.text]).toEqual([wrongSecret.status, wrongSecret.text]);
  const widened = await ask(clientId, clientSecret, { grant_type: 'client_credentials', scope: 'consents:write' });
  expect([widened.status, JSON.parse(widened.text).error]).toEqual([400, 'invalid_scope']);
  const issued = await ask(clientId, clientSecret);
  expect(JSON.parse(issued.text)).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'subjects:read' });
  await revokeClient(app.db, clientId);
  const revoked = await ask(clientId, clientSecret);
  expect([revoked.status, revoked.text]).toEqual([wrongSecret.status, wrongSecret.text]);
});

describe('A system acts only as itself', () => {
  test('it may not ask in the name of another, and learns no more from the answer', async () => {
    await linkAccount(app, 'crm:8001', 'facebook:80018001');
    const question = linkQuestion('crm:8001', 'facebook:80018001');
    const asItself = await app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body: question });
    expect(asItself.body.decision).toBe(true);
    for (const customer of ['crm:8001', 'crm:nobody']) {
      const body = linkQuestion(customer, 'facebook:80018001');
      const answer = await app.call('POST', '/access/v1/evaluation', { as: 'crm', body });
      expect(answer.status).toBe(200);
      expect(answer.body.decision).toBe(false);
      expect(Object.keys(answer.body.context.reason_admin)).toEqual(['actor-mismatch']);
      expect(answer.body.context).not.toHaveProperty('lease');
    }
  });

  test('a lease, a link and an obligation of another system are not there', async () => {
    const [customer, identity] = ['crm:8002', 'facebook:80028002'];
    const link = await linkAccount(app, customer, identity);
    const question = linkQuestion(customer, identity);
    const permit = await app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body: question });
    const leaseId = permit.body.context.lease.id;
    const confirmed = await app.call('POST', '/v1/links', { as: 'crm', body: { leaseId, customer, identity } });
    expect([confirmed.status, confirmed.body.code]).toEqual([404, 'linkage.lease-unknown']);

    const path = `/v1/subjects/${link.subjectId}/links`;
    expect((await app.call('GET', path, { as: 'crm' })).body.links).toEqual([]);
    const unlinked = await app.call('POST', `${path}/${link.linkId}/unlink`, { as: 'crm', body: {} });
    expect([unlinked.status, unlinked.body.code]).toEqual([404, 'linkage.not-found']);
    expect((await app.call('GET', path, { as: 'community-desk' })).body.links).toMatchObject([{ status: 'active' }]);

    const withdrawal = { subject: customer, purpose: 'profile-linking', method: 'web-form' };
    expect((await app.call('POST', '/v1/consents/withdraw', { body: withdrawal })).status).toBe(201);
    const pulled = await app.call('GET', '/v1/obligations', { as: 'community-desk' });
    const { obligationId } = pulled.body.obligations[0].data;
    expect((await app.call('GET', '/v1/obligations', { as: 'crm' })).body.obligations).toEqual([]);
    const acknowledge = (as: string) => app.call('POST', `/v1/obligations/${obligationId}/acknowledge`, { as });
    const [foreign, unknown] = [
      await acknowledge('crm'),
      await app.call('POST', `/v1/obligations/${randomUUID()}/acknowledge`, { as: 'crm' }),
    ];
    expect([foreign.status, foreign.body]).toEqual([404, unknown.body]);
    expect((await acknowledge('community-desk')).status).toBe(200);
  });

  test('an endpoint is that of the system of the token, and a system that pulls has none', async () => {
    const set = (as: string, url: string) => app.call('PUT', '/v1/endpoint', { as, body: { url } });
    expect((await set('crm', 'https://crm.example.org/hook')).status).toBe(200);
    expect((await set('newsletter', 'https://newsletter.example.org/hook')).status).toBe(200);
    expect((await set('listening', 'https://listening.example.org/hook')).status).toBe(409);
    const rows = await app.db.query<{ system: string; url: string }>(
      'select system, url from endpoint order by system',
    );
    expect(rows).toEqual([
      { system: 'crm', url: 'https://crm.example.org/hook' },
      { system: 'newsletter', url: 'https://newsletter.example.org/hook' },
    ]);
  });

  test('an idempotency key of one client is not that of another', async () => {
    const body = { identifiers: [{ identifier: 'crm:8003' }] };
    const headers = { 'idempotency-key': '"same"' };
    expect((await app.call('POST', '/v1/subjects', { as: 'crm', body, headers })).status).toBe(201);
    const others = { identifiers: [{ identifier: 'crm:8004' }] };
    const answer = await app.call('POST', '/v1/subjects', { as: 'community-desk', body: others, headers });
    expect(answer.status).toBe(201);
  });
});

/** Runs `use` while nobody can read who is known: whatever is answered meanwhile has not looked. */
const whileNobodyCanLook = async <T>(use: () => Promise<T>): Promise<T> => {
  const sql = postgres(database.urls.owner, { max: 1, onnotice: () => {} });
  try {
    return (await sql.begin(async (transaction) => {
      await transaction.unsafe('lock table identifier, subject_state, consent_event in access exclusive mode');
      return use();
    })) as T;
  } finally {
    await sql.end();
  }
};

describe('Whether somebody is known is told to nobody who may not ask', () => {
  beforeAll(async () => {
    const identifiers = [{ identifier: 'crm:8101' }, { identifier: 'email:known@example.org' }];
    expect((await app.call('POST', '/v1/subjects', { body: { identifiers } })).status).toBe(201);
    await agreeToLinking(app, 'crm:8101', 'facebook');
  });

  const people = ['email:known@example.org', 'email:unknown@example.org'];

  test('the lock that these tests rely on does keep a look-up waiting', async () => {
    const body = { identifier: 'email:known@example.org' };
    const waiting = await whileNobodyCanLook(async () => {
      const looking = app.call('POST', '/v1/subjects/lookup', { as: 'crm', body }).then(() => 'answered');
      const outcome = await Promise.race([looking, new Promise((done) => setTimeout(done, 500, 'waits'))]);
      return { outcome, looking };
    });
    expect(waiting.outcome).toBe('waits');
    expect(await waiting.looking).toBe('answered');
  });

  test('looking up, registering, recording, withdrawing and searching in a namespace not granted is one refusal, before any look', async () => {
    const evidence = { method: 'paper' };
    const calls = (identifier: string): [string, object][] => [
      ['/v1/subjects/lookup', { identifier }],
      ['/v1/subjects', { identifiers: [{ identifier }] }],
      ['/v1/consents/withdraw', { subject: identifier, purpose: 'newsletter', ...evidence }],
      ['/v1/consents/object', { subject: identifier, purpose: 'newsletter', ...evidence }],
      [
        '/v1/consents',
        {
          subject: identifier,
          purpose: 'newsletter',
          decision: 'refused',
          notice: { version: 1, language: 'en' },
          ...evidence,
        },
      ],
      ['/v1/challenges', { customer: identifier, account: 'facebook:80018001' }],
      ['/v1/challenges/seen', { account: identifier, code: 'AAAA-AAAA' }],
      ['/v1/links', { leaseId: randomUUID(), customer: identifier, identity: 'facebook:80018001' }],
      [
        '/access/v1/search/resource',
        {
          subject: { type: 'system', id: 'listening' },
          action: { name: 'collect' },
          resource: { type: 'social_identity' },
          context: { purpose: 'social-monitoring', customer: identifier },
        },
      ],
    ];
    await app.token('listening');
    await whileNobodyCanLook(async () => {
      const [known, unknown] = await Promise.all(
        people.map((identifier) =>
          Promise.all(calls(identifier).map(([path, body]) => app.call('POST', path, { as: 'listening', body }))),
        ),
      );
      expect(known!.map(({ status }) => status)).toEqual(known!.map(() => 403));
      expect(known!.map(({ body }) => body)).toEqual(unknown!.map(({ body }) => body));
      expect(known![0]!.body.code).toBe('subjects.namespace-not-entitled');
    });
  });

  test('a check by a system that may not ask is denied alike for everybody, without a look', async () => {
    const ask = async (context: object, resource: object) => {
      const body = {
        subject: { type: 'system', id: 'newsletter' },
        action: { name: 'link' },
        resource,
        context: { purpose: 'profile-linking', ...context },
      };
      const { status, body: answer } = await app.call('POST', '/access/v1/evaluation', { as: 'newsletter', body });
      const { decisionId: _, ...said } = answer.context;
      return { status, decision: answer.decision, said };
    };
    await app.token('newsletter');
    const account = { type: 'social_identity', id: 'facebook:80018001' };
    await whileNobodyCanLook(async () => {
      const [known, unknown] = [
        await ask({ customer: 'crm:8101' }, account),
        await ask({ customer: 'crm:0' }, account),
      ];
      expect(known).toMatchObject({ status: 200, decision: false });
      expect(unknown).toEqual(known);
    });
  });

  test('the record of such a denial says as little', async () => {
    const read = () =>
      app.db.query(
        `select facts, purpose, rules from denial where system = 'newsletter' and purpose = 'profile-linking'`,
      );
    // Denials are written a moment after they were answered.
    const rows = await vi.waitUntil(async () => {
      const found = await read();
      return found.length >= 2 && found;
    });
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(1);
  });
});

test('a rate holds over both instances to the last call, and never for somebody who says no', async () => {
  const shared = await freshDatabase();
  const settings = { baseUrl, callsPerMinute: 32 };
  const [one, two] = [
    await startTestApp({ database: shared, settings }),
    await startTestApp({ database: shared, settings }),
  ];
  try {
    const authorization = await one.token('crm');
    const purposes = (to: TestApp) => send(to, { method: 'GET', path: '/v1/purposes', headers: { authorization } });
    const answers = await Promise.all(Array.from({ length: 80 }, (_, index) => purposes(index % 2 === 0 ? one : two)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(32);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(48);
    expect(problemOf(refused[0]!).code).toBe('http.rate-limit-reached');
    expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused[0]!.headers['ratelimit-policy']).toBe('"calls";q=32;w=60');

    const no = { subject: 'crm:8201', purpose: 'newsletter', method: 'phone' };
    const says = (to: TestApp, path: string) =>
      send(to, {
        method: 'POST',
        path,
        headers: { authorization, 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(no)),
      });
    const noes = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        says(index % 2 === 0 ? one : two, index % 4 < 2 ? '/v1/consents/withdraw' : '/v1/consents/object'),
      ),
    );
    expect(noes.map(({ status }) => status)).toEqual(noes.map(() => 201));
    const unlink = `/v1/subjects/${randomUUID()}/links/${randomUUID()}/unlink`;
    expect((await says(one, unlink)).status).toBe(400);
    expect((await purposes(two)).status).toBe(429);

    // Another client has a rate of its own.
    const elsewhere = await one.token('newsletter');
    const answer = await send(one, { method: 'GET', path: '/v1/purposes', headers: { authorization: elsewhere } });
    expect(answer.status).toBe(200);
  } finally {
    await Promise.all([one.close(), two.close()]);
    await shared.drop();
  }
});

test('the operations that no rate limits are the noes, and no others', () => {
  const unlimited = secured.filter(({ statuses }) => !statuses.includes(429)).map(({ id }) => id);
  expect(unlimited.toSorted()).toEqual(['objectToPurpose', 'unlink', 'withdrawConsent']);
  const withKey = operations.filter(({ parameters }) => parameters.some(({ name }) => name === 'Idempotency-Key'));
  expect(withKey.map(({ id }) => id).toSorted()).toEqual([
    'addIdentifiers',
    'openChallenge',
    'recordConsent',
    'registerSubject',
    'reportCollection',
  ]);
});

describe('A code proves control of one account to one person, once', () => {
  const account = () => `facebook:${Math.floor(Math.random() * 1e12 + 1e6)}`;
  const open = async (customer: string, of: string): Promise<{ code: string; challengeId: string }> => {
    await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
    const { status, body } = await app.call('POST', '/v1/challenges', { body: { customer, account: of } });
    expect(status, JSON.stringify(body)).toBe(201);
    return body;
  };
  const see = (of: string, code: string, to: TestApp = app) =>
    to.call('POST', '/v1/challenges/seen', { as: 'community-desk', body: { account: of, code } });
  const refused = { status: 422, body: { code: 'subjects.challenge-refused' } };
  const wrong = () => `${Math.random().toString(36).slice(2, 6)}-0000`.toUpperCase();

  test('a hundred guesses at once, on two instances, have five attempts together; the right code then comes too late', async () => {
    const of = account();
    const { code, challengeId } = await open('crm:8301', of);
    const guesses = await Promise.all(
      Array.from({ length: 100 }, (_, index) => see(of, wrong(), index % 2 === 0 ? app : other)),
    );
    for (const guess of guesses) expect(guess).toMatchObject(refused);
    const [row] = await app.db.query<{ left: number }>(
      'select attempts_left as left from control_challenge where id = $1',
      [challengeId],
    );
    expect(row!.left).toBe(0);
    expect(await see(of, code)).toMatchObject(refused);
  });

  test('four wrong guesses leave one attempt, and the answer never says how many', async () => {
    const of = account();
    const { code } = await open('crm:8302', of);
    const guesses = [];
    for (let guess = 0; guess < 4; guess++) guesses.push(await see(of, wrong()));
    expect(new Set(guesses.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect((await see(of, code)).status).toBe(200);
  });

  test('a code works once', async () => {
    const of = account();
    const { code } = await open('crm:8303', of);
    const together = await Promise.all([see(of, code), see(of, code, other), see(of, code)]);
    expect(together.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await see(of, code)).toMatchObject(refused);
  });

  test('a code that ran out is refused', async () => {
    const of = account();
    const { code, challengeId } = await open('crm:8304', of);
    await app.db.query(`update control_challenge set expires_at = now() - interval '1 second' where id = $1`, [
      challengeId,
    ]);
    expect(await see(of, code)).toMatchObject(refused);
  });

  test('a code that is seen on another account proves nothing, and an account without a challenge says the same', async () => {
    const proofs = () => app.db.query('select count(proved_at)::int as proved from identifier');
    const before = await proofs();
    const [mine, theirs] = [account(), account()];
    const { code } = await open('crm:8305', mine);
    await open('crm:8306', theirs);
    expect(await see(theirs, code)).toMatchObject(refused);
    expect(await see(account(), code)).toMatchObject(refused);
    expect(await proofs()).toEqual(before);
    expect((await see(mine, code)).status).toBe(200);
  });

  test('a handle can neither be challenged nor prove anything: it can change hands', async () => {
    await open('crm:8307', account());
    const challenge = await app.call('POST', '/v1/challenges', { body: { customer: 'crm:8307', account: 'x:@eva' } });
    expect([challenge.status, challenge.body.code]).toEqual([422, 'subjects.identifier-unprovable']);
    const seen = await see('x:@eva', 'AAAA-AAAA');
    expect([seen.status, seen.body.code]).toEqual([422, 'subjects.identifier-unprovable']);
  });

  test('a handle that comes with a proof names that account, and no other person', async () => {
    const of = account();
    const { code } = await open('crm:8311', of);
    for (const handle of ['crm:8399', 'email:somebody@example.org', 'x:@eva', of]) {
      const body = { account: of, code, handle };
      const seen = await app.call('POST', '/v1/challenges/seen', { as: 'community-desk', body });
      expect([seen.status, seen.body.errors[0].member]).toEqual([400, 'handle']);
    }
    // Such a mistake costs no attempt.
    const body = { account: of, code, handle: 'facebook:@eva.muster' };
    expect((await app.call('POST', '/v1/challenges/seen', { as: 'community-desk', body })).status).toBe(200);
    const found = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: of } });
    const byHandle = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: 'facebook:@eva.muster' } });
    expect(byHandle.body).toEqual(found.body);
  });

  test('an identifier that several people share cannot be proved', async () => {
    const shared = { identifiers: [{ identifier: 'email:family@example.org', shared: true }] };
    expect((await app.call('POST', '/v1/subjects', { body: shared })).status).toBe(201);
    await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:8308' }] } });
    const body = { customer: 'crm:8308', account: 'email:family@example.org' };
    expect((await app.call('POST', '/v1/challenges', { body })).status).toBe(422);
  });

  test('whoever proves an account later has it: the earlier proof permits nothing any more', async () => {
    const of = account();
    for (const customer of ['crm:8309', 'crm:8310']) await agreeToLinking(app, customer, 'facebook');
    const mayLink = async (customer: string): Promise<boolean> => {
      const body = linkQuestion(customer, of);
      return (await app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body })).body.decision;
    };
    await proveControl(app, 'crm:8309', of);
    expect([await mayLink('crm:8309'), await mayLink('crm:8310')]).toEqual([true, false]);
    await proveControl(app, 'crm:8310', of);
    expect([await mayLink('crm:8309'), await mayLink('crm:8310')]).toEqual([false, true]);
  });
});

test('a handle cannot be seen in the future, which would keep it from its next owner for ever', async () => {
  const register = (customer: string, observedAt: string) =>
    app.call('POST', '/v1/subjects', {
      body: { identifiers: [{ identifier: customer }, { identifier: 'x:@wandering', observedAt }] },
    });
  const early = await register('crm:8401', '2999-01-01T00:00:00Z');
  expect([early.status, early.body.errors?.[0]?.member]).toEqual([422, 'identifiers.1.observedAt']);
  const ofHandle = async () =>
    (await app.call('POST', '/v1/subjects/lookup', { body: { identifier: 'x:@wandering' } })).body.subjectId;
  const first = await register('crm:8401', '2026-01-01T00:00:00Z');
  expect([first.status, await ofHandle()]).toEqual([201, first.body.subjectId]);
  const second = await register('crm:8402', '2026-02-01T00:00:00Z');
  expect([second.status, await ofHandle()]).toEqual([201, second.body.subjectId]);
});

test('the document that the tests are made from resolves', () => {
  for (const { answers } of operations)
    for (const schema of answers.values()) expect(resolve(document, schema)).toBeTypeOf('object');
});
