import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from './errors.ts';

/** A second service was started on a data folder that one already serves. */
export class DataFolderInUse extends AppError {
  constructor(folder: string, pid: number, url: string | undefined) {
    const where = url === undefined ? '' : `, ${url}`;
    super('kernel.data-folder-in-use', 'conflict', `Askfirst already runs on this data folder: pid ${pid}${where}`, {
      member: folder,
    });
  }
}

/** What a process leaves in a folder to be seen by others; it counts for as long as that very process lives. */
type Note = { pid: number; mark: string; url?: string };
type OwnNote = { withdraw(): void };

/**
 * Tells the process that now has this pid from any other that ever had it (after a reboot or in a restarted container
 * small pids repeat): boot and start time on Linux, start time on macOS. `undefined` when there is no such process.
 */
export const processMark = (pid: number): string | undefined => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  try {
    if (process.platform === 'darwin') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        env: { LC_ALL: 'C' },
      }).trim();
    }
    if (process.platform !== 'linux') return 'alive';
    // proc(5): the name in brackets may itself hold brackets and spaces; state is field 3, start time field 22.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return undefined;
  }
};

/** Makes a folder in the data folder, and that too: whatever the umask, PostgreSQL's user must get through it. */
const makeFolder = (folder: string): void => {
  const dataFolder = dirname(folder);
  if (!existsSync(dataFolder)) {
    mkdirSync(dataFolder, { recursive: true });
    chmodSync(dataFolder, 0o711);
  }
  mkdirSync(folder, { recursive: true });
};

/** Leaves a note of this process. Its name is never used again, so whoever finds it dead may remove it. */
export const leaveNote = (folder: string, url?: string): OwnNote & { name: string } => {
  makeFolder(folder);
  const name = `${process.pid}-${randomUUID()}.json`;
  const path = join(folder, name);
  const note: Note = { pid: process.pid, mark: processMark(process.pid)!, ...(url === undefined ? {} : { url }) };
  writeFileSync(`${path}.new`, JSON.stringify(note));
  renameSync(`${path}.new`, path);
  return { name, withdraw: () => rmSync(path, { force: true }) };
};

/** The notes of processes that live; those of dead ones are removed on the way. */
export const livingNotes = (folder: string): (Note & { name: string })[] => {
  makeFolder(folder);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const path = join(folder, name);
      let note: Note;
      try {
        note = JSON.parse(readFileSync(path, 'utf8')) as Note;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // withdrawn since it was listed
        throw error;
      }
      if (processMark(note.pid) === note.mark) return [{ ...note, name }];
      rmSync(path, { force: true });
      return [];
    });
};

/**
 * Waits until this process alone has a note in the folder. Mutual exclusion without a lock that could go stale: each
 * writes first and looks second, so of two at least one sees the other, and who sees another steps back.
 * Resolves to the other's note when it is still there after `waitMs`.
 */
const occupy = async (folder: string, waitMs: number, url?: string): Promise<OwnNote | Note> => {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    let other: Note | undefined = livingNotes(folder)[0];
    if (other === undefined) {
      const own = leaveNote(folder, url);
      other = livingNotes(folder).find(({ name }) => name !== own.name);
      if (other === undefined) return own;
      own.withdraw();
    }
    if (performance.now() > giveUpAt) return other;
    await sleep(10 + Math.random() * 40);
  }
};

/** Runs `work` while no other process runs `work` under the same name on this data folder. */
export const exclusively = async <T>(dataFolder: string, name: string, work: () => Promise<T>): Promise<T> => {
  const own = await occupy(resolve(dataFolder, name), 180_000);
  if (!('withdraw' in own)) throw new DataFolderInUse(dataFolder, own.pid, own.url);
  try {
    return await work();
  } finally {
    own.withdraw();
  }
};

/**
 * Makes this process the one service on the data folder until `withdraw()` or its death, however it dies.
 * `url` is what a second start tells its user. Throws `DataFolderInUse` with the pid and address of the first.
 */
export const claimDataFolder = async (dataFolder: string, { url }: { url: string }): Promise<OwnNote> => {
  const own = await occupy(resolve(dataFolder, 'running'), 400, url);
  if (!('withdraw' in own)) throw new DataFolderInUse(dataFolder, own.pid, own.url);
  return own;
};
