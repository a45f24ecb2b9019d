import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { differences, snapshot } from '../scripts/check-generated.ts';
import { exampleFile, table, withTable } from '../scripts/generate-environment.ts';
import { lockfileProblems } from '../scripts/check-lockfile.ts';
import { checkClientPackage, checkRooms } from '../scripts/check-rooms.ts';
import { environmentSchema } from '../src/config.ts';

const root = join(import.meta.dirname, '..');
const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

/** A small checkout of the given files. */
const checkout = (files: Record<string, string>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'askfirst checks '));
  made.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
};

const violationsOf = (file: string, text: string): string[] =>
  checkRooms(checkout({ [`src/${file}`]: text })).violations;

test.each([
  ['upwards', 'kernel/a.ts', `import { b } from '../consent/index.ts'`, 'kernel lies below consent'],
  [
    'upwards for a type',
    'policies/a.ts',
    `import type { B } from '../subjects/index.ts'`,
    'policies lies below subjects',
  ],
  ['upwards by a re-export', 'http/a.ts', `export * from '../policies/index.ts'`, 'http lies below policies'],
  ['upwards by a named re-export', 'http/a.ts', `export { a } from '../policies/index.ts'`, 'http lies below policies'],
  ['upwards by import()', 'consent/a.ts', `await import('../linkage/index.ts')`, 'consent lies below linkage'],
  [
    'upwards by the type of a module',
    'consent/a.ts',
    `let a: import('../systems/index.ts').A`,
    'consent lies below systems',
  ],
  [
    'upwards to what assembles the rooms',
    'linkage/a.ts',
    `import '../config.ts'`,
    'lies below the files that assemble',
  ],
  ['past the face of a lower room', 'linkage/a.ts', `import { t } from '../consent/table.ts'`, 'only consent/index.ts'],
  ['past the face, from the top', 'main.ts', `import { t } from './consent/table.ts'`, 'only consent/index.ts'],
  ['past the face, from a part of the top', 'cli/a.ts', `import '../consent/table.ts'`, 'only consent/index.ts'],
  ['upwards to a part of the top', 'linkage/a.ts', `import '../cli/a.ts'`, 'lies below the files that assemble'],
  ['past the face, in a unit test', 'consent/a.test.ts', `import '../subjects/table.ts'`, 'only subjects/index.ts'],
  ['out of the sources', 'kernel/a.ts', `import { x } from '../../test/support/x.ts'`, 'outside of src/'],
  ['from the client to the server', 'client/a.ts', `import type { A } from '../kernel/a.ts'`, 'client imports nothing'],
  ['from the server to the client', 'http/a.ts', `import { a } from '../client/index.ts'`, 'server imports nothing'],
  ['from a room without a place', 'helpers/a.ts', `import { a } from '../kernel/a.ts'`, 'helpers has no place'],
])('the rooms rule finds an import %s', (_, file, text, reason) => {
  expect(violationsOf(file, text)).toEqual([expect.stringContaining(reason)]);
});

test.each([
  ['down, by the face', 'linkage/a.ts', `import { a } from '../consent/index.ts'`],
  ['down, into a room that is open', 'linkage/deep/a.ts', `import { a } from '../../kernel/database/client.ts'`],
  ['inside of a room', 'consent/a.ts', `import { a } from './table.ts'`],
  ['from the top, by the face', 'main.ts', `import { a } from './linkage/index.ts'`],
  ['upwards in a unit test, by the face', 'consent/a.test.ts', `import { a } from '../linkage/index.ts'`],
  ['of a package', 'kernel/a.ts', `import { z } from 'zod'`],
])('the rooms rule allows an import %s', (_, file, text) => {
  expect(checkRooms(checkout({ [`src/${file}`]: text }))).toEqual({ files: 1, imports: 1, violations: [] });
});

test('the rooms rule fails when there was nothing to look at', () => {
  const empty = checkout({ 'src/client/package.json': '{}' });
  mkdirSync(join(empty, 'scripts'));
  cpSync(join(root, 'scripts/check-rooms.ts'), join(empty, 'scripts/check-rooms.ts'));
  symlinkSync(join(root, 'node_modules'), join(empty, 'node_modules'));
  const run = spawnSync(process.execPath, [join(empty, 'scripts/check-rooms.ts')], { encoding: 'utf8' });
  expect(run.stderr).toContain('only 0 files with 0 imports were found');
  expect(run.status).toBe(1);
});

