import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/** OAuth clients of systems. The secret is 256 random bits, kept as SHA-256. */
export const client = pgTable(
  'client',
  {
    id: text('id').primaryKey(),
    system: text('system').notNull(),
    /** Null where an outside issuer vouches for it. */
    secretHash: bytea('secret_hash'),
    /** The outside issuer of its tokens, and what it calls the client. */
    issuer: text('issuer'),
    externalId: text('external_id'),
    scopes: jsonb('scopes').$type<string[]>().notNull(),
    createdAt: instant('created_at')
      .notNull()
      .default(sql`now()`),
    revokedAt: instant('revoked_at'),
  },
  (table) => [uniqueIndex('client_outside').on(table.issuer, table.externalId)],
);

/** Where a system takes its obligations by webhook; the secret sealed under the service's key. */
export const endpoint = pgTable('endpoint', {
  system: text('system').primaryKey(),
  url: text('url').notNull(),
  sealedSecret: bytea('sealed_secret').notNull(),
  sealedPreviousSecret: bytea('sealed_previous_secret'),
  changedAt: instant('changed_at')
    .notNull()
    .default(sql`now()`),
});

/** What a system must do for a person. The row is the queue: due, next attempt, lease with fencing token. */
export const obligation = pgTable(
  'obligation',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    system: text('system').notNull(),
    kind: text('kind', { enum: ['unlink', 'stop', 'inform'] }).notNull(),
    facts: jsonb('facts').notNull(),
    createdAt: instant('created_at').notNull(),
    dueAt: instant('due_at').notNull(),
    nextAttemptAt: instant('next_attempt_at').notNull(),
    attempts: integer('attempts').notNull().default(0),
    leaseToken: integer('lease_token').notNull().default(0),
    leasedUntil: instant('leased_until'),
    deliveredAt: instant('delivered_at'),
    acknowledgedAt: instant('acknowledged_at'),
    lastProblem: text('last_problem'),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    // By system first: what waits for one that is down must not be waded through at each look.
    index('obligation_queue')
      .on(table.system, table.nextAttemptAt)
      .where(sql`acknowledged_at is null`),
    // Not partial: an acknowledgement that is repeated finds its row too.
    index('obligation_of_system').on(table.system, table.id),
  ],
);
