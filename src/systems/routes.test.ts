import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../../test/support/database.ts';
import { createErrorHandler, documentProblems, type Guards, type Router, type Scope } from '../http/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { localKeyEncryption, newKeyEncryptionKey } from '../kernel/crypto/key-encryption.ts';
import { createKeyStore, type KeyStore } from '../kernel/crypto/key-store.ts';
import { connect, type Database } from '../kernel/database/client.ts';
import { uuidV7s } from '../kernel/ids.ts';
import { systemRoutes } from './routes.ts';

const ids = uuidV7s(systemClock);
let databases: TestDatabase;
let database: Database;
let keys: KeyStore;
let app: Router;
let woken = 0;
const asked: Scope[] = [];

/** Stands for the token check: the header names the system. */
const guards: Guards = {
  authenticate: (c, scope) => {
    asked.push(scope);
    const caller = {
      system: c.req.header('system')!,
      clientId: 'test',
      scopes: [scope],
      issuedAt: 0,
      expiresAt: 0,
    };
    c.set('caller', caller);
    return Promise.resolve(caller);
  },
  limit: () => undefined,
};

beforeAll(async () => {
  databases = await freshDatabase();
  database = connect(databases.urls.app, { connections: 4 });
  keys = createKeyStore(databases.urls.keys, localKeyEncryption(newKeyEncryptionKey(1)));
  app = systemRoutes(guards, {
    database,
    keys,
    clock: systemClock,
    allowPrivateTargets: false,
    systems: () => Promise.resolve(new Map([['crm', { kind: 'webhook' as const }]])),
    describe: () => Promise.resolve(new Map()),
    onAcknowledged: () => Promise.resolve(),
    wake: () => woken++,
  });
  app.onError(
    createErrorHandler((error) => {
      throw error;
    }),
  );
});
afterAll(async () => {
  await Promise.all([database.end(), keys.database.end()]);
  await databases.drop();
});

const call = async (method: string, path: string, body?: unknown, system = 'crm') => {
  const response = await app.request(path, {
    method,
    headers: { system, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const oblige = async (kind: 'unlink' | 'stop', facts: object): Promise<string> => {
  const id = ids.uuid();
  await database.query(
    `insert into obligation (subject_id, id, system, kind, facts, created_at, due_at, next_attempt_at)
     values ($1, $2, 'crm', $3, $4::text::jsonb, now(), now(), now())`,
    [ids.uuid(), id, kind, JSON.stringify(facts)],
  );
  return id;
};

test('the reference of these operations is complete', () => {
  expect(documentProblems(app)).toEqual([]);
});

test('a system registers its endpoint, fetches its obligations and acknowledges each once and for all', async () => {
  const set = await call('PUT', '/v1/endpoint', { url: 'https://crm.example.org/askfirst' });
  expect(set.status).toBe(200);
  expect(set.body).toMatchObject({ url: 'https://crm.example.org/askfirst', previousSecretEndsAt: null });
  expect(set.body['secret']).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(woken).toBe(1);

  const unlink = await oblige('unlink', {
    linkId: ids.uuid(),
    purpose: 'profile-linking',
    cause: 'withdrawn',
    customerRef: 'aa',
    identityRef: 'bb',
  });
  const stop = await oblige('stop', { purpose: 'newsletter', scope: { channel: 'email' }, cause: 'withdrawn' });
  const pulled = await call('GET', '/v1/obligations');
  expect(pulled.status).toBe(200);
  const obligations = pulled.body['obligations'] as { type: string; data: Record<string, unknown> }[];
  expect(obligations.map(({ type, data }) => [type, data['obligationId']])).toEqual([
    ['obligation.unlink', unlink],
    ['obligation.stop', stop],
  ]);
  expect(obligations[1]!.data['scope']).toEqual({ channel: 'email' });
  expect(JSON.stringify(pulled.body)).not.toContain('customerRef');

  const first = await call('POST', `/v1/obligations/${unlink}/acknowledge`);
  expect(first).toMatchObject({ status: 200, body: { obligationId: unlink } });
  expect(await call('POST', `/v1/obligations/${unlink}/acknowledge`)).toEqual(first);
  expect(asked).toEqual(['endpoints:write', 'obligations:read', 'obligations:read', 'obligations:read']);
});

test('what is not the own system’s, or no obligation at all, is answered alike', async () => {
  const id = await oblige('stop', { purpose: 'newsletter', scope: {}, cause: 'withdrawn' });
  const foreign = await call('POST', `/v1/obligations/${id}/acknowledge`, undefined, 'newsletter');
  const unknown = await call('POST', `/v1/obligations/${ids.uuid()}/acknowledge`);
  expect(foreign).toEqual(unknown);
  expect(foreign).toMatchObject({ status: 404, body: { code: 'systems.obligation-unknown' } });
});

test.each([
  ['PUT', '/v1/endpoint', { url: 'http://crm.example.org/' }, 422, 'systems.endpoint-refused'],
  ['PUT', '/v1/endpoint', { url: '' }, 400, 'http.input-invalid'],
  ['PUT', '/v1/endpoint', { url: 'https://a.example.org/', secret: 'mine' }, 400, 'http.input-invalid'],
  ['GET', '/v1/obligations?limit=0', undefined, 400, 'http.input-invalid'],
  ['GET', '/v1/obligations?limit=101', undefined, 400, 'http.input-invalid'],
  ['GET', '/v1/obligations?limit=1&limit=2', undefined, 400, 'http.input-invalid'],
  ['GET', '/v1/obligations?limit=ten', undefined, 400, 'http.input-invalid'],
  ['POST', '/v1/obligations/1/acknowledge', undefined, 400, 'http.input-invalid'],
])('%s %s with %j is refused by name', async (method, path, body, status, code) => {
  expect(await call(method, path, body)).toMatchObject({ status, body: { code } });
});
