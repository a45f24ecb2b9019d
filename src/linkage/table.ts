import { sql } from 'drizzle-orm';
import { index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/** What happened to one half of a link; the open halves themselves lie in `subject_state.links`. Append-only. */
export const linkEvent = pgTable(
  'link_event',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    linkId: uuid('link_id').notNull(),
    side: text('side', { enum: ['customer', 'identity'] }).notNull(),
    status: text('status', { enum: ['pending', 'active', 'suspended', 'unlink-due', 'unlinked', 'lapsed'] }).notNull(),
    cause: text('cause').notNull(),
    system: text('system').notNull(),
    facts: jsonb('facts').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.subjectId, table.id] })],
);

/**
 * A likely match that a human has to look at before a link may go on (Art. 22(1) GDPR): a queue entry under the customer's subject, and its answer.
 */
export const matchReview = pgTable(
  'match_review',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    system: text('system').notNull(),
    purpose: text('purpose').notNull(),
    /** Blind indexes (hexadecimal) of the two identifiers. */
    customerRef: text('customer_ref').notNull(),
    identityRef: text('identity_ref').notNull(),
    /** What speaks for the match, in the system's words, sealed under the customer's key. */
    sealed: bytea('sealed').notNull(),
    requestedAt: instant('requested_at')
      .notNull()
      .default(sql`now()`),
    answer: text('answer', { enum: ['same-person', 'not-same-person'] }),
    answeredBy: text('answered_by'),
    answeredAt: instant('answered_at'),
    /** The caseworker's reason, sealed likewise. */
    sealedReason: bytea('sealed_reason'),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    index('match_review_open')
      .on(table.requestedAt)
      .where(sql`answered_at is null`),
    index('match_review_id').on(table.id),
    index('match_review_pair')
      .on(table.customerRef, table.identityRef)
      .where(sql`answer is not null`),
  ],
);
