import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { exclusively, leaveNote, livingNotes, processMark } from './data-folder.ts';
import { canEnter, forgetCopy, runnableBinaries, type RunAs } from './embedded-postgres-binaries.ts';

export type EmbeddedPostgres = {
  /** TCP port on 127.0.0.1; kept over restarts. */
  readonly port: number;
  /** True when a server that already ran on this folder was taken over, whoever had started it. */
  readonly reused: boolean;
  /** Connection URL of the superuser, with its password: never for a log. */
  superuserUrl(database: string): string;
  /** Lets go of the server; it ends cleanly when no other living process uses it. */
  stop(): Promise<void>;
};

type Log = { info(message: string): void; warn(message: string): void };

/** Longest wait for a start, with the recovery after a crash, and for a clean end. */
const patienceMs = 120_000;

/** Nothing of our environment reaches the server: no PGDATA, no PGPORT, no locale that this machine does not have. */
const environment = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' };

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  fsync: 'on',
  synchronous_commit: 'on',
  // The server's own log must hold no personal data: neither the statement that failed nor the value that was refused.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/**
 * Starts PostgreSQL on `<dataFolder>/postgres`, or joins the one that runs there: started by another process of ours
 * or left behind by one that was killed. Makes the folder at the first start. While this process holds it, a server
 * that dies is started again on the same port. For development and small single-machine use: loopback, SCRAM, one
 * superuser whose password lies in a file that only the server's user (and root) can read.
 */
export const startEmbeddedPostgres = async (options: { dataFolder: string; log: Log }): Promise<EmbeddedPostgres> => {
  const { log } = options;
  const dataFolder = resolve(options.dataFolder);
  const place = placeIn(dataFolder);
  const users = join(dataFolder, 'users');
  if (!existsSync(dataFolder)) {
    mkdirSync(dataFolder, { recursive: true });
    chmodSync(dataFolder, 0o711); // whatever the umask: the server's user must get through, and need not list it
  }
  const { own, server, reused } = await exclusively(dataFolder, 'starting', async () => {
    const own = leaveNote(users);
    try {
      return { own, ...(await ensureServer(place, log)) };
    } catch (error) {
      own.withdraw();
      throw error;
    }
  });

  let stopped = false;
  let pid = server.pid;
  let restart: Promise<void> | undefined;
  const watch = setInterval(() => {
    if (restart !== undefined || processMark(pid) !== undefined) return;
    log.warn('the embedded PostgreSQL has died; starting it again');
    restart = exclusively(dataFolder, 'starting', async () => {
      if (!stopped) pid = (await ensureServer(place, log, server.port)).server.pid;
    })
      .catch((error: unknown) => log.warn(`the embedded PostgreSQL did not start: ${(error as Error).message}`))
      .finally(() => (restart = undefined));
  }, 250).unref();

  return {
    port: server.port,
    reused,
    superuserUrl: (database) => superuserUrl(server, database),
    stop: async () => {
      if (stopped) return;
      stopped = true;
      clearInterval(watch);
      await restart;
      await exclusively(dataFolder, 'starting', async () => {
        own.withdraw();
        if (livingNotes(users).length > 0) return;
        const running = runningServer(place.data);
        if (running !== undefined) await endServer(running.pid);
        forgetCopy(place.home);
      });
    },
  };
};

type Server = { pid: number; port: number; password: string };
type Place = { dataFolder: string; home: string; data: string };

const placeIn = (dataFolder: string): Place => {
  const home = join(dataFolder, 'postgres');
  return { dataFolder, home, data: join(home, 'data') };
};

