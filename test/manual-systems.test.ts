import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectFolder } from '../src/config.ts';
import { systemClock, testClock } from '../src/kernel/clock.ts';
import { sealCapability } from '../src/kernel/crypto/capability.ts';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import { createMailTransport } from '../src/kernel/mail/transport.ts';
import type { QueueWorker } from '../src/kernel/queue-worker.ts';
import { languages, loadCatalogue, type Catalogue } from '../src/policies/index.ts';
import { createSubjectReader, createSubjectWriter } from '../src/subjects/index.ts';
import {
  acknowledgeObligation,
  createDeliveryWorker,
  createTaskWorker,
  createWebhookSender,
  oblige,
  setEndpoint,
  taskWords,
} from '../src/systems/index.ts';
import { nextReminderAt } from '../src/systems/mail-tasks.ts';
import { sealTask } from '../src/systems/task.ts';
import { startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { linkAccount } from './support/people.ts';
import { acknowledge, startReceiver } from './support/receiver.ts';
import { startSmtp, type ReceivedMail, type Smtp } from './support/smtp.ts';

const colleague = 'desk@example.org';
let folder: string;
let app: TestApp;
/** What the service and the workers of single tests send to. */
let smtp: Smtp;
let own: Smtp;
let catalogue: Catalogue;
let databases: TestDatabase;
let database: Database;
let owner: Database;
let person = 0;
let closing: (() => unknown)[] = [];

/** The default policies with a community desk that is told by mail. */
const manualPolicies = async (): Promise<string> => {
  const copy = await mkdtemp(join(tmpdir(), 'askfirst-manual-'));
  await cp(join(projectFolder, 'policies'), copy, { recursive: true });
  const systems = await readFile(join(copy, 'systems.yaml'), 'utf8');
  const desk = systems.indexOf('- id: community-desk');
  const edited = systems.slice(desk).replace('kind: webhook', `kind: manual\n    mail: ${colleague}`);
  await writeFile(join(copy, 'systems.yaml'), systems.slice(0, desk) + edited);
  return copy;
};

beforeAll(async () => {
  folder = await manualPolicies();
  smtp = await startSmtp();
  app = await startTestApp({ settings: { policiesFolder: folder }, mail: smtp });
  catalogue = await loadCatalogue(folder);
  databases = await freshDatabase();
  database = connect(databases.urls.app, { connections: 4 });
  owner = connect(databases.urls.owner, { connections: 1 });
});
beforeEach(async () => {
  own = await startSmtp();
  closing.push(() => own.close());
  await owner.script('truncate obligation');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await app.close();
  await smtp.close();
  await Promise.all([database.end(), owner.end()]);
  await databases.drop();
  await rm(folder, { recursive: true });
});

/** A link that its customer has withdrawn. */
const withdrawnLink = async () => {
  const [customer, account] = [`crm:${4711 + person}`, `facebook:${102938475 + person++}`];
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  const { subjectId } = await linkAccount(app, customer, account);
  const { status } = await app.call('POST', '/v1/consents/withdraw', {
    body: { subject: customer, purpose: 'profile-linking', method: 'web-form' },
  });
  expect(status).toBe(201);
  const linkStatus = async () => {
    const [row] = await app.db.query<{ links: string }>(
      'select links::text as links from subject_state where subject_id = $1',
      [subjectId],
    );
    return row!.links;
  };
  return { customer, account, linkStatus };
};

const linkIn = ({ text }: ReceivedMail): string => {
  const url = /^http\S+\/tasks\/\S+$/m.exec(text)![0];
  expect(url.startsWith(`${app.url}/tasks/`)).toBe(true);
  return url;
};
const open = async (url: string, method = 'GET', init: RequestInit = {}) => {
  const answer = await fetch(url, { method, redirect: 'manual', ...init });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
type Row = { id: string; attempts: number; problem: string | null; acknowledgedAt: string | null };
/** The obligation that was made last. */
const newest = async (of: Database): Promise<Row> => {
  const [row] = await of.query<Row>(
    `select id, attempts, last_problem as problem, acknowledged_at as "acknowledgedAt" from obligation order by created_at desc limit 1`,
  );
  return row!;
};

test('a withdrawal is mailed as a task; looking at it does nothing, the button unlinks, and then nobody is named any more', async () => {
  const { customer, account, linkStatus } = await withdrawnLink();
  const mail = await smtp.nextMail(colleague);
  expect(mail.subject).toBe('Verknüpfung aufheben');
  expect(mail.subject + JSON.stringify(mail.headers)).not.toContain(customer.slice(4));
  expect(mail.text).toContain(`Person: ${customer}\nKonto: ${account}\nZweck: `);
  expect(mail.text).toContain('Bitte trennen Sie in „Community-Arbeitsplatz“');
  expect(mail.text).toMatch(/Zu erledigen bis: \d+\. \p{L}+ \d{4} um \d\d:\d\d UTC/u);

  const url = linkIn(mail);
  // Programs that look into mails open every link, some several times, some by HEAD.
  for (const method of ['GET', 'HEAD', 'GET']) expect((await open(url, method)).status).toBe(200);
  for (const method of ['OPTIONS', 'PUT', 'DELETE']) expect((await open(url, method)).status).toBe(405);
  expect((await newest(app.db)).acknowledgedAt).toBeNull();
  expect(await linkStatus()).toContain('unlink-due');

  const page = await open(url, 'GET', { headers: { 'accept-language': 'en' } });
  expect(page.text).toMatch(/<h1>Undo a link<\/h1>/);
  expect(page.text).toContain(customer);
  expect(page.text).toMatch(/<form method="post" action="\?lang=en">\s*<button type="submit">Done<\/button>/);
  expect(page.text).not.toMatch(/<script|onclick|https?:\/\/(?!127)/);
  expect(Object.fromEntries(page.headers)).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
  });

  const thanks = await open(url, 'POST', { headers: { 'accept-language': 'fr' } });
  expect(thanks).toMatchObject({ status: 200, text: expect.stringContaining('La tâche est faite.') });
  expect(await linkStatus()).not.toContain('unlink-due');

  const { acknowledgedAt } = await newest(app.db);
  expect(acknowledgedAt).not.toBeNull();
  for (const method of ['GET', 'POST']) {
    const again = await open(`${url}?lang=it`, method);
    expect(again).toMatchObject({ status: 200, text: expect.stringContaining('Già fatto') });
    expect(again.text).not.toContain(customer);
    expect(again.text).not.toContain('<form');
  }
  expect((await newest(app.db)).acknowledgedAt).toBe(acknowledgedAt);
});

