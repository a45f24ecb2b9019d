import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { provision } from '../src/kernel/database/provision.ts';
import { runSource, startServiceProcess, type Ran, type RunningService } from './support/command.ts';
import { databaseUrl, freshDatabase, passwords, superuserUrl } from './support/database.ts';

const folder = mkdtempSync(join(tmpdir(), 'askfirst cli '));
const dataFolder = join(folder, 'data');
const embedded = { ASKFIRST_DATA: dataFolder };
let service: RunningService;
beforeAll(async () => {
  service = await startServiceProcess(embedded);
});
afterAll(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const askfirst = (words: readonly string[], options: Parameters<typeof runSource>[2] = {}): Promise<Ran> =>
  runSource('cli.ts', words, { env: embedded, ...options });

/** Runs a command that must succeed. */
const done = async (...words: string[]): Promise<string> => {
  const ran = await askfirst(words);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout;
};

type Client = { id: string; secret: string };

const newClient = async (system: string, ...scopes: string[]): Promise<Client> => {
  const lines = await done('clients', 'create', system, ...scopes.flatMap((scope) => ['--scope', scope]));
  const [, id, secret] = /^ASKFIRST_CLIENT_ID=(\S+)\nASKFIRST_CLIENT_SECRET=(\S+)\n$/.exec(lines)!;
  return { id: id!, secret: secret! };
};

const requestToken = async ({ id, secret }: Client) => {
  const answer = await fetch(`${service.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  return { status: answer.status, body: (await answer.json()) as any };
};

const call = async (token: string, method: string, path: string, body?: unknown) => {
  const answer = await fetch(service.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as any };
};

const tokenOf = async (system: string, ...scopes: string[]): Promise<string> =>
  (await requestToken(await newClient(system, ...scopes))).body.access_token;

const write = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const linkQuestion = {
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: 'facebook:1029384756' },
  context: { purpose: 'profile-linking', customer: 'crm:815' },
};

test('credentials that were made while the service runs work at once, and once revoked neither they nor their tokens do', async () => {
  const client = await newClient('community-desk', 'obligations:read', 'decisions:evaluate');
  const { status, body } = await requestToken(client);
  expect(status).toBe(200);
  expect(body.scope.split(' ').toSorted()).toEqual(['decisions:evaluate', 'obligations:read']);
  expect((await call(body.access_token, 'GET', '/v1/obligations')).status).toBe(200);

  const listed = await done('clients', 'list');
  expect(listed).toMatch(
    new RegExp(`^${client.id} +community-desk +works .* obligations:read decisions:evaluate$`, 'm'),
  );
  expect(listed).not.toContain(client.secret);

  expect(await done('clients', 'revoke', client.id)).toContain(`${client.id} is revoked`);
  expect((await call(body.access_token, 'GET', '/v1/obligations')).status).toBe(401);
  expect((await requestToken(client)).status).toBe(401);
  expect(await done('clients', 'list')).toMatch(new RegExp(`^${client.id} +community-desk +revoked `, 'm'));
});

test('commands that are given at the same moment do not disturb each other', async () => {
  const ran = await Promise.all(Array.from({ length: 6 }, () => askfirst(['clients', 'list'])));
  expect(ran.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    ran.map(() => ({ code: 0, stderr: expect.any(String) })),
  );
});

test.each([
  ['a verb that does not exist', ['clients', 'lsit'], 2, 'there is no verb "clients lsit"'],
  ['a missing argument', ['clients', 'revoke'], 2, 'something is missing'],
  ['one argument too many', ['migrate', 'data'], 2, '"data" is too much'],
  ['an option that the verb does not take', ['clients', 'list', '--scope', 'x'], 2, "Unknown option '--scope'"],
  ['a client without scopes', ['clients', 'create', 'crm'], 2, 'name what it may do: --scope, of decisions:evaluate,'],
  ['a scope that does not exist', ['clients', 'create', 'crm', '--scope', 'all'], 1, 'scope "all" is none of'],
  [
    'an issuer that is no address',
    ['clients', 'create', 'crm', '--scope', 'consents:read', '--issuer', 'foo', '--external-id', 'desk'],
    2,
    '--issuer: must be https (http only on this machine)',
  ],
  ['a system that no policy names', ['clients', 'create', 'erp', '--scope', 'consents:read'], 1, 'system "erp" is not'],
  ['a client that does not exist', ['clients', 'revoke', 'crm.000'], 1, 'no client has this id'],
  [
    'a decision that is not recorded',
    ['policies', 'explain', '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11'],
    1,
    'no decision',
  ],
  ['a language that is not spoken', ['policies', 'explain', '-', '--language', 'rm'], 2, 'one of de, fr, it, en'],
  ['a file that is not there', ['policies', 'explain', 'nowhere.json'], 1, 'there is no file nowhere.json'],
  ['a request that is no JSON', ['policies', 'explain', '-'], 1, 'standard input holds no JSON'],
  ['a version that is none', ['keys', 'new', 'two'], 2, 'a version is a number from 1 on'],
  [
    'a key set that cannot be had',
    ['receipts', 'verify', '-', '--jwks', 'http://127.0.0.1:9/'],
    1,
    'no key set could be',
  ],
])('%s is refused in one sentence and by the exit code', async (_, words, code, sentence) => {
  const ran = await askfirst(words);
  expect(ran.stdout).toBe('');
  expect(ran.stderr).toMatch(/^askfirst: /);
  expect(ran.stderr.split('\n')[0]).toContain(sentence);
  expect(ran.stderr).not.toMatch(/^ +at /m);
  expect(ran.code).toBe(code);
});

test('the help shows every verb, and of one verb only that', async () => {
  const all = await done();
  for (const verb of ['clients create', 'clients list', 'clients revoke', 'policies check', 'policies explain'])
    expect(all).toContain(`askfirst ${verb}`);
  for (const verb of ['policies activate', 'receipts verify', 'keys new', 'keys rewrap', 'migrate'])
    expect(all).toContain(`askfirst ${verb}`);
  expect(await done('--help')).toBe(all);
  const one = await done('receipts', 'verify', '--help');
  expect(one).toContain('askfirst receipts verify <file | -> [--jwks <file | url>]');
  expect(one).not.toContain('askfirst migrate');
});

test('without a data folder nothing is created: the folder would be the wrong one', async () => {
  const nowhere = join(folder, 'nowhere');
  const ran = await askfirst(['clients', 'list'], { env: { ASKFIRST_DATA: nowhere } });
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining(`there is no data folder ${nowhere}`) });
  expect(existsSync(nowhere)).toBe(false);
});

test('a policy folder is checked without any database: its rules and cases, or each problem by file and line', async () => {
  const env = { ASKFIRST_DATA: join(folder, 'nowhere') };
  const good = await askfirst(['policies', 'check'], { env });
  expect(good.code, good.stderr).toBe(0);
  expect(good.stdout).toMatch(/^nobody-is-unmasked +[●· ]+$/m);

  const broken = join(folder, 'broken policies');
  cpSync(join(projectFolder, 'policies'), broken, { recursive: true });
  const rules = join(broken, 'linkage', 'link.yaml');
  writeFileSync(
    rules,
    readFileSync(rules, 'utf8').replace('identity.controlProved: true', 'identity.controlPoved: true'),
  );
  const bad = await askfirst(['policies', 'check', broken], { env });
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/^linkage\/link\.yaml:\d+: .*controlPoved/m);
});

test('an activated policy set is what the running service decides by from its next check on', async () => {
  const token = await tokenOf('community-desk', 'decisions:evaluate');
  const ask = () => call(token, 'POST', '/access/v1/evaluation', linkQuestion);
  const before = (await ask()).body.context.policyDigest;

  const changed = join(folder, 'changed policies');
  cpSync(join(projectFolder, 'policies'), changed, { recursive: true });
  const controller = join(changed, 'controller.yaml');
  writeFileSync(controller, readFileSync(controller, 'utf8').replace('leaseSeconds: 5', 'leaseSeconds: 7'));
  const [, digest] = /^Policy set (\w{64}) is active: /.exec(await done('policies', 'activate', changed))!;
  expect(digest).not.toBe(before);
  expect((await ask()).body.context.policyDigest).toBe(digest);

  expect(await done('policies', 'activate', changed)).toBe(`Policy set ${digest} is active already.\n`);
  expect(await done('policies', 'activate')).toContain(before);
  expect((await ask()).body.context.policyDigest).toBe(before);
});

/** Denials are written within 200 ms. */
const explained = async (id: string, ...more: string[]): Promise<string> => {
  await sleep(300);
  return done('policies', 'explain', id, ...more);
};

test('a recorded denial explains itself rule by rule, in each language, under the policy set of its moment', async () => {
  const token = await tokenOf('community-desk', 'decisions:evaluate');
  const { body } = await call(token, 'POST', '/access/v1/evaluation', linkQuestion);
  const { decisionId, policyDigest } = body.context;
  const english = await explained(decisionId);
  expect(english).toContain(`Decision ${decisionId}: deny to community-desk`);
  expect(english).toContain(policyDigest);
  expect(english).toMatch(/^ {2}forbids +person-unknown +fires: This person is not known here/m);
  expect(english).toMatch(/^ {2}permits +proved-account +does not fire$/m);
  expect(english).not.toContain('815');
  expect(await explained(decisionId, '--language', 'de')).toContain('Diese Person ist hier nicht bekannt.');
});

test('a recorded permit explains itself, also one of many in a batch', async () => {
  const token = await tokenOf('analytics', 'decisions:evaluate');
  const question = (cellSize: number) => ({
    resource: { type: 'aggregate', id: 'visits-2026' },
    context: { purpose: 'open-statistics', cellSize },
  });
  const { body } = await call(token, 'POST', '/access/v1/evaluations', {
    subject: { type: 'system', id: 'analytics' },
    action: { name: 'publish_aggregate' },
    evaluations: [question(12), question(9), question(40)],
  });
  expect(
    body.evaluations.map(({ decision }: any) => decision),
    JSON.stringify(body),
  ).toEqual([true, false, true]);
  const { decisionId } = body.evaluations[2].context;
  const text = await explained(decisionId);
  expect(text).toContain(`Decision ${decisionId}: permit to analytics`);
  expect(text).toMatch(/^ {2}request\.cellSize: 40$/m);
  expect(text).toMatch(/^ {2}permits +totals-of-enough-people +fires: /m);
});

test('a question that was refused before any rule ran says so', async () => {
  const token = await tokenOf('community-desk', 'decisions:evaluate');
  const misspelt = { ...linkQuestion, context: { ...linkQuestion.context, mtach: { method: 'declared' } } };
  const { body } = await call(token, 'POST', '/access/v1/evaluation', misspelt);
  expect(await explained(body.context.decisionId)).toContain(
    'Denied before any rule was asked: context has an unknown member.',
  );
});

test('a request is explained as it would be decided now, from a file or a pipe, and leaves no record', async () => {
  const file = write('request.json', JSON.stringify(linkQuestion));
  const text = await done('policies', 'explain', file);
  expect(text).toContain('As it would be decided now; nothing is recorded, and no permit is given');
  expect(text).toMatch(/^ {2}customer\.known: false$/m);
  const piped = await askfirst(['policies', 'explain', '-'], { stdin: JSON.stringify(linkQuestion) });
  expect(piped.stdout).toBe(text);
  const wrong = await askfirst(['policies', 'explain', '-'], { stdin: '{"action": "link"}' });
  expect(wrong).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('missing or mistyped: subject, action, resource'),
  });
});

test('a receipt verifies offline against a saved key set, by address, and against our own keys; a changed one does not', async () => {
  const token = await tokenOf('crm', 'consents:write');
  const { status, body } = await call(token, 'POST', '/v1/consents', {
    subject: 'crm:2711',
    purpose: 'profile-linking',
    scope: { platform: 'facebook' },
    decision: 'given',
    notice: { version: 1, language: 'fr' },
    method: 'web-form',
  });
  expect(status, JSON.stringify(body)).toBe(201);
  const receipt = write('receipt.jws', `${body.receipt}\n`);
  const jwks = write('jwks.json', await (await fetch(`${service.url}/.well-known/jwks.json`)).text());
  // By then there is no service and no database that could help.
  const offline = { env: { ASKFIRST_DATA: join(folder, 'nowhere') } };
  const proved = await askfirst(['receipts', 'verify', receipt, '--jwks', jwks], offline);
  expect(proved, proved.stderr).toMatchObject({ code: 0, stdout: expect.stringMatching(/^PROVED\n/) });
  expect(proved.stdout).toContain('profile-linking');

  expect(await done('receipts', 'verify', receipt, '--jwks', `${service.url}/.well-known/jwks.json`)).toBe(
    proved.stdout,
  );
  expect(await done('receipts', 'verify', receipt)).toBe(proved.stdout);

  const [header, payload, signature] = body.receipt.split('.');
  const claims = Buffer.from(payload, 'base64url').toString().replace('facebook', 'linkedin');
  const forged = [header, Buffer.from(claims).toString('base64url'), signature].join('.');
  const refused = await askfirst(['receipts', 'verify', '-', '--jwks', jwks], { ...offline, stdin: forged });
  expect(refused).toMatchObject({ code: 1, stdout: expect.stringMatching(/^NOT PROVED\n/) });
  expect(refused.stdout).not.toContain('linkedin');
});

test('a new key-encryption key takes over all keys, and then the old one is needed no more', async () => {
  const database = await freshDatabase();
  try {
    const [one, two] = [await askfirst(['keys', 'new']), await askfirst(['keys', 'new', '2'])].map(({ stdout }) =>
      stdout.trim(),
    );
    expect(one).toMatch(/^1:[\w+/]{43}=$/);
    expect(two).toMatch(/^2:[\w+/]{43}=$/);
    const before = createKeyStore(database.urls.keys, localKeyEncryption(one!));
    const subjectId = '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11';
    const key = await before.createSubjectKey(subjectId);
    await before.secret('blind-index');
    await before.signingKeys('receipts');
    await before.database.end();

    const urls = { DATABASE_URL: database.urls.app, KEYS_DATABASE_URL: database.urls.keys };
    const file = write('key-encryption-keys', `${one}\n${two}\n`);
    const asApp = await askfirst(['keys', 'rewrap'], { env: { ...urls, KEY_ENCRYPTION_KEYS_FILE: file } });
    expect(asApp).toMatchObject({ code: 1, stderr: expect.stringContaining('name MIGRATOR_KEYS_DATABASE_URL') });
    const env = { ...urls, KEY_ENCRYPTION_KEYS_FILE: file, MIGRATOR_KEYS_DATABASE_URL: database.urls.keysOwner };
    const rewrapped = await askfirst(['keys', 'rewrap'], { env });
    expect(rewrapped).toMatchObject({ code: 0, stdout: expect.stringMatching(/^3 key\(s\) .* version 2 now/) });

    const after = createKeyStore(database.urls.keys, localKeyEncryption(two!));
    expect((await after.subjectKeys([subjectId])).get(subjectId)).toEqual(key);
    await after.database.end();
  } finally {
    await database.drop();
  }
});

test('on a server of its own, a bare database is migrated by its owner and not before', async () => {
  const name = `askfirst_test_cli_${process.pid}`;
  const names = [name, `${name}_keys`];
  await provision(superuserUrl(), passwords, names);
  const url = (database: string, role: 'app' | 'owner') => databaseUrl(superuserUrl(), database, role);
  const env = {
    DATABASE_URL: url(name, 'app'),
    KEYS_DATABASE_URL: url(`${name}_keys`, 'app'),
    KEY_ENCRYPTION_KEYS: (await askfirst(['keys', 'new'])).stdout.trim(),
  };
  const owners = {
    MIGRATOR_DATABASE_URL: url(name, 'owner'),
    MIGRATOR_KEYS_DATABASE_URL: url(`${name}_keys`, 'owner'),
  };
  try {
    const early = await askfirst(['clients', 'list'], { env });
    expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining('run "askfirst migrate"') });
    const asApp = await askfirst(['migrate'], { env });
    expect(asApp).toMatchObject({ code: 1, stderr: expect.stringContaining('MIGRATOR_DATABASE_URL') });
    for (const _ of [1, 2])
      expect(await askfirst(['migrate'], { env: { ...env, ...owners } })).toMatchObject({ code: 0 });

    const noPolicies = await askfirst(['clients', 'create', 'crm', '--scope', 'consents:read'], { env });
    expect(noPolicies).toMatchObject({ code: 1, stderr: expect.stringContaining('run "askfirst policies activate"') });
    expect(await askfirst(['policies', 'activate'], { env })).toMatchObject({ code: 0 });
    expect(await askfirst(['clients', 'create', 'crm', '--scope', 'consents:read'], { env })).toMatchObject({
      code: 0,
    });
  } finally {
    const server = postgres(superuserUrl(), { max: 1, onnotice: () => {} });
    for (const database of names) await server.unsafe(`drop database if exists "${database}" with (force)`);
    await server.end();
  }
});

test('after the service has stopped, a command starts the database for itself and stops it again', async () => {
  expect(await service.stop()).toBe(0);
  const postmaster = join(dataFolder, 'postgres', 'data', 'postmaster.pid');
  expect(existsSync(postmaster)).toBe(false);
  expect(await done('clients', 'list')).toContain('community-desk');
  expect(existsSync(postmaster)).toBe(false);
});
