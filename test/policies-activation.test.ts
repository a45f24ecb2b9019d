import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { activatePolicies, loadCatalogue, type Catalogue } from '../src/policies/index.ts';
import { startTestApp, testSettings, type TestApp } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { linkAccount, linkQuestion } from './support/people.ts';
import { smallPolicies, withPolicies } from './support/small-policies.ts';

/** The default pack, in which the community desk may no longer link. */
const withoutLinking = async (folder: string): Promise<Catalogue> => {
  await cp(testSettings.policiesFolder, folder, { recursive: true });
  const file = join(folder, 'systems.yaml');
  const text = await readFile(file, 'utf8');
  const desk = text.indexOf('- id: community-desk');
  await writeFile(file, text.slice(0, desk) + text.slice(desk).replace(/ +- actions: \[link\]\n.*\n/, ''));
  return loadCatalogue(folder);
};

let database: TestDatabase;
let folder: string;
let first: TestApp;
let second: TestApp;
let strict: Catalogue;
let owner: Database;

beforeAll(async () => {
  database = await freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'askfirst policies '));
  strict = await withoutLinking(folder);
  first = await startTestApp({ database });
  second = await startTestApp({ database });
  owner = connect(database.urls.owner, { connections: 1 });
});
afterAll(async () => {
  await first.close();
  await second.close();
  await owner.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

const ask = async (app: TestApp, account: string) => {
  const { status, body } = await app.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: linkQuestion('crm:1', account),
  });
  return { status, decision: body.decision, digest: body.context?.policyDigest };
};

test('an activated policy set counts for every instance from its next check on, and links that lost their ground are suspended, their systems told to stop', async () => {
  await first.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:1' }] } });
  await linkAccount(first, 'crm:1', 'facebook:1029384756');
  const before = first.catalogue.digest;
  expect(await ask(second, 'facebook:1029384756')).toEqual({ status: 200, decision: true, digest: before });

  await activatePolicies(first.db, strict);
  for (const app of [first, second, first, second])
    expect(await ask(app, 'facebook:1029384756')).toEqual({ status: 200, decision: false, digest: strict.digest });

  const { subjectId } = (await first.call('POST', '/v1/subjects/lookup', { body: { identifier: 'crm:1' } })).body;
  const links = async () =>
    (await first.call('GET', `/v1/subjects/${subjectId}/links`, { as: 'community-desk' })).body.links;
  await expect.poll(async () => (await links())[0].status, { timeout: 15_000 }).toBe('suspended');
  const { obligations } = (await first.call('GET', '/v1/obligations', { as: 'community-desk' })).body;
  expect(obligations).toMatchObject([
    { type: 'obligation.stop', data: { purpose: 'profile-linking', customer: 'crm:1' } },
  ]);

  // Going back permits the question again, yet the suspended link stays what it is until somebody confirms it anew.
  await activatePolicies(first.db, first.catalogue);
  expect(await ask(second, 'facebook:1029384756')).toEqual({ status: 200, decision: true, digest: before });
  expect((await links())[0].status).toBe('suspended');
});

test.each([
  ['campaign-participation', /legalBasis: consent/, 'legalBasis: contract', 'legalBasis goes from consent to contract'],
  [
    'newsletter',
    /dimensions: \[channel, topic, form\]([^]*?) {2}topic: .*\n/,
    'dimensions: [channel, form]$1',
    'dimensions lose topic',
  ],
  ['newsletter', 'We send nothing else', 'We send other things too', 'the words of notice 1 change'],
  ['newsletter', 'topic: [events,', 'topic: [lotteries, events,', 'values of topic gain lotteries'],
  [
    'third-party-sharing',
    'de: Example Bergbahnen AG',
    'de: Example Wetten AG',
    'values of recipient gain example-railways',
  ],
])(
  'a set under which recorded answers would mean more is refused: %s, whose id stays',
  async (purpose, from, to, message) => {
    const wider = await mkdtemp(join(tmpdir(), 'askfirst wider '));
    await cp(testSettings.policiesFolder, wider, { recursive: true });
    const file = join(wider, `purposes/${purpose}.yaml`);
    await writeFile(file, (await readFile(file, 'utf8')).replace(from, to));
    const candidate = await loadCatalogue(wider);
    await expect(activatePolicies(first.db, candidate)).rejects.toThrow(message);
    const [row] = await first.db.query<{ digest: string }>('select policy_digest as digest from deployment');
    expect(row!.digest).toBe(first.catalogue.digest);
    await rm(wider, { recursive: true });
  },
);

test('an instance with another folder obeys the set that is active and never activates its own', async () => {
  const stray = await startTestApp({ database, settings: { policiesFolder: folder } });
  expect(await ask(stray, 'facebook:1029384756')).toEqual({
    status: 200,
    decision: true,
    digest: first.catalogue.digest,
  });
  const [row] = await first.db.query<{ digest: string }>('select policy_digest as digest from deployment');
  expect(row!.digest).toBe(first.catalogue.digest);
  await stray.close();
});

test('an instance that cannot read the active set answers 503 to checks, is not ready, and recovers when it can', async () => {
  await owner.query(`insert into policy_set (digest, content) values ('of-the-future', '{"format": 99}')`);
  await owner.query(`update deployment set policy_digest = 'of-the-future'`);
  const answer = await first.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: linkQuestion('crm:1', 'facebook:1029384756'),
  });
  expect(answer).toMatchObject({ status: 503, body: { code: 'policies.unavailable' } });
  expect((await fetch(`${first.url}/readyz`)).status).toBe(503);
  await activatePolicies(first.db, first.catalogue);
  expect((await ask(first, 'facebook:1029384756')).decision).toBe(true);
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
});

test('what people answered is not forgotten by a set in between that lacks the purpose', async () => {
  const fresh = await freshDatabase();
  const database = connect(fresh.urls.app, { connections: 1 });
  const changed = (path: string, from: string | RegExp, to: string) => {
    const text = smallPolicies[path]!.replace(from, to);
    expect(text).not.toBe(smallPolicies[path]);
    return { [path]: text };
  };
  const { 'purposes/newsletter.yaml': _left, ...others } = smallPolicies;
  const without = {
    ...others,
    ...changed('systems.yaml', /, email-address([^]*?)\n +- actions: \[contact\]\n.*/, '$1'),
    ...changed('cases/cases.yaml', 'id: newsletter', 'id: profile-linking'),
  };
  const wider = {
    ...smallPolicies,
    ...changed('purposes/newsletter.yaml', 'dimensions: [channel, recipient]', 'dimensions: [recipient]'),
  };
  wider['purposes/newsletter.yaml'] = wider['purposes/newsletter.yaml']!.replace(/ +channel: .*\n/, '');
  await activatePolicies(database, await withPolicies(smallPolicies, loadCatalogue));
  await activatePolicies(database, await withPolicies(without, loadCatalogue));
  await expect(activatePolicies(database, await withPolicies(wider, loadCatalogue))).rejects.toThrow(
    'dimensions lose channel',
  );
  await database.end();
  await fresh.drop();
});
