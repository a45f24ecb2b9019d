import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

const root = join(import.meta.dirname, '..');

const start = (...options: string[]) =>
  spawn(process.execPath, [join(root, 'bench/run.ts'), ...options], {
    cwd: root,
    env: { ...process.env, BENCH_DATABASE_URL: inject('superuserUrl') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** `npm run bench` with these options on the server of this run: what it printed, how it ended. */
const bench = (...options: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = start(...options);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });

test('a short bench of right answers only prints the four figures with their ratios, as JSON and nothing else', async () => {
  const { code, stdout, stderr } = await bench('--subjects', '500', '--seconds', '1', '--rounds', '1', '--json');
  expect(code, stderr).toBe(0);
  const { figures, ...rest } = JSON.parse(stdout) as { figures: Record<string, unknown>[] };
  expect(rest).toEqual({});
  expect(figures.map(({ name }) => name)).toEqual(['echo', 'evaluation', 'evaluations-1000', 'consent']);
  for (const figure of figures) {
    const ratio = figure['name'] === 'consent' ? figure['ratioToInsert'] : figure['ratioToEcho'];
    for (const value of [figure['perSecond'], figure['p50Ms'], figure['p99Ms'], ratio]) {
      expect(value, JSON.stringify(figure)).toEqual(expect.any(Number));
      expect(value as number).toBeGreaterThan(0);
    }
    expect(figure['p99Ms'] as number).toBeGreaterThanOrEqual(figure['p50Ms'] as number);
  }
});

test('an option that bench does not know is refused in words, before a server is started', async () => {
  const { code, stdout, stderr } = await bench('--subjects', 'many');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/--subjects must be a number from 100 to/);
});

test.skipIf(process.platform === 'win32')('Ctrl-C ends it with all of its processes', async () => {
  const child = start('--subjects', '500', '--seconds', '1');
  const ended = new Promise((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) =>
    child.stderr.on('data', (text: Buffer) => text.toString().includes('measuring') && resolve()),
  );
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === child.pid)
    .map(([pid]) => pid!);
  expect(processes.length).toBeGreaterThanOrEqual(4);
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  for (const pid of processes) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});
