import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { migrate } from '../src/kernel/database/migrate.ts';
import { provision, roles } from '../src/kernel/database/provision.ts';
import { databaseUrl, freshDatabase, passwords, superuserUrl, type TestDatabase } from './support/database.ts';

const stores = ['data', 'keys'] as const;
const id = randomUUID().slice(0, 8);
const names = { data: `askfirst_migrate_${id}`, keys: `askfirst_migrate_${id}_keys` };
let server: Database;
beforeAll(async () => {
  server = connect(superuserUrl(), { connections: 1 });
  await provision(superuserUrl(), passwords, Object.values(names));
});
afterAll(async () => {
  for (const name of Object.values(names)) await server.script(`drop database if exists "${name}" with (force)`);
  await server.end();
});

const ownerUrl = (store: 'data' | 'keys'): string => databaseUrl(superuserUrl(), names[store], 'owner');

/** Migrates both stores as a service does at its start, in a process of its own; answers how it ended and what it said. */
const migrateInProcess = async (): Promise<string> => {
  const module = join(import.meta.dirname, '../src/kernel/database/migrate.ts');
  const calls = stores.map((store) => `await migrate(${JSON.stringify(ownerUrl(store))}, '${store}');`);
  const script = [`import { migrate } from ${JSON.stringify(module)};`, ...calls].join('\n');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return `${code} ${complaint}`.trim();
};

/** The migrations that drizzle-kit wrote down, oldest first, each with its SQL. */
const journal = async (store: 'data' | 'keys'): Promise<string[]> => {
  const folder = join(import.meta.dirname, '../drizzle', store);
  const { entries } = JSON.parse(await readFile(join(folder, 'meta/_journal.json'), 'utf8')) as {
    entries: { tag: string }[];
  };
  return Promise.all(entries.map(({ tag }) => readFile(join(folder, `${tag}.sql`), 'utf8')));
};

/** Every object that a migration or a grant could make, by name, and who may do what to it. */
const schemaOf = async (url: string): Promise<string[]> => {
  const database = connect(url, { connections: 1 });
  try {
    const rows = await database.query<{ line: string }>(
      `select c.relkind::text || ' ' || c.relname || ' ' || coalesce(c.relacl::text, '') as line from pg_class c
         where c.relnamespace = 'public'::regnamespace
       union all select 'a ' || attrelid::regclass::text || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull::text
         from pg_attribute where attnum > 0 and attrelid in
           (select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r')
       union all select 'c ' || conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) from pg_constraint
         where connamespace = 'public'::regnamespace
       order by 1`,
    );
    return rows.map(({ line }) => line);
  } finally {
    await database.end();
  }
};

