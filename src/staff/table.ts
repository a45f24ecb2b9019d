import { sql } from 'drizzle-orm';
import { jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from '../kernel/database/columns.ts';

/** A colleague who signed in with the controller's OpenID provider; the cookie's secret is kept as SHA-256. */
export const staffSession = pgTable('staff_session', {
  hash: bytea('hash').primaryKey(),
  /** The provider's pseudonymous id (`sub`), never a name. */
  person: text('person').notNull(),
  roles: jsonb('roles').$type<string[]>().notNull(),
  createdAt: instant('created_at')
    .notNull()
    .default(sql`now()`),
  endsAt: instant('ends_at').notNull(),
  endedAt: instant('ended_at'),
});
