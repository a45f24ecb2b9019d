import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from './support/database.ts';

let one: TestDatabase;
let other: TestDatabase;

beforeAll(async () => {
  [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
});
afterAll(async () => {
  await Promise.all([one.drop(), other.drop()]);
});

test('a test file has a migrated database of its own, which no other sees', async () => {
  const ours = postgres(one.urls.owner, { max: 1 });
  const theirs = postgres(other.urls.app, { max: 1 });
  try {
    await ours`insert into lease (name, token, until) values ('mine', 1, now())`;
    expect(await ours`select name from lease`).toEqual([{ name: 'mine' }]);
    expect(await theirs`select name from lease`).toEqual([]);
  } finally {
    await Promise.all([ours.end(), theirs.end()]);
  }
});

test('each role of the key store and of the data can log in as itself', async () => {
  for (const [name, url] of Object.entries(one.urls)) {
    const sql = postgres(url, { max: 1 });
    const [row] = await sql<{ who: string }[]>`select current_user as who`;
    await sql.end();
    const role = name === 'keys' ? 'app' : name.replace('keys', '').toLowerCase();
    expect(row?.who).toBe(`askfirst_${role}`);
  }
});
