import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { diagnose } from '../src/cli/doctor.ts';
import type { Finding } from '../src/cli/doctor/finding.ts';
import { writeKeyBackup } from '../src/kernel/crypto/key-backup.ts';
import { newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { migrate } from '../src/kernel/database/migrate.ts';
import { takeTokens } from '../src/kernel/database/take-tokens.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { activatePolicies, loadCatalogue } from '../src/policies/index.ts';
import { startTestApp, testKeyEncryptionKeys, testSettings } from './support/app.ts';
import { runSource } from './support/command.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { linkQuestion } from './support/people.ts';

type About = Parameters<typeof diagnose>;

let database: TestDatabase;
let owner: Database;
let folder: string;
const folders: string[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  owner = connect(database.urls.owner, { connections: 1 });
  const app = await startTestApp({ database });
  const asked = await app.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: linkQuestion('crm:1', 'facebook:10000001'),
  });
  expect(asked.status).toBe(200);
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'email:eva@example.org' }] } });
  // Denials are written behind the answer; the end of the service writes what waits.
  await app.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'askfirst doctor '));
  folders.push(folder);
});
afterAll(async () => {
  for (const one of folders) rmSync(one, { recursive: true, force: true });
  await owner.end();
  await database.drop();
});

/** The findings by check, of an installation that differs from a sound one in what is given. */
const examine = async (
  changed: {
    settings?: Partial<About[0]['settings']>;
    urls?: Partial<About[0]['urls']>;
    keyEncryptionKeys?: string;
  } = {},
  about: Partial<About[1]> = {},
): Promise<Record<string, Finding>> => {
  const { app, keys, keysOwner, reaper } = database.urls;
  const findings = await diagnose(
    {
      settings: {
        ...testSettings,
        dataFolder: join(folder, 'data'),
        allowPrivateTargets: false,
        baseUrl: 'https://askfirst.example',
        ...changed.settings,
      },
      urls: { app, keys, owner: database.urls.owner, keysOwner, reaper, ...changed.urls },
      keyEncryptionKeys: changed.keyEncryptionKeys ?? testKeyEncryptionKeys,
    },
    { mail: undefined, isEmbedded: false, ...about },
  );
  const said = JSON.stringify(findings);
  for (const secret of [
    'test-app',
    'test-owner',
    'test-reaper',
    'hunter2',
    testKeyEncryptionKeys.slice(2),
    'eva@example.org',
  ])
    expect(said).not.toContain(secret);
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]));
};

const finding = (level: 'warn' | 'fail', found: RegExp) =>
  expect.objectContaining({ level, found: expect.stringMatching(found), todo: expect.stringMatching(/./) });
const sound = (found: RegExp = /./) => expect.objectContaining({ level: 'ok', found: expect.stringMatching(found) });

test('a sound installation is found sound, and looking changes nothing', async () => {
  const count = () =>
    owner.query(
      'select (select count(*) from lease) as l, (select count(*) from denial) as d, (select count(*) from rate_limit) as r',
    );
  const before = await count();
  const found = await examine();
  for (const check of [
    'node',
    'address',
    'targets',
    'database',
    'key store',
    'roles',
    'owner',
    'retention',
    'clock',
    'keys apart',
    'key encryption',
    'policies',
    'obligations',
    'rate limit',
  ])
    expect(found, check).toMatchObject({ [check]: { level: 'ok' } });
  expect(await count()).toEqual(before);
});

test('settings that are for trying out are pointed out', async () => {
  const found = await examine({ settings: { baseUrl: undefined, allowPrivateTargets: true } });
  expect(found['address']).toEqual(finding('warn', /BASE_URL is not set/));
  expect(found['targets']).toEqual(finding('warn', /private addresses/));
  expect((await examine({ settings: { baseUrl: 'http://127.0.0.1:8080' } }))['address']).toEqual(
    finding('warn', /not https/),
  );
});

test('mail: no server, one that is down, one that refuses the password, and one that takes it', async () => {
  expect((await examine())['mail']).toEqual(finding('warn', /no mail server/));
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ password }, _session, done) =>
      password === 'hunter2' ? done(null, { user: 'eva' }) : done(new Error('no')),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const mailed = async (password: string) =>
    (
      await examine({}, { mail: { url: `smtp://eva:${password}@127.0.0.1:${port}`, from: 'Club <info@club.example>' } })
    )['mail'];
  expect(await mailed('hunter2')).toEqual(sound(/DNS of club\.example must name this server in SPF .* DKIM/));
  expect(await mailed('wrong')).toEqual(finding('fail', /mail cannot be sent: SMTP 535/));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(await mailed('hunter2')).toEqual(finding('fail', /no connection to the mail server/));
});

