import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyReceipt } from '../src/consent/index.ts';
import { createTokenIssuer } from '../src/http/index.ts';
import { systemClock, testClock } from '../src/kernel/clock.ts';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { announcedMs, createKeyRing, keysInUse } from '../src/kernel/crypto/key-ring.ts';
import { createKeyStore, type KeyStore, type SigningKey } from '../src/kernel/crypto/key-store.ts';
import { createClient } from '../src/systems/index.ts';
import { allScopes, startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { runSource } from './support/command.ts';

const privateKey = {} as KeyObject;
const startedAt = Temporal.Instant.from('2026-01-01T00:00:00Z');
const made = (kid: string, minutes: number): SigningKey => ({
  kid,
  createdAt: startedAt.add({ minutes }),
  privateKey,
  publicJwk: { kty: 'EC', kid, alg: 'ES256', use: 'sig' },
});
/** What is in use so many minutes later: the key that signs, and those that verify what lives for five minutes. */
const inUse = (keys: SigningKey[], minutes: number): [string, ...string[]] => {
  const { signing, verifying } = keysInUse(keys, startedAt.epochMilliseconds + minutes * 60_000, 5 * 60_000);
  return [signing.kid, ...verifying.map(({ kid }) => kid)];
};

test('the first key signs at once, a later one ten minutes after it was made, and the one before verifies what it signed last', () => {
  const [first, next] = [made('first', 0), made('next', 60)];
  expect(inUse([first], 0)).toEqual(['first', 'first']);
  expect(inUse([next, first], 60)).toEqual(['first', 'next', 'first']);
  expect(inUse([next, first], 69.99)).toEqual(['first', 'next', 'first']);
  expect(inUse([next, first], 70)).toEqual(['next', 'next', 'first']);
  expect(inUse([next, first], 75.99)).toEqual(['next', 'next', 'first']);
  expect(inUse([next, first], 76)).toEqual(['next', 'next']);
});

test('of keys that were made in a hurry, each still waits its time, and none is dropped while it signs', () => {
  const keys = [made('c', 62), made('b', 61), made('a', 0)];
  expect(inUse(keys, 63)).toEqual(['a', 'c', 'b', 'a']);
  expect(inUse(keys, 71.5)).toEqual(['b', 'c', 'b', 'a']);
  expect(inUse(keys, 72)).toEqual(['c', 'c', 'b', 'a']);
  expect(inUse(keys, 77)).toEqual(['c', 'c', 'b']);
  expect(inUse(keys, 78)).toEqual(['c', 'c']);
  // A rotation within minutes of the installation.
  expect(inUse([made('b', 1), made('a', 0)], 5)).toEqual(['a', 'b', 'a']);
});

test('keys are read again once a minute, shared by all who ask; when they cannot be, the known ones stay in use', async () => {
  const clock = testClock('2026-01-01T00:00:00Z');
  const failures: unknown[] = [];
  let reads = 0;
  let fail: Error | undefined;
  let hang = false;
  const ring = await createKeyRing({
    read: async () => {
      reads++;
      if (hang) await new Promise(() => {});
      if (fail) throw fail;
      return [made(`key-${reads}`, 0)];
    },
    lastsMs: Infinity,
    clock,
    onFailure: (error) => failures.push(error),
  });
  const signing = async () => (await ring()).signing.kid;
  clock.advance({ seconds: 59 });
  expect([await signing(), reads]).toEqual(['key-1', 1]);
  clock.advance({ seconds: 1 });
  expect(await Promise.all([signing(), signing(), signing()])).toEqual(['key-2', 'key-2', 'key-2']);
  expect(reads).toBe(2);

  fail = new Error('the key store is away');
  clock.advance({ minutes: 1 });
  expect([await signing(), await signing(), reads]).toEqual(['key-2', 'key-2', 3]);
  expect(failures).toEqual([fail]);
  fail = undefined;
  clock.advance({ minutes: 1 });
  expect(await signing()).toBe('key-4');

  hang = true;
  clock.advance({ minutes: 1 });
  const askedAt = performance.now();
  expect(await signing()).toBe('key-4');
  expect(performance.now() - askedAt).toBeLessThan(5_000);
});

test('an installation without any key cannot start', async () => {
  const read = () => Promise.reject(new Error('the key store is away'));
  const clock = systemClock;
  await expect(createKeyRing({ read, lastsMs: Infinity, clock, onFailure: () => {} })).rejects.toThrow('away');
});

/** Real time, in which the database lives too, and as much more as a test wants to have passed. */
let ahead = Temporal.Duration.from({ seconds: 0 });
const clock = { now: () => systemClock.now().add(ahead) };
const baseUrl = 'https://ask.example.org';

let app: TestApp;
let second: TestApp;
let store: KeyStore;

beforeAll(async () => {
  app = await startTestApp({ clock, settings: { baseUrl } });
  second = await startTestApp({ clock, settings: { baseUrl }, database: app.database });
  store = createKeyStore(app.database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
});
afterAll(async () => {
  await store.database.end();
  await second.close();
  await app.close();
});

const kidOf = (jws: string) => decodeProtectedHeader(jws).kid;
const jwks = async (at: TestApp) =>
  (await (await fetch(`${at.url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
const published = async (at: TestApp) => (await jwks(at)).keys.map(({ kid }) => kid);
const works = async (token: string, at: TestApp) =>
  (await fetch(`${at.url}/v1/obligations`, { headers: { authorization: `Bearer ${token}` } })).status;

test('tokens and receipts are signed with a new key once all instances have published it for ten minutes, without a restart', async () => {
  const { clientId, clientSecret } = await createClient(
    { database: app.db, systems: app.catalogue.systems },
    { system: 'crm', scopes: allScopes },
  );
  const newToken = async (at: TestApp): Promise<string> => {
    const answer = await fetch(`${at.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    return ((await answer.json()) as { access_token: string }).access_token;
  };
  const newReceipt = async (at: TestApp): Promise<string> => {
    const answer = await fetch(`${at.url}/v1/consents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await newToken(at)}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        subject: 'crm:4711',
        purpose: 'customer-service',
        decision: 'informed',
        notice: { version: 1, language: 'fr' },
        method: 'phone',
        evidence: 'on tape',
        actor: 'u17',
      }),
    });
    const { receipt } = (await answer.json()) as { receipt: string };
    expect(answer.status).toBe(201);
    return receipt;
  };
  const registered = await fetch(`${app.url}/v1/subjects`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await newToken(app)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ identifiers: [{ identifier: 'crm:4711' }] }),
  });
  expect(registered.status).toBe(201);

  const [oldTokens] = await store.signingKeys('tokens');
  const [oldReceipts] = await store.signingKeys('receipts');
  const firstReceipt = await newReceipt(app);
  expect([kidOf(await newToken(app)), kidOf(firstReceipt)]).toEqual([oldTokens!.kid, oldReceipts!.kid]);

  const env = {
    DATABASE_URL: app.database.urls.app,
    KEYS_DATABASE_URL: app.database.urls.keys,
    KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
  };
  const rotated = await runSource('cli.ts', ['keys', 'rotate', 'tokens'], { env });
  expect(rotated).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Key [\w-]{43} signs tokens from 20.+Z on;/),
  });
  const newTokens = (await store.signingKeys('tokens'))[0]!;
  expect(rotated.stdout).toContain(newTokens.kid);
  const newReceipts = await store.rotateSigningKey('receipts');
  expect(await runSource('cli.ts', ['keys', 'rotate', 'blind-index'], { env })).toMatchObject({ code: 2 });
  const [before, after] = [oldTokens!, newTokens].map(({ kid }) => kid) as [string, string];

  // All know it within a minute, and it signs nothing yet.
  ahead = Temporal.Duration.from({ seconds: 61 });
  const all = [newReceipts.kid, oldReceipts!.kid, after, before];
  for (const at of [app, second]) expect(await published(at)).toEqual(all);
  ahead = Temporal.Duration.from({ seconds: announcedMs / 1000 - 60 });
  for (const at of [app, second]) expect(kidOf(await newToken(at))).toBe(before);
  expect(kidOf(await newReceipt(second))).toBe(oldReceipts!.kid);
  const lastOld = await newToken(app);

  // It signs, on every instance, and both take what the other signed with either.
  ahead = Temporal.Duration.from({ seconds: announcedMs / 1000 + 60 });
  const firstNew = await newToken(app);
  expect([kidOf(firstNew), kidOf(await newToken(second))]).toEqual([after, after]);
  for (const at of [app, second]) expect([await works(firstNew, at), await works(lastOld, at)]).toEqual([200, 200]);
  const newReceiptText = await newReceipt(second);
  expect(kidOf(newReceiptText)).toBe(newReceipts.kid);

  // What the old key signed last has run out: it is published and taken no more. The one of receipts stays for ever.
  ahead = Temporal.Duration.from({ seconds: announcedMs / 1000 + 420 });
  const issue = createTokenIssuer({ key: oldTokens!, issuer: baseUrl, audience: baseUrl, clock });
  const late = issue({ clientId, system: 'crm', scopes: ['obligations:read'] });
  for (const at of [app, second]) {
    expect(await works(late, at)).toBe(401);
    expect(await published(at)).toEqual([newReceipts.kid, oldReceipts!.kid, after]);
  }
  ahead = Temporal.Duration.from({ hours: 24 * 365 * 10 });
  const keys = (await jwks(second)) as Parameters<typeof verifyReceipt>[1];
  for (const [receipt, { kid }] of [
    [firstReceipt, oldReceipts!],
    [newReceiptText, newReceipts],
  ] as const)
    expect(await verifyReceipt(receipt, keys)).toMatchObject({ genuine: true, kid });
});

test('two operators who rotate at the same moment make one key or two, each under a name of its own', async () => {
  const before = await store.signingKeys('receipts');
  const outcomes = await Promise.allSettled([store.rotateSigningKey('receipts'), store.rotateSigningKey('receipts')]);
  const won = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.kid] : []));
  for (const one of outcomes)
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'keys.rotated-meanwhile' });
  expect(won.length).toBeGreaterThan(0);
  const kids = (await store.signingKeys('receipts')).map(({ kid }) => kid);
  expect(kids).toHaveLength(before.length + won.length);
  expect(kids.slice(0, won.length).toSorted()).toEqual(won.toSorted());
});

test('a token that somebody signs with a key of their own under the name of ours is refused', async () => {
  const { privateKey: foreign } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [ours] = await store.signingKeys('tokens');
  ahead = Temporal.Duration.from({ seconds: 0 });
  const issue = createTokenIssuer({
    key: { ...ours!, privateKey: foreign },
    issuer: baseUrl,
    audience: baseUrl,
    clock,
  });
  expect(await works(issue({ clientId: 'crm.x', system: 'crm', scopes: ['obligations:read'] }), app)).toBe(401);
});
