import { watch } from 'node:fs';
import { testPolicies } from '../policies/index.ts';
import { folderOr } from './policies.ts';
import { remark } from './print.ts';

/** An editor that saves touches a file several times. */
const debounceMs = 100;

const run = async (folder: string): Promise<boolean> => {
  const { ok, text } = await testPolicies(folder);
  process[ok ? 'stdout' : 'stderr'].write(text);
  return ok;
};

/** Plays the cases once, or with `watching` again at each change of a file, until it is interrupted. Needs no database. */
export const test = async (given: string | undefined, watching: boolean): Promise<boolean> => {
  const folder = folderOr(given);
  if (!watching) return run(folder);
  const interrupted = Promise.withResolvers<void>();
  let wanted = false;
  let running: Promise<unknown> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const again = async (): Promise<void> => {
    while (wanted) {
      wanted = false;
      await run(folder);
    }
  };
  const changed = () => {
    wanted = true;
    running ??= again()
      .catch(interrupted.reject)
      .finally(() => (running = undefined));
  };
  // Before the first run, so that no change after it is missed.
  const watcher = watch(folder, { recursive: true }, (_event, file) => {
    if (file !== null && !file.endsWith('.yaml')) return;
    clearTimeout(timer);
    timer = setTimeout(changed, debounceMs);
  });
  watcher.on('error', interrupted.reject);
  process.once('SIGINT', interrupted.resolve);
  process.once('SIGTERM', interrupted.resolve);
  remark(`Watching ${folder}; Ctrl-C ends it.`);
  changed();
  try {
    await interrupted.promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
    await running;
  }
  return true;
};
