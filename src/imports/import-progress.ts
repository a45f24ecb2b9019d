import type { Database } from '../kernel/database/client.ts';
import { releaseLease, renewLease, takeLease } from '../kernel/database/lease.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ids } from '../kernel/ids.ts';
import { ImportInterrupted, ImportRunning } from './errors.ts';
import type { Source } from './open-source.ts';
import { newTally, type Tally } from './tally.ts';

const lease = 'import';
const leaseSeconds = 5;

export type Progress = {
  /** Lines that an earlier run has done, and what they came to. */
  linesDone: number;
  tally: Tally;
  /** Keeps what was done so far. Throws ImportInterrupted when another import has begun meanwhile. */
  keep(linesDone: number, tally: Tally): Promise<void>;
  finish(): Promise<void>;
  /** Lets another import begin. */
  release(): Promise<void>;
};

/** Of two at once one wins. One that was killed holds the lease for a few seconds more, so this waits a little longer than that. */
const acquire = async (database: Database): Promise<number> => {
  for (let waited = 0; ; waited++) {
    const token = await takeLease(database, lease, leaseSeconds);
    if (token !== undefined) return token;
    if (waited > leaseSeconds * 2 + 2) throw new ImportRunning();
    await sleep(500);
  }
};

/**
 * Begins an import, or goes on with the same one where it stopped. One that was finished begins anew and adds nothing twice. Throws ImportRunning
 * while another one runs.
 */
export const beginImport = async (database: Database, ids: Ids, source: Source): Promise<Progress> => {
  const token = await acquire(database);
  const beat = setInterval(() => void renewLease(database, lease, token, leaseSeconds).catch(() => {}), 1_500).unref();
  const hash = source.hash.toString('hex');
  const [row] = await database.query<{ id: string; linesDone: string; counts: Partial<Tally> }>(
    `insert into import_run (id, source, format) values ($1, decode($2, 'hex'), $3)
     on conflict (source) do update set
       lines_done = case when import_run.finished_at is null then import_run.lines_done else 0 end,
       counts = case when import_run.finished_at is null then import_run.counts else '{}' end,
       finished_at = null
     returning id, lines_done as "linesDone", counts`,
    [ids.uuid(), hash, source.format],
  );
  const { id, linesDone, counts } = row!;
  const update = async (set: string, values: string[]): Promise<void> => {
    const rows = await database.query(
      `update import_run set ${set} where id = $1 and exists (select from lease where name = $2 and token = $3) returning id`,
      [id, lease, token, ...values],
    );
    if (rows.length === 0) throw new ImportInterrupted('another import has begun');
  };
  return {
    linesDone: Number(linesDone),
    tally: { ...newTally(), ...counts },
    keep: (lines, tally) =>
      update('lines_done = $4::bigint, counts = $5::text::jsonb', [String(lines), JSON.stringify(tally)]),
    finish: () => update('finished_at = now()', []),
    release: async () => {
      clearInterval(beat);
      await releaseLease(database, lease, token);
    },
  };
};
