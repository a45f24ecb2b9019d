import { jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../kernel/database/columns.ts';

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