const superuserUrl = ({ port, password }: Server, database: string): string =>
  `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

/** Joins the running server or starts one; nobody else does so meanwhile. With `onlyPort` on that port or not at all. */
const ensureServer = async (
  place: Place,
  log: Log,
  onlyPort?: number,
): Promise<{ server: Server; reused: boolean }> => {
  const { home, data } = place;
  const user = serverUser(home);
  const giveUpAt = performance.now() + patienceMs;
  let complaint = '';
  do {
    const running = runningServer(data);
    if (running !== undefined) {
      const server = { ...running, password: readPassword(home) };
      // One that is stopping just now refuses: then we wait for its end and start our own.
      if (running.ready && (await answers(server))) return { server, reused: true };
      complaint = `the one with pid ${running.pid} does not answer`;
    } else {
      const binaries = runnableBinaries(home, user);
      if (!existsSync(data)) await initialise(place, binaries, user);
      const port = onlyPort ?? (await usablePort(home));
      const started = await launch(place, binaries, user, port, giveUpAt);
      if (typeof started === 'number') {
        log.info(`embedded PostgreSQL runs on 127.0.0.1:${port} (pid ${started}), its data lie in ${data}`);
        return { server: { pid: started, port, password: readPassword(home) }, reused: false };
      }
      complaint = started;
      // The children of a killed server need a moment to notice, and a port can be taken between our look and its use.
      if (!/still in use|lock file .* already exists|Address already in use/.test(complaint)) break;
    }
    await sleep(50);
  } while (performance.now() < giveUpAt);
  throw new Error(`The embedded PostgreSQL in ${home} did not start: ${complaint}`);
};

const readPassword = (home: string): string => readFileSync(join(home, 'password'), 'utf8');

/** PostgreSQL refuses to run as root: then as the folder's owner, at first as `nobody`. Makes the folder. */
const serverUser = (home: string): RunAs => {
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

const give = (path: string, { uid, gid }: RunAs): void => {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
};

/**
 * Options to run a PostgreSQL program in a folder, and the folder's name for it. Root may keep the data where the
 * server's user cannot come by any path (a checkout under /root); Linux then lends it the folder as its working one.
 */
const inside = (
  folder: string,
  user: RunAs,
): { name: string; options: { cwd: string; env: NodeJS.ProcessEnv } & RunAs } => {
  const options = { cwd: folder, env: environment, ...user };
  if (canEnter(folder, user)) return { name: folder, options };
  if (process.platform === 'linux') return { name: '/proc/self/cwd', options };
  throw new Error(`The user that PostgreSQL runs as cannot enter ${folder}: name another folder in ASKFIRST_DATA.`);
};

/** Makes the database cluster. Under another name until it is whole, so that a start cut short leaves nothing half. */
const initialise = async ({ home, data }: Place, binaries: string, user: RunAs): Promise<void> => {
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  const password = join(home, 'password');
  rmSync(password, { force: true });
  writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
  give(fresh, user);
  give(password, user);
  const { name, options } = inside(fresh, user);
  const locale = ['-E', 'UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const secret = ['-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${name}/../password`];
  await promisify(execFile)(join(binaries, 'bin', 'initdb'), ['-D', name, ...locale, ...secret], options);
  renameSync(fresh, data);
};

/** The port of the last time if it is free, else any; written down so that a URL that was noted stays right. */
const usablePort = async (home: string): Promise<number> => {
  const note = join(home, 'port');
  const kept = existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0;
  const port = (await freePort(kept)) ?? (await freePort(0));
  writeFileSync(note, String(port));
  return port!;
};

const freePort = (wanted: number): Promise<number | undefined> =>
  new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(undefined));
    probe.listen(wanted, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });

/** Starts the server in a session of its own, so that Ctrl-C reaches us alone. Its pid once ready, else its complaint. */
const launch = async (
  { dataFolder, data }: Place,
  binaries: string,
  user: RunAs,
  port: number,
  giveUpAt: number,
): Promise<number | string> => {
  const { name, options } = inside(data, user);
  const logFile = join(dataFolder, 'postgres.log');
  const output = openSync(logFile, 'w', 0o600);
  const given = Object.entries({ ...settings, port: String(port) }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  const child = spawn(join(binaries, 'bin', 'postgres'), ['-D', name, ...given], {
    ...options,
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  let complaint: string | undefined;
  child.once('error', ({ message }) => (complaint = message));
  child.once('exit', () => (complaint = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n')));
  while (complaint === undefined && performance.now() < giveUpAt) {
    const running = runningServer(data);
    if (running !== undefined && running.ready && running.pid === child.pid) return running.pid;
    await sleep(20);
  }
  return complaint ?? 'it was not ready in time';
};

/** The server that runs on these data, by the file that PostgreSQL keeps there; one that names a stranger is removed. */
const runningServer = (data: string): { pid: number; port: number; ready: boolean } | undefined => {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  // One item a line: pid, folder, start, port, socket folder, address, shared memory, state.
  const [pid = NaN, , , port = NaN, , , , state = ''] = readFileSync(file, 'utf8').split('\n') as (
    string | undefined
  )[];
  if (processMark(Number(pid)) === undefined) return undefined;
  if (worksOn(Number(pid), data))
    return { pid: Number(pid), port: Number(port), ready: String(state).trim() === 'ready' };
  rmSync(file); // the machine was restarted: the pid is another program's, and PostgreSQL would refuse to start
  return undefined;
};

const worksOn = (pid: number, data: string): boolean => {
  if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  if (process.platform !== 'darwin') return true;
  return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(data);
};

const answers = async (server: Server): Promise<boolean> => {
  const sql = postgres(superuserUrl(server, 'postgres'), { max: 1, connect_timeout: 5 });
  return sql`select 1`
    .then(
      () => true,
      () => false,
    )
    .finally(() => sql.end({ timeout: 1 }));
};

/** Ends the server as PostgreSQL's `fast` stop does, after that, if it does not end, as `immediate`. */
const endServer = async (pid: number): Promise<void> => {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    process.kill(pid, signal);
    const giveUpAt = performance.now() + patienceMs / 2;
    while (performance.now() < giveUpAt) {
      if (processMark(pid) === undefined) return;
      await sleep(10);
    }
  }
};
