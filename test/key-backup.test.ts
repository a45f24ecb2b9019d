import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expireKeyBackups, listKeyBackups, writeKeyBackup } from '../src/kernel/crypto/key-backup.ts';
import { localKeyEncryption, newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { backUpKeysOfToday } from '../src/kernel/crypto/nightly-key-backup.ts';
import { restoreKeys } from '../src/kernel/crypto/restore-keys.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { runSource, type Ran } from './support/command.ts';

let app: TestApp;
let owner: Database;
let keys: ReturnType<typeof createKeyStore>;
const people = new Map<string, string>();
const now = Temporal.Instant.from('2026-11-21T02:02:00Z');
const folders: string[] = [];
let folder: string;

beforeAll(async () => {
  app = await startTestApp();
  owner = connect(app.database.urls.keysOwner, { connections: 1 });
  keys = createKeyStore(app.database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  for (const identifier of ['email:eva@example.org', 'email:ada@example.org', 'email:max@example.org']) {
    const { body } = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier }] } });
    people.set(identifier, body.subjectId);
  }
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'askfirst key backup '));
  folders.push(folder);
});
afterAll(async () => {
  for (const one of folders) rmSync(one, { recursive: true, force: true });
  await Promise.all([owner.end(), keys.database.end()]);
  await app.close();
});

const askfirst = (...words: string[]): Promise<Ran> =>
  runSource('cli.ts', words, {
    env: {
      DATABASE_URL: app.database.urls.app,
      KEYS_DATABASE_URL: app.database.urls.keys,
      KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
      KEY_BACKUP_FOLDER: folder,
    },
  });

const done = async (...words: string[]): Promise<string> => {
  const ran = await askfirst(...words);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout;
};

/** Everything in the key store, in the order of its ids. */
const contents = async (): Promise<unknown> => [
  await owner.query('select * from service_key order by name, version'),
  await owner.query('select * from subject_key order by subject_id'),
];

const lose = (): Promise<void> => owner.script('delete from subject_key; delete from service_key');

const storeOf = () => ({
  keys: keys.database,
  keyEncryption: localKeyEncryption(testKeyEncryptionKeys),
  living: async (subjectIds: readonly string[]) => new Set(subjectIds),
});

const backUp = async (at = now): Promise<string> => (await writeKeyBackup(keys.database, folder, at)).path;

test('a key store that was lost comes back from its backup, and everything opens again', async () => {
  const before = await contents();
  const sealed = async () =>
    [...(await keys.subjectKeys([...people.values()])).values()].map((key) => key.toString('hex'));
  const opened = await sealed();
  const [, path] = /^(.+) holds \d+ key\(s\)\.$/m.exec(await done('keys', 'backup'))!;
  expect(statSync(path!).mode & 0o777).toBe(0o600);
  // The keys are wrapped: without the key-encryption key the file opens nothing.
  const text = readFileSync(path!);
  for (const key of opened) {
    expect(text.includes(key)).toBe(false);
    expect(text.includes(Buffer.from(key, 'hex').toString('base64'))).toBe(false);
  }

  await lose();
  expect(await sealed()).toEqual([]);
  expect(await done('keys', 'restore', path!)).toMatch(/are back; 0 were there/);
  expect(await contents()).toEqual(before);
  expect(await sealed()).toEqual(opened);
});

test('a key that an erasure destroyed after the backup stays destroyed, and so does one that the data do not know', async () => {
  const path = await backUp();
  const erased = people.get('email:max@example.org')!;
  await keys.createSubjectKey('019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11');
  const withStranger = await backUp(now.add({ seconds: 1 }));
  const data = connect(app.database.urls.owner, { connections: 1 });
  await data.query('update subject_state set erased_at = now() where subject_id = $1', [erased]);
  await data.end();

  for (const [file, more, stay] of [
    [withStranger, [], 2],
    [path, ['--older', '--missing'], 1],
  ] as const) {
    if (more.length === 0) await lose();
    expect(await done('keys', 'restore', file, ...more)).toContain(`${stay} stay destroyed`);
    const back = await keys.subjectKeys([...people.values(), '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11']);
    expect([...back.keys()].toSorted()).toEqual([...people.values()].filter((id) => id !== erased).toSorted());
  }
});

