import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { createDenialRecorder, type DenialRecord } from '../src/decisions/record-denials.ts';
import type { Database } from '../src/kernel/database/client.ts';
import { DatabaseUnavailable } from '../src/kernel/database/errors.ts';
import { createLog } from '../src/kernel/log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'askfirst life '));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = (environment: Record<string, string>): ChildProcess & { said(): string } => {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [join(projectFolder, 'src/main.ts')], {
    cwd: folder,
    env: {
      PATH,
      HOME,
      ASKFIRST_DATA: join(folder, 'data'),
      ASKFIRST_POLICIES: join(projectFolder, 'policies'),
      PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const output of [child.stdout, child.stderr]) output!.on('data', (data: Buffer) => (text += data.toString()));
  return Object.assign(child, { said: () => text });
};

/** Of the database server that lies in the folder; undefined when it has ended cleanly (it takes its file with it) or never began. */
const postgresPid = (): number | undefined => {
  const file = join(folder, 'data/postgres/data/postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
};

test('a start that fails because its port is taken says so and leaves no database running', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as { port: number };
  const child = start({ PORT: String(port) });
  const [code] = (await once(child, 'exit')) as [number];
  squatter.close();
  expect(code).toBe(1);
  expect(child.said()).toContain('EADDRINUSE');
  expect(postgresPid()).toBeUndefined();
});

test('Ctrl-C while it is starting ends it cleanly, the database with it', async () => {
  const child = start({});
  await expect.poll(() => postgresPid(), { timeout: 60_000, interval: 10 }).toBeDefined();
  child.kill('SIGINT');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  expect(postgresPid()).toBeUndefined();
});

test('SIGTERM ends a running service cleanly, and the next start finds its data', async () => {
  for (let run = 0; run < 2; run++) {
    const child = start({});
    await expect.poll(() => child.said(), { timeout: 60_000, interval: 20 }).toContain('is ready');
    expect(postgresPid()).toBeDefined();
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
    expect(postgresPid()).toBeUndefined();
  }
});

const denial = (id: number): DenialRecord => ({
  subject_id: '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11',
  id: `019aa5c2-6a10-7c3e-9f41-${String(id).padStart(12, '0')}`,
  system: 'crm',
  action: 'link',
  purpose: 'profile-linking',
  policy_digest: 'x',
  facts: {},
  rules: [],
  decided_at: '2026-11-21T00:00:00Z',
});

const silent = createLog({ level: 'silent', stream: process.stdout, personal: new Set() });

test('denials that no database takes hold up an end for no longer than it has patience', async () => {
  const gone: Pick<Database, 'query'> = { query: () => Promise.reject(new DatabaseUnavailable()) };
  const denials = createDenialRecorder(gone as Database, silent);
  await denials.record([denial(1)]);
  const began = performance.now();
  await denials.stop(300);
  expect(performance.now() - began).toBeLessThan(2_000);
});

test('an answer waits for the database when the denials of the last 150 ms are not yet written, so that a crash loses no more than those', async () => {
  const { promise: written, resolve: write } = Promise.withResolvers<never[]>();
  const slow: Pick<Database, 'query'> = { query: () => written };
  const denials = createDenialRecorder(slow as Database, silent);
  await denials.record([denial(1)]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  let answered = false;
  const held = denials.record([denial(2)]).then(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(answered).toBe(false);
  write([]);
  await held;
  expect(denials.waiting()).toBe(0);
});
