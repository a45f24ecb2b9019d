import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { differenceOf } from '../src/cli/policies-diff.ts';
import { connect } from '../src/kernel/database/client.ts';
import { createDeploymentReader, createPolicySets, loadCatalogue } from '../src/policies/index.ts';
import { startTestApp, testKeyEncryptionKeys, testSettings, type TestApp } from './support/app.ts';
import { runSource } from './support/command.ts';
import { linkAccount, linkQuestion } from './support/people.ts';

let app: TestApp;
let folder: string;
const linked: string[] = [];

const ask = async (as: string, body: object, times = 1): Promise<string[]> => {
  const { body: answer } = await app.call('POST', '/access/v1/evaluations', {
    as,
    body: { ...body, evaluations: Array.from({ length: times }, () => ({})) },
  });
  return answer.evaluations.map(({ context }: { context: { decisionId: string } }) => context.decisionId);
};
const contact = (system: string, customer: string, context: object) => ({
  subject: { type: 'system', id: system },
  action: { name: 'contact' },
  resource: { type: 'customer', id: customer },
  context,
});

beforeAll(async () => {
  app = await startTestApp();
  folder = await mkdtemp(join(tmpdir(), 'askfirst diff '));
  for (const customer of ['crm:eva', 'crm:ulla'])
    await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  await linkAccount(app, 'crm:eva', 'facebook:1029384756');
  await app.call('POST', '/v1/consents', {
    body: {
      subject: 'crm:eva',
      purpose: 'customer-service',
      scope: { channel: 'letter' },
      decision: 'given',
      notice: { version: 1, language: 'en' },
      method: 'app',
    },
  });
  // One permit to link was given on the way.
  const editor = { actor: { id: 'u1', role: 'editor' } };
  linked.push(...(await ask('community-desk', linkQuestion('crm:eva', 'facebook:1029384756', editor), 4)));
  await ask('community-desk', linkQuestion('crm:ulla', 'facebook:1029384757'), 3);
  await ask('community-desk', linkQuestion('crm:eva', 'facebook:1029384756', { purpos: 'profile-linking' }), 2);
  // Denied only because nobody said whether it advertises.
  await ask('crm', contact('crm', 'crm:eva', { purpose: 'customer-service', channel: 'letter' }), 6);
  await ask('newsletter', contact('newsletter', 'crm:eva', { purpose: 'newsletter', channel: 'email' }), 5);
  await ask('newsletter', contact('newsletter', 'crm:eva', { purpose: 'customer-service', channel: 'letter' }), 2);
  const lottery = { purpose: 'newsletter', channel: 'email', topic: 'lotteries', form: 'newsletter' };
  await ask('newsletter', contact('newsletter', 'crm:ulla', lottery), 7);
  // Denials are written a little later.
  await vi.waitFor(
    async () => {
      const [recorded] = await app.db.query<{ count: string }>(
        `select (select count(*) from denial) + (select sum(json_array_length(decisions)) from permit) as count`,
      );
      expect(Number(recorded!.count)).toBe(30);
    },
    { timeout: 10_000 },
  );
});
afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

/** The default pack with changes: file, what is written, instead. */
const candidate = async (...changes: [string, string | RegExp, string][]): Promise<string> => {
  const path = await mkdtemp(join(folder, 'candidate '));
  await cp(testSettings.policiesFolder, path, { recursive: true });
  for (const [file, from, to] of changes) {
    const text = await readFile(join(path, file), 'utf8');
    expect(text.replace(from, to), `${file}: ${String(from)}`).not.toBe(text);
    await writeFile(join(path, file), text.replace(from, to));
  }
  return path;
};

const diff = async (path: string, ...options: string[]) => {
  const ran = await runSource('cli.ts', ['policies', 'diff', path, ...options], {
    env: {
      DATABASE_URL: app.database.urls.app,
      KEYS_DATABASE_URL: app.database.urls.keys,
      KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
      NODE_OPTIONS: '--max-old-space-size=64',
    },
  });
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout;
};
const diffed = async (path: string, options: { since?: string; limit?: number } = {}) => {
  const policySets = createPolicySets(app.db, createDeploymentReader(app.db, 10_000));
  return differenceOf({ database: app.db, policySets }, await loadCatalogue(path), { language: 'en', ...options });
};

const none = { 'permit-to-deny': 0, 'deny-to-permit': 0, 'other-obligations': 0, 'not-looked-up': 0, unsure: 0 };

test('the policy set that decided decides the same again, and what no rule decided is not replayed', async () => {
  const { counts, changes, problems } = await diffed(await candidate());
  expect(counts).toEqual({ ...none, decisions: 30, same: 28, refused: 2, 'set-unreadable': 0 });
  expect(changes).toEqual([]);
  expect(problems).toEqual([]);
});

