import { sql } from 'drizzle-orm';
import { jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { instant } from '../kernel/database/columns.ts';

/** A hosted consent page: one purpose, narrowed by those who run it, until it closes. */
export const campaign = pgTable('campaign', {
  id: text('id').primaryKey(),
  system: text('system').notNull(),
  purpose: text('purpose').notNull(),
  scope: jsonb('scope').$type<Record<string, string>>().notNull(),
  closesAt: instant('closes_at'),
  createdAt: instant('created_at')
    .notNull()
    .default(sql`now()`),
});
