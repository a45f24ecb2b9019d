import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { provision, roles } from '../src/kernel/database/provision.ts';
import { databaseUrl, freshDatabase, passwords, superuserUrl, type TestDatabase } from './support/database.ts';

const name = `askfirst_migrate_${randomUUID().slice(0, 8)}`;
let server: Database;
beforeAll(async () => {
  server = connect(superuserUrl(), { connections: 1 });
  await provision(superuserUrl(), passwords, [name]);
});
afterAll(async () => {
  await server.script(`drop database if exists "${name}" with (force)`);
  await server.end();
});

const migrateInProcess = async (url: string): Promise<number> => {
  const module = join(import.meta.dirname, '../src/kernel/database/migrate.ts');
  const script = `import { migrate } from ${JSON.stringify(module)}; await migrate(${JSON.stringify(url)}, 'data');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
};

test('twenty processes that migrate an empty database at once all succeed, and each migration is applied once', async () => {
  const url = databaseUrl(superuserUrl(), name, 'owner');
  const codes = await Promise.all(Array.from({ length: 20 }, () => migrateInProcess(url)));
  expect(codes).toEqual(Array.from({ length: 20 }, () => 0));
  const owner = connect(url, { connections: 1 });
  const applied = await owner.query<{ hash: string }>('select hash from migration');
  expect(new Set(applied.map(({ hash }) => hash)).size).toBe(applied.length);
  expect(applied.length).toBeGreaterThan(0);
  await owner.end();
});

/** Everything that a role may do to the tables of a store, as `table: PRIVILEGE, …`. */
const privileges = async (url: string): Promise<Record<string, string[]>> => {
  const database = connect(url, { connections: 1 });
  const rows = await database.query<{ table: string; privilege: string }>(
    `select c.relname as table, p.privilege from pg_class c
     cross join unnest(array['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p (privilege)
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
       and has_table_privilege(current_user, c.oid, p.privilege)
     order by 1, 2`,
  );
  await database.end();
  const granted: Record<string, string[]> = {};
  for (const { table, privilege } of rows) (granted[table] ??= []).push(privilege);
  return granted;
};

const events = ['audit_event', 'consent_event', 'denial', 'link_event', 'permit', 'policy_set'];
const current = [
  'client',
  'control_challenge',
  'deployment',
  'endpoint',
  'identifier',
  'lease',
  'obligation',
  'rate_limit',
  'subject_state',
];
const all = (tables: string[], ...granted: string[]) =>
  Object.fromEntries(tables.map((table) => [table, granted.toSorted()]));

let fresh: TestDatabase;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.drop());

test('the role of the service appends events and moves current rows, and can neither change nor remove an event', async () => {
  expect(await privileges(fresh.urls.app)).toEqual({
    ...all([...events, 'idempotency'], 'SELECT', 'INSERT'),
    ...all(current, 'SELECT', 'INSERT', 'UPDATE'),
    migration: ['SELECT'],
  });
});

test('only the reaper removes, and it can write nothing but its lease', async () => {
  const removable = [
    'audit_event',
    'consent_event',
    'control_challenge',
    'denial',
    'identifier',
    'idempotency',
    'link_event',
    'obligation',
    'permit',
    'rate_limit',
    'subject_state',
  ];
  expect(await privileges(fresh.urls.reaper)).toEqual({
    ...all(removable, 'SELECT', 'DELETE'),
    lease: ['INSERT', 'SELECT', 'UPDATE'],
  });
});

test('an auditor reads events and states, and neither secrets nor sealed identifiers', async () => {
  expect(await privileges(fresh.urls.auditor)).toEqual(
    all([...events, 'subject_state', 'obligation', 'deployment'], 'SELECT'),
  );
});

test('the key store lets the service add and read keys, the reaper destroy a person’s, and an auditor nothing', async () => {
  expect(await privileges(fresh.urls.keys)).toEqual({
    ...all(['service_key', 'subject_key'], 'SELECT', 'INSERT'),
    migration: ['SELECT'],
  });
  expect(await privileges(fresh.urls.keysReaper)).toEqual(all(['subject_key'], 'SELECT', 'DELETE'));
  expect(await privileges(fresh.urls.keysAuditor)).toEqual({});
});

test.each(roles.filter((role) => role !== 'owner'))(
  '%s is refused what it was not granted, by the server itself',
  async (role) => {
    const database = connect(fresh.urls[role], { connections: 1 });
    const refused = role === 'reaper' ? `insert into denial default values` : `delete from consent_event`;
    await expect(database.query(refused)).rejects.toMatchObject({ sqlState: '42501' });
    await expect(database.query('create table mine (one int)')).rejects.toMatchObject({ sqlState: '42501' });
    await expect(database.query(`update consent_event set purpose = 'x'`)).rejects.toMatchObject({ sqlState: '42501' });
    await database.end();
  },
);
