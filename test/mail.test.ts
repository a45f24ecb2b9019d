import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock, testClock } from '../src/kernel/clock.ts';
import { localKeyEncryption, newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore, type KeyStore } from '../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import { createLog } from '../src/kernel/log.ts';
import { mailValues } from '../src/kernel/mail/mail-values.ts';
import { countMails, createMailWorker } from '../src/kernel/mail/mail-worker.ts';
import { createMailTransport } from '../src/kernel/mail/transport.ts';
import type { QueueWorker } from '../src/kernel/queue-worker.ts';
import { mail } from '../src/kernel/table.ts';
import { createSubjectReader, createSubjectWriter, row, type SubjectWriter } from '../src/subjects/index.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';

const ids = uuidV7s(systemClock);
const keyEncryptionKey = newKeyEncryptionKey(1);
const from = 'Club Amici <club@example.org>';
let databases: TestDatabase;
let database: Database;
let owner: Database;
let keysReaper: Database;
let keys: KeyStore;
let writer: SubjectWriter;
let smtp: Smtp;
let logged: string;
let closing: (() => unknown)[] = [];
let workers: QueueWorker[] = [];

beforeAll(async () => {
  databases = await freshDatabase();
  database = connect(databases.urls.app, { connections: 8 });
  owner = connect(databases.urls.owner, { connections: 2 });
  keysReaper = connect(databases.urls.keysReaper, { connections: 1 });
  keys = createKeyStore(databases.urls.keys, localKeyEncryption(keyEncryptionKey));
  writer = createSubjectWriter({ database, reader: createSubjectReader(database, 5_000), ids, deadlineMs: 5_000 });
});
beforeEach(async () => {
  await owner.script('truncate mail');
  smtp = await startSmtp();
  closing.push(() => smtp.close());
  logged = '';
  workers = [];
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await Promise.all([database.end(), owner.end(), keysReaper.end(), keys.database.end()]);
  await databases.drop();
});

/** Owes a mail the way the service does: in the statement that changes the person. */
const owe = async (to: string, about: { endsInHours?: number; clock?: typeof systemClock } = {}) => {
  const [subjectId, id] = [ids.uuid(), ids.uuid()];
  const key = await keys.createSubjectKey(subjectId);
  const now = (about.clock ?? systemClock).now();
  const values = mailValues(key, {
    id,
    kind: 'confirm-consent',
    content: { to, subject: 'Ihr Code für Übersicht', text: 'Grüezi Eva\n\nIhr Code: 482 913 – gültig 48 h' },
    now,
    endsAt: now.add({ hours: about.endsInHours ?? 48 }),
  });
  const caller = { system: 'portal', clientId: 'portal.1' };
  await writer.change(subjectId, { verb: 'record-consent', caller }, () => ({
    rows: [row(mail, values)],
    result: undefined,
  }));
  for (const worker of workers) worker.wake();
  return { subjectId, id };
};

const log = createLog({ level: 'debug', stream: { write: (line) => void (logged += line) }, personal: new Set() });

const work = (overrides: Partial<Parameters<typeof createMailWorker>[0]> & { url?: string } = {}): QueueWorker => {
  const { url = smtp.url, ...rest } = overrides;
  const transport = createMailTransport({ url, from });
  const worker = createMailWorker({ database, keys, clock: systemClock, log, send: transport.send, ...rest });
  closing.push(async () => {
    await worker.stop();
    transport.close();
  });
  worker.start();
  workers.push(worker);
  return worker;
};

type State = {
  sent: boolean;
  attempts: number;
  ended: boolean;
  leased: boolean;
  problem: string | null;
  bytes: number;
};
const stateOf = async (id: string): Promise<State> => {
  const [state] = await database.query<State>(
    `select sent_at is not null as sent, attempts, ends_at <= now() as ended, coalesce(leased_until > now(), false) as leased,
       last_problem as problem, length(sealed)::int as bytes from mail where id = $1`,
    [id],
  );
  return state!;
};
const becomes = async (id: string, expected: Partial<State>) => {
  await expect.poll(() => stateOf(id), { timeout: 10_000, interval: 20 }).toMatchObject(expected);
};
/** Makes the next attempt, or the end of a lease, a matter of now. */
const due = (id: string) =>
  owner.query(`update mail set next_attempt_at = now(), leased_until = null where id = $1`, [id]);

