import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import type { Entry } from '../src/imports/open-source.ts';
import { readBatch } from '../src/imports/plan-batch.ts';
import { loadCatalogue } from '../src/policies/index.ts';
import { startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { bareEnvironment, runSource } from './support/command.ts';
import {
  civicrmExport,
  saidNoInCivicrm,
  saidYesInCivicrm,
  suitecrmExport,
  suitecrmOptOuts,
} from './support/crm-exports.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { digestOfAll, digestOfPeople, openImports, shareSecrets, type Imports } from './support/imports.ts';

const folder = mkdtempSync(join(tmpdir(), 'askfirst import '));
let app: TestApp;
let imports: Imports;
beforeAll(async () => {
  app = await startTestApp();
  imports = openImports(app.database);
});
afterAll(async () => {
  await imports.end();
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const example = (name: string): string => join(projectFolder, 'docs', 'examples', name);
const civicrmMapping = readFileSync(example('civicrm.yaml'), 'utf8');

let written = 0;
const ndjson = (...lines: object[]): string =>
  write(`${written++}.ndjson`, lines.map((line) => JSON.stringify(line)).join('\n'));

const mayMail = async (customer: string): Promise<boolean> => {
  const answer = await app.call('POST', '/access/v1/evaluation', {
    as: 'newsletter',
    body: {
      subject: { type: 'system', id: 'newsletter' },
      action: { name: 'contact' },
      resource: { type: 'customer', id: customer },
      context: { purpose: 'newsletter', channel: 'email', topic: 'events', form: 'newsletter', marketing: true },
    },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.decision;
};

const yes = (email: string, more: object = {}) => ({
  identifiers: [`email:${email}`],
  purpose: 'newsletter',
  scope: { channel: 'email' },
  decision: 'given',
  occurredAt: '2026-03-01T10:00:00Z',
  evidence: 'Card 12, signed at the counter',
  notice: { version: 1, language: 'de' },
  ...more,
});

test('a preview counts what an import would come to, and changes nothing', async () => {
  const path = write('civicrm.csv', civicrmExport(300));
  const before = await digestOfAll(app.database);
  const { tally, problems } = await imports.run(path, 'civicrm', { map: civicrmMapping });
  expect(await digestOfAll(app.database)).toBe(before);
  // One of the odd lines is a person too.
  const everybody = Array.from({ length: 301 }, (_, n) => n);
  expect(tally.lines).toBe(305);
  expect(tally.answers['no newsletter channel=email']).toBeGreaterThanOrEqual(everybody.filter(saidNoInCivicrm).length);
  const proven = tally.answers['yes newsletter channel=email']!;
  expect(proven).toBeGreaterThan(20);
  expect(proven + tally.answers['unproven newsletter channel=email']!).toBe(everybody.filter(saidYesInCivicrm).length);
  expect(Object.keys(tally.unproven).toSorted()).toEqual(['no-evidence', 'notice-newer']);
  const bad = problems.filter(({ whole }) => whole);
  expect(bad.map(({ problem }) => problem)).toEqual([
    'names nobody by an identifier that can be used',
    'has 4 cells where the first line has 85',
    'belongs to two people: its identifiers are those of different ones; only a no counts, for both',
  ]);
  // Two-line addresses come before: the number is that of the line in the file.
  const lines = readFileSync(path, 'utf8').split('\n');
  expect(lines[bad[1]!.line - 1]).toMatch(/^"90001"/);
  expect(JSON.stringify(problems)).not.toMatch(/person\.|\(at\)|\d{7}/);

  const applied = await imports.run(path, 'civicrm', { map: civicrmMapping, apply: true });
  expect(applied.tally).toEqual(tally);
  expect(applied.problems).toEqual(problems);
});

test('the same file again, and one that overlaps, add nothing twice', async () => {
  const path = write('again.csv', civicrmExport(300));
  await imports.run(path, 'civicrm', { map: civicrmMapping, apply: true });
  const before = await digestOfPeople(app.db);
  const again = await imports.run(path, 'civicrm', { map: civicrmMapping, apply: true });
  expect(again.tally.answers).toEqual({});
  expect(again.tally.already).toBeGreaterThan(100);
  expect(again.tally.unknown).toBe(0);
  expect(await digestOfPeople(app.db)).toEqual(before);
  const [header, ...rest] = civicrmExport(310).split('\r\n');
  const overlap = write('overlap.csv', [header, ...rest.slice(250)].join('\n'));
  const { tally } = await imports.run(overlap, 'civicrm', { map: civicrmMapping, apply: true });
  expect(tally.already).toBeGreaterThan(20);
  expect(tally.unknown).toBeLessThanOrEqual(11);
});

test('a yes counts with its moment, its evidence and our notice, and else permits nothing', async () => {
  const without = (member: string) => ({ ...yes(`${member.toLowerCase()}@yes.example`), [member]: undefined });
  const { tally } = await imports.run(
    ndjson(
      yes('proven@yes.example'),
      without('occurredAt'),
      without('evidence'),
      without('notice'),
      yes('hash@yes.example', { notice: { version: 1, language: 'de', hash: 'a'.repeat(64) } }),
      yes('version@yes.example', { notice: { version: 9, language: 'de' } }),
      yes('older@yes.example', { occurredAt: '2025-12-31T23:59:59Z' }),
      yes('ahead@yes.example', { occurredAt: '2990-01-01T00:00:00Z' }),
    ),
    'ndjson',
    { apply: true },
  );
  expect(tally.answers).toEqual({ 'yes newsletter channel=email': 1, 'unproven newsletter channel=email': 7 });
  expect(tally.unproven).toEqual({
    'no-moment': 1,
    'no-evidence': 1,
    'no-notice': 2,
    'other-words': 1,
    'notice-newer': 1,
    'in-future': 1,
  });
  expect(await mayMail('email:proven@yes.example')).toBe(true);
  for (const name of ['occurredat', 'evidence', 'notice', 'hash', 'version', 'older', 'ahead'])
    expect(await mayMail(`email:${name}@yes.example`), name).toBe(false);
});

test('a no always counts: without a moment from now on, and whatever was said before', async () => {
  const email = 'no@no.example';
  await imports.run(ndjson(yes(email)), 'ndjson', { apply: true });
  expect(await mayMail(`email:${email}`)).toBe(true);
  const no = { identifiers: [`email:${email}`], purpose: 'newsletter', decision: 'withdrawn' };
  await imports.run(ndjson(no), 'ndjson', { apply: true });
  expect(await mayMail(`email:${email}`)).toBe(false);
  // A later yes of somebody else's records does not end it; the person's own does.
  await imports.run(ndjson(yes(email, { occurredAt: new Date().toISOString() })), 'ndjson', { apply: true });
  expect(await mayMail(`email:${email}`)).toBe(false);
  const own = await app.call('POST', '/v1/consents', {
    body: {
      subject: `email:${email}`,
      purpose: 'newsletter',
      scope: {},
      decision: 'given',
      notice: { version: 1, language: 'de' },
      method: 'email',
    },
    headers: { 'idempotency-key': crypto.randomUUID() },
  });
  expect(own.status, JSON.stringify(own.body)).toBe(201);
  expect(await mayMail(`email:${email}`)).toBe(true);
  // The old file once more: that no was said before and is known.
  const { tally } = await imports.run(ndjson(no), 'ndjson', { apply: true });
  expect(tally.already).toBe(1);
  expect(await mayMail(`email:${email}`)).toBe(true);
});

test('a line of two people is not taken and joins nobody; a number that a household shares leads to whoever had it first', async () => {
  const say = (identifiers: string[]) => ({ identifiers, purpose: 'newsletter', decision: 'refused' });
  const { problems, tally } = await imports.run(
    ndjson(
      say(['crm:9001', 'phone:+41795550001']),
      say(['crm:9002', 'email:b@two.example']),
      say(['crm:9001', 'email:b@two.example']),
      say(['crm:9003', 'phone:+41795550001']),
      say(['phone:+41795550001']),
    ),
    'ndjson',
    { apply: true },
  );
  expect(problems).toEqual([
    {
      line: 3,
      problem: 'belongs to two people: its identifiers are those of different ones; only a no counts, for both',
      whole: true,
    },
    { line: 4, problem: 'a telephone number that somebody else has already', whole: false },
  ]);
  expect(tally.unknown).toBe(3);
  const subjectOf = async (identifier: string): Promise<string> => {
    const { body } = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier }] } });
    return body.id ?? body.subjectId;
  };
  const [one, two, three] = await Promise.all(['crm:9001', 'crm:9002', 'crm:9003'].map(subjectOf));
  expect(new Set([one, two, three]).size).toBe(3);
  expect(await subjectOf('phone:+41795550001')).toBe(one);
});

