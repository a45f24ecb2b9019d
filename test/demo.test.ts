import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import decodeQR from 'qr/decode.js';
import { expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { visit } from '../src/demo/browser.ts';
import { processMark } from '../src/kernel/data-folder.ts';
import { bareEnvironment, runSource } from './support/command.ts';

/** Two demos, and a machine that does other things too. */
const patient = { timeout: 300_000 };

const escape = String.fromCharCode(27);

/** What the chapters must tell, in this order. */
const told = [
  /^ {2}1 {2}Two systems get in$/m,
  /← 200 in \d+ ms {2}token_type: Bearer, expires_in: 300$/m,
  /^ {7}DENY {2}person-unknown\n {7}This person is not known here\./m,
  /^ {5}← 201 in \d+ ms {2}action: give, /m,
  /^ {5}\$ askfirst receipts verify .*\n {7}PROVED$/m,
  /^ {7}DENY {2}link-needs-proof\n {7}It is not proved that the Facebook account belongs to this person\./m,
  /POST \/v1\/challenges\/seen\n.*\n {5}← 200 /,
  /^ {7}PERMIT {2}proved-account\n/m,
  /POST \/v1\/links\n[\s\S]*?← 201 in \d+ ms {2}linkId: [\w-]+, status: active$/m,
  /^ {7}DENY {2}nobody-is-unmasked\n/m,
  /^ {7}DENY {2}every-hop-is-asked\n.* own: X\. /m,
  /^ {7}DENY {2}a-likely-match-asks-a-human\n[\s\S]*?obligation: human-review$/m,
  /POST \/v1\/consents\/withdraw\n[\s\S]*?← 201 in \d+ ms {2}action: withdraw, /m,
  /^ {7}DENY {2}no-means-no\n/m,
  /type: obligation\.unlink, .*\n {5}← 200 {2}acknowledged: true\n {7}\d+ ms from withdrawal to silence\.$/m,

  /^ {2}── Eva signs up on a poster ─+$/m,
  /Eva’s browser {2}POST \/ask\/spring-fair\n.*pressed: “Ja, .*”\n {5}← 200 .*page: Noch ein Schritt$/m,
  /^ {5}✉ to eva@example\.org {2}“Ihr Code für .*”\n[\s\S]*?\n {9}[0-9A-Z]{4}-[0-9A-Z]{4}\n/m,
  /topic: events, .*\n.* decision: false\n {7}DENY {2}confirmation-pending\n/,
  /POST \/ask\/spring-fair\/confirm\n {7}code: [0-9A-Z]{4}-[0-9A-Z]{4}, .*\n {5}← 200 .*page: Danke$/m,
  /topic: events, .*\n.* decision: true\n {7}PERMIT {2}agreement-given\n/,

  /^ {2}── One click ─+$/m,
  /^ {5}✉ to eva@example\.org {2}“Spring fair on the alp”\n/m,
  /^ {7}List-Unsubscribe: <http:.*\n {7}List-Unsubscribe-Post: List-Unsubscribe=One-Click$/m,
  /scanner {2}GET \/u\/…\n {5}← 200 .*\n.*\n.*\n.*topic: events, .*\n.* decision: true\n {7}PERMIT {2}agreement-given\n/,
  /mail provider {2}POST .*\n {7}List-Unsubscribe: One-Click\n {5}← 200 in \d+ ms\n/,
  /topic: events, .*\n.* decision: false\n {7}DENY {2}no-means-no\n/,
  /^ {7}\d+ ms from the click to the next check’s no\.$/m,
  /topic: culture, .*\n.* decision: true\n {7}PERMIT {2}agreement-given\n/,

  /^ {2}── A browser that says no ─+$/m,
  /recipient: example-hotels}\n.* decision: true\n {7}PERMIT {2}agreement-given\n/,
  /GET \/no\/…\n {7}sec-gpc: 1\n {5}← 200 /,
  /recipient: example-hotels}\n.* decision: false\n {7}DENY {2}no-means-no\n/,
  /POST \/v1\/consents\n.*\n.*\n {5}← 201 .*action: give, [\s\S]*?GET \/no\/…\n {7}sec-gpc: 1\n {5}← 200 /,
  /recipient: example-hotels}\n.* decision: true\n {7}PERMIT {2}agreement-given\n/,

  /^ {2}── A child and a parent ─+$/m,
  /by: self, answer: yes\n[\s\S]*? decision: false\n {7}DENY {2}guardian-missing\n/,
  /by: guardian, answer: pending\n {5}✉ to parent@example\.org [\s\S]*?parent or\s+guardian/,
  /by: guardian, answer: yes, until: \d{4}-\d\d-01T00:00:00Z\n/,
  /decision: true\n {7}PERMIT {2}agreement-given\n[^→]*counts until \d{4}-\d\d, /,
  /by: self, action: withdraw\n[\s\S]*? decision: false\n {7}DENY {2}no-means-no\n/,
  /by: guardian, answer: pending\n[\s\S]*?by: guardian, answer: yes, until: /,
  /decision: false\n {7}DENY {2}no-means-no\n/,

  /^ {2}── In her own way ─+$/m,
  /action: reply_automatically, [\s\S]*? decision: true\n {7}PERMIT {2}informed-and-lawful\n/,
  /action: reply_automatically, [\s\S]*? decision: false\n {7}DENY {2}dialogue-as-wished\n/,
  /visibility: public}\n.* decision: false\n {7}DENY {2}dialogue-as-wished\n/,
  /visibility: private}\n.* decision: true\n {7}PERMIT {2}answer-where-they-asked\n/,
  /topic: culture, .*\n.* decision: true\n/,
  /POST \/v1\/subjects\/…\/merge\n.*\n {5}← 200 /,
  /topic: culture, .*\n.* decision: false\n {7}DENY {2}no-means-no\n/,
];

