import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { planController } from '../src/cli/init/controller-file.ts';
import { answersOf, questionsFor, type Answers } from '../src/cli/init/questions.ts';
import { projectFolder } from '../src/config.ts';
import { connect } from '../src/kernel/database/client.ts';
import { bareEnvironment, runSource, type Ran } from './support/command.ts';
import { freshDatabase } from './support/database.ts';

const root = mkdtempSync(join(tmpdir(), 'askfirst init '));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

const answers = {
  name: 'Verein Bergwelt Zürich',
  email: 'datenschutz@bergwelt.example',
  address: 'Talweg 2, 3900 Brig, Schweiz',
  'dpo-name': 'Ada Recht',
  'dpo-email': 'ada@bergwelt.example',
  jurisdiction: 'ch',
};
const flags = (more: Record<string, string> = {}): string[] =>
  Object.entries({ ...answers, ...more }).flatMap(([name, value]) => [`--${name}`, value]);

const cli = join(projectFolder, 'src', 'cli.ts');
const init = (folder: string, words: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  runSource('cli.ts', ['init', folder, ...words], { env });

const controllerOf = (folder: string) => parse(readFileSync(join(folder, 'policies', 'controller.yaml'), 'utf8'));

/** What `npm start` does, in the folder that was set up. */
const start = async (folder: string, port: number) => {
  const child = spawn(process.execPath, [join(projectFolder, 'src', 'main.ts')], {
    cwd: folder,
    env: bareEnvironment({ PORT: String(port) }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('Askfirst is ready')) resolve();
      });
    void ended.then((code) => reject(new Error(`the service ended with ${code}: ${said}`)));
  });
  return async () => {
    child.kill('SIGTERM');
    return ended;
  };
};

/** The printed lines that a person pastes into a shell. */
const pasted = (printed: string): string =>
  printed
    .split('\n')
    .filter((line) => /^(\. |ASKFIRST_|token=|curl )/.test(line))
    .join('\n');

test('with flags a fresh folder is set up, what is printed works against the service, and a second run finds it all there', async () => {
  const folder = join(root, 'with flags');
  const port = await freePort();
  const more = {
    'base-url': `http://127.0.0.1:${port}`,
    crm: 'civicrm',
    'mail-url': 'smtp://eva:pass@127.0.0.1:2525',
    'mail-from': 'Bergwelt <info@bergwelt.example>',
  };
  const first = await init(folder, [...flags(more), '--yes']);
  expect(first.code, first.stderr).toBe(0);

  expect(controllerOf(folder)).toMatchObject({
    id: 'verein-bergwelt-zurich',
    name: answers.name,
    contact: { email: answers.email, address: answers.address },
    dpo: { name: 'Ada Recht', email: answers['dpo-email'] },
    jurisdiction: 'ch',
    leaseSeconds: 5,
  });
  expect(readFileSync(join(folder, 'policies', 'controller.yaml'), 'utf8')).toContain(
    '# Open data: no published figure',
  );
  const environment = readFileSync(join(folder, '.env'), 'utf8');
  expect(environment).toContain(`\nMAIL_FROM='Bergwelt <info@bergwelt.example>'\n`);
  expect(environment).toContain('\nKEY_BACKUP_FOLDER=./key-backups\n');
  expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
  expect(first.stdout).toContain('smtp://eva:…@127.0.0.1:2525');
  expect(first.stdout).toContain('civicrm.settings.php');
  expect(first.stdout).toContain(`copy of ${join(folder, '.askfirst', 'key-encryption-keys')} elsewhere`);

  const secret = /^ASKFIRST_CLIENT_SECRET=(\S+)$/m.exec(first.stdout)![1]!;
  const kept = spawnSync('grep', ['-rlF', secret, folder], { encoding: 'utf8' });
  expect(kept.stdout).toBe('');

  const stop = await start(folder, port);
  try {
    const script = pasted(first.stdout);
    const shell = spawn('sh', [
      '-c',
      `${script.replace('https://your-crm.example', 'https://crm.bergwelt.example')}\n`,
    ]);
    const answered = await text(shell.stdout);
    expect(answered).toContain('"decision":false');
    expect(answered).toContain('This person is not known here');
    expect(answered).toContain('"secret":"whsec_');

    const before = [
      readFileSync(join(folder, '.env'), 'utf8'),
      readFileSync(join(folder, 'policies', 'controller.yaml'), 'utf8'),
    ];
    const second = await init(folder, ['--yes']);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toContain('controller.yaml\n  stays as it is\n.env\n  stays as it is');
    expect(second.stdout).toMatch(/is active already/);
    expect(second.stdout).toMatch(/the client crm\.\w+ is there; its secret was handed out when it was made/);
    expect(second.stdout).toContain('civicrm.settings.php');
    expect(second.stdout).not.toContain('ASKFIRST_CLIENT_SECRET=');
    expect(second.stdout).toContain('start it anew');
    expect([
      readFileSync(join(folder, '.env'), 'utf8'),
      readFileSync(join(folder, 'policies', 'controller.yaml'), 'utf8'),
    ]).toEqual(before);
  } finally {
    expect(await stop()).toBe(0);
  }

  // Somebody's own words are not overwritten, and their other settings stay.
  const other = await init(folder, ['--yes', '--name', 'Verein Talwelt', '--key-backup-days', '7']);
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('write it with --force') });
  expect(other.stdout).toContain('name: Verein Bergwelt Zürich -> Verein Talwelt');
  expect(controllerOf(folder).name).toBe(answers.name);
  const forced = await init(folder, ['--yes', '--force', '--name', 'Verein Talwelt', '--key-backup-days', '7']);
  expect(forced.code, forced.stderr).toBe(0);
  expect(forced.stdout).toContain('KEY_BACKUP_DAYS is set to something else there and stays so');
  expect(controllerOf(folder)).toMatchObject({ id: 'verein-bergwelt-zurich', name: 'Verein Talwelt' });
});