test('lines that cannot be read are told with number and reason, and stop nothing', async () => {
  const path = write(
    'odd.ndjson',
    [
      '{"identifiers": ["email:a@odd.example"], "purpose": "newsletter", "decision": "refused"}',
      '',
      'not json',
      '{"identifiers": ["email:a@odd.example"], "purpose": "newsletter", "decision": "refused", "scop": {}}',
      '{"identifiers": ["email:a@odd.example"], "purpose": "no-such", "decision": "refused"}',
      '{"identifiers": ["email:a@odd.example"], "purpose": "newsletter", "scope": {"channel": "fax"}, "decision": "refused"}',
      '{"identifiers": ["x:@handle", "email:nobody"], "purpose": "newsletter", "decision": "refused"}',
      '{"identifiers": ["email:b@odd.example"], "purpose": "newsletter", "decision": "informed"}',
      '{"identifiers": ["email:c@odd.example"], "purpose": "*", "decision": "objected"}',
    ].join('\r\n'),
  );
  const { problems, tally } = await imports.run(path, 'ndjson', { apply: true });
  expect(problems.filter(({ whole }) => whole)).toEqual([
    { line: 3, problem: 'is no JSON', whole: true },
    { line: 4, problem: 'is not of the format: unrecognized keys', whole: true },
    { line: 5, problem: 'purpose is not one of the active policy set (GET /v1/purposes lists them)', whole: true },
    { line: 6, problem: 'scope.channel is not a value of purpose "newsletter"', whole: true },
    { line: 7, problem: 'names nobody by an identifier that can be used', whole: true },
    { line: 8, problem: 'purpose "newsletter" takes no answer of this kind', whole: true },
  ]);
  expect(tally.answers).toEqual({ 'no newsletter': 1, 'no *': 1 });
});