test('two instances send each of forty mails exactly once', async () => {
  work();
  work();
  const owed = await Promise.all(Array.from({ length: 40 }, (_, index) => owe(`eva${index}@example.org`)));
  const unsent = async () =>
    (await database.query<{ n: number }>('select count(*)::int as n from mail where sent_at is null'))[0]!.n;
  await expect.poll(unsent, { timeout: 20_000, interval: 20 }).toBe(0);
  expect(smtp.mails).toHaveLength(40);
  expect(new Set(smtp.mails.map(({ messageId }) => messageId))).toEqual(
    new Set(owed.map(({ id }) => `<${id}@example.org>`)),
  );
});

test('a mail is plain text in UTF-8, says that a program sent it, and leaves nothing of its content in the row', async () => {
  work();
  const { id } = await owe('eva@example.org');
  const { subject, text, headers, messageId } = await smtp.nextMail('eva@example.org');
  expect({ subject, text, messageId }).toEqual({
    subject: 'Ihr Code für Übersicht',
    text: 'Grüezi Eva\n\nIhr Code: 482 913 – gültig 48 h',
    messageId: `<${id}@example.org>`,
  });
  expect(headers).toMatchObject({
    from,
    to: 'eva@example.org',
    'auto-submitted': 'auto-generated',
    'content-type': 'text/plain; charset=utf-8',
  });
  await becomes(id, { sent: true, attempts: 1, problem: null, bytes: 0 });
});

test.each([
  { code: 451, at: 'recipient' },
  { code: 452, at: 'data' },
] as const)('what is refused for now ($code at $at) is sent later, under the same id', async (refusal) => {
  smtp.answer(refusal);
  const worker = work();
  const { id } = await owe('eva@example.org');
  const step = refusal.at === 'data' ? 'DATA' : 'RCPT TO';
  await becomes(id, {
    sent: false,
    attempts: 1,
    ended: false,
    leased: false,
    problem: `SMTP ${refusal.code} at ${step}`,
  });
  smtp.answer('take');
  await due(id);
  worker.wake();
  expect((await smtp.nextMail('eva@example.org')).messageId).toBe(`<${id}@example.org>`);
  await becomes(id, { sent: true, attempts: 2, problem: null });
});

test.each([
  { code: 550, at: 'recipient' },
  { code: 554, at: 'data' },
] as const)('what is refused for good ($code at $at) is given up, and its content with it', async (refusal) => {
  smtp.answer(refusal);
  work();
  const { id } = await owe('eva@example.org');
  await becomes(id, { sent: false, attempts: 1, ended: true, bytes: 0 });
  smtp.answer('take');
  await due(id);
  const other = await owe('max@example.org');
  await smtp.nextMail('max@example.org');
  await becomes(other.id, { sent: true });
  expect(smtp.mails).toHaveLength(1);
  expect(await countMails(database, systemClock.now())).toEqual({ waiting: 0, failed: 1 });
});

test('an address that nobody can be written to at is given up without a server being asked', async () => {
  work();
  const { id } = await owe('');
  await becomes(id, { sent: false, ended: true, problem: 'the address cannot be written to' });
  expect(smtp.attempts()).toBe(0);
});

test('a server that refuses us for good refuses no mail: whoever mends the password sends it', async () => {
  const refusing = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 mail ESMTP\r\n');
    socket.on('data', (data) => {
      if (/^EHLO/i.test(data.toString())) socket.write('250-mail\r\n250 AUTH PLAIN\r\n');
      else socket.end('535 5.7.8 authentication failed for eva@example.org\r\n');
    });
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  closing.push(() => refusing.close());
  const { port } = refusing.address() as AddressInfo;
  work({ url: `smtp://club:s3cret@127.0.0.1:${port}` });
  const { id } = await owe('eva@example.org');
  await becomes(id, { sent: false, ended: false, problem: 'SMTP 535 at AUTH PLAIN' });
  expect(logged).not.toMatch(/eva|s3cret/);
});