test('a link of a task can report that one task, and links for something else report none', async () => {
  const { linkStatus } = await withdrawnLink();
  const token = linkIn(await smtp.nextMail(colleague))
    .split('/')
    .at(-1)!;
  const { id: obligationId } = await newest(app.db);
  const keys = createKeyStore(app.database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  closing.push(() => keys.database.end());
  const { key } = await keys.secret('capabilities');
  const foreign = [
    `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    'nonsense',
    sealCapability(Buffer.alloc(32), { kind: 'task', system: 'community-desk', obligationId }),
    sealTask(key, { kind: 'task', system: 'newsletter', obligationId }),
    sealTask(key, { kind: 'task', system: 'community-desk', obligationId: crypto.randomUUID() }),
    sealCapability(key, { kind: 'no', system: 'community-desk', obligationId }),
    sealCapability(key, { kind: 'task', system: 'community-desk', obligationId, also: 'erase' }),
  ];
  for (const one of foreign)
    for (const method of ['GET', 'POST']) {
      const answer = await open(`${app.url}/tasks/${one}`, method);
      expect(answer.status, `${method} ${one}`).toBe(404);
      expect(answer.headers.get('content-type')).toContain('text/html');
    }
  for (const path of ['no', 'u']) expect((await open(`${app.url}/${path}/${token}`)).status).toBe(404);
  expect(await linkStatus()).toContain('unlink-due');
  expect((await open(`${app.url}/tasks/${token}`, 'POST')).status).toBe(200);
});

test('a task to inform brings the words, and is done when the colleague says how they reached the person', async () => {
  const { status, body: reported } = await app.call('POST', '/v1/collections', {
    as: 'community-desk',
    body: { subject: 'x:44196397', purpose: 'campaign-participation', source: 'x' },
  });
  expect(status, JSON.stringify(reported)).toBe(201);
  const mail = await smtp.nextMail(colleague);
  const { version, text } = catalogue.purposes.get('campaign-participation')!.notices.at(-1)!;
  expect(mail.subject).toBe('Eine Person informieren');
  expect(mail.text.replaceAll(/\s+/g, ' ')).toContain(`Wortlaut: ${text.de.replaceAll(/\s+/g, ' ')}`);
  expect(mail.text).toContain('Person: x:44196397');
  const url = linkIn(mail);
  const form = (fields: Record<string, string>) => open(url, 'POST', { body: new URLSearchParams(fields) });
  for (const fields of [{}, { method: '' }, { method: 'telepathy' }, { method: 'import' }])
    expect((await form(fields as Record<string, string>)).status).toBe(400);
  expect((await newest(app.db)).acknowledgedAt).toBeNull();
  expect((await form({ method: 'direct-message' })).status).toBe(200);
  expect((await newest(app.db)).acknowledgedAt).not.toBeNull();
  const recorded = await app.db.query(
    'select action, purpose, method, notice_version as version, notice_language as language from consent_event where subject_id = $1',
    [reported.subjectId],
  );
  expect(recorded).toEqual([
    { action: 'inform', purpose: 'campaign-participation', method: 'direct-message', version, language: 'de' },
  ]);
});

/** A worker of its own, whose clock the test moves, on a queue that no service works on. */
const work = (
  clock: typeof systemClock,
  overrides: Partial<Parameters<typeof createTaskWorker>[0]> = {},
): QueueWorker => {
  const transport = createMailTransport({ url: own.url, from: 'club@example.org' });
  const worker = createTaskWorker({
    database,
    clock,
    log: { warn: () => {} },
    describe: (all) => Promise.resolve(new Map(all.map(({ id }) => [id, { customer: 'crm:4711' }]))),
    catalogue: () => Promise.resolve(catalogue),
    capabilityKey: Buffer.alloc(32),
    baseUrl: 'https://askfirst.example.org',
    send: transport.send,
    ...overrides,
  });
  closing.push(async () => {
    await worker.stop();
    transport.close();
  });
  worker.start();
  return worker;
};

const ids = uuidV7s(systemClock);
/** Obliges a system the way the service does: in the statement that changes the person. */
const owe = async (clock: typeof systemClock, system = 'community-desk', dueAt?: Temporal.Instant): Promise<string> => {
  const [subjectId, id] = [ids.uuid(), ids.uuid()];
  const writer = createSubjectWriter({
    database,
    reader: createSubjectReader(database, 5_000),
    ids,
    deadlineMs: 5_000,
  });
  const facts = { purpose: 'campaign-participation', scope: { channel: 'email' }, cause: 'withdrawn' };
  const rows = [oblige({ id, subjectId, system, kind: 'stop', facts, now: clock.now(), ...(dueAt && { dueAt }) })];
  const caller = { system: 'portal', clientId: 'portal.1' };
  await writer.change(subjectId, { verb: 'withdraw-consent', caller }, () => ({ rows, result: undefined }));
  return id;
};
const done = (id: string) =>
  acknowledgeObligation({ database, onAcknowledged: () => Promise.resolve() }, 'community-desk', id);
const quiet = (worker: QueueWorker) => {
  worker.wake();
  return expect(own.nextMail(colleague, 150)).rejects.toThrow('no mail');
};

test('whoever does not do it is reminded after three days, then daily, counted, until it is done', async () => {
  const clock = testClock('2026-06-01T09:00:00Z');
  const worker = work(clock);
  const id = await owe(clock);
  worker.wake();
  const { subject: first, messageId } = await own.nextMail(colleague);
  expect(first).toBe('Daten nicht mehr verwenden');
  const reminders: ReceivedMail[] = [];
  for (const hours of [72, 24, 24]) {
    clock.advance({ hours: hours - 1 });
    await quiet(worker);
    clock.advance({ hours: 1 });
    worker.wake();
    reminders.push(await own.nextMail(colleague));
  }
  expect(reminders.map(({ subject }) => subject)).toEqual([1, 2, 3].map((count) => `${first} – ${count}. Erinnerung`));
  for (const { text } of reminders) expect(text).toContain('Diese Aufgabe ist noch offen. Die Frist ist abgelaufen.');
  expect(new Set([messageId, ...reminders.map((mail) => mail.messageId)]).size).toBe(4);
  await done(id);
  clock.advance({ hours: 24 * 30 });
  await quiet(worker);
});

test('before a task is overdue, its reminders come every three days and do not say that it is late', async () => {
  const start = Temporal.Instant.from('2026-06-01T09:00:00Z');
  const dueAt = start.add({ hours: 7 * 24 });
  const days: number[] = [];
  for (let sent = 1, now = start; sent <= 5; sent++) {
    now = nextReminderAt(now, dueAt, sent);
    days.push(now.since(start).total('hours') / 24);
  }
  expect(days).toEqual([3, 6, 9, 10, 11]);

  const clock = testClock(start.toString());
  const worker = work(clock);
  const id = await owe(clock, 'community-desk', dueAt);
  worker.wake();
  await own.nextMail(colleague);
  clock.advance({ hours: 72 });
  worker.wake();
  expect((await own.nextMail(colleague)).text).toMatch(/^Diese Aufgabe ist noch offen\.$/m);
  await done(id);
});

test('what the mail server refuses counts as no reminder and comes later, and nobody can read there to whom', async () => {
  const clock = testClock('2026-06-01T09:00:00Z');
  own.answer({ code: 450, at: 'recipient' });
  const worker = work(clock);
  const id = await owe(clock);
  worker.wake();
  await expect.poll(() => newest(database)).toMatchObject({ id, attempts: 0, problem: 'SMTP 450 at RCPT TO' });
  own.answer('take');
  clock.advance({ minutes: 2 });
  worker.wake();
  expect((await own.nextMail(colleague)).subject).toBe('Daten nicht mehr verwenden');
  await expect.poll(() => newest(database)).toMatchObject({ attempts: 1, problem: null });
  await done(id);
});

test('a mail whose sending could not be written down is sent again as the same mail, not as a reminder', async () => {
  const clock = testClock('2026-06-01T09:00:00Z');
  const failing: Database['query'] = (text, parameters) =>
    text.startsWith('update obligation')
      ? Promise.reject(new Error('connection lost'))
      : database.query(text, parameters);
  const broken = work(clock, { database: { ...database, query: failing } });
  const id = await owe(clock);
  broken.wake();
  const first = await own.nextMail(colleague);
  await broken.stop();
  const worker = work(clock);
  await quiet(worker);
  // The lease of whoever failed runs out.
  await database.query(`update obligation set leased_until = now() - interval '1 second' where id = $1`, [id]);
  worker.wake();
  const second = await own.nextMail(colleague);
  expect([second.messageId, second.subject]).toEqual([first.messageId, first.subject]);
  await done(id);
});

test('two instances mail each task once, and only those of manual systems', async () => {
  const clock = testClock('2026-06-01T09:00:00Z');
  const workers = [work(clock), work(clock)];
  const owed = await Promise.all(Array.from({ length: 20 }, () => owe(clock)));
  await owe(clock, 'newsletter');
  for (const worker of workers) worker.wake();
  for (let index = 0; index < owed.length; index++) await own.nextMail(colleague);
  await quiet(workers[0]!);
  expect(own.mails).toHaveLength(owed.length);
});

test('a system that became manual is not told at its old endpoint any more', async () => {
  const receiver = await startReceiver(acknowledge);
  const keys = createKeyStore(databases.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  const asWebhook = new Map([['community-desk', { kind: 'webhook' as const }]]);
  const about = { database, keys, clock: systemClock };
  await setEndpoint({ ...about, systems: asWebhook, allowPrivateTargets: true }, 'community-desk', receiver);
  let looked = 0;
  let systems: Awaited<ReturnType<Parameters<typeof createDeliveryWorker>[0]['systems']>> = catalogue.systems;
  const worker = createDeliveryWorker({
    ...about,
    log: { warn: () => {} },
    describe: () => Promise.resolve(new Map()),
    systems: () => (looked++, Promise.resolve(systems)),
    onAcknowledged: () => Promise.resolve(),
    send: createWebhookSender({ allowPrivateTargets: true }),
  });
  closing.push(receiver.close, () => keys.database.end(), worker.stop);
  const id = await owe(systemClock);
  worker.start();
  // A look begins only when the one before is over.
  await expect.poll(() => (worker.wake(), looked), { timeout: 5_000 }).toBeGreaterThan(2);
  expect(await newest(database)).toMatchObject({ id, attempts: 0 });
  systems = asWebhook;
  worker.wake();
  await expect.poll(async () => (await newest(database)).acknowledgedAt).not.toBeNull();
  expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id]);
});

test.each(languages)('every kind of task is told whole in %s', (language) => {
  const common = {
    id: ids.uuid(),
    subjectId: ids.uuid(),
    system: 'community-desk',
    createdAt: '',
    dueAt: '2026-06-08T09:00:00Z',
  };
  const purpose = 'campaign-participation';
  const kinds = [
    { kind: 'unlink', facts: { linkId: '', purpose, cause: '', customerRef: '', identityRef: '' } },
    { kind: 'stop', facts: { purpose, cause: '', scope: { channel: 'email' } } },
    { kind: 'inform', facts: { purpose, cause: 'collected', collectedAt: '2026-06-01T09:00:00Z', source: 'post' } },
  ] as const;
  for (const duty of kinds) {
    const { title, what, facts } = taskWords(catalogue, language, { ...common, ...duty });
    const system = catalogue.systems.get('community-desk')!.name[language];
    expect(what).toContain(system);
    expect(what).not.toMatch(/undefined|[{}]/);
    expect(title.length).toBeGreaterThan(8);
    expect(facts.map(([label]) => label).every((label) => label.length > 2)).toBe(true);
    expect(facts.map(([, value]) => value).join()).toContain(catalogue.purposes.get(purpose)!.title[language]);
    // A task about somebody who was erased says so, instead of naming somebody else.
    expect(facts[0]![1]).toBe(
      {
        de: 'hier nicht mehr bekannt',
        fr: 'n’est plus connu ici',
        it: 'qui non è più noto',
        en: 'no longer known here',
      }[language],
    );
  }
});