test('the rooms rule sees every source file of ours, and finds nothing to complain of', () => {
  const { files, imports, violations } = checkRooms(root);
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(violations).toEqual([]);
  expect(files).toBe(sources.length);
  expect(imports).toBeGreaterThan(files);
});

test('the client may import only what its own package brings', () => {
  const folder = checkout({
    'src/client/package.json': '{"dependencies":{"standardwebhooks":"1.0.0"},"peerDependencies":{"hono":"4"}}',
    'src/client/index.ts': `import 'standardwebhooks'; import 'hono/factory'; import 'node:crypto'; import 'zod'`,
    'src/client/index.test.ts': `import 'vitest'`,
  });
  expect(checkClientPackage(folder)).toEqual([expect.stringMatching(/^src\/client\/index\.ts imports zod:/)]);
});

test('a lockfile that is loud, leaves a platform out or names a registry is refused', () => {
  const manifest = { version: '1.0.0', dependencies: { a: '^1.0.0', b: '1.0.0' }, allowScripts: { b: false } };
  const client = { version: '1.0.1', dependencies: { b: '2.0.0' } };
  const problems = lockfileProblems(manifest, client, {
    packages: {
      '': {},
      'node_modules/a': {
        version: '1.0.0',
        integrity: 'x',
        hasInstallScript: true,
        optionalDependencies: { win: '1', lin: '1' },
      },
      'node_modules/b': {
        version: '1.0.0',
        integrity: 'x',
        hasInstallScript: true,
        deprecated: 'old',
        resolved: 'https://registry',
      },
      'node_modules/a/node_modules/lin': { integrity: 'x' },
      'node_modules/c': { version: '1.0.0' },
    },
  });
  expect(problems).toEqual([
    expect.stringContaining('asks for a ^1.0.0'),
    expect.stringContaining('src/client/package.json asks for b 2.0.0'),
    expect.stringContaining('another version'),
    'node_modules/a needs win on some platform: not locked',
    expect.stringContaining('node_modules/a has an install script'),
    expect.stringContaining('node_modules/b names a registry'),
    'node_modules/b is deprecated: old',
    'node_modules/a/node_modules/lin is locked to no version',
    'node_modules/c has no checksum',
  ]);
});

test('a generated file that changed, went or came is noticed', () => {
  const folder = checkout({ 'openapi/a.json': '1', 'openapi/b.json': '1', 'README.md': '1', 'other.md': '1' });
  const paths = ['openapi', 'README.md', 'not/there'];
  const before = snapshot(folder, paths);
  writeFileSync(join(folder, 'openapi/a.json'), '2');
  rmSync(join(folder, 'openapi/b.json'));
  writeFileSync(join(folder, 'openapi/c.json'), '1');
  writeFileSync(join(folder, 'other.md'), '2');
  expect(differences(before, snapshot(folder, paths))).toEqual(['openapi/a.json', 'openapi/b.json', 'openapi/c.json']);
});

test('the table and the example of the environment name every variable of config.ts, and the README keeps its other text', () => {
  for (const name of Object.keys(environmentSchema.shape)) {
    expect(exampleFile()).toMatch(new RegExp(`^#${name}=`, 'm'));
    expect(table()).toContain(`| \`${name}\` |`);
  }
  const [start, end] = ['<!-- environment: generated from src/config.ts -->', '<!-- environment: end -->'];
  const readme = withTable(`before\n${start}\nstale\n${end}\nafter`);
  expect(readme).toMatch(/^before\n<!--.*PORT.*-->\nafter$/s);
  expect(readme).not.toContain('stale');
  expect(withTable(readme)).toBe(readme);
  expect(() => withTable('no marks')).toThrow('README.md needs the lines');
});

