import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { drizzle } from 'drizzle-orm/postgres-js';
import { AppError } from '../errors.ts';
import { isUnavailable, lostConflict, translated } from './errors.ts';

/**
 * One row set of one statement. The service never opens a conversation (`begin`): postgres.js 3.4.9 throws an uncatchable
 * TypeError when the server drops a connection inside one, and one statement is all or nothing anyway.
 */
export type Database = {
  /** Runs one statement; errors come translated. `$1` parameters; arrays as PostgreSQL array literals (see `arrayLiteral`). */
  query<Row extends object>(text: string, parameters?: (string | number | null | boolean)[]): Promise<Row[]>;
  /**
   * The same for a statement that only reads: asked again, twice at most, when its connection was lost. postgres.js gives what it heard from a
   * connection that ended to the next statement on it, so that one may fail although the database is there.
   */
  read<Row extends object>(text: string, parameters?: (string | number | null | boolean)[]): Promise<Row[]>;
  /** Runs several statements as one implicit transaction (simple protocol), so that a migration is all or nothing. */
  script(text: string): Promise<void>;
  /** Drizzle's SQL-like builder for the calls that are not hot. */
  orm: ReturnType<typeof drizzle>;
  end(): Promise<void>;
};

export class DatabaseNotDurable extends AppError {
  constructor(setting: string) {
    super(
      'database.not-durable',
      'unavailable',
      `PostgreSQL runs with ${setting}: an acknowledged event could be lost; set it to on`,
    );
  }
}

/** Opens a pool. `prepare: false` is for poolers that keep no prepared statements. Every statement ends within `statementTimeoutMs`. */
export const connect = (
  url: string,
  options: { connections: number; prepare?: boolean; statementTimeoutMs?: number; name?: string },
): Database => {
  const prepare = options.prepare ?? true;
  const sql = postgres(url, {
    max: options.connections,
    prepare,
    // Asking for the types of arrays at each connect, when the server ends that connection, is a rejection that nobody handles: it would end us.
    fetch_types: false,
    connect_timeout: 3,
    // postgres.js waits up to 20 s between tries by default; a restarted server should be found at once.
    backoff: () => 0.1,
    onnotice: () => {},
    connection: {
      application_name: options.name ?? 'askfirst',
      statement_timeout: options.statementTimeoutMs ?? 10_000,
      // Whoever holds a person's row for longer than this holds up that person alone, not the batch behind it.
      lock_timeout: options.statementTimeoutMs === 0 ? 0 : 1_000,
      // A restrictive default: answers never depend on a server's local settings.
      timezone: 'UTC',
    },
  });
  const orm = drizzle(sql);
  /** A statement that lost a conflict took no effect: it is run again (DESIGN section 5). */
  const retried = async <T>(run: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (attempt === 5 || !lostConflict(error)) throw error;
        await sleep(Math.random() * 10 * 2 ** attempt);
      }
    }
  };
  const query: Database['query'] = <Row extends object>(
    text: string,
    parameters: (string | number | null | boolean)[] = [],
  ) =>
    retried(
      () => translated(sql.unsafe<Row[]>(text, parameters, { prepare, simple: false } as object)) as Promise<Row[]>,
    );
  return {
    query,
    read: async <Row extends object>(text: string, parameters?: (string | number | null | boolean)[]) => {
      const startedAt = performance.now();
      for (let attempt = 1; ; attempt++) {
        try {
          return await query<Row>(text, parameters);
        } catch (error) {
          // What took long is overloaded or gone: asking again would make it worse.
          if (attempt === 3 || !isUnavailable(error) || performance.now() - startedAt > 500) throw error;
        }
      }
    },
    script: async (text) => void (await translated(sql.unsafe(text).simple())),
    orm,
    end: () => sql.end({ timeout: 5 }),
  };
};

/** `{a,b}` for values that need no quoting (uuid, hexadecimal, numbers): PostgreSQL parses it faster than JSON, postgres.js passes it through. */
export const arrayLiteral = (values: readonly (string | number)[]): string => `{${values.join(',')}}`;

export class DatabaseTooOld extends AppError {
  constructor(version: string) {
    super('database.too-old', 'unavailable', `PostgreSQL ${version} is too old: Askfirst needs 15 or newer`);
  }
}

/** Refuses a server that may forget what it acknowledged (promise 2), or that is older than 15. Throws DatabaseNotDurable, DatabaseTooOld. */
export const assertDurable = async (database: Database): Promise<void> => {
  const [row] = await database.query<{ fsync: string; commit: string; pages: string; version: string; number: number }>(
    `select current_setting('fsync') fsync, current_setting('synchronous_commit') "commit", current_setting('full_page_writes') pages,
            current_setting('server_version') "version", current_setting('server_version_num')::int "number"`,
  );
  if (row!.number < 150_000) throw new DatabaseTooOld(row!.version);
  if (row!.fsync !== 'on') throw new DatabaseNotDurable('fsync off');
  if (row!.commit === 'off') throw new DatabaseNotDurable('synchronous_commit off');
  if (row!.pages !== 'on') throw new DatabaseNotDurable('full_page_writes off');
};
