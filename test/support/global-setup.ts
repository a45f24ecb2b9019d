import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { exclusively } from '../../src/kernel/data-folder.ts';
import { migrate } from '../../src/kernel/database/migrate.ts';
import { provision } from '../../src/kernel/database/provision.ts';
import { startEmbeddedPostgres } from '../../src/kernel/embedded-postgres.ts';
import { databaseUrl, passwords } from './database.ts';

type TestServer = { superuserUrl: string; described: string; stop(): Promise<void> };

const root = join(import.meta.dirname, '../..');

/** Shared by all runs on this checkout, so that the second starts in a tenth of a second. */
const folder = join(
  tmpdir(),
  `askfirst-test-${process.getuid?.() ?? 0}-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`,
);

/** One PostgreSQL for the whole run: the one that is named, else one in a container, else the embedded one. */
const chooseServer = async (): Promise<TestServer> => {
  const named = process.env['TEST_DATABASE_URL'];
  if (named !== undefined) {
    return { superuserUrl: named, described: 'TEST_DATABASE_URL', stop: () => Promise.resolve() };
  }
  return (await startContainer()) ?? (await startEmbedded());
};

const startContainer = async (): Promise<TestServer | undefined> => {
  // Loaded here because it takes longer than the embedded server needs to start.
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    console.log('tests: no container engine here');
    return undefined;
  }
  try {
    const container = await new GenericContainer('postgres:17')
      .withEnvironment({ POSTGRES_PASSWORD: passwords.app })
      .withCommand(['postgres', '-c', 'max_connections=300'])
      .withExposedPorts(5432)
      // The image starts the server twice; a health check would take the first for the second.
      .withWaitStrategy(Wait.forAll([Wait.forLogMessage(/ready to accept connections/, 2), Wait.forListeningPorts()]))
      .start();
    const address = `${container.getHost()}:${container.getMappedPort(5432)}`;
    return {
      superuserUrl: `postgres://postgres:${passwords.app}@${address}/postgres`,
      described: 'a container (postgres:17)',
      stop: async () => void (await container.stop()),
    };
  } catch (error) {
    console.log(`tests: a container engine, but no postgres:17 from it: ${(error as Error).message}`);
    return undefined;
  }
};

const startEmbedded = async (): Promise<TestServer> => {
  const server = await startEmbeddedPostgres({ dataFolder: folder, log: { info: () => {}, warn: console.warn } });
  return {
    superuserUrl: server.superuserUrl('postgres'),
    described: `the embedded server${server.reused ? ', which another run has started' : ''}`,
    stop: server.stop,
  };
};

/** One name for one state of drizzle/: a changed migration makes a new template, never a half-migrated old one. */
const schemaDigest = (): string => {
  const hash = createHash('sha256');
  for (const name of readdirSync(join(root, 'drizzle'), { recursive: true, encoding: 'utf8' }).toSorted()) {
    const path = join(root, 'drizzle', name);
    if (statSync(path).isFile()) hash.update(`${name}\0`).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 12);
};

/** Makes the two migrated databases that every test file gets copies of, unless an earlier run on this server has. */
const makeTemplates = async (superuserUrl: string): Promise<{ data: string; keys: string }> => {
  const digest = schemaDigest();
  const templates = { data: `askfirst_template_data_${digest}`, keys: `askfirst_template_keys_${digest}` };
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  try {
    for (const store of ['data', 'keys'] as const) {
      const found = await sql`select 1 from pg_database where datname = ${templates[store]}`;
      if (found.length > 0) continue;
      const building = `${templates[store]}_building`;
      await sql.unsafe(`drop database if exists "${building}" with (force)`);
      await provision(superuserUrl, passwords, [building]);
      await migrate(databaseUrl(superuserUrl, building, 'owner'), store);
      await sql.unsafe(`alter database "${building}" rename to "${templates[store]}"`);
    }
    // Copies whose run was killed before it could drop them: nobody is connected and they are older than any run.
    const leftOver = await sql<{ name: string }[]>`
      select datname as name from pg_database d
      where datname like 'askfirst\\_test\\_%' and not exists (select from pg_stat_activity a where a.datname = d.datname)
        and (pg_stat_file('base/' || d.oid || '/PG_VERSION', true)).modification < now() - interval '2 hours'`;
    for (const { name } of leftOver) await sql.unsafe(`drop database if exists "${name}" with (force)`);
  } finally {
    await sql.end();
  }
  return templates;
};

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const server = await chooseServer();
  console.log(`tests: PostgreSQL is ${server.described}`);
  project.provide('superuserUrl', server.superuserUrl);
  project.provide('templates', await exclusively(folder, 'templates', () => makeTemplates(server.superuserUrl)));
  return server.stop;
};