const expectJourney = (output: string): void => {
  let from = 0;
  for (const part of told) {
    const found = part.exec(output.slice(from));
    expect(found, `${part} after character ${from} of:\n${output}`).not.toBeNull();
    from += found!.index + found![0].length;
  }
};

/** Reads the QR code that stands in the output, two rows of its squares to a line, as a camera would. */
const scan = (output: string): string => {
  const squares = output
    .split('\n')
    .filter((line) => /^ {4}[█▄▀ ]{20,}$/.test(line))
    .flatMap((line) =>
      ['█▀', '█▄'].map((light) =>
        line
          .slice(4)
          .split('')
          .map((square) => light.includes(square)),
      ),
    );
  const [scale, across] = [4, squares[0]!.length];
  const [width, height] = [across * scale, squares.length * scale];
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (!squares[Math.floor(y / scale)]![Math.floor(x / scale)])
        data.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
  return decodeQR({ width, height, data });
};

type StayingDemo = {
  pid: number;
  output(): string;
  deskUrl: string;
  folder: string;
  ended: Promise<number | null>;
};

/** `npm run demo`, in a group of processes of its own as a terminal gives it; resolves when it invites to look around. */
const startDemo = async (): Promise<StayingDemo> => {
  const child = spawn('npm', ['run', '-s', 'demo'], {
    cwd: projectFolder,
    env: bareEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ctrl-C')) resolve();
    });
    void ended.then((code) => reject(new Error(`the demo ended with ${code}: ${output}`)));
  });
  return {
    pid: child.pid!,
    output: () => output,
    deskUrl: /Community desk +(http:\S+)/.exec(output)![1]!,
    folder: /ASKFIRST_DATA=(\S+)/.exec(output)![1]!,
    ended,
  };
};