test('a database that is down, refuses us, is not migrated or may forget is found, and nothing else is asked of it', async () => {
  const other = (change: (url: URL) => void): string => {
    const url = new URL(database.urls.app);
    change(url);
    return url.href;
  };
  const down = await examine({ urls: { app: other((url) => (url.port = '9')) } });
  expect(down['database']).toEqual(finding('fail', /cannot be reached/));
  expect(down['policies']).toBeUndefined();
  expect((await examine({ urls: { app: other((url) => (url.password = 'wrong')) } }))['database']).toEqual(
    finding('fail', /refuses us/),
  );
  expect((await examine({ urls: { keys: database.urls.app } }))['key store']).toEqual(finding('fail', /schema/));
  const name = new URL(database.urls.app).pathname.slice(1);
  await owner.script(`alter database "${name}" set synchronous_commit = off`);
  expect((await examine())['database']).toEqual(finding('fail', /synchronous_commit off/));
  await owner.script(`alter database "${name}" reset synchronous_commit`);
});

test('roles: one for everything, one that may not write, a wrong owner, and no reaper or one that may not delete', async () => {
  const shared = await examine({ urls: { app: database.urls.owner, owner: database.urls.app, reaper: undefined } });
  expect(shared['roles']).toEqual(finding('warn', /one role for everything/));
  expect(shared['owner']).toEqual(finding('fail', /does not own the tables/));
  expect(shared['retention']).toEqual(finding('warn', /retention does not run/));
  await owner.script('revoke insert on consent_event from askfirst_app');
  const revoked = await examine({ urls: { reaper: database.urls.app } });
  expect(revoked['roles']).toEqual(finding('fail', /may not write/));
  expect(revoked['retention']).toEqual(finding('fail', /may not delete/));
  await owner.script('grant insert on consent_event to askfirst_app');
});

test('a clock that differs from the database’s by more than two seconds, either way', async () => {
  for (const seconds of [3, -3]) {
    const clock = { now: () => systemClock.now().add({ seconds }) };
    expect((await examine({}, { clock }))['clock']).toEqual(finding('fail', /differ by [23]\.\d s/));
  }
});

test('keys in the database of the data', async () => {
  const one = await freshDatabase();
  try {
    await migrate(one.urls.owner, 'keys');
    const { app, owner: ownerUrl } = one.urls;
    const found = await examine({
      urls: { app: ownerUrl, keys: ownerUrl, owner: ownerUrl, keysOwner: ownerUrl, reaper: app },
    });
    expect(found['keys apart']).toEqual(finding('fail', /one database/));
  } finally {
    await one.drop();
  }
});

test('a key-encryption key that opens nothing, is malformed, or is newer than what is stored', async () => {
  expect((await examine({ keyEncryptionKeys: newKeyEncryptionKey(1) }))['key encryption']).toEqual(
    finding('fail', /key-encryption key 1 is not here or is another/),
  );
  expect((await examine({ keyEncryptionKeys: 'nonsense' }))['key encryption']).toEqual(
    finding('fail', /must read <version>/),
  );
  const both = `${testKeyEncryptionKeys},${newKeyEncryptionKey(2)}`;
  expect((await examine({ keyEncryptionKeys: both }))['key encryption']).toEqual(
    finding('warn', /older version than 2/),
  );
});

test('backups of keys: none configured, none yet, one of today, one too old, and one from which the erased could come back', async () => {
  const backups = join(folder, 'backups');
  const keys = connect(database.urls.keys, { connections: 1 });
  const make = (hoursAgo: number) => writeKeyBackup(keys, backups, systemClock.now().subtract({ hours: hoursAgo }));
  const look = async (keyBackupFolder: string | undefined = backups) =>
    (await examine({ settings: { keyBackupFolder } }))['key backups'];
  try {
    expect((await examine())['key backups']).toEqual(finding('warn', /not backed up/));
    expect(await look()).toEqual(finding('warn', /no backup yet/));
    await make(48);
    expect(await look()).toEqual(finding('fail', /the newest backup is of/));
    await make(1);
    expect(await look()).toEqual(sound(/none is older than 30 days/));
    expect(await look(join(folder, 'data', 'backups'))).toEqual(finding('fail', /in the data folder/));
    await make(24 * 31);
    expect(await look()).toEqual(finding('fail', /1 backup\(s\) are older than 30 days.*erased/));
  } finally {
    await keys.end();
  }
});

