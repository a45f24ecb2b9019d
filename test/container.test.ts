import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema, readConfig } from '../src/config.ts';
import { startEmbeddedPostgres } from '../src/kernel/embedded-postgres.ts';

type Service = { environment: Record<string, string>; command?: string[] };

const root = join(import.meta.dirname, '..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const { services } = parse(readFileSync(join(root, 'compose.yaml'), 'utf8')) as { services: Record<string, Service> };

/** The variables of a service as compose would fill them in from `.env`. */
const filled = (service: string, values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(services[service]!.environment).map(([name, text]) => [
      name,
      text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, variable: string, kind?: string, otherwise?: string) => {
        const value = values[variable] ?? (kind === '-' ? otherwise : undefined);
        if (value === undefined) throw new Error(`${variable} is not given`);
        return value;
      }),
    ]),
  );

const dotEnv = {
  SUPERUSER_PASSWORD: 'superuser-0123456789',
  OWNER_PASSWORD: 'owner-0123456789ab',
  APP_PASSWORD: 'app-0123456789012',
  REAPER_PASSWORD: 'reaper-0123456789',
  AUDITOR_PASSWORD: 'auditor-0123456789',
  KEY_ENCRYPTION_KEYS: `1:${Buffer.alloc(32).toString('base64')}`,
};

test('everything that the image copies from the checkout is there and is not ignored', () => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  const copied = dockerfile
    .matchAll(/^COPY (?!--from)(.+) \S+$/gm)
    .flatMap(([, sources]) => sources!.split(' '))
    .toArray();
  expect(copied.length).toBeGreaterThan(5);
  for (const source of copied) {
    expect(existsSync(join(root, source)), source).toBe(true);
    expect(ignored).toContain(`!${source.split('/')[0]}`);
  }
});

test('the image runs Node 26 as a user without rights and says how it is', () => {
  expect(dockerfile.match(/^FROM .*$/gm)).toEqual(['FROM node:26-slim AS dependencies', 'FROM node:26-slim']);
  expect(dockerfile).toMatch(/^USER node$/m);
  expect(dockerfile).toMatch(/^HEALTHCHECK /m);
});

test('compose gives the service variables that it knows, and such that it can start', () => {
  const environment = filled('askfirst', dotEnv);
  expect(Object.keys(environmentSchema.shape)).toEqual(expect.arrayContaining(Object.keys(environment)));
  const { settings, secrets } = readConfig({ HOST: '0.0.0.0', ...environment });
  expect(settings.baseUrl).toBe('http://localhost:8080');
  expect(secrets.urls).toMatchObject({ app: environment['DATABASE_URL'], owner: environment['MIGRATOR_DATABASE_URL'] });
});

test('the roles and databases that compose makes are those that it gives the service, also the second time', async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'askfirst compose '));
  const server = await startEmbeddedPostgres({ dataFolder, log: { info: () => {}, warn: () => {} } });
  try {
    const environment = { ...filled('roles', dotEnv), SUPERUSER_DATABASE_URL: server.superuserUrl('postgres') };
    for (const round of ['first', 'second']) {
      const made = spawnSync(process.execPath, services['roles']!.command!.slice(1), {
        cwd: root,
        env: environment,
        encoding: 'utf8',
      });
      expect(`${round}: ${made.stderr}`).toBe(`${round}: `);
    }
    const urls = Object.entries(filled('askfirst', dotEnv)).filter(([name]) => name.endsWith('DATABASE_URL'));
    expect(urls).toHaveLength(5);
    for (const [name, text] of urls) {
      const url = new URL(text);
      url.host = `127.0.0.1:${server.port}`;
      const sql = postgres(url.href, { max: 1 });
      const [row] = await sql<{ at: string }[]>`select current_user || ' at ' || current_database() as at`;
      await sql.end();
      expect(row?.at, name).toBe(`${url.username} at ${url.pathname.slice(1)}`);
    }
  } finally {
    await server.stop();
    rmSync(dataFolder, { recursive: true });
  }
});

test('passwords that would not survive in a URL are refused by name, never by value', () => {
  const environment = { ...filled('roles', dotEnv), APP_PASSWORD: 'p@ss/word-0123456789' };
  const made = spawnSync(process.execPath, ['scripts/provision.ts'], { cwd: root, env: environment, encoding: 'utf8' });
  expect(made.status).toBe(1);
  expect(made.stderr).toMatch(/^APP_PASSWORD: at least 16 /);
  expect(made.stderr).not.toContain('p@ss');
});
