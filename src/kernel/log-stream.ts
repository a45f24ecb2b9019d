import { write, writeSync } from 'node:fs';

export type LogStream = {
  write(text: string): void;
  /** Writes out what is left. */
  end(): Promise<void>;
};

const blockCharacters = 65_536;
const patienceMs = 250;
/** What a reader that stands still may cost in memory; then lines are dropped, and their number is logged. */
const mostCharacters = 16 * 1024 * 1024;

/**
 * Where logs go, standard output unless told: in blocks of 64 KiB, at the latest after a quarter of a second, and what is
 * left when the process ends. A system call a line would cost a fifth of a request, and SonicBoom's blocks cost as much.
 */
export const createLogStream = (fd = 1): LogStream => {
  let pending = '';
  let dropped = 0;
  let writing: Promise<void> | undefined;

  const put = (block: Buffer): Promise<void> =>
    new Promise((resolve) => {
      write(fd, block, (error, written) => {
        // A full pipe says EAGAIN; any other error means that nobody reads, and nobody can be told.
        if (error?.code === 'EAGAIN') return void setTimeout(() => resolve(put(block)), 10);
        if (error === null && written < block.length) return resolve(put(block.subarray(written)));
        resolve();
      });
    });

  const drain = async (): Promise<void> => {
    while (pending !== '') {
      const block = Buffer.from(pending);
      pending = '';
      await put(block);
    }
  };

  /** One block is under way at a time, so that lines keep their order. */
  const flush = (): Promise<void> => (writing ??= drain().finally(() => (writing = undefined)));

  const atExit = (): void => {
    if (pending !== '') writeSync(fd, pending);
  };

  const timer = setInterval(() => {
    if (dropped > 0 && pending.length < mostCharacters) {
      pending += `{"level":"error","msg":"log lines were dropped","count":${dropped}}\n`;
      dropped = 0;
    }
    void flush();
  }, patienceMs).unref();
  process.once('exit', atExit);

  return {
    write: (text) => {
      if (pending.length >= mostCharacters) return void dropped++;
      pending += text;
      if (pending.length >= blockCharacters) void flush();
    },
    end: async () => {
      clearInterval(timer);
      await flush();
      process.off('exit', atExit);
    },
  };
};
