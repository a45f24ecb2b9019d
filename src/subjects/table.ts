import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/**
 * The one updatable row of a person: every fact of a decision that the person's own acts can change. Whoever changes any of
 * them moves `version`; whoever read an older version must read again. `answers` belongs to consent, `links` to linkage.
 */
export const subjectState = pgTable(
  'subject_state',
  {
    subjectId: uuid('subject_id').primaryKey(),
    version: integer('version').notNull(),
    answers: jsonb('answers').notNull().default({}),
    links: jsonb('links').notNull().default([]),
    /** A permit issued below this version opens no link any more: the ground ended in between (Art. 7(3) GDPR). */
    leaseFloor: integer('lease_floor').notNull().default(0),
    restrictedAt: instant('restricted_at'),
    erasedAt: instant('erased_at'),
    /** The record of the same person that this one was merged into: an alias, which answers nothing by itself any more. */
    mergedInto: uuid('merged_into'),
    /** What this person's browser says for them (Sec-GPC); consent's. */
    signals: jsonb('signals').notNull().default({}),
    /** When a sweep has to look at the links: a pending half lapses, a ground expires. No fact of a decision. */
    reviewAt: instant('review_at'),
    /** Policy set under which the links were last reviewed. No fact of a decision. */
    reviewedPolicy: text('reviewed_policy'),
    changedAt: instant('changed_at').notNull(),
  },
  (table) => [
    index('subject_state_review')
      .on(table.reviewAt)
      .where(sql`review_at is not null`),
    index('subject_state_merged')
      .on(table.mergedInto)
      .where(sql`merged_into is not null`),
    index('subject_state_linked')
      .on(table.reviewedPolicy)
      .where(sql`links <> '[]'::jsonb`),
  ],
);

/** Look-up of identifiers, distributed by their blind index. An identifier belongs to one subject. */
export const identifier = pgTable(
  'identifier',
  {
    blindIndex: bytea('blind_index').primaryKey(),
    namespace: text('namespace').notNull(),
    keyVersion: integer('key_version').notNull(),
    subjectId: uuid('subject_id').notNull(),
    /** The identifier itself, AES-256-GCM under the subject's own key. */
    sealed: bytea('sealed').notNull(),
    /** Used by several persons (a family's mailbox): reaches them, proves nothing. */
    shared: boolean('shared').notNull().default(false),
    /** Set on a handle: it names an account only as of that moment. */
    observedAt: instant('observed_at'),
    /** Who proved control of this account last; a new proof by somebody else ends the earlier one. */
    provedSubjectId: uuid('proved_subject_id'),
    provedAt: instant('proved_at'),
    provedVia: text('proved_via'),
    recordedBy: text('recorded_by').notNull(),
    recordedAt: instant('recorded_at')
      .notNull()
      .default(sql`now()`),
  },
  (table) => [index('identifier_subject').on(table.subjectId)],
);

/** A code that a person sends from the account they claim; distributed like the account's identifier. */
export const controlChallenge = pgTable(
  'control_challenge',
  {
    blindIndex: bytea('blind_index').notNull(),
    id: uuid('id').notNull(),
    subjectId: uuid('subject_id').notNull(),
    requestedBy: text('requested_by').notNull(),
    attemptsLeft: integer('attempts_left').notNull(),
    expiresAt: instant('expires_at').notNull(),
    seenAt: instant('seen_at'),
    seenBy: text('seen_by'),
  },
  (table) => [
    primaryKey({ columns: [table.blindIndex, table.id] }),
    index('control_challenge_id').on(table.id),
    index('control_challenge_expires').using('brin', table.expiresAt),
  ],
);

/** The month in which a person was born, sealed under their key: enough to know when Art. 8 GDPR no longer applies. The newest counts. Append-only. */
export const birthMonth = pgTable(
  'birth_month',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    sealed: bytea('sealed').notNull(),
    system: text('system').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.subjectId, table.id] })],
);

/** Who did what to a person's record: written by the runner of every change, in the same statement. Append-only. */
export const auditEvent = pgTable(
  'audit_event',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    verb: text('verb').notNull(),
    system: text('system').notNull(),
    actor: text('actor'),
    version: integer('version').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.subjectId, table.id] })],
);
