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
const heldBackAfterMs = 150;

/**
 * Collects denials and writes them every 100 ms: a crash loses those of at most 200 ms, which DESIGN allows, since a denial that is not
 * proved harms nobody. They are never dropped: when the oldest waits for longer than `heldBackAfterMs`, or more than `heldBackAt` wait,
 * answers wait for the database, and beyond `refusedAt` checks get 503.
 */
export const createDenialRecorder = (database: Database, log: Log) => {
  let waiting: DenialRecord[] = [];
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let oldestAt = 0;
  let abandoned = false;

  const insert = (batch: DenialRecord[]) => database.query(insertSql, [JSON.stringify(batch)]);

  const write = async (): Promise<void> => {
    let size = perStatement;
    while (waiting.length > 0 && !abandoned) {
      const startedAt = performance.now();
      const batch = waiting.slice(0, size);
      try {
        await insert(batch);
        waiting = waiting.slice(batch.length);
        oldestAt = startedAt;
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
      if (waiting.length === 0) oldestAt = performance.now();
      for (const record of records) waiting.push(record);
      if (waiting.length >= heldBackAt || performance.now() - oldestAt > heldBackAfterMs) await flush();
      else timer ??= setTimeout(() => void flush(), flushEveryMs);
    },
    /** Writes what waits, for as long as `withinMs`; what could not be written by then is given up, and its number logged. */
    stop: async (withinMs: number): Promise<void> => {
      const { promise: tooLate, resolve } = Promise.withResolvers<void>();
      const patience = setTimeout(resolve, withinMs);
      await Promise.race([flush(), tooLate]);
      clearTimeout(patience);
      abandoned = true;
      if (waiting.length > 0) log.error({ denials: waiting.length }, 'denials could not be written before the end');
    },
    drained: flush,
    waiting: () => waiting.length,
  };
};

export type DenialRecorder = ReturnType<typeof createDenialRecorder>;