test('only the newest backup is restored, unless somebody insists', async () => {
  const [older, newest] = [await backUp(), await backUp(now.add({ hours: 24 }))];
  await lose();
  expect(await askfirst('keys', 'restore', older)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/is newer: .* erased since .* --older/),
  });
  expect(await contents()).toEqual([[], []]);
  await done('keys', 'restore', newest);
});

test('a key store that is not empty is not restored into, and what is missing is added without touching what is there', async () => {
  const path = await backUp();
  const before = await contents();
  expect(await askfirst('keys', 'restore', path)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--missing'),
  });
  const lost = people.get('email:eva@example.org')!;
  await owner.query('delete from subject_key where subject_id = $1', [lost]);
  expect(await done('keys', 'restore', path, '--missing')).toMatch(/^1 key\(s\) of \S+ are back; \d+ were there/);
  expect(await contents()).toEqual(before);
});

test('beside keys that a service made for itself on an empty store nothing is restored: they do not mix', async () => {
  const path = await backUp();
  const own = await owner.query<{ wrapped: Buffer }>(`select wrapped from service_key where name = 'blind-index'`);
  await owner.query(`delete from service_key where name = 'blind-index'`);
  await keys.secret('blind-index');
  const before = await contents();
  const ran = await askfirst('keys', 'restore', path, '--missing');
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('another key blind-index/1 than the backup') });
  expect(await contents()).toEqual(before);
  await owner.query(`update service_key set wrapped = decode($1, 'hex') where name = 'blind-index'`, [
    own[0]!.wrapped.toString('hex'),
  ]);
});

test('a backup that is cut off, changed, or wrapped by a key that is not here is refused before anything is written', async () => {
  const path = await backUp();
  const text = readFileSync(path, 'utf8');
  await lose();
  const attempts: [string, RegExp][] = [
    [text.slice(0, -100), /cut off/],
    [text.split('\n').slice(0, -2).join('\n'), /cut off/],
    [text.replace('"kek":1', '"kek":2'), /was changed/],
    ['{"a":1}\n', /no backup of keys/],
  ];
  for (const [content, words] of attempts) {
    const file = join(folder, 'changed');
    writeFileSync(file, content);
    await expect(restoreKeys(storeOf(), file, { missing: false })).rejects.toThrow(words);
  }
  const otherKey = localKeyEncryption(newKeyEncryptionKey(2));
  const wrapped = restoreKeys({ ...storeOf(), keyEncryption: otherKey }, path, { missing: false });
  await expect(wrapped).rejects.toThrow('key-encryption key 1 is not given');
  expect(await contents()).toEqual([[], []]);
  await restoreKeys(storeOf(), path, { missing: false });
});

test('each day has one backup, made by one of many instances; what is too old or was left half-done goes', async () => {
  const instances = Array.from({ length: 4 }, () => connect(app.database.urls.app, { connections: 1 }));
  await backUp(now.subtract({ hours: 24 * 31 }));
  const kept = await backUp(now.subtract({ hours: 24 * 29 }));
  writeFileSync(join(folder, 'askfirst-keys-20261119T000000Z.ndjson.part'), '');
  writeFileSync(join(folder, 'somebody-else.txt'), '');
  const ask = (at: Temporal.Instant) =>
    Promise.all(instances.map((data) => backUpKeysOfToday({ data, keys: keys.database }, { folder, days: 30 }, at)));
  expect((await ask(now)).filter(Boolean)).toHaveLength(1);
  expect(await ask(now.add({ hours: 20 }))).toEqual([false, false, false, false]);
  expect((await listKeyBackups(folder)).map(({ path }) => path)).toEqual([
    kept,
    join(folder, 'askfirst-keys-20261121T020200Z.ndjson'),
  ]);
  expect(readdirSync(folder)).toContain('somebody-else.txt');
  expect(await expireKeyBackups(folder, 30, now)).toEqual([]);
  await Promise.all(instances.map((data) => data.end()));
});
