import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localKeyEncryption, newKeyEncryptionKey, seal, unseal } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore, rewrapKeys } from '../src/kernel/crypto/key-store.ts';
import { connect } from '../src/kernel/database/client.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

const oldKey = newKeyEncryptionKey(1);
const newKey = newKeyEncryptionKey(2);

test('many instances that ask for the same keys at once get the same keys', async () => {
  const stores = Array.from({ length: 5 }, () => createKeyStore(database.urls.keys, localKeyEncryption(oldKey)));
  const subjectId = randomUUID();
  const keys = await Promise.all(stores.map((store) => store.createSubjectKey(subjectId)));
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
  const secrets = await Promise.all(stores.map((store) => store.secret('blind-index')));
  expect(new Set(secrets.map(({ key }) => key.toString('hex'))).size).toBe(1);
  const signing = await Promise.all(stores.map((store) => store.signingKeys('receipts')));
  expect(new Set(signing.map(([key]) => key!.kid)).size).toBe(1);
  await Promise.all(stores.map((store) => store.database.end()));
});

test('after the key-encryption key was rotated and all keys wrapped anew, the old one opens nothing and the new one everything', async () => {
  const before = createKeyStore(database.urls.keys, localKeyEncryption(oldKey));
  const subjectId = randomUUID();
  const key = await before.createSubjectKey(subjectId);
  const sealed = seal(key, Buffer.from('evidence'), 'here');

  const wrapped = await rewrapKeys(database.urls.keysOwner, localKeyEncryption(`${oldKey}\n${newKey}`));
  expect(wrapped).toBeGreaterThanOrEqual(2);
  expect(await rewrapKeys(database.urls.keysOwner, localKeyEncryption(newKey))).toBe(0);

  const after = createKeyStore(database.urls.keys, localKeyEncryption(newKey));
  const again = (await after.subjectKeys([subjectId])).get(subjectId)!;
  expect(unseal(again, sealed, 'here').toString()).toBe('evidence');
  await expect(before.subjectKeys([subjectId])).rejects.toMatchObject({ code: 'keys.unusable' });
  await Promise.all([before.database.end(), after.database.end()]);
});

test('what was sealed opens with its key, in its place and unchanged only', () => {
  const key = Buffer.alloc(32, 1);
  const sealed = seal(key, Buffer.from('eva@example.org'), 'identifier:1');
  expect(unseal(key, sealed, 'identifier:1').toString()).toBe('eva@example.org');
  expect(() => unseal(Buffer.alloc(32, 2), sealed, 'identifier:1')).toThrow('does not open');
  expect(() => unseal(key, sealed, 'identifier:2')).toThrow('does not open');
  const changed = Buffer.from(sealed);
  changed[30]! ^= 1;
  expect(() => unseal(key, changed, 'identifier:1')).toThrow('does not open');
});

test('once a subject’s key is destroyed, what it sealed stays closed, in an old backup of the data too', async () => {
  const store = createKeyStore(database.urls.keys, localKeyEncryption(newKey));
  const subjectId = randomUUID();
  await store.createSubjectKey(subjectId);
  const reaper = connect(database.urls.keysReaper, { connections: 1 });
  await reaper.query('delete from subject_key where subject_id = $1', [subjectId]);
  expect(await store.subjectKeys([subjectId])).toEqual(new Map());
  await Promise.all([reaper.end(), store.database.end()]);
});

test('a malformed key-encryption key is refused by its place, never by its content', () => {
  const secret = 'c2VjcmV0';
  expect(() => localKeyEncryption(`${oldKey},2:${secret}`)).toThrow(/key 2 must read/);
  expect(() => localKeyEncryption(`1:${secret}`)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining(secret) }),
  );
  // As `>>` makes it of a file without a newline at its end.
  expect(() => localKeyEncryption(oldKey + newKey)).toThrow(/key 1 must read/);
  expect(() => localKeyEncryption(' ')).toThrow('no key-encryption key');
});

test('wrapping anew reaches every key of more people than one page holds, each by its index', async () => {
  const before = createKeyStore(database.urls.keys, localKeyEncryption(newKey));
  const subjectIds = Array.from({ length: 1_203 }, () => randomUUID());
  await before.createSubjectKeys(subjectIds);
  await before.database.end();
  const newest = newKeyEncryptionKey(3);
  const owner = connect(database.urls.keysOwner, { connections: 1 });
  const scans = async () =>
    (
      await owner.query<{ scans: number }>(
        `select seq_scan::int as scans from pg_stat_user_tables where relname = 'subject_key'`,
      )
    )[0]!.scans;
  const scansBefore = await scans();
  const both = localKeyEncryption(`${newKey}\n${newest}`);
  expect(await rewrapKeys(database.urls.keysOwner, both)).toBeGreaterThanOrEqual(1_203);
  expect((await scans()) - scansBefore).toBeLessThan(20);
  await owner.end();

  const after = createKeyStore(database.urls.keys, localKeyEncryption(newest));
  expect((await after.subjectKeys(subjectIds)).size).toBe(1_203);
  await after.database.end();
});
