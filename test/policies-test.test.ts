import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { testPolicies } from '../src/policies/index.ts';
import { bareEnvironment } from './support/command.ts';
import { smallPolicies, withPolicies } from './support/small-policies.ts';

const cases = 'cases/cases.yaml';
const rules = 'linkage/rules.yaml';
const edited = (file: string, from: string, to: string): Record<string, string> => {
  const text = smallPolicies[file]!.replace(from, to);
  expect(text).not.toBe(smallPolicies[file]);
  return { ...smallPolicies, [file]: text };
};

test('a folder whose cases come out as they say is told so in one line', async () => {
  expect(await withPolicies(smallPolicies, testPolicies)).toEqual({
    ok: true,
    text: '3 cases of 3 rules come out as they say\n',
  });
});

test('a case that comes out otherwise shows which rules spoke, which should have, the facts, and where it is written', async () => {
  const { ok, text } = await withPolicies(
    edited(rules, 'some: { consent: live-no', 'some: { consent: expired'),
    testPolicies,
  );
  expect(ok).toBe(false);
  expect(text).toContain(
    [
      'case "a no on the way": expects deny, comes out as permit',
      '  permit yes fires',
      '  forbid no does not fire, expected',
      '    resource: social_identity',
    ].join('\n'),
  );
  expect(text).toContain('    chain[0].consent: live-no\n');
  expect(text).toMatch(/cases\/cases\.yaml:\d+: cases\[1\]\.expect: case "a no on the way" comes out as permit/);
});

test('a rule with a misspelt fact is a problem, and no case is blamed for it', async () => {
  const { ok, text } = await withPolicies(
    edited(rules, 'customer.consent: live-no', 'customer.consnt: live-no'),
    testPolicies,
  );
  expect(ok).toBe(false);
  expect(text).toContain('did you mean "customer.consent"');
  expect(text).not.toContain('comes out as');
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'askfirst watch '));
  for (const [path, text] of Object.entries(smallPolicies)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
});
afterAll(() => rm(folder, { recursive: true }));

test(
  'with --watch the cases are played again whenever a file is saved, until Ctrl-C',
  { timeout: 60_000 },
  async () => {
    const child = spawn(process.execPath, [join(projectFolder, 'src/cli.ts'), 'policies', 'test', folder, '--watch'], {
      env: bareEnvironment(),
      cwd: projectFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    /** Waits for words that were not there before the last call. */
    const says = async (words: string) => {
      await expect.poll(() => said, { timeout: 20_000 }).toContain(words);
      said = '';
    };
    try {
      await says('come out as they say');
      await writeFile(join(folder, cases), smallPolicies[cases]!.replace('expect: deny', 'expect: permit'));
      await says('case "a no on the way" comes out as deny');
      await writeFile(join(folder, cases), 'cases: [');
      await says('problem(s)');
      await writeFile(join(folder, cases), smallPolicies[cases]!);
      await says('3 cases of 3 rules come out as they say');
      child.kill('SIGINT');
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  },
);
