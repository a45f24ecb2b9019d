import postgres from 'postgres';
import type { TestDatabase } from './database.ts';

/**
 * Bookkeeping of the service about itself, which moves while nobody calls or with any call: leases of its jobs, and how
 * often a client called.
 */
const moving = new Set(['lease', 'rate_limit']);

/** Notes of the sweep that looks at links, which are no facts; and what a wrong guess of a code must cost. */
const notes: Readonly<Record<string, readonly string[]>> = {
  subject_state: ['review_at', 'reviewed_policy'],
  control_challenge: ['attempts_left'],
};

/** A look at everything that the service stores, data and keys. */
export type Stored = {
  /** Rows and a hash over all of them, per table: equal as long as nothing was written. */
  digest(): Promise<Record<string, string>>;
  /** `digest`, taken when two of them, a moment apart, agree: background work has come to rest. */
  settled(): Promise<Record<string, string>>;
  /**
   * `table.column` of every column in which one of the texts stands: as text, or in bytes as UTF-8. Hexadecimal and
   * Base64 would hide nothing from whoever can read the table, so they are looked for too.
   */
  columnsWith(texts: readonly string[]): Promise<string[]>;
  /** Runs a statement as the owner of the data, or of the keys. */
  asOwner(text: string, store?: 'data' | 'keys'): Promise<readonly Record<string, unknown>[]>;
  end(): Promise<void>;
};

type Sql = postgres.Sql;

const tablesOf = async (sql: Sql): Promise<string[]> => {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where relkind in ('r', 'p') and nspname not in ('pg_catalog', 'information_schema') order by 1`;
  if (rows.length === 0) throw new Error('no tables were found');
  return rows.map(({ name }) => name);
};

const encodings = (text: string): string[] => [
  text,
  Buffer.from(text).toString('hex'),
  // However the text is aligned to groups of three bytes, these characters in the middle stay the same.
  ...[0, 1, 2]
    .map((shift) =>
      Buffer.from(' '.repeat(shift) + text)
        .toString('base64')
        .slice(shift === 0 ? 0 : 4, -4),
    )
    // What is shorter is found by chance.
    .filter((middle) => middle.length >= 8),
];

export const lookInto = (database: TestDatabase): Stored => {
  const data = postgres(database.urls.owner, { max: 1, onnotice: () => {} });
  const keys = postgres(database.urls.keysOwner, { max: 1, onnotice: () => {} });
  const stores = [
    ['data', data],
    ['keys', keys],
  ] as const;

  const digest = async (): Promise<Record<string, string>> => {
    const all: Record<string, string> = {};
    for (const [store, sql] of stores) {
      const tables = (await tablesOf(sql)).filter((name) => !moving.has(name));
      const [row] = await sql.unsafe<Record<string, string>[]>(
        `select ${tables
          .map(
            (name) =>
              `(select count(*) || ' ' || coalesce(md5(string_agg(h, '' order by h)), '') from (
                 select md5((to_jsonb(t) - '{${(notes[name] ?? []).join(',')}}'::text[])::text) as h from "${name}" t
               ) x) as "${store}.${name}"`,
          )
          .join(', ')}`,
      );
      Object.assign(all, row);
    }
    return all;
  };

  return {
    digest,
    settled: async () => {
      let before = await digest();
      for (let attempt = 0; attempt < 60; attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        const after = await digest();
        if (JSON.stringify(after) === JSON.stringify(before)) return after;
        before = after;
      }
      throw new Error('the service never comes to rest');
    },
    columnsWith: async (texts) => {
      const wanted = texts.flatMap(encodings).map((text) => text.toLowerCase());
      const found: string[] = [];
      for (const [store, sql] of stores) {
        const columns = await sql<{ table: string; column: string; bytes: boolean }[]>`
          select table_name as table, column_name as column, data_type = 'bytea' as bytes
          from information_schema.columns where table_schema = 'public' order by 1, 2`;
        for (const { table, column, bytes } of columns) {
          const text = bytes ? `encode("${column}", 'escape') || encode("${column}", 'hex')` : `"${column}"::text`;
          const [row] = await sql.unsafe<{ found: boolean }[]>(
            `select exists (
               select from "${table}", unnest($1::text[]) as wanted where position(wanted in lower(${text})) > 0
             ) as found`,
            [wanted],
          );
          if (row!.found) found.push(`${store}.${table}.${column}`);
        }
      }
      return found;
    },
    asOwner: async (text, store = 'data') => [...(await { data, keys }[store].unsafe(text))],
    end: async () => {
      await Promise.all([data.end(), keys.end()]);
    },
  };
};
