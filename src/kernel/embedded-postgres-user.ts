import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, statSync } from 'node:fs';

/** Who a program of PostgreSQL runs as; empty for ourselves. */
export type RunAs = { uid?: number; gid?: number };

/** Nothing of our environment reaches the server: no PGDATA, no PGPORT, no locale that this machine does not have. */
const environment = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Makes `home` unless it is there, and tells who the server on it must run as: PostgreSQL refuses root, so as the
 * folder's owner, at first as `nobody`.
 */
export const serverUser = (home: string): RunAs => {
  const us = process.getuid?.();
  const owner = statSync(home, { throwIfNoEntry: false });
  let user: RunAs = {};
  if (us === 0) {
    const nobody = (flag: string): number =>
      Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8', cwd: '/' }).stdout) || 65534;
    user = owner === undefined ? { uid: nobody('-u'), gid: nobody('-g') } : { uid: owner.uid, gid: owner.gid };
  } else if (us !== undefined && owner !== undefined && owner.uid !== us) {
    throw new Error(
      `${home} belongs to the user with id ${owner.uid}, and this process runs as ${us}: ` +
        'start Askfirst as the same user as before, or name another folder in ASKFIRST_DATA.',
    );
  }
  if (owner === undefined) {
    mkdirSync(home, { mode: 0o700 });
    give(home, user);
  }
  return user;
};

/** Makes a file or folder of ours the server's. */
export const give = (path: string, { uid, gid }: RunAs): void => {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
};

/** Whether that user can enter the folder: asked of the system, because modes alone miss ACLs and mounts. */
export const canEnter = (folder: string, user: RunAs): boolean =>
  user.uid === undefined || spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...user, cwd: '/' }).status === 0;

/**
 * Options to run a program of PostgreSQL in a folder, and the folder's name for it. Root may keep the data where the
 * server's user cannot come by any path (a checkout under /root); Linux then lends it the folder as its working one.
 */
export const inside = (
  folder: string,
  user: RunAs,
): { name: string; options: RunAs & { cwd: string; env: NodeJS.ProcessEnv } } => {
  const options = { cwd: folder, env: environment, ...user };
  if (canEnter(folder, user)) return { name: folder, options };
  if (process.platform === 'linux') return { name: '/proc/self/cwd', options };
  throw new Error(`The user that PostgreSQL runs as cannot enter ${folder}: name another folder in ASKFIRST_DATA.`);
};
