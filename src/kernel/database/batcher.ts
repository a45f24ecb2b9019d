import { AppError } from '../errors.ts';

export class Overloaded extends AppError {
  constructor() {
    super('database.overloaded', 'unavailable', 'too many calls wait for the database', { retryAfterSeconds: 1 });
  }
}

export class DeadlinePassed extends AppError {
  constructor() {
    super('database.deadline-passed', 'unavailable', 'the database did not answer in time', { retryAfterSeconds: 1 });
  }
}

type Waiting<Item, Result> = {
  item: Item;
  deadlineAt: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
};

export type Batcher<Item, Result> = {
  /** Waits for the answer to one item. `first` puts it before the others (withdrawals have their own lane). */
  submit(item: Item, first?: boolean): Promise<Result>;
  /** Items that wait or are under way. */
  size(): number;
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>;
};

/**
 * Turns many small calls into few statements: what arrives while `maxInFlight` statements are under way becomes the next one.
 * An item never joins a statement that has already been sent, so a read always begins after its caller did (promise 1).
 *
 * `run` answers one settled result per item, in order. An item whose deadline has passed, or that finds `maxWaiting` before it, is refused
 * with 503 rather than answered late. Items of the same `key` never share a statement.
 */
export const createBatcher = <Item, Result>(options: {
  run(items: Item[]): Promise<PromiseSettledResult<Result>[]>;
  maxItems: number;
  maxInFlight: number;
  maxWaiting?: number;
  deadlineMs: number;
  key?(item: Item): string;
}): Batcher<Item, Result> => {
  const { run, maxItems, maxInFlight, deadlineMs, key } = options;
  const maxWaiting = options.maxWaiting ?? 20_000;
  const urgent: Waiting<Item, Result>[] = [];
  let queue: Waiting<Item, Result>[] = [];
  const sent = new Set<Waiting<Item, Result>[]>();
  let inFlight = 0;
  let underWay = 0;
  let scheduled = false;
  let watch: NodeJS.Timeout | undefined;
  let idle: (() => void)[] = [];

  const takeBatch = (): Waiting<Item, Result>[] => {
    const now = performance.now();
    const batch: Waiting<Item, Result>[] = [];
    const keys = new Set<string>();
    const later: Waiting<Item, Result>[] = [];
    const consider = (waiting: Waiting<Item, Result>, over: Waiting<Item, Result>[]) => {
      if (waiting.deadlineAt < now) return waiting.reject(new DeadlinePassed());
      const itemKey = key?.(waiting.item);
      if (batch.length === maxItems || (itemKey !== undefined && keys.has(itemKey))) return void over.push(waiting);
      if (itemKey !== undefined) keys.add(itemKey);
      batch.push(waiting);
    };
    for (const waiting of urgent.splice(0)) consider(waiting, urgent);
    let index = 0;
    for (; index < queue.length && batch.length < maxItems; index++) consider(queue[index]!, later);
    queue = later.length === 0 ? queue.slice(index) : later.concat(queue.slice(index));
    return batch;
  };

  /** A frozen server answers nothing, not even an error: whoever waited too long is told so, sent or not. A later answer finds nobody. */
  const expire = () => {
    const now = performance.now();
    const expired = (waiting: Waiting<Item, Result>) => waiting.deadlineAt < now;
    for (const list of [urgent, queue, ...sent])
      for (const waiting of list) if (expired(waiting)) waiting.reject(new DeadlinePassed());
    queue = queue.filter((waiting) => !expired(waiting));
    urgent.splice(0, urgent.length, ...urgent.filter((waiting) => !expired(waiting)));
  };

  const settle = (batch: Waiting<Item, Result>[], results: PromiseSettledResult<Result>[]) => {
    batch.forEach((waiting, index) => {
      const result = results[index]!;
      if (result.status === 'fulfilled') waiting.resolve(result.value);
      else waiting.reject(result.reason);
    });
  };

  const flush = () => {
    scheduled = false;
    while (inFlight < maxInFlight && urgent.length + queue.length > 0) {
      const batch = takeBatch();
      if (batch.length === 0) break;
      inFlight++;
      underWay += batch.length;
      sent.add(batch);
      run(batch.map((waiting) => waiting.item))
        .then(
          (results) => settle(batch, results),
          (error: unknown) => batch.forEach((waiting) => waiting.reject(error)),
        )
        .finally(() => {
          inFlight--;
          underWay -= batch.length;
          sent.delete(batch);
          flush();
        });
    }
    if (inFlight === 0 && urgent.length + queue.length === 0) {
      idle.forEach((resolve) => resolve());
      idle = [];
      clearInterval(watch);
      watch = undefined;
    }
  };

  return {
    submit: (item, first = false) =>
      new Promise<Result>((resolve, reject) => {
        if (!first && queue.length >= maxWaiting) return reject(new Overloaded());
        (first ? urgent : queue).push({ item, deadlineAt: performance.now() + deadlineMs, resolve, reject });
        watch ??= setInterval(expire, deadlineMs / 4).unref();
        if (scheduled || inFlight >= maxInFlight) return;
        scheduled = true;
        // One turn of the event loop: what arrives in the same read of the socket joins the same statement.
        setImmediate(flush);
      }),
    size: () => urgent.length + queue.length + underWay,
    drained: () =>
      urgent.length + queue.length + inFlight === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => idle.push(resolve)),
  };
};
