import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { processMark } from './data-folder.ts';
import { give, inside, type RunAs } from './embedded-postgres-user.ts';

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  fsync: 'on',
  synchronous_commit: 'on',
  // The server's own log must hold no personal data: neither the statement that failed nor the value that was refused.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/**
 * Makes the database cluster `<home>/data` and `<home>/password`, its superuser's. Under another name until it is
 * whole, so that a start cut short leaves nothing half.
 */
export const initialise = async (home: string, binaries: string, user: RunAs): Promise<void> => {
  const fresh = join(home, 'data.new');
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
  renameSync(fresh, join(home, 'data'));
};

/**
 * Starts the server on `data`, in a session of its own so that Ctrl-C reaches us alone. Resolves to its pid once it is
 * ready (after a crash: has recovered), or to what it complained of.
 */
export const launch = async (options: {
  data: string;
  binaries: string;
  user: RunAs;
  port: number;
  logFile: string;
  waitMs: number;
}): Promise<number | string> => {
  const { data, logFile } = options;
  const { name, options: placed } = inside(data, options.user);
  const output = openSync(logFile, 'w', 0o600);
  const given = Object.entries({ ...settings, port: String(options.port) });
  const child = spawn(
    join(options.binaries, 'bin', 'postgres'),
    ['-D', name, ...given.flatMap(([key, value]) => ['-c', `${key}=${value}`])],
    { ...placed, detached: true, stdio: ['ignore', output, output] },
  );
  closeSync(output);
  child.unref();
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  const giveUpAt = performance.now() + options.waitMs;
  while (performance.now() < giveUpAt) {
    if (failure !== undefined) return failure.message;
    if (child.exitCode !== null) return readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
    const running = runningServer(data);
    if (running !== undefined && running.ready && running.pid === child.pid) return running.pid;
    await sleep(20);
  }
  return 'it was not ready in time';
};

/** The server that runs on `data`, by the file that PostgreSQL keeps there; one that names a stranger is removed. */
export const runningServer = (data: string): { pid: number; port: number; ready: boolean } | undefined => {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  // One item a line: pid, folder, start, port, socket folder, address, shared memory, state.
  const lines = readFileSync(file, 'utf8').split('\n');
  const pid = Number(lines[0]);
  if (processMark(pid) === undefined) return undefined;
  if (worksOn(pid, data)) return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
  rmSync(file); // the machine was restarted: the pid is another program's, and PostgreSQL would refuse to start
  return undefined;
};

const worksOn = (pid: number, data: string): boolean => {
  if (process.platform === 'linux') {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
    } catch {
      return false; // it has just ended, or is another user's: the server would be readable for us
    }
  }
  if (process.platform !== 'darwin') return true;
  return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(data);
};

/** Ends a server as PostgreSQL's `fast` stop does and, if that takes longer than `waitMs`, as `immediate`. */
export const endServer = async (pid: number, waitMs: number): Promise<void> => {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    process.kill(pid, signal);
    for (const giveUpAt = performance.now() + waitMs; performance.now() < giveUpAt; await sleep(10)) {
      if (processMark(pid) === undefined) return;
    }
  }
};
