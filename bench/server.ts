import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { migrate } from '../src/kernel/database/migrate.ts';
import { provision, roles, type Role } from '../src/kernel/database/provision.ts';
import { startEmbeddedPostgres } from '../src/kernel/embedded-postgres.ts';

/** A migrated data database with its key store, and who may enter them as whom. */
export type Store = {
  urls: { app: string; owner: string; reaper: string; keys: string; keysOwner: string };
  keyEncryptionKeys: string;
};

export type Statement = { text: string; calls: number; ms: number; walBytes: number };

export type Server = {
  /** As the superuser of the server. */
  admin: Database;
  /** Whether it is ours, to be tuned while rows are loaded. */
  own: boolean;
  makeStore(): Promise<Store>;
  /** What it did since the last call, by statement, most time first; empty when it was not asked to count (`countStatements`). */
  statements(): Promise<Statement[]>;
  stop(): Promise<void>;
};

const environment = (name: string): string | undefined => process.env[name] || undefined;

/**
 * The server named by BENCH_DATABASE_URL or TEST_DATABASE_URL (its superuser; a server for trials, because the passwords of the service's
 * roles are set there), else an embedded one in a folder that is removed at the end. `countStatements` lets the embedded one count its statements.
 */
export const startServer = async ({ countStatements }: { countStatements: boolean }): Promise<Server> => {
  const named = environment('BENCH_DATABASE_URL') ?? environment('TEST_DATABASE_URL');
  const folder = join(tmpdir(), `askfirst-bench-${randomBytes(4).toString('hex')}`);
  const start = () => startEmbeddedPostgres({ dataFolder: folder, log: { info: () => {}, warn: console.warn } });
  let embedded = named ? undefined : await start();
  if (embedded && countStatements) {
    const first = connect(embedded.superuserUrl('postgres'), { connections: 1 });
    await first.query(`alter system set shared_preload_libraries = 'pg_stat_statements'`);
    await first.end();
    await embedded.stop();
    embedded = await start();
  }
  const superuserUrl = named ?? embedded!.superuserUrl('postgres');
  const admin = connect(superuserUrl, { connections: 1, name: 'askfirst-bench', statementTimeoutMs: 600_000 });
  // Those of the tests, so that a bench on the tests' server does not lock them out.
  const passwords = Object.fromEntries(roles.map((role) => [role, `test-${role}`])) as Record<Role, string>;
  const made: string[] = [];
  const counts = embedded !== undefined && countStatements;
  if (counts) await admin.query('create extension pg_stat_statements');

  const makeStore = async (): Promise<Store> => {
    const id = randomBytes(4).toString('hex');
    const names = { data: `askfirst_bench_${id}`, keys: `askfirst_bench_${id}_keys` };
    made.push(...Object.values(names));
    await provision(superuserUrl, passwords, Object.values(names));
    const url = (role: Role, database: string): string => {
      const location = new URL(superuserUrl);
      location.pathname = `/${database}`;
      location.username = `askfirst_${role}`;
      location.password = passwords[role];
      return location.href;
    };
    const urls = {
      app: url('app', names.data),
      owner: url('owner', names.data),
      reaper: url('reaper', names.data),
      keys: url('app', names.keys),
      keysOwner: url('owner', names.keys),
    };
    await migrate(urls.owner, 'data');
    await migrate(urls.keysOwner, 'keys');
    return { urls, keyEncryptionKeys: newKeyEncryptionKey(1) };
  };

  return {
    admin,
    own: embedded !== undefined,
    makeStore,
    statements: async () => {
      if (!counts) return [];
      const rows = await admin.query<Statement>(
        `select query as text, calls::int, total_exec_time as ms, wal_bytes::float8 as "walBytes"
         from pg_stat_statements order by total_exec_time desc limit 8`,
      );
      await admin.query('select pg_stat_statements_reset()');
      return rows;
    },
    stop: async () => {
      if (!embedded) for (const name of made) await admin.script(`drop database if exists "${name}" with (force)`);
      await admin.end();
      await embedded?.stop();
      if (embedded) rmSync(folder, { recursive: true, force: true });
    },
  };
};