test('policies: another set in the folder, a folder that does not load, none active, an overdue assessment, the example’s controller', async () => {
  expect((await examine())['controller']).toEqual(finding('warn', /still the example’s/));
  const later = { now: () => Temporal.Instant.from('2040-01-01T00:00:00Z') };
  expect((await examine({}, { clock: later }))['assessments']).toEqual(finding('warn', /overdue of .+/));

  const policiesFolder = join(folder, 'policies');
  mkdirSync(policiesFolder);
  cpSync(testSettings.policiesFolder, policiesFolder, { recursive: true });
  const controller = join(policiesFolder, 'controller.yaml');
  writeFileSync(controller, readFileSync(controller, 'utf8').replace('id: example-association', 'id: mountain-club'));
  const systems = join(policiesFolder, 'systems.yaml');
  const manual = '- id: newsletter\n$1kind: manual\n    mail: desk@example.org';
  writeFileSync(systems, readFileSync(systems, 'utf8').replace(/- id: newsletter\n([^]*?)kind: \w+/, manual));
  const settings = { policiesFolder };
  expect((await examine({ settings }))['policies']).toEqual(finding('warn', /not that of the folder/));
  const app = connect(database.urls.app, { connections: 1 });
  await activatePolicies(app, await loadCatalogue(policiesFolder));
  await app.end();
  const active = await examine({ settings });
  expect(active['policies']).toEqual(sound(/is active, as in the folder/));
  expect(active['controller']).toEqual(sound(/mountain-club, under the law of ch/));
  expect(active['tasks']).toEqual(finding('fail', /nobody is told what newsletter must do/));
  const mail = { url: 'smtp://127.0.0.1:9', from: 'info@club.example' };
  expect((await examine({ settings }, { mail }))['tasks']).toEqual(sound(/newsletter/));
  rmSync(controller);
  expect((await examine({ settings }))['policies']).toEqual(finding('warn', /does not load/));
  const [before] = await owner.query<{ digest: string }>('select policy_digest as digest from deployment');
  await owner.query('update deployment set policy_digest = null');
  const none = await examine();
  expect(none['policies']).toEqual(finding('fail', /no policy set is active/));
  expect(none['endpoints']).toEqual(finding('fail', /no policy set/));
  await owner.query('update deployment set policy_digest = $1', [before!.digest]);
});

test('systems: overdue obligations, no endpoint, a client that nobody uses, and one that used up its calls', async () => {
  const found = await examine();
  expect(found['endpoints']).toEqual(finding('warn', /community-desk/));
  expect(found['clients']).toEqual(sound(/2 client\(s\)/));
  await owner.query(`insert into client (id, system, scopes) values ('newsletter.1', 'newsletter', '[]')`);
  await owner.query(
    `insert into obligation (subject_id, id, system, kind, facts, created_at, due_at, next_attempt_at)
     values (gen_random_uuid(), gen_random_uuid(), 'crm', 'unlink', '{}', now() - interval '9 days', now() - interval '1 day', now())`,
  );
  const app = connect(database.urls.app, { connections: 1 });
  const limit = testSettings.callsPerMinute;
  await takeTokens(app)('calls:crm.1', limit, limit, 60);
  await app.end();
  const after = await examine();
  expect(after['clients']).toEqual(finding('warn', /^newsletter: has a client and never/));
  expect(after['obligations']).toEqual(finding('fail', /crm 1/));
  expect(after['rate limit']).toEqual(finding('warn', /1 client\(s\) have used up/));
  await owner.script(`update client set revoked_at = now()`);
  expect((await examine())['clients']).toEqual(finding('warn', /no client/));
});

test('the command exits with 1 when something fails, in words and as JSON, also when the settings cannot be read', async () => {
  const env = {
    DATABASE_URL: database.urls.app,
    KEYS_DATABASE_URL: database.urls.keys,
    KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
  };
  const json = await runSource('cli.ts', ['doctor', '--json'], { env });
  expect(json.code, json.stderr).toBe(1);
  expect(JSON.parse(json.stdout)).toContainEqual(expect.objectContaining({ check: 'obligations', level: 'fail' }));
  const wrong = await runSource('cli.ts', ['doctor'], {
    env: { ...env, PORT: 'eighty', BASE_URL: 'http://club.example' },
  });
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toMatch(/^FAIL {2}settings .*BASE_URL: must be https.* PORT: /);
  expect(wrong.stdout).not.toContain('eighty');
});
