import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../src/kernel/database/client.ts';
import { startTestApp, testKeyEncryptionKeys } from './support/app.ts';
import { runSource, type Ran } from './support/command.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { agreeToLinking, proveControl } from './support/people.ts';

const folder = mkdtempSync(join(tmpdir(), 'askfirst audit '));
let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase();
  const app = await startTestApp({ database });
  try {
    // Two whose link has a ground, one who agreed and proved nothing, one who said no.
    for (const [customer, account] of [
      ['crm:1', 'facebook:10000001'],
      ['crm:2', 'x:10000002'],
    ] as const) {
      await agreeToLinking(app, customer, account.split(':', 1)[0]!);
      await proveControl(app, customer, account);
    }
    await agreeToLinking(app, 'crm:3', 'facebook');
    await agreeToLinking(app, 'crm:4', 'facebook');
    const no = { subject: 'crm:4', purpose: 'profile-linking', method: 'web-form' };
    expect((await app.call('POST', '/v1/consents/withdraw', { body: no })).status).toBeLessThan(300);
  } finally {
    await app.close();
  }
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string, lines: readonly string[]): string => {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
};

const audit = (path: string, ...more: string[]): Promise<Ran> =>
  runSource('cli.ts', ['audit', path, '--system', 'crm', ...more], {
    env: {
      DATABASE_URL: database.urls.app,
      KEYS_DATABASE_URL: database.urls.keys,
      KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
    },
  });

/** Every row of every table of both databases. */
const digest = async (): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const url of [database.urls.owner, database.urls.keysOwner]) {
    const store = connect(url, { connections: 1 });
    for (const { name } of await store.query<{ name: string }>(
      `select quote_ident(tablename) as name from pg_tables where schemaname = 'public' order by 1`,
    )) {
      const [row] = await store.query<{ md5: string }>(
        `select count(*) || '/' || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as md5 from ${name} t`,
      );
      found[`${url === database.urls.owner ? 'data' : 'keys'}.${name}`] = row!.md5;
    }
    await store.end();
  }
  return found;
};

test('each link is asked about as a check would be, the ones without a ground are counted by rule, and nothing is changed', async () => {
  const before = await digest();
  expect(Object.keys(before).length).toBeGreaterThan(15);
  const links = file('links.csv', [
    'customer;platform;account',
    '1;facebook;10000001',
    '2;Twitter;10000002',
    '3;facebook;10000003',
    '4;facebook;10000004',
    '5;facebook;https://www.facebook.com/eva.muster',
    '6;facebook;not an account',
    '7;friendster;123',
  ]);
  const report = join(folder, 'report.ndjson');
  const ran = await audit(links, '--report', report);
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toContain('asked as crm for profile-linking: 2 have a ground');
  expect(ran.stdout).toMatch(
    /^no-means-no: 1 \(\d+\.\d %\), facebook 1\n {2}The person said no to “.+”\. .+\n {2}line 5$/m,
  );
  expect(ran.stdout).toMatch(/^link-needs-proof: \d .+\n {2}.+\n {2}line 4, 5, 6/m);
  expect(ran.stdout).toMatch(/^a-handle-is-no-identity: 1 .+\n.+\n {2}line 6$/m);
  expect(ran.stdout).toMatch(/^not-readable: 2\n/m);
  expect(ran.stdout).toMatch(
    /an e-mail that asks for consent can itself be advertising.*\n.*2002\/58\/EC Art\. 13; .*UWG/,
  );
  for (const personal of ['10000001', 'eva.muster', '10000004', 'not an account'])
    expect(ran.stdout + ran.stderr + readFileSync(report, 'utf8')).not.toContain(personal);

  const lines = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ line, permitted }) => [line, permitted])).toEqual([
    [2, true],
    [3, true],
    [4, false],
    [5, false],
    [6, false],
    [7, undefined],
    [8, undefined],
  ]);
  expect(lines[2].rules).toEqual(['link-needs-proof']);
  expect(statSync(report).mode & 0o777).toBe(0o600);
  expect(await digest()).toEqual(before);

  expect(await audit(links, '--report', report)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is there already'),
  });
});

test('the reasons come in the language that is asked for', async () => {
  const links = file('german.csv', ['customer,identity', '4,facebook:10000004']);
  expect((await audit(links, '--language', 'de')).stdout).toContain('Die Person hat zu „');
});

test.each([
  [
    'a contact export of SuiteCRM 7',
    [
      '"ID","First Name","facebook_user_c","twitter_user_c"',
      '"1","Eva","10000001",""',
      '"2","Ada","","10000002"',
      '"9","Max","max.m","max"',
    ],
    4,
  ],
  [
    'a contact export of CiviCRM with web sites',
    [
      'Contact ID,Display Name,Website Type,Website',
      '1,Eva,Facebook,https://www.facebook.com/profile.php?id=10000001',
      '2,Ada,Main,https://x.com/10000002',
      '9,Max,Work,https://max.example',
    ],
    2,
  ],
  [
    'lines of JSON',
    [
      '{"customer":"crm:1","identity":"facebook:10000001","since":"2019"}',
      '{"customer":"2","identity":"x:10000002","purpose":"profile-linking"}',
    ],
    2,
  ],
])('%s is read', async (name, lines, links) => {
  const ran = await audit(file(`${name}.txt`, lines));
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toContain(`${links} link(s), asked as crm for profile-linking: 2 have a ground`);
});

test('a file in which no column could hold a link is refused, a folder too, and so is a system that links nothing', async () => {
  const path = file('people.csv', ['Name,Town', 'Eva,Brig']);
  expect(await audit(path)).toMatchObject({ code: 1, stderr: expect.stringContaining('no column that is understood') });
  expect(await audit(folder)).toMatchObject({ code: 1, stderr: `askfirst: ${folder} is a folder, not a file\n` });
  expect(await audit(path, '--system', 'newsletter')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--system, of community-desk, crm'),
  });
});

test('5,000 links take seconds', async () => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `${index + 1},facebook,${10_000_001 + index}`);
  const path = file('many.csv', ['customer,platform,account', ...lines]);
  const startedAt = performance.now();
  const ran = await audit(path);
  expect(ran.stdout, ran.stderr).toContain('5000 link(s), asked as crm for profile-linking: 1 have a ground (0.0 %)');
  expect(performance.now() - startedAt).toBeLessThan(15_000);
});