test('a statement that nobody can have made takes none of the noes beside it with it', async () => {
  const say = (line: number, decisions: ('given' | 'informed' | 'refused')[]): Entry => ({
    line,
    bytes: line,
    said: {
      identifiers: [`email:${line}@beside.example`],
      statements: decisions.map((decision) => ({ purpose: 'newsletter', scope: { channel: 'email' }, decision })),
    },
  });
  const catalogue = await loadCatalogue(join(projectFolder, 'policies'));
  const secret = { version: 1, key: Buffer.alloc(32) };
  const { named, problems } = readBatch(
    { secrets: { blindIndex: secret, codes: secret } },
    { catalogue, system: 'crm', source: '' },
    [say(2, ['informed', 'refused']), say(3, ['informed', 'informed'])],
    Temporal.Now.instant(),
  );
  expect(named.map(({ line, events }) => [line, ...events.map(({ judged }) => judged.answer)])).toEqual([[2, 'no']]);
  const problem = 'purpose "newsletter" takes no answer of this kind';
  expect(problems).toEqual([
    { line: 2, problem, whole: false },
    { line: 3, problem, whole: true },
  ]);
});

test('two imports at once: one does it, the other one waits and finds it done', async () => {
  const path = ndjson(...Array.from({ length: 3_000 }, (_, n) => yes(`${n}@both.example`)));
  const other = openImports(app.database);
  try {
    const [one, two] = await Promise.all([
      imports.run(path, 'ndjson', { apply: true }),
      other.run(path, 'ndjson', { apply: true }),
    ]);
    expect([one.tally.unknown, two.tally.unknown].toSorted((a, b) => a - b)).toEqual([0, 3_000]);
    expect([one.tally.already, two.tally.already].toSorted((a, b) => a - b)).toEqual([0, 3_000]);
  } finally {
    await other.end();
  }
});

