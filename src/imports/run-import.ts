import type { Clock } from '../kernel/clock.ts';
import type { PolicySets } from '../policies/index.ts';
import { claimPlan, recordPlan, type ApplyDeps, type Claimed } from './apply-plan.ts';
import { ImportInterrupted } from './errors.ts';
import { beginImport } from './import-progress.ts';
import type { Entry, Source } from './open-source.ts';
import { planBatch, readBatch, type Batch, type PlanDeps, type Reading, type UnderWay } from './plan-batch.ts';
import { newTally, type Problem, type Tally } from './tally.ts';

/** Large enough that a statement's own cost is little beside that of its rows, small enough to be a blink. */
const linesPerBatch = 1_000;

/** Who wants to know how it goes: after every batch, `bytes` of the file that were read. */
export type Watcher = { batch(bytes: number, lines: number): void; problems(found: readonly Problem[]): void };

const inBatches = async function* (entries: AsyncIterable<Entry>, skip: number): AsyncGenerator<Entry[]> {
  let batch: Entry[] = [];
  let passed = 0;
  for await (const entry of entries) {
    if (passed++ < skip) continue;
    batch.push(entry);
    if (batch.length < linesPerBatch) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
};

/** Reads the next one while the last one is worked on. */
const ahead = async function* <T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  // Whoever stops half-way never looks at it.
  next.catch(() => {});
  for (;;) {
    const { done, value } = await next;
    if (done) return;
    next = items.next();
    next.catch(() => {});
    yield value;
  }
};

const batchesOf = (
  deps: Pick<PlanDeps, 'secrets'>,
  reading: Reading,
  source: Source,
  clock: Clock,
  skip = 0,
): AsyncGenerator<Batch> =>
  ahead(
    (async function* () {
      for await (const entries of inBatches(source.entries(), skip))
        yield readBatch(
          deps,
          reading,
          entries,
          clock.now().round({ smallestUnit: 'microsecond', roundingMode: 'floor' }),
        );
    })(),
  );

const add = (sum: Tally, { answers, unproven, leftOut, ...counts }: Tally): void => {
  for (const [name, count] of Object.entries(counts)) sum[name as keyof typeof counts] += count;
  for (const [into, from] of [
    [sum.answers, answers],
    [sum.unproven, unproven],
    [sum.leftOut, leftOut],
  ] as const)
    for (const [name, count] of Object.entries(from)) into[name] = (into[name] ?? 0) + count;
};

/** Reads everything, changes nothing: what `applyImport` would come to. */
export const previewImport = async (
  deps: PlanDeps & { clock: Clock },
  reading: Reading,
  source: Source,
  watcher: Watcher,
): Promise<Tally> => {
  const sum = newTally();
  for await (const batch of batchesOf(deps, reading, source, deps.clock)) {
    const { tally, problems } = await planBatch(deps, reading, batch);
    add(sum, tally);
    watcher.problems(problems);
    watcher.batch(batch.bytes, sum.lines);
  }
  return sum;
};

const planAndClaim = async (
  deps: ApplyDeps,
  reading: Reading,
  batch: Batch,
  underWay: UnderWay | undefined,
): Promise<Claimed> => {
  for (let attempt = 1; attempt <= 5; attempt++) {
    const claimed = await claimPlan(deps, reading, await planBatch(deps, reading, batch, underWay));
    if (claimed !== 'retry') return claimed;
  }
  throw new ImportInterrupted('others registered the same people at the same time');
};

const underWayOf = ({ people }: Claimed): UnderWay => ({
  subjectIds: new Set(people.map(({ state }) => state.subjectId)),
  eventIds: new Set(people.flatMap(({ events }) => events.map(({ id }) => id))),
});

/**
 * Imports a file batch by batch, from where an earlier run of the same stopped. What is in flight when it is killed is done again, and comes to
 * the same. Memory does not grow with the file. Errors: ImportRunning, ImportInterrupted, DatabaseUnavailable.
 */
export const applyImport = async (
  deps: ApplyDeps & { clock: Clock; policySets: PolicySets },
  reading: Reading,
  source: Source,
  watcher: Watcher & { resumed(lines: number): void },
): Promise<Tally> => {
  const progress = await beginImport(deps.database, deps.ids, source);
  try {
    let { linesDone } = progress;
    const { tally } = progress;
    if (linesDone > 0) watcher.resumed(linesDone);
    const record = async (batch: Batch, claimed: Claimed): Promise<void> => {
      const failed = await recordPlan(deps, reading, claimed, deps.clock.now());
      add(tally, claimed.plan.tally);
      tally.bad += failed.length;
      linesDone += batch.lines;
      watcher.problems([...claimed.plan.problems, ...failed]);
      await progress.keep(linesDone, tally);
      watcher.batch(batch.bytes, linesDone);
    };
    // While the database records one batch, we prepare the next.
    let recording = Promise.resolve();
    let underWay: UnderWay | undefined;
    for await (const batch of batchesOf(deps, reading, source, deps.clock, linesDone)) {
      // What was judged by one policy set must not be recorded under another.
      if ((await deps.policySets.current()).digest !== reading.catalogue.digest)
        throw new ImportInterrupted('another policy set was activated');
      const claimed = await planAndClaim(deps, reading, batch, underWay);
      await recording;
      underWay = underWayOf(claimed);
      recording = record(batch, claimed);
      // Looked at with the next batch.
      recording.catch(() => {});
    }
    await recording;
    await progress.finish();
    return tally;
  } finally {
    await progress.release();
  }
};