test('lint finds a query that nobody awaits, an ambient clock, and the environment read outside of config.ts', () => {
  const folder = checkout({
    'src/kernel/query.ts': `
      import { drizzle } from 'drizzle-orm/postgres-js';
      const orm = drizzle.mock();
      export const forgotten = async (): Promise<void> => {
        orm.delete({} as never);
        await orm.delete({} as never);
      };`,
    'src/kernel/time.ts': `export const a = new Date(); export const b = Date.now();`,
    'src/kernel/environment.ts': `import { env } from 'node:process'; export const a = process.env['A'] ?? env['A'];`,
    'src/config.ts': `export const a = process.env['A'];`,
    'src/client/time.ts': `export const now = (): number => Date.now();`,
  });
  for (const name of ['.oxlintrc.json', 'tsconfig.json']) cpSync(join(root, name), join(folder, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const run = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['-f', 'unix', 'src'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const found = run.stdout
    .split('\n')
    .flatMap((line) => /^(\S+?):(\d+):.*\/(.*)\]$/.exec(line)?.slice(1).join(' ') ?? []);
  expect(found.toSorted((a, b) => a.localeCompare(b))).toEqual([
    'src/kernel/environment.ts 1 eslint(no-restricted-imports)',
    'src/kernel/environment.ts 1 node(no-process-env)',
    'src/kernel/query.ts 5 typescript(no-floating-promises)',
    'src/kernel/time.ts 1 eslint(no-restricted-globals)',
    'src/kernel/time.ts 1 eslint(no-restricted-globals)',
  ]);
  expect(run.status).toBe(1);
});

test.each([
  [
    'all is well',
    0,
    { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, testResults: [] },
    0,
    '3 passed, 0 failed, 1 skipped',
  ],
  ['a test fails', 0, { numPassedTests: 3, numFailedTests: 1, testResults: [] }, 1, '3 passed, 1 failed, 0 skipped'],
  ['a check fails', 1, { numPassedTests: 3, numFailedTests: 0, testResults: [] }, 1, '3 passed, 0 failed, 0 skipped'],
  [
    'the set-up of a file fails',
    0,
    { numPassedTests: 3, numFailedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] },
    1,
    '3 passed, 1 failed, 0 skipped',
  ],
  ['the tests do not even start', 0, undefined, 1, '0 passed, 1 failed, 0 skipped'],
])('.ci/run ends with the counts and says by its status whether %s', (_, check, report, status, last) => {
  const failed = report === undefined || report.numFailedTests + report.testResults.length > 0;
  const folder = checkout({
    'report.json': report === undefined ? '' : JSON.stringify(report),
    // Stands for npm: what it would install, check and test is not the subject here.
    'bin/npm': `#!/bin/sh
      case "$1" in run) exit ${check};; test) for last; do :; done; cat report.json > "\${last#*=}"; exit ${failed ? 1 : 0};; esac`,
  });
  chmodSync(join(folder, 'bin/npm'), 0o755);
  cpSync(join(root, '.ci/run'), join(folder, '.ci/run'));
  const run = spawnSync(join(folder, '.ci/run'), {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin` },
  });
  expect(run.stderr).toBe('');
  expect(run.stdout.trimEnd().split('\n').at(-1)).toBe(last);
  expect(run.status).toBe(status);
});

const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find(
  (path) =>
    existsSync(path) &&
    Number.parseInt(spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout) < 26,
);

test.runIf(oldNode !== undefined)('on an older Node a script says in words what to do', () => {
  const preflight = join(root, 'scripts/need-node-26.cjs');
  const run = spawnSync(oldNode!, ['-r', preflight, '-e', 'console.log("it ran")'], { encoding: 'utf8' });
  expect(run.status).toBe(1);
  expect(run.stdout).toBe('');
  expect(run.stderr).toMatch(
    /Askfirst needs Node 26; this is Node \d+.*npm ci.*--omit=optional.*https:\/\/nodejs\.org/s,
  );
});

test('the preflight is written for any Node: no syntax and no module that an old one lacks', () => {
  const preflight = join(root, 'scripts/need-node-26.cjs');
  expect(spawnSync(process.execPath, ['-r', preflight, '-e', '']).status).toBe(0);
  const lint = spawnSync(join(root, 'node_modules/.bin/tsc'), [
    '--allowJs',
    '--checkJs',
    '--noEmit',
    '--target',
    'es5',
    preflight,
  ]);
  expect(lint.stdout.toString()).not.toMatch(/only available when targeting/);
});
