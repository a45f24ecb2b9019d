/**
 * Canaries are planted through every place that takes personal data, while everything that can fail does fail; then all that
 * ever left the service, and all that it stores, is searched for them. The service runs as `npm start` does, in a process
 * of its own, and every byte that it writes is read.
 */
import { randomInt, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCatalogue } from '../src/policies/index.ts';
import { connect as connectDatabase, type Database } from '../src/kernel/database/client.ts';
import { createClient, revokeClient } from '../src/systems/index.ts';
import { allScopes, testSettings } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { createWireClient, type WireAnswer, type WireClient, type WireRequest } from './support/openapi-client.ts';
import { lookInto, type Stored } from './support/openapi-digest.ts';
import { readOperations, type Operation } from './support/openapi-operations.ts';
import { startProcess, type ServiceProcess } from './support/openapi-process.ts';
import { startReceiver, type Delivery, type Receiver } from './support/receiver.ts';

/** Everything planted, by what it is; the text is what would be found. */
const planted: { what: string; text: string }[] = [];
const plant = (what: string, mark: string): string => {
  planted.push({ what, text: mark.toLowerCase() });
  return mark;
};
/** All begin alike, so that much can be searched for all at once. */
const beginnings = {
  word: 'zqcanarybird',
  actor: 'zqactorcanary',
  phone: '41790077',
  account: '990077990077',
  blog: '8811228',
};
const word = (what: string): string => plant(what, beginnings.word + randomUUID().replaceAll('-', '').slice(0, 12));
/** Drawn once each: somebody with the number of another would be that other person, whose key may be gone by then. */
const digits = (what: 'phone' | 'account' | 'blog', count: number): string => {
  const mark = beginnings[what] + String(randomInt(10 ** count)).padStart(count, '0');
  return planted.some(({ text: taken }) => taken === mark) ? digits(what, count) : plant(what, mark);
};

/** What was found where it must not be. */
const found = (haystack: string, except: (what: string) => boolean = () => false): string[] => {
  const lower = haystack.toLowerCase();
  if (!Object.values(beginnings).some((beginning) => lower.includes(beginning))) return [];
  return planted.filter(({ what, text: mark }) => !except(what) && lower.includes(mark)).map(({ what }) => what);
};

type Person = ReturnType<typeof newPerson>;
/** Somebody of whom every detail is a canary of its own. */
const newPerson = () => ({
  crm: `crm:${word('crm')}`,
  email: `email:${word('email')}@example.org`,
  phone: `phone:+${digits('phone', 3)}`,
  account: `facebook:${digits('account', 8)}`,
  handle: `facebook:@${word('handle')}`,
  blog: `blog:${digits('blog', 5)}`,
  nickname: `mastodon:https://mastodon.example/users/${word('nickname')}`,
  name: `${word('name')} Muster`,
  evidence: `letter of ${word('evidence')}`,
  actor: plant('actor', beginnings.actor + randomUUID().slice(0, 8)),
});

const { operations } = readOperations();
const webhookSystems = ['crm', 'community-desk', 'newsletter'];

let database: TestDatabase;
let stored: Stored;
let service: ServiceProcess;
let client: WireClient;
let db: Database;
const tokens = new Map<string, string>();
const clientIds = new Map<string, string>();
const receivers = new Map<string, Receiver>();
/** How the receiving systems answer. */
let behaviour: (delivery: Delivery, response: ServerResponse) => void = (_, response) => void response.end('{}');

const answers: { call: string; answer: WireAnswer }[] = [];

const send = async (sent: WireRequest, call = `${sent.method} ${sent.path}`): Promise<WireAnswer> => {
  const answer = await client.send(sent);
  answers.push({ call, answer });
  return answer;
};

const call = async (
  operationId: string,
  { as = 'crm', body, path = {} }: { as?: string; body?: unknown; path?: Record<string, string> } = {},
) => {
  const operation = operations.find(({ id }) => id === operationId)!;
  const filled = Object.entries(path).reduce((at, [name, value]) => at.replace(`{${name}}`, value), operation.path);
  const answer = await send(
    {
      method: operation.method,
      path: filled,
      headers: { authorization: tokens.get(as)!, 'content-type': 'application/json' },
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
    },
    operationId,
  );
  const isJson = answer.headers['content-type']?.includes('json') ?? false;
  return { status: answer.status, body: isJson ? JSON.parse(answer.text) : undefined };
};

