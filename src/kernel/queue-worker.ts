export type QueueWorker = {
  start(): void;
  /** Call after a commit that queued something: work begins within milliseconds instead of at the next look. */
  wake(): void;
  /** Takes no more and resolves when all that is under way has been written back. */
  stop(): Promise<void>;
};

/**
 * Works on a queue that lies in a table: looks every `everyMs` and when woken, takes at most `maxInFlight` pieces at once and looks again when
 * one ends. `take` leases up to `free` pieces and answers what is to be done with each; `failed` hears what either throws.
 */
export const createQueueWorker = (deps: {
  everyMs: number;
  maxInFlight: number;
  take(free: number): Promise<(() => Promise<void>)[]>;
  failed(error: unknown): void;
}): QueueWorker => {
  const underWay = new Set<Promise<void>>();
  let running = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    do {
      lookAgain = false;
      const free = deps.maxInFlight - underWay.size;
      if (free <= 0) return; // each piece that ends looks again
      for (const work of await deps.take(free)) {
        const piece = work()
          .catch(deps.failed)
          .finally(() => {
            underWay.delete(piece);
            wake();
          });
        underWay.add(piece);
      }
    } while (lookAgain);
  };

  const wake = (): void => {
    if (!running) return;
    lookAgain = true;
    looking ??= look()
      .catch(deps.failed)
      .finally(() => {
        looking = undefined;
        if (lookAgain) wake();
      });
  };

  return {
    wake,
    start: () => {
      running = true;
      timer = setInterval(wake, deps.everyMs);
      wake();
    },
    stop: async () => {
      running = false;
      lookAgain = false;
      clearInterval(timer);
      await looking;
      await Promise.all(underWay);
    },
  };
};