test('a password goes to no other machine in the clear', async () => {
  const heard: string[] = [];
  const plain = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 mail ESMTP\r\n');
    socket.on('data', (data) => {
      heard.push(data.toString());
      socket.write(/^EHLO/i.test(data.toString()) ? '250-mail\r\n250 AUTH PLAIN\r\n' : '502 no\r\n');
    });
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  closing.push(() => plain.close());
  const { port } = plain.address() as AddressInfo;
  // For all that the service knows, another machine: it compares names.
  const transport = createMailTransport({ url: `smtp://club:s3cret@LOCALHOST:${port}`, from });
  closing.push(() => transport.close());
  const reachable = await transport.verify();
  expect(reachable).toBeDefined();
  expect(heard.join('')).toContain('EHLO');
  expect(heard.join('')).not.toContain('AUTH');
});

test('killed between sending and writing back, a mail is sent again, recognisably the same', async () => {
  const { id } = await owe('eva@example.org');
  const instance = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'support/mail-process.ts'),
      databases.urls.app,
      databases.urls.keys,
      keyEncryptionKey,
      smtp.url,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  closing.push(() => instance.kill('SIGKILL'));
  await once(instance.stdout, 'data');
  instance.kill('SIGKILL');
  await once(instance, 'exit');
  expect(await stateOf(id)).toMatchObject({ sent: false, attempts: 1, leased: true });
  await due(id);
  work();
  await becomes(id, { sent: true, attempts: 2 });
  expect(smtp.mails.map(({ messageId }) => messageId)).toEqual([`<${id}@example.org>`, `<${id}@example.org>`]);
});

test('once the key of a person is destroyed, no mail to that person leaves', async () => {
  const { id, subjectId } = await owe('eva@example.org');
  await keysReaper.query('delete from subject_key where subject_id = $1', [subjectId]);
  work();
  await becomes(id, { sent: false, ended: true, problem: 'its content cannot be opened any more', bytes: 0 });
  expect(smtp.attempts()).toBe(0);
});

test('past its end a mail is not sent any more', async () => {
  const clock = testClock('2026-06-01T09:00:00Z');
  const stale = await owe('eva@example.org', { clock });
  clock.advance({ hours: 48 });
  const fresh = await owe('max@example.org', { clock });
  work({ clock });
  await smtp.nextMail('max@example.org');
  await becomes(fresh.id, { sent: true });
  expect(await stateOf(stale.id)).toMatchObject({ sent: false, attempts: 0 });
  expect(smtp.mails).toHaveLength(1);
});

test('while the mail server is down mails wait, and they come when it is back', async () => {
  await smtp.close();
  const worker = work();
  const { id } = await owe('eva@example.org');
  await becomes(id, { sent: false, ended: false, problem: 'no connection to the mail server (ECONNREFUSED)' });
  expect(await countMails(database, systemClock.now())).toEqual({ waiting: 1, failed: 0 });
  smtp = await startSmtp(smtp.port);
  closing.push(() => smtp.close());
  await due(id);
  worker.wake();
  await smtp.nextMail('eva@example.org');
  await becomes(id, { sent: true });
});

test('neither the log nor the row of a mail says to whom it goes', async () => {
  smtp.answer((to) => ({ code: to.startsWith('eva') ? 550 : 450, at: 'recipient' }));
  work();
  const refused = await owe('eva@example.org');
  const delayed = await owe('max@example.org');
  await becomes(refused.id, { ended: true });
  await becomes(delayed.id, { problem: 'SMTP 450 at RCPT TO' });
  const rows = await database.query('select * from mail');
  const said = JSON.stringify(rows) + rows.map((one) => String((one as { sealed: Buffer }).sealed)).join() + logged;
  expect(logged).toContain('a mail was not sent');
  expect(said).not.toMatch(/eva|max|example\.org/);
  // The log's own net would blot an address out; nothing may have come as far as that.
  expect(logged).not.toContain('redacted');
});
