import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../kernel/database/client.ts';
import { Overloaded } from '../kernel/database/batcher.ts';
import { isUnavailable } from '../kernel/database/errors.ts';
import type { CompactFacts } from '../policies/index.ts';
import type { Log } from '../kernel/log.ts';

/** One denial; members are the columns of `denial`. No identifier, one side at most. */
export type DenialRecord = {
  subject_id: string;
  id: string;
  system: string;
  action: string;
  purpose: string;
  policy_digest: string;
  facts: CompactFacts;
  rules: string[];
  decided_at: string;
};

const insertSql = `
  insert into denial (subject_id, id, system, action, purpose, policy_digest, facts, rules, decided_at)
  select subject_id, id, system, action, purpose, policy_digest, facts, rules, decided_at
  from json_populate_recordset(null::denial, $1::text::json) on conflict do nothing`;

const flushEveryMs = 100;
const perStatement = 1_000;
const heldBackAt = 5_000;
const refusedAt = 50_000;

/**
 * Collects denials and writes them every 100 ms: a crash loses at most the last moment of them, which DESIGN allows, since a denial
 * that is not proved harms nobody. They are never dropped: when more wait than `heldBackAt`, answers wait for the database, and beyond
 * `refusedAt` checks get 503.
 */
export const createDenialRecorder = (database: Database, log: Log) => {
  let waiting: DenialRecord[] = [];
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const insert = (batch: DenialRecord[]) => database.query(insertSql, [JSON.stringify(batch)]);

  const write = async (): Promise<void> => {
    let size = perStatement;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, size);
      try {
        await insert(batch);
        waiting = waiting.slice(batch.length);
        size = perStatement;
      } catch (error) {
        if (isUnavailable(error)) await sleep(100);
        else if (size > 1) size = 1;
        else {
          log.error({ err: error, denial: batch[0]!.id }, 'the database refuses a denial for ever');
          waiting = waiting.slice(1);
        }
      }
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing ??= write().finally(() => (writing = undefined));
    return writing;
  };

  return {
    /** Resolves at once while the database keeps up. Throws Overloaded when it does not. */
    record: async (records: DenialRecord[]): Promise<void> => {
      if (waiting.length + records.length > refusedAt) throw new Overloaded();
      for (const record of records) waiting.push(record);
      if (waiting.length >= heldBackAt) await flush();
      else timer ??= setTimeout(() => void flush(), flushEveryMs);
    },
    drained: flush,
    waiting: () => waiting.length,
  };
};

export type DenialRecorder = ReturnType<typeof createDenialRecorder>;