test('people and answers that stand in several batches are recorded once, also while the batch before is under way', async () => {
  const lines = Array.from({ length: 3_500 }, (_, n) =>
    yes(`${n % 1_000}@batches.example`, n >= 3_000 ? { decision: 'refused' } : {}),
  );
  const { tally, problems } = await imports.run(ndjson(...lines), 'ndjson', { apply: true });
  expect(problems).toEqual([]);
  expect(tally).toMatchObject({
    lines: 3_500,
    unknown: 1_000,
    already: 2_000,
    answers: { 'yes newsletter channel=email': 1_000, 'no newsletter channel=email': 500 },
  });
  expect(await mayMail('email:0@batches.example')).toBe(false);
  expect(await mayMail('email:999@batches.example')).toBe(true);
});

test('an import that other callers disturb loses nothing and joins nobody', async () => {
  const path = ndjson(
    ...Array.from({ length: 2_000 }, (_, n) =>
      yes(`${n}@race.example`, { decision: 'refused', identifiers: [`crm:${70_000 + n}`, `email:${n}@race.example`] }),
    ),
  );
  let registered = 0;
  const disturb = (async () => {
    for (let n = 1_990; n > 1_900; n--) {
      const { status } = await app.call('POST', '/v1/subjects', {
        body: { identifiers: [{ identifier: `email:${n}@race.example` }] },
      });
      if (status === 201) registered++;
    }
  })();
  const [{ tally, problems }] = await Promise.all([imports.run(path, 'ndjson', { apply: true }), disturb]);
  expect(problems).toEqual([]);
  expect(tally.unknown + tally.known).toBe(2_000);
  expect(registered).toBeGreaterThan(0);
  for (const n of [0, 1_901, 1_950, 1_990, 1_999]) expect(await mayMail(`email:${n}@race.example`)).toBe(false);
  const [row] = await app.db.query<{ events: number }>(
    `select count(*)::int as events from consent_event e join identifier i on i.subject_id = e.subject_id
     where i.namespace = 'crm' and e.action = 'refuse' and e.occurred_at = '2026-03-01T10:00:00Z'`,
  );
  expect(row!.events).toBe(2_000);
});

/** The environment of a command on this database. */
const environmentOf = (database: TestDatabase) => ({
  DATABASE_URL: database.urls.app,
  KEYS_DATABASE_URL: database.urls.keys,
  KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
});

