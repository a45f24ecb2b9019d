import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
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

/**
 * A mail to a person that is owed: written in the statement of the change that owes it, so that neither is without the other. Who and
 * what is sealed under the person's key; erasing the key erases what was never sent.
 */
export const mail = pgTable(
  'mail',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    /** What it is about, for the log and the metrics: `confirm-consent`. */
    kind: text('kind').notNull(),
    sealed: bytea('sealed').notNull(),
    createdAt: instant('created_at').notNull(),
    /** After this it would be of no use any more. */
    endsAt: instant('ends_at').notNull(),
    nextAttemptAt: instant('next_attempt_at').notNull(),
    attempts: integer('attempts').notNull().default(0),
    leaseToken: integer('lease_token').notNull().default(0),
    leasedUntil: instant('leased_until'),
    sentAt: instant('sent_at'),
    lastProblem: text('last_problem'),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    index('mail_queue')
      .on(table.nextAttemptAt)
      .where(sql`sent_at is null`),
  ],
);
