import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
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
    action: text('action', { enum: ['give', 'confirm', 'refuse', 'inform', 'withdraw', 'object'] }).notNull(),
    /**
     * What it meant under the legal basis of that day. A `request` is a no that the basis gave no right to, `pending` a yes that waits for its
     * confirmation, `unproven` an imported yes without evidence, which permits nothing.
     */
    answer: text('answer', { enum: ['yes', 'no', 'informed', 'request', 'pending', 'unproven'] }).notNull(),
    noticeVersion: integer('notice_version'),
    noticeLanguage: text('notice_language'),
    /** SHA-256 of the words that were shown. */
    noticeHash: bytea('notice_hash'),
    method: text('method').notNull(),
    rank: text('rank', { enum: ['self', 'guardian'] }).notNull(),
    ownAct: boolean('own_act').notNull(),
    /** Where a guardian is needed (Art. 8 GDPR): whether the guardian's part was in order. */
    guardianOk: boolean('guardian_ok'),
    /** Given while the person's browser sent Sec-GPC: the signal does not end it. */
    despiteGpc: boolean('despite_gpc'),
    /** The pending yes that this one confirms. */
    confirms: uuid('confirms'),
    /** The hosted page's campaign. */
    campaign: text('campaign'),
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

/**
 * A change of what a person's answers amount to that is no answer of theirs: records were merged, or a birth month shows that a guardian was
 * missing. Holds all answers as they were afterwards, so that any moment can be told from the latest of these and the events since. Append-only.
 */
export const consentRevision = pgTable(
  'consent_revision',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    subjectSeq: integer('subject_seq').notNull(),
    cause: text('cause', { enum: ['merged', 'birth-month'] }).notNull(),
    otherSubjectId: uuid('other_subject_id'),
    answers: jsonb('answers').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.subjectId, table.id] })],
);

/** A pending yes that waits for the code from its mail; the id is that of the consent event. The code is derived, never stored. */
export const confirmation = pgTable(
  'confirmation',
  {
    subjectId: uuid('subject_id').notNull(),
    id: uuid('id').notNull(),
    attemptsLeft: integer('attempts_left').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** The mailbox that the right code shows to be the person's own, sealed under their key; null where it is known to be, or a guardian's. */
    sealedMailbox: bytea('sealed_mailbox'),
  },
  (table) => [
    primaryKey({ columns: [table.subjectId, table.id] }),
    index('confirmation_expires').using('brin', table.expiresAt),
  ],
);
