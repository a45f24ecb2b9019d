import { fork, type ChildProcess } from 'node:child_process';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type Child = {
  pid: number;
  /** Sends a message and waits for the next one that comes back. Rejects when the process ends first or takes longer than `waitMs`. */
  ask<Answer>(message: object, waitMs: number): Promise<Answer>;
  /** The next message that comes by itself. */
  next<Answer>(waitMs: number): Promise<Answer>;
  /** SIGTERM, and SIGKILL to one that does not end within ten seconds; by pid. */
  end(): Promise<void>;
};

const alive = new Map<ChildProcess, Child>();

// The last line of defence: whatever ends this process ends its children. They also end by themselves when our channel closes.
process.on('exit', () => {
  for (const child of alive.keys()) child.kill('SIGKILL');
});

/** Ends all that is still running. */
export const endChildren = async (): Promise<void> => {
  await Promise.all([...alive.values()].map((child) => child.end()));
};

/**
 * Starts a file of the bench in a process of its own with nothing of our environment but PATH and HOME, and a channel for messages. What it
 * prints goes to standard error.
 */
export const startChild = (
  file: URL,
  environment: Record<string, string> = {},
  nodeArguments: string[] = [],
): Child => {
  const name = basename(file.pathname);
  const child = fork(file, [], {
    cwd: join(import.meta.dirname, '..'),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
    execArgv: nodeArguments,
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    serialization: 'advanced',
  });
  const received: unknown[] = [];
  let waiting: { resolve(message: unknown): void; reject(error: Error): void } | undefined;
  let ended: Error | undefined;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.on('message', (message) => {
    if (!waiting) return void received.push(message);
    const { resolve } = waiting;
    waiting = undefined;
    resolve(message);
  });
  child.once('exit', (code, signal) => {
    alive.delete(child);
    ended = new Error(`${name} ended (${signal ?? `exit code ${code}`}) before it was told to`);
    waiting?.reject(ended);
  });
  const next = <Answer>(waitMs: number): Promise<Answer> =>
    new Promise<unknown>((resolve, reject) => {
      if (received.length > 0) return resolve(received.shift());
      if (ended) return reject(ended);
      const timer = setTimeout(() => reject(new Error(`${name} did not answer within ${waitMs} ms`)), waitMs);
      waiting = {
        resolve: (message) => (clearTimeout(timer), resolve(message)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
    }).then((message) => {
      const { problem } = message as { problem?: string };
      if (problem !== undefined) throw new Error(`${name}: ${problem}`);
      return message as Answer;
    });
  const handle: Child = {
    pid: child.pid!,
    next,
    ask: (message, waitMs) => {
      child.send(message);
      return next(waitMs);
    },
    end: async () => {
      if (ended) return;
      child.kill('SIGTERM');
      const done = await Promise.race([exited.then(() => true), sleep(10_000, false, { ref: false })]);
      if (!done) {
        child.kill('SIGKILL');
        await exited;
      }
    },
  };
  alive.set(child, handle);
  return handle;
};
