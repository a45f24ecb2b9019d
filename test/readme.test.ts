import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { startEmbeddedPostgres } from '../src/kernel/embedded-postgres.ts';
import { bareEnvironment, runSource, startServiceProcess } from './support/command.ts';
import { blocks, expectPromised, promised, readme, scriptOf } from './support/readme.ts';

const folder = mkdtempSync(join(tmpdir(), 'askfirst-readme-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what the README tells to type into a shell works in that order against a real service, and prints what it says', async () => {
  const service = await startServiceProcess({ ASKFIRST_DATA: join(folder, 'data') });
  try {
    const typed = blocks('sh').filter(({ word }) => word === 'runs');
    expect(typed.length).toBeGreaterThan(5);
    const script = scriptOf(typed);
    expect(script).toContain('http://127.0.0.1:8080');
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-euc', script.replaceAll('http://127.0.0.1:8080', service.url)],
      { cwd: projectFolder, env: bareEnvironment({ ASKFIRST_DATA: join(folder, 'data'), TMPDIR: folder }) },
    );
    expectPromised(typed, stdout);
    expect(typed.flatMap(({ text }) => promised(text)).length).toBeGreaterThan(10);
  } finally {
    await service.stop();
  }
});

test('the SQL for a server of its own makes what the service needs, with roles apart; with one role for all it says so', async () => {
  const server = await startEmbeddedPostgres({
    dataFolder: join(folder, 'server'),
    log: { info: () => {}, warn: console.warn },
  });
  try {
    const { text } = blocks('sql').find(({ word }) => word === 'roles')!;
    const administrator = postgres(server.superuserUrl('postgres'), { max: 1, onnotice: () => {} });
    for (const statement of text
      .replaceAll(/<(\w+)>/g, 'password-of-$1')
      .split(';\n')
      .filter(Boolean))
      await administrator.unsafe(statement);
    await administrator.end();

    const url = (role: string, database: string) =>
      `postgres://askfirst_${role}:password-of-${role}@127.0.0.1:${server.port}/${database}`;
    const keys = { KEY_ENCRYPTION_KEYS: newKeyEncryptionKey(1) };
    const apart = {
      DATABASE_URL: url('app', 'askfirst'),
      KEYS_DATABASE_URL: url('app', 'askfirst_keys'),
      REAPER_DATABASE_URL: url('reaper', 'askfirst'),
    };
    const owners = {
      MIGRATOR_DATABASE_URL: url('owner', 'askfirst'),
      MIGRATOR_KEYS_DATABASE_URL: url('owner', 'askfirst_keys'),
    };
    const migrated = await runSource('cli.ts', ['migrate'], { env: { ...apart, ...owners, ...keys } });
    expect(migrated.code, migrated.stderr).toBe(0);
    const shared = { DATABASE_URL: url('owner', 'askfirst'), KEYS_DATABASE_URL: url('owner', 'askfirst_keys') };
    for (const [environment, roles] of [
      [apart, 'separate'],
      [shared, 'shared'],
    ] as const) {
      const service = await startServiceProcess({ ...environment, ...keys });
      const readiness = await (await fetch(`${service.url}/readyz`)).json();
      expect(await service.stop()).toBe(0);
      expect(readiness).toMatchObject({ status: 'ready', roles });
    }
  } finally {
    await server.stop();
  }
});

test('the policies that the README shows are those of the pack, word for word', () => {
  const shown = blocks('yaml');
  expect(shown.length).toBeGreaterThan(1);
  const words = (yaml: string) => yaml.replaceAll(/\s+/g, ' ').trim();
  for (const { word, text } of shown)
    expect(words(readFileSync(join(projectFolder, word), 'utf8')).includes(words(text)), text).toBe(true);
});

test('every file that the README names is there, and its first two commands are scripts of the package', () => {
  const named = readme
    .matchAll(/\]\((?!https?:)([^)#]+)\)/g)
    .map(([, path]) => path!)
    .toArray();
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !existsSync(join(projectFolder, path)))).toEqual([]);
  const { text } = blocks('sh')[0]!;
  const { scripts } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as { scripts: object };
  expect(text.match(/^npm ci && npm (run )?\w+/gm)).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test', 'start', 'askfirst', 'bench']));
});
