import { sql } from 'drizzle-orm';
import { boolean, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { instant } from '../kernel/database/columns.ts';

/** Every policy set that was ever active, by the digest of its canonical form. Append-only. */
export const policySet = pgTable('policy_set', {
  digest: text('digest').primaryKey(),
  content: text('content').notNull(),
  storedAt: instant('stored_at')
    .notNull()
    .default(sql`now()`),
});

/** The one row that all instances obey; it travels with every read batch. `clientsEpoch` moves when a client is revoked. */
export const deployment = pgTable('deployment', {
  one: boolean('one').primaryKey().default(true),
  policyDigest: text('policy_digest').references(() => policySet.digest),
  policyActivatedAt: instant('policy_activated_at'),
  clientsEpoch: integer('clients_epoch').notNull().default(0),
});
