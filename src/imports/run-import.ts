import type { Clock } from '../kernel/clock.ts';
import type { PolicySets } from '../policies/index.ts';
import { applyPlan, type ApplyDeps } from './apply-plan.ts';
import { ImportInterrupted } from './errors.ts';
import { beginImport } from './import-progress.ts';
import type { Entry, Source } from './open-source.ts';
import { planBatch, readBatch, type Batch, type Plan, type PlanDeps, type Reading } from './plan-batch.ts';
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
    const { tally, problems } = await planBatch(deps, batch);
    add(sum, tally);
    watcher.problems(problems);
    watcher.batch(batch.bytes, sum.lines);
  }
  return sum;
};

const planAndApply = async (deps: ApplyDeps, reading: Reading, batch: Batch, now: Temporal.Instant): Promise<Plan> => {
  for (let attempt = 1; ; attempt++) {
    const plan = await planBatch(deps, batch);
    const failed = await applyPlan(deps, reading, plan, now);
    if (failed !== 'retry') {
      plan.tally.bad += failed.length;
      return { ...plan, problems: [...plan.problems, ...failed] };
    }
    if (attempt === 5) throw new ImportInterrupted('others registered the same people at the same time');
  }
};

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
    for await (const batch of batchesOf(deps, reading, source, deps.clock, linesDone)) {
      // What was judged by one policy set must not be recorded under another.
      if ((await deps.policySets.current()).digest !== reading.catalogue.digest)
        throw new ImportInterrupted('another policy set was activated');
      const plan = await planAndApply(deps, reading, batch, deps.clock.now());
      add(tally, plan.tally);
      linesDone += batch.lines;
      watcher.problems(plan.problems);
      await progress.keep(linesDone, tally);
      watcher.batch(batch.bytes, linesDone);
    }
    await progress.finish();
    return tally;
  } finally {
    await progress.release();
  }
};