const issueToken = async (system: string): Promise<void> => {
  const catalogue = await loadCatalogue(testSettings.policiesFolder);
  const made = await createClient({ database: db, systems: catalogue.systems }, { system, scopes: allScopes });
  clientIds.set(system, made.clientId);
  const answer = await client.send({
    method: 'POST',
    path: '/oauth/token',
    headers: {
      authorization: `Basic ${Buffer.from(`${made.clientId}:${made.clientSecret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: Buffer.from('grant_type=client_credentials'),
  });
  tokens.set(system, `Bearer ${JSON.parse(answer.text).access_token}`);
};

const setEndpoints = async (): Promise<void> => {
  for (const [system, { url }] of receivers)
    expect((await call('setEndpoint', { as: system, body: { url } })).status).toBe(200);
};

beforeAll(async () => {
  database = await freshDatabase();
  stored = lookInto(database);
  db = connectDatabase(database.urls.app, { connections: 1, name: 'test' });
  service = await startProcess(database, { REQUEST_TIMEOUT_MS: '1500' });
  client = createWireClient(service.url);
  for (const system of [...webhookSystems, 'listening', 'analytics']) await issueToken(system);
  for (const system of webhookSystems) {
    receivers.set(system, await startReceiver((delivery, response) => behaviour(delivery, response)));
  }
  await setEndpoints();
});
afterAll(async () => {
  client?.close();
  await service?.stop();
  await Promise.all([...receivers.values()].map((receiver) => receiver.close()));
  await Promise.all([stored?.end(), db?.end()]);
  await database?.drop();
});

const linkQuestion = (person: Person) => ({
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: person.account },
  context: { purpose: 'profile-linking', customer: person.crm, actor: { id: person.actor, role: 'agent' } },
});

/** All that anybody ever does with a person, one thing after the other, whether it succeeds or not. Answers the statuses. */
const live = async (person: Person): Promise<number[]> => {
  const { evidence, actor } = person;
  const consent = { subject: person.crm, method: 'web-form', evidence, actor };
  const registered = await call('registerSubject', {
    body: { identifiers: [person.crm, person.email, person.phone].map((identifier) => ({ identifier })) },
  });
  const subjectId = (registered.body?.subjectId as string | undefined) ?? randomUUID();
  const added = await call('addIdentifiers', {
    path: { subjectId },
    body: {
      identifiers: [person.nickname, person.blog, `x:@${word('x handle')}`].map((identifier) => ({ identifier })),
    },
  });
  const given = await call('recordConsent', {
    body: {
      ...consent,
      purpose: 'profile-linking',
      scope: { platform: 'facebook' },
      decision: 'given',
      notice: { version: 1, language: 'de' },
    },
  });
  const subscribed = await call('recordConsent', {
    as: 'newsletter',
    body: {
      ...consent,
      method: 'app',
      purpose: 'newsletter',
      scope: { channel: 'email' },
      decision: 'given',
      notice: { version: 1, language: 'fr' },
    },
  });
  const enriched = await call('recordConsent', {
    body: { ...consent, purpose: 'profile-enrichment', decision: 'given', notice: { version: 1, language: 'it' } },
  });
  const lookedUp = await call('lookUpSubject', { body: { identifier: person.email } });
  const challenge = await call('openChallenge', { body: { customer: person.crm, account: person.account } });
  const seen = await call('reportCodeSeen', {
    as: 'community-desk',
    body: { account: person.account, code: challenge.body?.code ?? word('code'), handle: person.handle },
  });
  const denied = await call('evaluate', {
    as: 'community-desk',
    body: {
      ...linkQuestion(person),
      context: { ...linkQuestion(person).context, chain: [person.nickname, `x:@${word('hop')}`] },
    },
  });
  const permit = await call('evaluate', { as: 'community-desk', body: linkQuestion(person) });
  const many = await call('evaluateMany', {
    as: 'community-desk',
    body: { ...linkQuestion(person), evaluations: [{}, { resource: { type: person.name, id: person.handle } }] },
  });
  const leaseId = permit.body?.context?.lease?.id ?? randomUUID();
  const link = await call('confirmLink', {
    as: 'community-desk',
    body: { leaseId, customer: person.crm, identity: person.account },
  });
  const search = await call('searchResources', {
    as: 'community-desk',
    body: { ...linkQuestion(person), resource: { type: 'social_identity' } },
  });
  const read = await Promise.all(
    ['readConsents', 'readConsentHistory', 'readLinks'].map((id) => call(id, { path: { subjectId } })),
  );
  const linkId = link.body?.linkId ?? randomUUID();
  const unlinked = await call('unlink', { as: 'community-desk', path: { subjectId, linkId }, body: { actor } });
  const withdrawn = await call('withdrawConsent', { body: { ...consent, purpose: '*' } });
  const objected = await call('objectToPurpose', { body: { ...consent, subject: person.account, purpose: '*' } });
  const pulled = await call('pullObligations', { as: 'listening' });
  const all = [
    registered,
    added,
    given,
    subscribed,
    enriched,
    lookedUp,
    challenge,
    seen,
    denied,
    permit,
    many,
    link,
    search,
  ];
  return [...all, ...read, unlinked, withdrawn, objected, pulled].map(({ status }) => status);
};

/** All of it succeeds. */
const livesWell = async (person: Person): Promise<void> => {
  const before = answers.length;
  await live(person);
  const bad = answers.slice(before).filter(({ answer }) => answer.status >= 300);
  expect(bad.map(({ call: what, answer }) => `${what}: ${answer.text}`)).toEqual([]);
};

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('somebody lives through every operation, and all of them succeed', async () => {
  await livesWell(newPerson());
});

/** Every place of an example where a text stands: a copy of the example with another text there. */
const variations = (example: unknown, put: string): unknown[] => {
  if (typeof example === 'string') return [put];
  if (Array.isArray(example))
    return example.flatMap((item, at) => variations(item, put).map((v) => example.with(at, v)));
  if (typeof example !== 'object' || example === null) return [];
  return [
    ...Object.entries(example).flatMap(([key, inner]) => variations(inner, put).map((v) => ({ ...example, [key]: v }))),
    // A member that nobody knows, named as a person is.
    { ...example, [`${put}@example.org`]: put },
  ];
};

const requestsWith = (operation: Operation, mark: string): WireRequest[] => {
  const { method, body } = operation;
  const ids = operation.parameters.filter((one) => one.in === 'path');
  const pathOf = (value: (name: string) => string): string =>
    ids.reduce((path, { name }) => path.replace(`{${name}}`, encodeURIComponent(value(name))), operation.path);
  const usual = pathOf(() => randomUUID());
  const headers = {
    authorization: tokens.get('crm')!,
    ...(body ? { 'content-type': body.contentType } : {}),
  };
  const write = (value: unknown): Buffer =>
    Buffer.from(
      body?.contentType === 'application/x-www-form-urlencoded'
        ? new URLSearchParams(value as Record<string, string>).toString()
        : JSON.stringify(value),
    );
  const example = body && write(body.example);
  const forms = [mark, `crm:${mark}`, `email:${mark}@example.org`, `facebook:${mark}`, `x:@${mark}`];
  return [
    ...(body ? forms.flatMap((form) => variations(body.example, form)) : []).map((value, at) => ({
      method,
      path: usual,
      // One that may do most things, and one that may do few.
      headers: { ...headers, authorization: tokens.get(at % 3 === 0 ? 'listening' : 'crm')! },
      body: write(value),
    })),
    ...ids.map(({ name: changed }) => ({
      method,
      path: pathOf((name) => (name === changed ? `${mark}@example.org` : randomUUID())),
      headers,
      body: example,
    })),
    ...[...operation.parameters.filter((one) => one.in === 'query'), { name: `${mark}@example.org` }].map(
      ({ name }) => ({
        method,
        path: `${usual}?${encodeURIComponent(name)}=${mark}`,
        headers,
        body: example,
      }),
    ),
    ...[
      { authorization: `Bearer ${mark}` },
      { authorization: `Basic ${Buffer.from(`${mark}:${mark}`).toString('base64')}` },
      { 'idempotency-key': `"${mark}"` },
      { 'accept-language': mark, 'user-agent': mark, referer: `https://${mark}.example/`, cookie: `a=${mark}` },
      {
        'x-forwarded-for': mark,
        forwarded: `for=${mark}`,
        from: `${mark}@example.org`,
        origin: `https://${mark}.example`,
      },
      { 'content-type': `text/${mark}` },
    ].map((more) => ({ method, path: usual, headers: { ...headers, ...more }, body: example })),
    { method, path: usual, headers, body: Buffer.from(`{"a": ${mark}`) },
    { method: 'PROPFIND', path: `${usual}/${mark}`, headers },
  ];
};

test('every text of every operation was a canary once', async () => {
  const before = answers.length;
  for (const operation of operations) {
    const mark = word(`in ${operation.id}`);
    await Promise.all(requestsWith(operation, mark).map((request) => send(request, operation.id)));
  }
  const statuses = new Set(answers.slice(before).map(({ answer }) => answer.status));
  expect(answers.length - before).toBeGreaterThan(300);
  for (const status of [200, 201, 400, 401, 403, 404]) expect(statuses).toContain(status);
  // Some of it made the systems' endpoints lead elsewhere.
  await setEndpoints();
});

test('what is not even HTTP was full of canaries', async () => {
  const mark = word('on the wire');
  const { hostname, port } = new URL(service.url);
  for (const sent of [
    `GET /${mark} HTTP/1.1\r\nHost: ${mark} b\r\n\r\n`,
    `${mark} / HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${mark}: ${'x'.repeat(40_000)}\r\n\r\n`,
    `POST /v1/consents HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{"subject":"${mark}`,
    `POST /v1/consents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${mark}\r\n`,
  ]) {
    const socket = connect(Number(port), hostname);
    socket.end(sent);
    socket.on('error', () => {});
    expect(found(await text(socket))).toEqual([]);
  }
});

/** Runs `use` with the database as `break_` leaves it, and mends it. */
const whileBroken = async <T>(broken: string[], mended: string[], use: () => Promise<T>): Promise<T> => {
  for (const statement of broken) await stored.asOwner(statement);
  try {
    return await use();
  } finally {
    for (const statement of mended) await stored.asOwner(statement);
  }
};

const eventTables = [
  'identifier',
  'consent_event',
  'audit_event',
  'link_event',
  'permit',
  'obligation',
  'control_challenge',
];

test.each([...eventTables, 'subject_state', 'idempotency'])(
  'the database refused every row of %s, and said in its words which',
  async (table) => {
    const statuses = await whileBroken(
      [`alter table ${table} add constraint zq_refused check (false) not valid`],
      [`alter table ${table} drop constraint zq_refused`],
      async () => [...(await live(newPerson())), ...(await live(newPerson()))],
    );
    if (table !== 'idempotency') expect(statuses).toContain(500);
  },
);

test('the database repeated whole rows in its messages', async () => {
  const raise = `create function zq_raise() returns trigger language plpgsql as $$ begin
    raise exception 'no %', new using detail = new::text, hint = row_to_json(new)::text, errcode = 'P0001'; end $$`;
  const statuses = await whileBroken(
    [
      raise,
      ...eventTables.map((t) => `create trigger zq before insert on ${t} for each row execute function zq_raise()`),
    ],
    [...eventTables.map((table) => `drop trigger zq on ${table}`), 'drop function zq_raise'],
    () => live(newPerson()),
  );
  expect(statuses).toContain(500);
});

test('denials could not be written for a while', async () => {
  await whileBroken(
    ['alter table denial add constraint zq_refused check (false) not valid'],
    ['alter table denial drop constraint zq_refused'],
    async () => {
      await live(newPerson());
      await later(500);
    },
  );
});

test('the service lost its rights, and its keys', async () => {
  const rights = ['consent_event', 'identifier', 'subject_state'].join(', ');
  await whileBroken(
    [`revoke insert, select on ${rights} from askfirst_app`],
    [`grant select, insert on ${rights} to askfirst_app`],
    () => live(newPerson()),
  );
  const person = newPerson();
  await live(person);
  await stored.asOwner('revoke select, insert on subject_key from askfirst_app', 'keys');
  await live(newPerson());
  await stored.asOwner('grant select, insert on subject_key to askfirst_app', 'keys');
  await stored.asOwner(`update subject_key set wrapped = '\\x00'`, 'keys');
  const statuses = await live(person);
  expect(statuses.some((status) => status >= 500)).toBe(true);
  // Those keys are gone for good; whoever comes now gets new ones.
  await livesWell(newPerson());
});

test('connections broke under load, and statements waited for locks until the request was over', async () => {
  const killer = setInterval(() => {
    void stored
      .asOwner(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'askfirst_app' and application_name <> 'test'`,
      )
      .catch(() => {});
  }, 60);
  try {
    await Promise.all(Array.from({ length: 12 }, () => live(newPerson())));
  } finally {
    clearInterval(killer);
  }
  const sql = postgres(database.urls.owner, { max: 1, onnotice: () => {} });
  const statuses = await sql.begin(async (transaction) => {
    await transaction.unsafe('lock table identifier, subject_state in access exclusive mode');
    return Promise.all(
      Array.from({ length: 3 }, () => call('lookUpSubject', { body: { identifier: newPerson().email } })),
    );
  });
  await sql.end();
  expect(statuses.map(({ status }) => status)).toEqual([503, 503, 503]);
});

test('the active policies were nonsense', async () => {
  const mark = word('in policies');
  const [active] = await stored.asOwner('select policy_digest as digest from deployment');
  await stored.asOwner(`insert into policy_set (digest, content) values ('${mark}', '{"purposes": "${mark}"}')`);
  await stored.asOwner(`update deployment set policy_digest = '${mark}'`);
  const statuses = await live(newPerson());
  await stored.asOwner(`update deployment set policy_digest = '${active!['digest'] as string}'`);
  await stored.asOwner(`delete from policy_set where digest = '${mark}'`);
  expect(statuses).toContain(503);
  const denied = { ...linkQuestion(newPerson()), context: { purpose: mark, customer: newPerson().name, [mark]: mark } };
  expect((await call('evaluate', { as: 'community-desk', body: denied })).body.decision).toBe(false);
});

test('what is stored of a person was nonsense', async () => {
  const person = newPerson();
  const registered = await call('registerSubject', { body: { identifiers: [{ identifier: person.crm }] } });
  const mark = word('in a broken state');
  const broken = `'{"profile-linking": {"${mark}": 1}, "*": "${mark}"}'`;
  const { subjectId } = registered.body;
  await stored.asOwner(
    `update subject_state set answers = ${broken}, links = ${broken} where subject_id = '${subjectId}'`,
  );
  const statuses = await live(person);
  expect(statuses).toContain(500);
  await stored.asOwner(`update subject_state set answers = '{}', links = '[]' where subject_id = '${subjectId}'`);
});

test('systems answered their webhooks with errors, riddles and nothing at all', async () => {
  const modes: ((delivery: Delivery, response: ServerResponse) => void)[] = [
    ({ body }, response) => response.writeHead(500, `sorry`).end(body),
    ({ body }, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:1/${encodeURIComponent(body)}` }).end(),
    ({ body }, response) => response.writeHead(429, { 'retry-after': body.slice(0, 40) }).end(),
    ({ body }, response) => response.end(`{"acknowledged": "${body}`),
    (_, response) => response.destroy(),
    ({ body }, response) => void response.write(body),
  ];
  for (const mode of modes) {
    behaviour = mode;
    await livesWell(newPerson());
    await later(400);
  }
  behaviour = (_, response) => void response.end('{"acknowledged": true}');
  await later(1_500);
  for (const receiver of receivers.values()) expect(receiver.deliveries.length).toBeGreaterThan(0);
});

test('a client was revoked, and went on', async () => {
  await revokeClient(db, clientIds.get('crm')!);
  const statuses = await live(newPerson());
  expect(statuses).toContain(401);
  await issueToken('crm');
});

test('after all that the service is as well as before', async () => {
  await livesWell(newPerson());
});

// What all this was for.

test('no line of any log holds a canary, and each is a line of the log', async () => {
  await later(600);
  const lines = service.output().split('\n').slice(0, -1);
  const levels = lines.map((line) => (JSON.parse(line) as { level: string }).level);
  // All that was broken was told: there was something to leak.
  expect(new Set(levels)).toEqual(new Set(['info', 'warn', 'error']));
  expect(lines.filter((line) => line.includes('"msg":"request"')).length).toBeGreaterThan(answers.length / 2);
  for (const fault of ['DatabaseRefused', 'an obligation was not delivered', 'refuses a denial', 'TypeError'])
    expect(
      lines.some((line) => line.includes(fault)),
      fault,
    ).toBe(true);
  expect(lines.filter((line) => found(line).length > 0)).toEqual([]);
});

test('no refusal and no failure repeats one', () => {
  const unhappy = answers.filter(({ answer }) => answer.status >= 400);
  for (const status of [400, 401, 403, 404, 422, 500, 503])
    expect(
      unhappy.some(({ answer }) => answer.status === status),
      `${status} was never answered`,
    ).toBe(true);
  const leaking = unhappy.filter(({ answer }) => found(answer.text + JSON.stringify(answer.headers)).length > 0);
  expect(leaking.map(({ call: what, answer }) => `${what}: ${answer.status} ${answer.text}`)).toEqual([]);
});

test('an answer names a person only to the system that holds the link or has something to do', () => {
  const mayName = new Set(['searchResources', 'pullObligations', 'setEndpoint']);
  const happy = answers.filter(({ answer }) => answer.status < 400);
  const leaking = happy.filter(
    ({ call: what, answer }) =>
      found(answer.text, (kind) => mayName.has(what) && !/evidence|actor|name$/.test(kind)).length > 0,
  );
  expect(leaking.map(({ call: what, answer }) => `${what}: ${answer.text}`)).toEqual([]);
});

test('metrics and health name nobody', async () => {
  for (const path of ['/metrics', '/healthz', '/readyz', '/openapi.json', '/docs']) {
    const answer = await client.send({ method: 'GET', path, headers: {} });
    expect(answer.status).toBe(200);
    expect(found(answer.text)).toEqual([]);
  }
});

test('nobody who reads the databases reads a canary: no identifier, no evidence, in no column of no table', async () => {
  const { actor, ...others } = beginnings;
  expect(await stored.columnsWith(Object.values(others))).toEqual([]);
  // Who acted is told to auditors by the id that the system gives for it, which is to be no name.
  expect(await stored.columnsWith([actor])).toEqual(['data.audit_event.actor']);
  // There was something to find: rows of everybody in every table that knows of persons.
  for (const table of [...eventTables, 'denial', 'subject_state', 'idempotency']) {
    const [row] = await stored.asOwner(`select count(*)::int as rows from ${table}`);
    expect(row!['rows'], table).toBeGreaterThan(0);
  }
});

test('a system is told of a person by its own kinds of identifier and by nothing else', async () => {
  const kinds = new Map([
    ['crm', /^(crm|email|phone|account|nickname|blog)$/],
    ['community-desk', /^(crm|email|phone|account|nickname|blog)$/],
    ['newsletter', /^(crm|email|phone)$/],
  ]);
  for (const [system, receiver] of receivers) {
    expect(receiver.deliveries.length, system).toBeGreaterThan(3);
    for (const { body, headers } of receiver.deliveries) {
      const told = found(`${body} ${JSON.stringify(headers)}`);
      expect(told.length, body).toBeLessThanOrEqual(2);
      expect(told.filter((what) => !kinds.get(system)!.test(what))).toEqual([]);
    }
  }
  const seen = [...receivers.values()].flatMap(({ deliveries }) => deliveries.flatMap(({ body }) => found(body)));
  expect(new Set(seen)).toContain('account');
  expect(new Set(seen)).toContain('crm');
});
