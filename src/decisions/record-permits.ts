import { setTimeout as sleep } from 'node:timers/promises';
import { createBatcher } from '../kernel/database/batcher.ts';
import type { Database } from '../kernel/database/client.ts';
import type { Scope } from '../consent/index.ts';
import type { CompactFacts } from '../policies/index.ts';
import { isUnavailable, isWorthRetrying } from '../kernel/database/errors.ts';

/** An identifier of a decision as it is stored: nobody can read it, and it can be looked up again. */
export type StoredName = { namespace: string; blindIndex: string };

/** One permit within a record: what was allowed, on which ground, and to whom it refers. */
export type PermittedDecision = {
  id: string;
  action: string;
  purpose: string;
  scope: Scope;
  rules: string[];
  obligations: string[];
  reliedOn?: string | undefined;
  customer?: StoredName | undefined;
  identity?: StoredName | undefined;
  /** Version of the account's own subject that the decision saw; 0 where it had none. */
  identityVersion?: number | undefined;
  chain: StoredName[];
  /** The human review that the question named. */
  review?: string | undefined;
  facts: CompactFacts;
};

/** All permits of one subject in one call. Members are the columns of `permit`. */
export type PermitRecord = {
  subject_id: string;
  id: string;
  system: string;
  policy_digest: string;
  version: number;
  decided_at: string;
  lease_ends_at: string;
  decisions: PermittedDecision[];
};

const insertSql = `
  insert into permit (subject_id, id, system, policy_digest, decisions, version, decided_at, lease_ends_at)
  select subject_id, id, system, policy_digest, decisions, version, decided_at, lease_ends_at
  from json_populate_recordset(null::permit, $1::text::json) on conflict do nothing`;

/**
 * Makes permits durable: resolves once their rows are committed, many calls to a commit. Ids are given before sending, so that after a lost
 * connection the same rows are sent again and a row that did get through is not doubled.
 */
export const createPermitRecorder = (database: Database, deadlineMs: number) => {
  const write = async (calls: PermitRecord[][], until: number): Promise<PromiseSettledResult<void>[]> => {
    try {
      await database.query(insertSql, [JSON.stringify(calls.flat())]);
      return calls.map(() => ({ status: 'fulfilled', value: undefined }));
    } catch (error) {
      if (isWorthRetrying(error) && performance.now() < until) {
        await sleep(50);
        return write(calls, until);
      }
      if (!isUnavailable(error) && calls.length > 1)
        return (await Promise.all(calls.map((call) => write([call], until)))).flat();
      return calls.map(() => ({ status: 'rejected', reason: error }));
    }
  };
  const batcher = createBatcher<PermitRecord[], void>({
    maxItems: 64,
    maxInFlight: 1,
    deadlineMs,
    run: (calls) => write(calls, performance.now() + deadlineMs),
  });
  return { record: (records: PermitRecord[]) => batcher.submit(records), drained: () => batcher.drained() };
};

export type PermitRecorder = ReturnType<typeof createPermitRecorder>;
