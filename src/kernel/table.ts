import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from './database/columns.ts';

/** Work that only one instance may do at a time: a row with a fencing token instead of a lock that dies with its connection. */
export const lease = pgTable('lease', {
  name: text('name').primaryKey(),
  token: integer('token').notNull(),
  until: instant('until').notNull(),
  progress: jsonb('progress'),
});

/** A creating call that was answered: its key, the fingerprint of its request, and what it created. */
export const idempotency = pgTable(
  'idempotency',
  {
    hash: bytea('hash').primaryKey(),
    fingerprint: bytea('fingerprint').notNull(),
    subjectId: uuid('subject_id').notNull(),
    resourceId: uuid('resource_id').notNull(),
    recordedAt: instant('recorded_at')
      .notNull()
      .default(sql`now()`),
  },
  (table) => [index('idempotency_recorded').using('brin', table.recordedAt)],
);

/** Tokens of a rate limit, taken in chunks by every instance. */
export const rateLimit = pgTable('rate_limit', {
  key: text('key').primaryKey(),
  windowEndsAt: instant('window_ends_at').notNull(),
  taken: integer('taken').notNull(),
  /** What the last taker got: the answer of the upsert, which cannot return what was there before. */
  granted: integer('granted').notNull(),
});