test('without a terminal every flag that is missing is named, and nothing is written', async () => {
  const folder = join(root, 'missing');
  const ran = await init(folder, ['--name', 'Verein', '--yes']);
  expect(ran.code).toBe(2);
  expect(ran.stderr.split('\n')[0]).toContain('missing: --email, --address, --jurisdiction');
  expect(await init(folder, flags())).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  expect(await init(folder, [...flags({ email: 'nobody' }), '--yes'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--email: '),
  });
  const lonely = () => answersOf(questionsFor(['ch']), { ...answers, 'dpo-email': '' }, {});
  expect(lonely).toThrow('--dpo-name and --dpo-email go together');
  expect(existsSync(join(folder, '.env'))).toBe(false);
  expect(existsSync(join(folder, 'policies'))).toBe(false);
  expect(existsSync(join(folder, '.askfirst'))).toBe(false);
});

test('on a database of one’s own, with a law of one’s own and no DPO, the secret reaches the named file whatever becomes of the output', async () => {
  const folder = join(root, 'own database');
  const database = await freshDatabase();
  const owner = connect(database.urls.owner, { connections: 1 });
  const clients = async () => (await owner.read<{ id: string }>('select id from client')).map(({ id }) => id);
  try {
    cpSync(join(projectFolder, 'policies'), join(folder, 'policies'), { recursive: true });
    const laws = join(folder, 'policies', 'jurisdictions');
    writeFileSync(join(laws, 'at.yaml'), readFileSync(join(laws, 'eu.yaml'), 'utf8').replace('id: eu', 'id: at'));
    const env = { DATABASE_URL: database.urls.app, KEYS_DATABASE_URL: database.urls.keys };
    const { 'dpo-name': _name, 'dpo-email': _email, ...own } = { ...answers, jurisdiction: 'at', crm: 'suitecrm' };
    const words = [...Object.entries(own).flatMap(([name, value]) => [`--${name}`, value]), '--yes'];

    writeFileSync(join(folder, 'notes'), 'mine');
    const refused = await init(folder, [...words, '--secret-to', 'notes'], env);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/notes is there already.*no client/) });
    expect([await clients(), readFileSync(join(folder, 'notes'), 'utf8')]).toEqual([[], 'mine']);
    expect(readFileSync(join(folder, 'key-encryption-keys'), 'utf8')).toMatch(/^1:\S{44}\n$/);
    expect(readFileSync(join(folder, '.env'), 'utf8')).toContain('\nKEY_ENCRYPTION_KEYS_FILE=./key-encryption-keys\n');
    expect(existsSync(join(folder, '.askfirst'))).toBe(false);
    expect(controllerOf(folder)).toMatchObject({ name: answers.name, jurisdiction: 'at' });
    expect(controllerOf(folder).dpo).toBeUndefined();
    expect(readFileSync(join(folder, 'policies', 'controller.yaml'), 'utf8')).not.toContain('dpo@example.org');

    // As `| head` does, at the first line.
    const cut = spawn(process.execPath, [cli, 'init', folder, '--yes', '--secret-to', 'crm.secret'], {
      env: bareEnvironment(env),
      cwd: projectFolder,
    });
    cut.stdout.once('data', () => cut.stdout.destroy());
    cut.stderr.destroy();
    expect(await new Promise((resolve) => cut.once('close', resolve))).toBe(0);
    const [clientId] = await clients();
    expect(readFileSync(join(folder, 'crm.secret'), 'utf8')).toMatch(
      new RegExp(`^ASKFIRST_CLIENT_ID=${clientId}\\nASKFIRST_CLIENT_SECRET=\\S+\\n$`),
    );
    expect(statSync(join(folder, 'crm.secret')).mode & 0o777).toBe(0o600);

    const again = await init(folder, ['--yes', '--secret-to', 'crm.secret'], env);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('config_override.php');
    expect(again.stdout).not.toContain('ASKFIRST_CLIENT_SECRET=');
    expect(again.stdout).toContain(`copy of ${join(folder, 'key-encryption-keys')} elsewhere`);
    expect(await clients()).toEqual([clientId]);
  } finally {
    await owner.end();
    await database.drop();
  }
});

