import { sql } from 'drizzle-orm';
import { bigint, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/** How far an import came: the file by its hash, so that the same one goes on where it stopped. */
export const importRun = pgTable('import_run', {
  id: uuid('id').primaryKey(),
  /** SHA-256 over the file and everything that says how to read it. */
  source: bytea('source').notNull().unique(),
  format: text('format').notNull(),
  linesDone: bigint('lines_done', { mode: 'number' }).notNull().default(0),
  counts: jsonb('counts').notNull().default({}),
  startedAt: instant('started_at')
    .notNull()
    .default(sql`now()`),
  finishedAt: instant('finished_at'),
});
