import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createLogStream } from './log-stream.ts';

const file = () => join(mkdtempSync(join(tmpdir(), 'askfirst-log-')), 'log');
const lineOf = (i: number) => `{"line":${i},"text":"${'ü'.repeat(20)}"}\n`;

test('a line is written out within a second', async () => {
  const path = file();
  const stream = createLogStream(openSync(path, 'w'));
  stream.write(lineOf(1));
  await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe(lineOf(1)), { timeout: 1000 });
  await stream.end();
});

test('many lines come whole, in their order, and all of them before the end', async () => {
  const path = file();
  const stream = createLogStream(openSync(path, 'w'));
  for (let i = 0; i < 20_000; i++) stream.write(lineOf(i));
  await stream.end();
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).line)).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
});

const program = (body: string) => [
  '--input-type=module',
  '-e',
  `import { createLogStream } from ${JSON.stringify(join(import.meta.dirname, 'log-stream.ts'))};
   const stream = createLogStream(); ${body}`,
];

test('what waits when the process ends is written', () => {
  const { stdout } = spawnSync(process.execPath, program(`stream.write('last words\\n'); process.exit(3)`), {
    encoding: 'utf8',
  });
  expect(stdout).toBe('last words\n');
});

test('a reader that stands still costs a bounded amount of memory and is told later how much it missed', async () => {
  const child = spawn(
    process.execPath,
    program(`
      const line = 'x'.repeat(1023) + '\\n';
      for (let i = 0; i < 40_000; i++) { stream.write(line); if (i % 500 === 0) await new Promise((r) => setImmediate(r)); }
      process.stderr.write('written ' + process.memoryUsage().rss + '\\n');
      process.stdin.on('data', async () => { await new Promise((r) => setTimeout(r, 600)); await stream.end(); process.exit(); });
    `),
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let out = '';
  const said = await new Promise<string>((resolve) => child.stderr.once('data', (text) => resolve(String(text))));
  expect(Number(said.split(' ')[1])).toBeLessThan(300 * 1024 * 1024);
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stdin.write('go');
  await new Promise((closed) => child.once('close', closed));
  const dropped = /"msg":"log lines were dropped","count":(\d+)/.exec(out)?.[1];
  const arrived = out.split('\n').filter((line) => line.startsWith('x')).length;
  expect(arrived + Number(dropped)).toBe(40_000);
});
