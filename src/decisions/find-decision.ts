import type { Database } from '../kernel/database/client.ts';
import { expandFacts, type CompactFacts, type Facts } from '../policies/index.ts';

/** What is kept of an answered check, as much as its explanation needs. `decidedAt` is RFC 3339. */
export type RecordedDecision = {
  system: string;
  action: string;
  purpose: string;
  permit: boolean;
  policyDigest: string;
  decidedAt: string;
  /** What the rules saw; `{ refused }` where the question did not get as far as the rules. */
  facts: unknown;
};

/** Facts as the rules saw them, of what was recorded; a refusal as it is. */
export const readFacts = (recorded: CompactFacts): Facts | { refused: string } =>
  typeof recorded['refused'] === 'string' ? { refused: recorded['refused'] } : expandFacts(recorded);

/** Longer than a check may wait for the database between its moment and its id. */
const toleranceSeconds = 60;

/** The moment within a UUIDv7 (RFC 9562 section 5.7). */
const momentOf = (id: string): string =>
  Temporal.Instant.fromEpochMilliseconds(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toString();

/**
 * Finds a recorded decision by its id alone: the id tells when it was made, so only the records of those seconds are searched.
 * Undefined where there is none, or no more.
 */
export const findDecision = async (database: Database, id: string): Promise<RecordedDecision | undefined> => {
  const [found] = await database.query<Omit<RecordedDecision, 'facts'> & { facts: CompactFacts }>(
    `select system, action, purpose, false as permit, policy_digest as "policyDigest", decided_at as "decidedAt", facts
     from denial
     where id = $1 and decided_at between $2::timestamptz - make_interval(secs => $3) and $2::timestamptz + make_interval(secs => $3)
     union all
     select system, one->>'action', one->>'purpose', true, policy_digest, decided_at, one->'facts'
     from permit, json_array_elements(decisions) as one
     where one->>'id' = $1::text and decided_at between $2::timestamptz - make_interval(secs => $3) and $2::timestamptz + make_interval(secs => $3)
     limit 1`,
    [id.toLowerCase(), momentOf(id), toleranceSeconds],
  );
  return (
    found && { ...found, facts: readFacts(found.facts), decidedAt: Temporal.Instant.from(found.decidedAt).toString() }
  );
};
