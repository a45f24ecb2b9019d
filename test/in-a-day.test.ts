import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { bareEnvironment } from './support/command.ts';
import { blocks, expectPromised, promised, scriptOf, type Block } from './support/readme.ts';

const home = mkdtempSync(join(tmpdir(), 'askfirst-in-a-day-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

/** In place of an installed package, which test/client-package.test.ts packs and installs: Node looks for it in the folders above, too. */
const provideClient = () => {
  const folder = join(home, 'node_modules', 'askfirst');
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(projectFolder, 'src', 'client'), join(folder, 'source'));
  writeFileSync(join(folder, 'package.json'), '{ "exports": { "./client": "./source/index.ts" } }');
};

test('from an export of CiviCRM and of SuiteCRM to checks that hold: what the README’s day tells to type works in that order, and prints what it says', async () => {
  provideClient();
  const port = await freePort();
  const atPort = ({ word, text: shown }: Block): Block => ({
    word,
    text: shown.replaceAll('http://127.0.0.1:8080', `http://127.0.0.1:${port}`),
  });
  const typed = blocks('sh')
    .filter(({ word }) => word === 'in-a-day')
    .map(atPort);
  const file = blocks('ts')
    .filter(({ word }) => word === 'newsletter.ts')
    .map(atPort)[0]!;
  writeFileSync(join(home, file.word), file.text);
  // The service that was started ends with the shell; what the reader saves under its name lies in their folder.
  const before = `exec 2>&1; trap 'kill $! || :; wait' EXIT; trap 'exit 1' TERM`;
  const script = scriptOf(typed).replace('cd ~/bergwelt', `$& && mv ~/${file.word} .`);
  const shell = spawn('sh', ['-euc', `${before}\n${script}`], {
    cwd: projectFolder,
    env: bareEnvironment({ HOME: home, PORT: String(port) }),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => shell.once('close', resolve));
  onTestFinished(async () => {
    shell.kill();
    await ended;
  });
  const stdout = await text(shell.stdout);
  expect(await ended, stdout).toBe(0);
  expectPromised(typed, stdout);
  expect(typed.flatMap((block) => promised(block.text)).length).toBeGreaterThan(25);
  expect(readFileSync(join(home, 'bergwelt', 'summer-fair.svg'), 'utf8')).toMatch(/^<svg /);
  // Problems are told by line and rule, never with what stands there.
  expect(stdout).not.toMatch(/person\.\d+@/);
}, 300_000);