test('killed at random moments and started again, an import of 20,000 lines comes to the same as one that was left alone', async () => {
  const path = write(
    'large.ndjson',
    Array.from({ length: 20_000 }, (_, n) => {
      // Every fifth person is there twice, some with a no after the yes.
      const person = n % 5 === 4 ? n - 3 : n;
      const identifiers = [`crm:${500_000 + person}`, `email:${person}@kill.example`];
      return JSON.stringify(yes('', { identifiers, decision: n % 10 === 4 ? 'withdrawn' : 'given' }));
    }).join('\n'),
  );
  const databases = [await freshDatabase(), await freshDatabase()] as const;
  const apps: TestApp[] = [];
  try {
    apps.push(await startTestApp({ database: databases[0] }));
    await shareSecrets(databases[0], databases[1]);
    apps.push(await startTestApp({ database: databases[1] }));
    const whole = openImports(databases[0]);
    const { tally } = await whole.run(path, 'ndjson', { apply: true });
    await whole.end();

    const words = ['import', path, '--format', 'ndjson', '--apply'];
    const command = [join(projectFolder, 'src', 'cli.ts'), ...words];
    const env = bareEnvironment(environmentOf(databases[1]));
    let killed = 0;
    for (const percent of [10, 55]) {
      const child = spawn(process.execPath, command, {
        env,
        cwd: projectFolder,
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      for (;;) {
        const [row] = await apps[1]!.db.query<{ done: number }>('select max(lines_done)::int as done from import_run');
        if ((row!.done ?? 0) >= percent * 200) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
      killed += child.exitCode === null && child.kill('SIGKILL') ? 1 : 0;
      await ended;
      // As if the seconds had passed in which nobody else may begin.
      await apps[1]!.db.query(`update lease set until = now() - interval '1 second' where name = 'import'`);
    }
    expect(killed).toBeGreaterThan(0);
    const last = await runSource('cli.ts', words, { env: environmentOf(databases[1]) });
    expect(last.code, last.stderr).toBe(0);
    expect(last.stderr).toContain('where an earlier run stopped');
    expect(last.stdout).toContain('20,000 lines');
    const [left, interrupted] = [await digestOfPeople(apps[0]!.db), await digestOfPeople(apps[1]!.db)];
    expect(interrupted).toEqual(left);
    expect(left.people).toBe(tally.unknown);
    expect(left.events).toBe(18_000);
  } finally {
    for (const one of apps) await one.close();
    await Promise.all(databases.map((database) => database.drop()));
  }
});

test.each([
  ['civicrm.csv', 'civicrm', 'civicrm.yaml', 3],
  ['suitecrm.csv', 'suitecrm', 'suitecrm.yaml', 1],
  ['subscribed_members_export_example.csv', 'mailchimp', 'mailchimp.yaml', 0],
  ['unsubscribed_members_export_example.csv', 'mailchimp', undefined, 0],
  ['hubspot.csv', 'hubspot', undefined, 0],
  ['answers.ndjson', 'ndjson', undefined, 0],
])('the example %s is read as %s', async (file, format, map, bad) => {
  const { tally } = await imports.run(example(file), format, map ? { map: readFileSync(example(map), 'utf8') } : {});
  expect(tally.bad).toBeLessThanOrEqual(bad);
  expect(Object.values(tally.answers).length).toBeGreaterThan(0);
  expect(tally.leftOut['names nobody by an identifier that can be used']).toBeUndefined();
});

test('the command: preview, then apply, with warnings, a report without personal data, and exit codes', async () => {
  const path = write('suite.csv', suitecrmExport(200));
  const map = example('suitecrm.yaml');
  const report = join(folder, 'report.ndjson');
  const run = (...words: string[]) => runSource('cli.ts', ['import', ...words], { env: environmentOf(app.database) });
  const preview = await run(path, '--format', 'suitecrm', '--map', map, '--report', report);
  expect(preview.code, preview.stderr).toBe(0);
  expect(preview.stdout).toMatch(
    /^.+ A preview: nothing has been changed\. Known from SuiteCRM 7\.10 to 7\.14 and 8, .+$/m,
  );
  expect(preview.stdout).toMatch(/^no +newsletter +whole +\d+$/m);
  expect(preview.stdout).toMatch(/^yes +newsletter +channel=email +\d+$/m);
  expect(preview.stdout).toMatch(/^no +dialogue +channel=phone +\d+$/m);
  expect(preview.stderr).toContain('no column for opted-out addresses');
  expect(preview.stderr).toMatch(/reading +100 %/);
  const lines = readFileSync(report, 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join()).not.toMatch(/person|office|three|\d{6}/);
  const applied = await run(path, '--format', 'suitecrm', '--map', map, '--apply');
  expect(applied.code, applied.stderr).toBe(0);
  expect(applied.stdout).toContain('Imported.');
  // The people of one CRM who are in the other are one person, by their mailbox.
  const optOuts = write('optouts.csv', suitecrmOptOuts(200));
  const again = await run(optOuts, '--format', 'suitecrm', '--apply');
  expect(again.stdout).toMatch(/^no +newsletter +channel=email +\d+$/m);

  expect((await run(path, '--format', 'excel')).code).toBe(2);
  const wrong = await run(map, '--format', 'civicrm', '--apply');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/this is no CiviCRM contact export.*"Contact ID", "Email", "Phone"/);
});

test('a report that cannot be written is told in a sentence: before anything is done, or when the disk is full', async () => {
  const no = (n: number) => ({ identifiers: [`email:${n}@disk.example`], purpose: 'newsletter', decision: 'refused' });
  const path = ndjson(no(1), { ...no(2), purpose: 'nonsense' });
  const run = (report: string) =>
    runSource('cli.ts', ['import', path, '--format', 'ndjson', '--apply', '--report', report], {
      env: environmentOf(app.database),
    });
  const before = await digestOfPeople(app.db);
  for (const [report, code] of [
    [join(folder, 'nodir', 'x'), 'ENOENT'],
    [folder, 'EISDIR'],
  ] as const)
    expect(await run(report)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `askfirst: the report ${report} cannot be written (${code})\n`,
    });
  expect(await digestOfPeople(app.db)).toEqual(before);

  const full = await run('/dev/full');
  expect(full.code).toBe(1);
  expect(full.stderr).toMatch(/^askfirst: the report \/dev\/full cannot be written \(ENOSPC\)$/m);
  expect(full.stderr).not.toContain('    at ');
  // Whoever made room goes on at once: nothing holds the import.
  const report = join(folder, 'room.ndjson');
  const again = await run(report);
  expect(again.code, again.stderr).toBe(0);
  expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ line: 2, whole: true });
});