const hasScript = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;

test.skipIf(!hasScript)(
  'on a terminal the eight questions are asked, a wrong answer again, and what would be written is shown first',
  async () => {
    const folder = join(root, 'typed');
    const command = [process.execPath, cli, 'init', folder].map((word) => `'${word}'`).join(' ');
    /** Types each answer when its question stands there, as a person does. */
    const run = async (steps: readonly (readonly [question: string, typed: string])[]) => {
      const child = spawn('script', ['-qec', command, '/dev/null'], { env: bareEnvironment(), cwd: root });
      let said = '';
      let from = 0;
      let next = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        said += stripVTControlCharacters(chunk.toString());
        const at = next < steps.length ? said.indexOf(steps[next]![0], from) : -1;
        if (at < 0) return;
        from = at + steps[next]![0].length;
        child.stdin.write(`${steps[next++]![1]}\n`);
      });
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
      return { code, said };
    };
    const typed = [
      ['company: ', answers.name],
      ['E-mail: ', 'nobody'],
      ['E-mail: ', answers.email],
      ['one line: ', answers.address],
      ['nobody is appointed: ', answers['dpo-name']],
      ['e-mail: ', ''],
      ['e-mail: ', answers['dpo-email']],
      ['ch, eu, uk: ', 'ch'],
      ['machine only: ', ''],
      ['by mail: ', ''],
      ['[./key-backups]: ', ''],
      ['[30]: ', ''],
      ['[other]: ', ''],
    ] as const;
    const refused = await run([...typed, ['[Y/n] ', 'n']]);
    expect(refused.said).toContain('1/8 Who answers for the data?');
    expect(refused.said).toContain('8/8 Which system asks first?');
    expect(refused.said).toMatch(/nobody\s+Invalid email/);
    expect(refused.said).toContain('name: Example Tourism Association -> Verein Bergwelt');
    expect(refused.code).toBe(1);
    expect(existsSync(join(folder, 'policies'))).toBe(false);

    const accepted = await run([...typed, ['[Y/n] ', 'y']]);
    expect(accepted.code, accepted.said).toBe(0);
    expect(controllerOf(folder).contact.email).toBe(answers.email);
    expect(accepted.said).toMatch(/ASKFIRST_CLIENT_SECRET=\S+/);
  },
);

test('a member of the example that somebody has changed is theirs; what the pack ships is not', () => {
  const folder = join(root, 'changed example');
  mkdirSync(folder);
  const shipped = readFileSync(join(projectFolder, 'policies', 'controller.yaml'), 'utf8');
  const plan = (text: string) => {
    writeFileSync(join(folder, 'controller.yaml'), text);
    return planController(folder, { ...answers } as Answers);
  };
  expect(plan(shipped).conflicts).toEqual([]);
  expect(plan(shipped).changes.map(({ member }) => member)).toContain('dpo.email');
  expect(plan(shipped.replace('name: Example Tourism Association', 'name: Mountain Club')).conflicts).toEqual([
    { member: 'name', from: 'Mountain Club', to: answers.name },
  ]);
});
