import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { exclusively, leaveNote, livingNotes, processMark } from './data-folder.ts';
import { forgetCopy, runnableBinaries } from './embedded-postgres-binaries.ts';
import { endServer, initialise, launch, runningServer } from './embedded-postgres-server.ts';
import { serverUser } from './embedded-postgres-user.ts';

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
type Server = { pid: number; port: number; password: string };

/** Longest wait for a start, with the recovery after a crash, and for an end. */
const patienceMs = 120_000;

/**
 * Starts PostgreSQL on `<dataFolder>/postgres`, or joins the one that runs there: started by another process of ours
 * or left behind by one that was killed. Makes the folder at the first start. While this process holds it, a server
 * that dies is started again on the same port. For development and small single-machine use: loopback, SCRAM, one
 * superuser whose password lies in a file that only the server's user (and root) can read.
 */
export const startEmbeddedPostgres = async (options: { dataFolder: string; log: Log }): Promise<EmbeddedPostgres> => {
  const { log } = options;
  const dataFolder = resolve(options.dataFolder);
  const home = join(dataFolder, 'postgres');
  const users = join(dataFolder, 'users');
  const use = leaveNote(users);
  const { server, reused } = await exclusively(dataFolder, 'starting', () => ensureServer(dataFolder, log)).catch(
    (error: unknown) => {
      use.withdraw();
      throw error;
    },
  );

  let stopped = false;
  let { pid } = server;
  let restart: Promise<void> | undefined;
  const watch = setInterval(() => {
    if (restart !== undefined || processMark(pid) !== undefined) return;
    log.warn('the embedded PostgreSQL has died; starting it again');
    restart = exclusively(dataFolder, 'starting', async () => {
      if (!stopped) ({ pid } = (await ensureServer(dataFolder, log, server.port)).server);
    })
      .catch((error: unknown) => log.warn((error as Error).message))
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
        use.withdraw();
        if (livingNotes(users).length > 0) return;
        const running = runningServer(join(home, 'data'));
        if (running !== undefined) await endServer(running.pid, patienceMs / 2);
        forgetCopy(home);
      });
    },
  };
};

/** Joins the running server or starts one; nobody else does so meanwhile. With `onlyPort` on that port or not at all. */
const ensureServer = async (
  dataFolder: string,
  log: Log,
  onlyPort?: number,
): Promise<{ server: Server; reused: boolean }> => {
  const home = join(dataFolder, 'postgres');
  const data = join(home, 'data');
  const readPassword = (): string => readFileSync(join(home, 'password'), 'utf8');
  const user = serverUser(home);
  const giveUpAt = performance.now() + patienceMs;
  let complaint = '';
  do {
    const running = runningServer(data);
    if (running !== undefined) {
      const server = { ...running, password: readPassword() };
      // One that is stopping just now refuses: then we wait for its end and start our own.
      if (running.ready && (await answers(server))) return { server, reused: true };
      complaint = `the one with pid ${running.pid} does not answer`;
    } else {
      const binaries = runnableBinaries(home, user);
      if (!existsSync(data)) await initialise(home, binaries, user);
      const port = onlyPort ?? (await usablePort(home));
      const waitMs = giveUpAt - performance.now();
      const started = await launch({ data, binaries, user, port, waitMs, logFile: join(dataFolder, 'postgres.log') });
      if (typeof started === 'number') {
        log.info(`embedded PostgreSQL runs on 127.0.0.1:${port} (pid ${started}), its data lie in ${data}`);
        return { server: { pid: started, port, password: readPassword() }, reused: false };
      }
      complaint = started;
      // The children of a killed server need a moment to notice, and a port can be taken between our look and its use.
      if (!/still in use|lock file .* already exists|Address already in use/.test(complaint)) break;
    }
    await sleep(50);
  } while (performance.now() < giveUpAt);
  throw new Error(`The embedded PostgreSQL in ${home} did not start: ${complaint}`);
};

const superuserUrl = ({ port, password }: Server, database: string): string =>
  `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

const answers = async (server: Server): Promise<boolean> => {
  const sql = postgres(superuserUrl(server, 'postgres'), { max: 1, connect_timeout: 5 });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
};

/** The port of the last time if it is free, else any; written down so that a URL that somebody noted stays right. */
const usablePort = async (home: string): Promise<number> => {
  const note = join(home, 'port');
  const kept = existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0;
  const port = (await freePort(kept)) ?? (await freePort(0)) ?? 0;
  writeFileSync(note, String(port));
  return port;
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