const statement = (identifiers: string[], more: object = {}) => ({
  ...yes('nobody@example.org'),
  identifiers,
  ...more,
});
const apply = (...lines: object[]) => imports.run(ndjson(...lines), 'ndjson', { apply: true });

test('two customers with one mailbox stay two people: what one says is no yes of the other, and a no counts for both', async () => {
  const first = await apply(statement(['crm:family1', 'email:family@example.org']));
  expect(first.problems).toEqual([]);
  expect(await mayMail('crm:family1')).toBe(true);
  const second = await apply(statement(['crm:family2', 'email:family@example.org']));
  expect(second.problems.map(({ problem }) => problem)).toEqual([expect.stringContaining('belongs to two people')]);
  expect(await mayMail('crm:family2')).toBe(false);
  await apply(statement(['crm:family2', 'email:family@example.org'], { decision: 'refused', occurredAt: undefined }));
  expect(await mayMail('crm:family1')).toBe(false);
  expect(await mayMail('crm:family2')).toBe(false);
});

test('an imported yes of somebody whose birth month is known counts for nothing, as no import can tell who agreed', async () => {
  const { body } = await app.call('POST', '/v1/subjects', {
    body: { identifiers: [{ identifier: 'crm:imported-child' }] },
  });
  await app.call('PUT', `/v1/subjects/${body.subjectId}/birth-month`, { body: { month: '2014-05' } });
  await apply(statement(['crm:imported-child']));
  expect(await mayMail('crm:imported-child')).toBe(false);
});

test('after a merge, the same file adds nothing again', async () => {
  const file = ndjson(statement(['email:merged-import@example.org']));
  await imports.run(file, 'ndjson', { apply: true });
  const other = await app.call('POST', '/v1/subjects', {
    body: { identifiers: [{ identifier: 'crm:merged-import' }] },
  });
  const body = { subject: 'email:merged-import@example.org' };
  expect((await app.call('POST', `/v1/subjects/${other.body.subjectId}/merge`, { body })).status).toBe(200);
  expect(await mayMail('crm:merged-import')).toBe(false);
  const again = await apply(statement(['email:merged-import@example.org']));
  expect(again.tally.answers).toEqual({});
  expect(await mayMail('crm:merged-import')).toBe(false);
});

test('a no that a later file says again counts again, where a yes has come in between', async () => {
  const no = statement(['crm:again'], { decision: 'refused', occurredAt: undefined });
  await apply(no);
  const agree = {
    subject: 'crm:again',
    purpose: 'newsletter',
    scope: { channel: 'email' },
    decision: 'given',
    method: 'app',
  };
  await app.call('POST', '/v1/consents', { body: { ...agree, notice: { version: 1, language: 'de' } } });
  expect(await mayMail('crm:again')).toBe(true);
  const first = await apply(no);
  expect(first.tally.already).toBe(1);
  await apply(no, statement(['crm:somebody-else']));
  expect(await mayMail('crm:again')).toBe(false);
});

test('a no that finds the record merged meanwhile is the survivor’s', async () => {
  const theirs = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:meanwhile2' }] } });
  const mine = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:meanwhile1' }] } });
  const merge = app.db.query('update subject_state set merged_into = $2 where subject_id = $1', [
    theirs.body.subjectId,
    mine.body.subjectId,
  ]);
  await merge;
  await apply(statement(['crm:meanwhile2'], { decision: 'refused', occurredAt: undefined }));
  const rows = await app.db.query('select 1 from consent_event where subject_id = $1', [theirs.body.subjectId]);
  expect(rows).toEqual([]);
  const standing = await app.call('GET', `/v1/subjects/${mine.body.subjectId}/consents`);
  const newsletter = standing.body.purposes.find(({ purpose }: any) => purpose === 'newsletter');
  expect(JSON.stringify(newsletter)).toContain('live-no');
});
