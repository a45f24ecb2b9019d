import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertDurable, connect, DatabaseNotDurable, type Database } from '../src/kernel/database/client.ts';
import { forgetCopy, runnableBinaries } from '../src/kernel/embedded-postgres-binaries.ts';
import { inside, serverUser } from '../src/kernel/embedded-postgres-user.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/kernel/embedded-postgres.ts';
import { startTestApp } from './support/app.ts';
import { freshDatabase, superuserUrl } from './support/database.ts';

/** As `url`, on a new connection: settings of a role come with the connection. */
const judge = async (url: string): Promise<void> => {
  const database = connect(url, { connections: 1, name: 'durable' });
  try {
    await assertDurable(database);
  } finally {
    await database.end();
  }
};

let server: Database;
beforeAll(() => {
  server = connect(superuserUrl(), { connections: 1 });
});
afterAll(() => server.end());

test.each(['app', 'keys'] as const)(
  'the service does not start on a database (%s) that answers before an event is on the disk, and says what to set',
  async (store) => {
    const database = await freshDatabase();
    const url = database.urls[store];
    const name = new URL(url).pathname.slice(1);
    try {
      await judge(url);
      await server.script(`alter role askfirst_app in database "${name}" set synchronous_commit = off`);
      await expect(judge(url)).rejects.toThrow(DatabaseNotDurable);
      await expect(startTestApp({ database })).rejects.toThrow(
        'PostgreSQL runs with synchronous_commit off: an acknowledged event could be lost; set it to on',
      );
      // What a standby knows is another question: `local` is on this disk.
      await server.script(`alter role askfirst_app in database "${name}" set synchronous_commit = local`);
      await judge(url);
    } finally {
      await database.drop();
    }
  },
);

/** A small server of this test's own, whose data may be lost. */
const withServer = async (use: (own: EmbeddedPostgres, home: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'askfirst-durable-'));
  const own = await startEmbeddedPostgres({ dataFolder: folder, log: { info: () => {}, warn: () => {} } });
  try {
    await use(own, join(folder, 'postgres'));
  } finally {
    await own.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

test('a server that can tear pages is refused; the embedded one does not let go of what it wrote, whatever it is told', () =>
  withServer(async (own) => {
    const url = own.superuserUrl('postgres');
    const administrator = connect(url, { connections: 1 });
    try {
      await judge(url);
      for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
        await administrator.query(`alter system set ${setting} = off`);
      await administrator.query('select pg_reload_conf()');
      // The postmaster takes a signal for it; new connections get the setting once it has.
      await expect
        .poll(() => judge(url).then(() => 'durable', String), { timeout: 10_000 })
        .toContain('PostgreSQL runs with full_page_writes off');
    } finally {
      await administrator.end();
    }
  }));

test('a server that lets go of what it wrote is refused', () =>
  withServer(async (own, home) => {
    const url = own.superuserUrl('postgres');
    const user = serverUser(home);
    await own.stop();
    const { name, options } = inside(join(home, 'data'), user);
    const risky = spawn(
      join(runnableBinaries(home, user), 'bin', 'postgres'),
      ['-D', name, '-c', `port=${own.port}`, '-c', 'fsync=off', '-c', 'unix_socket_directories='],
      { ...options, stdio: 'ignore' },
    );
    const ended = once(risky, 'exit');
    try {
      await expect
        .poll(() => judge(url).then(() => 'durable', String), { timeout: 30_000 })
        .toContain('PostgreSQL runs with fsync off: an acknowledged event could be lost; set it to on');
    } finally {
      risky.kill('SIGINT');
      await ended;
      forgetCopy(home);
    }
  }));
