import { index, integer, json, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../kernel/database/columns.ts';

/** Answered checks that allowed something, durable before they were answered. One row per subject and batch. Append-only. */
export const permit = pgTable(
  'permit',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    system: text('system').notNull(),
    policyDigest: text('policy_digest').notNull(),
    /** A `PermittedDecision` each. */
    decisions: json('decisions').notNull(),
    /** Version of the subject's state that the decision saw: a confirm compares it with the floor for leases. */
    version: integer('version').notNull(),
    decidedAt: instant('decided_at').notNull(),
    leaseEndsAt: instant('lease_ends_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    // Rows come in the order of their time: BRIN finds the minutes around a decision and costs a check nothing.
    index('permit_decided').using('brin', table.decidedAt),
  ],
);

/** Answered checks that denied, without identifiers and with one side at most, so that the two sides cannot be joined. Append-only. */
export const denial = pgTable(
  'denial',
  {
    /** The customer's subject; the decision's own id where nobody is known, which spreads the rows and names no one. */
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    system: text('system').notNull(),
    action: text('action').notNull(),
    purpose: text('purpose').notNull(),
    policyDigest: text('policy_digest').notNull(),
    facts: json('facts').notNull(),
    rules: json('rules').notNull(),
    decidedAt: instant('decided_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    index('denial_decided').using('brin', table.decidedAt),
  ],
);