/** A new rule, a looser one, one more topic and one more grant. */
const changed = () =>
  candidate(
    [
      'linkage/link.yaml',
      '  - id: review-said-no\n',
      `  - id: editors-do-not-link
    effect: forbid
    actions: [link]
    when: { request.role: editor }
    because:
      admin: { de: Nicht Sie., fr: Pas vous., it: Non Lei., en: Editors do not link. }
      person: { de: Nicht so., fr: Pas ainsi., it: Non così., en: Not so. }
    sources: [a test]

  - id: review-said-no
`,
    ],
    [
      'cases/link.yaml',
      'cases:\n',
      `cases:
  - name: an editor
    facts: { request: { role: editor } }
    expect: deny
    fires: [proved-account, editors-do-not-link]
`,
    ],
    ['linkage/contact.yaml', 'not: { request.marketing: false }\n      any:', 'request.marketing: true\n      any:'],
    [
      'cases/contact.yaml',
      /(a service mail that does not say whether it advertises\n.*\n    expect: )deny\n(    fires: \[agreement-given), advertising-as-chosen/,
      '$1permit\n$2',
    ],
    ['purposes/newsletter.yaml', 'topic: [', 'topic: [lotteries, '],
    [
      'systems.yaml',
      /(- id: newsletter\n[^]*?may:\n)/,
      '$1      - { actions: [contact], purposes: [customer-service] }\n',
    ],
  );

test('a changed set shows whom it would deny and permit, because of which rules, in numbers and in decisions to look at', async () => {
  const { counts, changes, problems } = await diffed(await changed());
  expect(counts).toEqual({
    decisions: 30,
    same: 9,
    'permit-to-deny': 4,
    'deny-to-permit': 6,
    'other-obligations': 0,
    refused: 2,
    // The system had no grant, so nobody looked whether the person agreed.
    'not-looked-up': 2,
    // The topic did not exist, so it was not recorded which it was.
    unsure: 7,
    'set-unreadable': 0,
  });
  expect(changes).toMatchObject([
    {
      change: 'deny-to-permit',
      action: 'contact',
      purpose: 'customer-service',
      system: 'crm',
      rules: ['advertising-as-chosen'],
      count: 6,
    },
    {
      change: 'permit-to-deny',
      action: 'link',
      purpose: 'profile-linking',
      system: 'community-desk',
      rules: ['editors-do-not-link'],
      count: 4,
    },
  ]);
  const { samples } = changes[1]!;
  expect(samples).toHaveLength(3);
  for (const { decision, reasons } of samples) {
    expect(linked).toContain(decision);
    expect(reasons).toEqual(['Editors do not link.']);
  }
  expect(problems).toEqual([expect.stringContaining('values of topic gain lotteries')]);
});

test('people read the same in words, without anybody\u2019s identifier, and what a replay cannot know is said', async () => {
  const text = await diff(await changed(), '--language', 'de');
  expect(text).toMatch(/permit -> deny +4\n {2}deny -> permit +6\n/);
  expect(text).toContain(
    '4 x permit -> deny: link for profile-linking by community-desk, because of editors-do-not-link',
  );
  expect(text).toContain('Nicht Sie.');
  expect(text).toContain('It cannot be activated as it is:');
  expect(text).toContain('What a replay cannot know:');
  expect(text).not.toMatch(/crm:|eva|1029384756/);
});

test('a part can be replayed: so many, or since when', async () => {
  const path = await candidate();
  expect((await diffed(path, { limit: 12 })).counts).toMatchObject({ decisions: 12 });
  expect((await diffed(path, { since: Temporal.Now.instant().toString() })).counts).toMatchObject({ decisions: 0 });
  const ran = await runSource('cli.ts', ['policies', 'diff', path, '--since', 'yesterday']);
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('--since is an ISO 8601 duration')]);
});

test('however many decisions there are, the memory stays the same', { timeout: 120_000 }, async () => {
  const owner = connect(app.database.urls.owner, { connections: 1 });
  await owner.query(
    `insert into denial (subject_id, id, system, action, purpose, policy_digest, facts, rules, decided_at)
     select gen_random_uuid(), gen_random_uuid(), system, action, purpose, policy_digest, facts, rules, decided_at
     from (select * from denial where purpose = 'customer-service' limit 1) as one, generate_series(1, 20000)`,
  );
  await owner.end();
  // What was expanded of so many decisions would not fit.
  const { counts, cannotKnow } = JSON.parse(
    await diff(await candidate(), '--json', '--since', 'P1D', '--limit', '20010'),
  );
  expect(counts).toMatchObject({ decisions: 20_010, 'permit-to-deny': 0, 'deny-to-permit': 0 });
  expect(cannotKnow).not.toEqual([]);
});