const postgresOf = (folder: string): number =>
  Number(readFileSync(join(folder, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);

/** The lines to paste that begin with `start`. */
const pasted = (output: string, start: string): string => output.slice(output.indexOf(start)).split('\n\n')[0]!;

const shell = async (command: string): Promise<string> =>
  (await promisify(execFile)('sh', ['-c', command], { cwd: projectFolder, env: bareEnvironment() })).stdout;

test(
  'with --once the demo plays the whole journey, without colours into a pipe, and leaves nothing behind',
  patient,
  async () => {
    const { code, stdout, stderr } = await runSource('demo.ts', ['--once']);
    expect(code, stderr).toBe(0);
    expectJourney(stdout);
    expect(scan(stdout)).toBe(`${/^ {2}Askfirst +(http:\S+)/m.exec(stdout)![1]}/ask/spring-fair`);
    expect(stdout).not.toContain(escape);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stderr).toBe('');
  },
);

test(
  'it stays up with a curl that works, lets a second one run beside it, and Ctrl-C ends everything',
  patient,
  async () => {
    const demo = await startDemo();
    try {
      expectJourney(demo.output());
      const answer = JSON.parse(await shell(pasted(demo.output(), 'curl -s')));
      expect(answer).toMatchObject({
        decision: false,
        context: { reason_admin: { 'no-means-no': expect.any(String) } },
      });
      expect(await shell(pasted(demo.output(), 'ASKFIRST_DATA='))).toMatch(/^ {2}forbids +no-means-no +fires: /m);
      const docs = /every call: (\S+)/.exec(demo.output())![1]!;
      // The first call compresses a large bundle, which a machine this busy may not do in the time of a request.
      await expect.poll(async () => (await fetch(docs)).status, { timeout: 30_000 }).toBe(200);
      const poster = /^ {2}Poster +(\S+)/m.exec(demo.output())![1]!;
      expect((await visit(`${poster}?lang=it`)).title).toBe('Le novità che Lei sceglie');
      expect(await (await fetch(demo.deskUrl)).json()).toMatchObject({
        links: [],
        done: [{ kind: 'unlink' }],
        refused: 1,
      });

      const second = await runSource('demo.ts', ['--once']);
      expect(second.code, second.stderr).toBe(0);
    } finally {
      const postgres = postgresOf(demo.folder);
      process.kill(-demo.pid, 'SIGINT');
      await demo.ended;
      expect(demo.output()).toMatch(/\n {2}Everything has ended, and its data are removed\.\n$/);
      expect(existsSync(demo.folder)).toBe(false);
      expect(processMark(postgres)).toBeUndefined();
      await expect(fetch(demo.deskUrl)).rejects.toThrow();
    }
  },
);

test('a step that comes out otherwise ends the demo with 1 and says what differed', patient, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'askfirst-other-policies-'));
  cpSync(join(projectFolder, 'policies'), folder, { recursive: true });
  const systems = join(folder, 'systems.yaml');
  const text = readFileSync(systems, 'utf8');
  // Whatever Eva says and proves, this desk may not link.
  const grant = /(- id: community-desk[\s\S]*? {4}may:\n) {6}- actions: \[link\]\n {8}purposes: \[profile-linking\]\n/;
  const changed = text.replace(grant, '$1');
  expect(changed).not.toBe(text);
  writeFileSync(systems, changed);
  try {
    const { code, stdout, stderr } = await runSource('demo.ts', ['--once'], { env: { ASKFIRST_POLICIES: folder } });
    expect(stderr).toContain('Step 5 differs: the decision should be permit, but is deny');
    expect(code).toBe(1);
    expect(stdout).toContain('system-not-granted');
    expect(stdout).not.toContain('The link is confirmed');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what a demo left behind that was killed, the next one ends and removes', patient, async () => {
  const demo = await startDemo();
  const postgres = postgresOf(demo.folder);
  process.kill(-demo.pid, 'SIGKILL');
  await demo.ended;
  expect(processMark(postgres)).toBeDefined();
  const longAgo = Date.now() / 1000 - 120;
  utimesSync(demo.folder, longAgo, longAgo);
  const next = await runSource('demo.ts', ['--once']);
  expect(next.code, next.stderr).toBe(0);
  expect(existsSync(demo.folder)).toBe(false);
  expect(processMark(postgres)).toBeUndefined();
});
