import { sql } from 'drizzle-orm';
import { integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../database/columns.ts';

/** Keys of persons, in a database of their own: destroying one makes all that it sealed unreadable, in every backup too. */
export const subjectKey = pgTable('subject_key', {
  subjectId: uuid('subject_id').primaryKey(),
  keyEncryptionKey: integer('key_encryption_key').notNull(),
  wrapped: bytea('wrapped').notNull(),
  createdAt: instant('created_at')
    .notNull()
    .default(sql`now()`),
});

/** Keys of the service: the blind index, token and receipt signing, secrets of endpoints. */
export const serviceKey = pgTable(
  'service_key',
  {
    name: text('name').notNull(),
    version: integer('version').notNull(),
    keyEncryptionKey: integer('key_encryption_key').notNull(),
    wrapped: bytea('wrapped').notNull(),
    publicJwk: jsonb('public_jwk'),
    createdAt: instant('created_at')
      .notNull()
      .default(sql`now()`),
  },
  (table) => [primaryKey({ columns: [table.name, table.version] })],
);
