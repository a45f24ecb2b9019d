import { boolean, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/** What a person answered, once and for ever (Art. 7(1) GDPR: the controller must be able to demonstrate it). Append-only. */
export const consentEvent = pgTable(
  'consent_event',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    subjectSeq: integer('subject_seq').notNull(),
    /** A purpose of the policy set, or `*` for "no to everything". */
    purpose: text('purpose').notNull(),
    scope: jsonb('scope').notNull(),
    action: text('action', { enum: ['give', 'refuse', 'inform', 'withdraw', 'object'] }).notNull(),
    /** What it meant under the legal basis of that day; a `request` is a no that the basis gave no right to. */
    answer: text('answer', { enum: ['yes', 'no', 'informed', 'request'] }).notNull(),
    noticeVersion: integer('notice_version'),
    noticeLanguage: text('notice_language'),
    /** SHA-256 of the words that were shown. */
    noticeHash: bytea('notice_hash'),
    method: text('method').notNull(),
    rank: text('rank', { enum: ['self', 'guardian'] }).notNull(),
    ownAct: boolean('own_act').notNull(),
    system: text('system').notNull(),
    /** Free words about how consent was obtained, sealed under the subject's key. */
    evidence: bytea('evidence'),
    policyDigest: text('policy_digest').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    recordedAt: instant('recorded_at').notNull(),
    expiresAt: instant('expires_at'),
  },
  (table) => [primaryKey({ columns: [table.subjectId, table.id] })],
);