test('twenty processes that migrate empty databases at once all succeed, and each migration is applied once', async () => {
  expect(await Promise.all(Array.from({ length: 20 }, migrateInProcess))).toEqual(
    Array.from({ length: 20 }, () => '0'),
  );

  const alone = await freshDatabase();
  const aloneUrls = { data: alone.urls.owner, keys: alone.urls.keysOwner };
  for (const store of stores) {
    const owner = connect(ownerUrl(store), { connections: 1 });
    const applied = await owner.query<{ hash: string; xmin: string }>(
      'select hash, xmin from migration order by applied_at, hash',
    );
    const written = await journal(store);
    expect(applied).toHaveLength(written.length);
    expect(new Set(applied.map(({ hash }) => hash))).toEqual(
      new Set(written.map((sql) => createHash('sha256').update(sql).digest('hex'))),
    );
    // All in one transaction: the one process that was first did all of it, nineteen did nothing.
    expect(new Set(applied.map(({ xmin }) => xmin)).size).toBe(1);
    const tables = await owner.query<{ name: string }>(
      `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    );
    const created = written.flatMap((sql) => [...sql.matchAll(/^CREATE TABLE "(\w+)"/gm)].map(([, table]) => table!));
    const own = ['migration', 'migration_lease'];
    expect(tables.map((table) => table.name).toSorted()).toEqual([...created, ...own].toSorted());
    await owner.end();
    expect(await schemaOf(ownerUrl(store)), 'as one process alone leaves it').toEqual(await schemaOf(aloneUrls[store]));
  }
  await alone.drop();
});

test('a migration that was applied is not applied again, whoever starts later', async () => {
  const owner = connect(ownerUrl('data'), { connections: 1 });
  const read = () => owner.query('select hash, applied_at, xmin from migration order by hash');
  const before = await read();
  expect(await migrateInProcess()).toBe('0');
  expect(await read()).toEqual(before);
  await owner.end();
});

test('a database that was filled under an older schema keeps every row through the migrations since', async () => {
  const name = `askfirst_migrate_${id}_older`;
  await provision(superuserUrl(), passwords, [name]);
  const url = databaseUrl(superuserUrl(), name, 'owner');
  const owner = connect(url, { connections: 1 });
  const [first, ...later] = await journal('data');
  expect(later.length).toBeGreaterThan(0);
  await owner.script(first!.replaceAll('--> statement-breakpoint', ''));
  const hash = createHash('sha256').update(first!).digest('hex');
  await owner.script(
    `create table migration (hash text primary key, applied_at timestamptz not null default now());
     insert into migration (hash) values ('${hash}')`,
  );
  const [subject, event] = [randomUUID(), randomUUID()];
  await owner.script(
    `insert into subject_state (subject_id, version, answers, changed_at) values ('${subject}', 3, '{"p": [1]}', now());
     insert into client (id, system, secret_hash, scopes) values ('c', 'crm', '\\x00', '[]');
     insert into consent_event (subject_id, id, subject_seq, purpose, scope, action, answer, method, rank, own_act, system, policy_digest, occurred_at, recorded_at)
     values ('${subject}', '${event}', 3, 'p', '{}', 'give', 'yes', 'app', 'self', true, 'crm', 'd', now(), now())`,
  );
  await migrate(url, 'data');
  const [row] = await owner.query(
    `select s.version, s.answers, s.signals, s.merged_into as merged, e.id, e.guardian_ok as guardian, c.issuer
     from subject_state s join consent_event e on e.subject_id = s.subject_id cross join client c`,
  );
  expect(row).toEqual({
    version: 3,
    answers: { p: [1] },
    signals: {},
    merged: null,
    id: event,
    guardian: null,
    issuer: null,
  });
  await owner.end();
  await server.script(`drop database "${name}" with (force)`);
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

const events = ['audit_event', 'consent_event', 'consent_revision', 'denial', 'link_event', 'permit', 'policy_set'];
const current = [
  'campaign',
  'client',
  'confirmation',
  'control_challenge',
  'deployment',
  'endpoint',
  'identifier',
  'import_run',
  'lease',
  'mail',
  'match_review',
  'obligation',
  'rate_limit',
  'staff_session',
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
    ...all([...events, 'birth_month', 'idempotency'], 'SELECT', 'INSERT'),
    ...all(current, 'SELECT', 'INSERT', 'UPDATE'),
    migration: ['SELECT'],
  });
});

test('only the reaper removes, and it can write nothing but its lease', async () => {
  const removable = [
    'audit_event',
    'birth_month',
    'confirmation',
    'consent_event',
    'consent_revision',
    'control_challenge',
    'denial',
    'identifier',
    'idempotency',
    'link_event',
    'mail',
    'match_review',
    'obligation',
    'permit',
    'rate_limit',
    'staff_session',
    'subject_state',
  ];
  expect(await privileges(fresh.urls.reaper)).toEqual({
    ...all(removable, 'SELECT', 'DELETE'),
    lease: ['INSERT', 'SELECT', 'UPDATE'],
  });
});

test('an auditor reads events and states, and neither secrets nor sealed identifiers', async () => {
  expect(await privileges(fresh.urls.auditor)).toEqual(
    all([...events, 'subject_state', 'obligation', 'deployment', 'campaign', 'import_run'], 'SELECT'),
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
