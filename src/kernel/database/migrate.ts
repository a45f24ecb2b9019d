import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { AppError } from '../errors.ts';
import { connect, type Database } from './client.ts';
import { DatabaseRefused } from './errors.ts';

const root = join(import.meta.dirname, '../../..', 'drizzle');
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Two sessions that create the same table, or grant on it, at the same moment collide in the catalogue: try again. */
const collisions = new Set(['23505', '42P07', '42710', '40001', '40P01', 'XX000']);

export class SchemaBehind extends AppError {
  constructor(missing: number) {
    super(
      'database.schema-behind',
      'unavailable',
      `${missing} migration(s) are not applied: run "askfirst migrate" with MIGRATOR_DATABASE_URL`,
    );
  }
}

const applied = async (database: Database): Promise<Set<string>> => {
  const [exists] = await database.query<{ found: boolean }>(
    `select to_regclass('public.migration') is not null as found`,
  );
  if (!exists?.found) return new Set();
  return new Set((await database.query<{ hash: string }>('select hash from migration')).map((row) => row.hash));
};

/** How many migrations of a store a database lacks. */
const pending = async (database: Database, store: 'data' | 'keys') => {
  const done = await applied(database);
  return {
    done: done.size,
    files: readMigrationFiles({ migrationsFolder: join(root, store) }).filter((file) => !done.has(file.hash)),
  };
};

/** Throws SchemaBehind unless every migration has been applied. */
export const assertMigrated = async (database: Database, store: 'data' | 'keys'): Promise<void> => {
  const { files } = await pending(database, store);
  if (files.length > 0) throw new SchemaBehind(files.length);
};

/**
 * Brings the schema and the grants of a store up to date; safe from any number of processes at once. All pending
 * migrations are one script, which locks the lease row first and therefore holds it for the whole DDL transaction: whoever
 * waited finds the count moved and looks again. `url` is the owner's.
 */
export const migrate = async (url: string, store: 'data' | 'keys'): Promise<void> => {
  const database = connect(url, { connections: 1, statementTimeoutMs: 0, name: 'askfirst-migrate' });
  const grants = readFileSync(join(root, `grants.${store}.sql`), 'utf8');
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await database.script(`
          create table if not exists migration (hash text primary key, applied_at timestamptz not null default now());
          create table if not exists migration_lease (one boolean primary key);
          insert into migration_lease values (true) on conflict do nothing;`);
        const { done, files } = await pending(database, store);
        await database.script(
          [
            'select one from migration_lease for update',
            `do $$ begin if (select count(*) from migration) <> ${done} then raise serialization_failure; end if; end $$`,
            ...files.flatMap((file) => [...file.sql, `insert into migration (hash) values (${quoted(file.hash)})`]),
            grants,
          ].join(';\n'),
        );
        return;
      } catch (error) {
        if (attempt === 100 || !(error instanceof DatabaseRefused) || !collisions.has(error.sqlState)) throw error;
        await sleep(20 + Math.random() * 80);
      }
    }
  } finally {
    await database.end();
  }
};
