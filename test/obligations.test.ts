import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import type { QueueWorker } from '../src/kernel/queue-worker.ts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock, testClock, type Clock } from '../src/kernel/clock.ts';
import { localKeyEncryption, newKeyEncryptionKey } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore, type KeyStore } from '../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import { createSubjectReader, createSubjectWriter, type SubjectWriter } from '../src/subjects/index.ts';
import {
  acknowledgeObligation,
  countObligations,
  createDeliveryWorker,
  createWebhookSender,
  EndpointRefused,
  ObligationUnknown,
  oblige,
  pullObligations,
  setEndpoint,
  SystemPulls,
  type Obligation,
} from '../src/systems/index.ts';
import { leaseForDelivery, type Addressed } from '../src/systems/lease-obligations.ts';
import { recordDelivery } from '../src/systems/record-delivery.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { acknowledge, startReceiver, type Delivery, type Receiver } from './support/receiver.ts';

const ids = uuidV7s(systemClock);
const keyEncryptionKey = newKeyEncryptionKey(1);
const systems = new Map<string, { kind: 'webhook' | 'pull' }>([
  ['crm', { kind: 'webhook' }],
  ['newsletter', { kind: 'webhook' }],
  ['analytics', { kind: 'pull' }],
]);
let databases: TestDatabase;
let database: Database;
let owner: Database;
let keys: KeyStore;
let writer: SubjectWriter;
let closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  databases = await freshDatabase();
  database = connect(databases.urls.app, { connections: 8 });
  owner = connect(databases.urls.owner, { connections: 2 });
  keys = createKeyStore(databases.urls.keys, localKeyEncryption(keyEncryptionKey));
  writer = createSubjectWriter({ database, reader: createSubjectReader(database, 5_000), ids, deadlineMs: 5_000 });
});
beforeEach(() => owner.script('truncate obligation, endpoint'));
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await Promise.all([database.end(), owner.end(), keys.database.end()]);
  await databases.drop();
});

const describe = (obligations: readonly Obligation[]) =>
  Promise.resolve(
    new Map(obligations.map(({ id }) => [id, { customer: 'crm:4711', identity: 'facebook:1029384756' }])),
  );

const receive = async (answer?: Parameters<typeof startReceiver>[0], port?: number): Promise<Receiver> => {
  const receiver = await startReceiver(answer, port);
  closing.push(receiver.close);
  return receiver;
};

/** Records a withdrawal's obligations the way the service does: in the statement that changes the person. */
const withdraw = async (system: string, count = 1): Promise<string[]> => {
  const about = Array.from({ length: count }, () => ({ id: ids.uuid(), subjectId: ids.uuid() }));
  await Promise.all(
    about.map(({ id, subjectId }) => {
      const facts = {
        linkId: ids.uuid(),
        purpose: 'profile-linking',
        cause: 'withdrawn',
        customerRef: 'aa'.repeat(32),
        identityRef: 'bb'.repeat(32),
      };
      const row = oblige({ id, subjectId, system, kind: 'unlink', facts, now: systemClock.now() });
      const caller = { system: 'portal', clientId: 'portal.1' };
      return writer.change(subjectId, { verb: 'withdraw-consent', caller }, () => ({ rows: [row], result: undefined }));
    }),
  );
  return about.map(({ id }) => id);
};

const register = (system: string, url: string, clock: Clock = systemClock) =>
  setEndpoint({ database, keys, clock, systems, allowPrivateTargets: true }, system, { url });

type WorkerDeps = Parameters<typeof createDeliveryWorker>[0];

const work = (overrides: Partial<WorkerDeps> = {}): QueueWorker => {
  const worker = createDeliveryWorker({
    database,
    keys,
    clock: systemClock,
    log: { warn: () => {} },
    describe,
    systems: () => Promise.resolve(systems),
    onAcknowledged: () => Promise.resolve(),
    send: createWebhookSender({ allowPrivateTargets: true }),
    ...overrides,
  });
  closing.push(worker.stop);
  worker.start();
  return worker;
};

type State = {
  id: string;
  attempts: number;
  delivered: boolean;
  acknowledged: boolean;
  leased: boolean;
  waitSeconds: number;
  problem: string | null;
};

const states = async (): Promise<Map<string, State>> => {
  const rows = await database.query<State>(
    `select id, attempts, delivered_at is not null as delivered, acknowledged_at is not null as acknowledged,
       coalesce(leased_until > now(), false) as leased, last_problem as problem,
       extract(epoch from next_attempt_at - now())::float8 as "waitSeconds" from obligation`,
  );
  return new Map(rows.map((row) => [row.id, row]));
};
const stateOf = async (id: string): Promise<State> => (await states()).get(id)!;
const open = async (): Promise<number> => [...(await states()).values()].filter((row) => !row.acknowledged).length;
const patiently = { timeout: 20_000, interval: 10 };
const allAcknowledged = async () => {
  await expect.poll(open, patiently).toBe(0);
};

/** Lets time pass for the queue, whose clock is the database's. */
const pass = (seconds: number, of = 'true') =>
  owner.query(
    `update obligation set next_attempt_at = next_attempt_at - make_interval(secs => $1), leased_until = leased_until - make_interval(secs => $1)
     where ${of}`,
    [seconds],
  );

test('a withdrawal is told to the system within a moment, signed and in words that it understands', async () => {
  const receiver = await receive();
  const { secret } = await register('crm', receiver.url);
  const worker = work();
  await sleep(50);
  const [id] = await withdraw('crm');
  const committed = performance.now();
  worker.wake();
  await allAcknowledged();
  expect(receiver.deliveries).toHaveLength(1);
  const [delivery] = receiver.deliveries as [Delivery];
  expect(delivery.receivedAt - committed).toBeLessThan(500);
  expect(new Webhook(secret).verify(delivery.body, delivery.headers)).toEqual(delivery.message);
  expect(() => new Webhook(secret).verify(delivery.body.replace('4711', '4712'), delivery.headers)).toThrow();
  expect(delivery.id).toBe(id);
  expect(delivery.message).toEqual({
    type: 'obligation.unlink',
    timestamp: expect.stringMatching(/^\d{4}-.*T.*Z$/) as string,
    data: {
      obligationId: id,
      subjectId: expect.any(String) as string,
      linkId: expect.any(String) as string,
      customer: 'crm:4711',
      identity: 'facebook:1029384756',
      purpose: 'profile-linking',
      cause: 'withdrawn',
      createdAt: expect.any(String) as string,
      dueAt: expect.any(String) as string,
    },
  });
});

test('without being woken a worker looks by itself, since another instance may have taken the withdrawal', async () => {
  const receiver = await receive();
  await register('crm', receiver.url);
  work();
  await sleep(100);
  await withdraw('crm');
  await allAcknowledged();
  expect(receiver.deliveries).toHaveLength(1);
});

test('what was taken and not acknowledged is delivered again under the same id, and once acknowledged never again', async () => {
  const receiver = await receive((_, response) => response.writeHead(202).end());
  await register('crm', receiver.url);
  const worker = work();
  const [id] = (await withdraw('crm')) as [string];
  await expect.poll(async () => (await stateOf(id)).delivered, patiently).toBe(true);
  expect((await stateOf(id)).waitSeconds).toBeGreaterThan(400);
  await pass(3_600);
  worker.wake();
  await expect.poll(() => receiver.deliveries.length, patiently).toBe(2);
  expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id, id]);
  await expect.poll(async () => (await stateOf(id)).leased, patiently).toBe(false);

  const first = await acknowledgeObligation({ database, onAcknowledged: () => Promise.resolve() }, 'crm', id);
  await pass(1_000_000);
  worker.wake();
  await sleep(1_300);
  expect(receiver.deliveries).toHaveLength(2);
  const second = await acknowledgeObligation({ database, onAcknowledged: () => Promise.resolve() }, 'crm', id);
  expect(second).toEqual(first);
  expect(first.withdrawalToSilenceMs).toBeGreaterThan(0);
});

test('a system that was down for an hour gets everything as soon as one delivery succeeds', async () => {
  const gone = await startReceiver();
  await gone.close();
  await register('crm', gone.url);
  const told = await withdraw('crm', 40);
  const clock = testClock('2026-06-01T00:00:00Z');
  const worker = work({ clock });
  const attempts = async () => {
    const rows = [...(await states()).values()];
    return rows.some((row) => row.leased) ? 0 : rows.reduce((sum, row) => sum + row.attempts, 0);
  };
  await expect.poll(attempts, patiently).toBe(8);
  for (let probe = 1; probe <= 6; probe++) {
    await pass(600);
    clock.advance({ minutes: 10 });
    worker.wake();
    await expect.poll(attempts, patiently).toBe(8 + probe);
  }
  const tried = [...(await states()).values()].filter((row) => row.attempts > 0);
  expect(new Set(tried.map((row) => row.problem))).toEqual(new Set(['no connection (ECONNREFUSED)']));
  await owner.query(`update obligation set next_attempt_at = now() + interval '50 minutes' where attempts > 0`);
  const receiver = await receive(acknowledge, Number(new URL(gone.url).port));
  clock.advance({ minutes: 10 });
  worker.wake();
  await allAcknowledged();
  expect(receiver.deliveries.map((delivery) => delivery.id).toSorted()).toEqual(told.toSorted());
});

test('a process killed between sending and writing back loses nothing: the message comes again', async () => {
  const arrived = Promise.withResolvers<void>();
  const receiver = await receive((delivery, response) => {
    if (receiver.deliveries.length > 1) return acknowledge(delivery, response);
    arrived.resolve(); // and no answer, so that nothing can be written back
  });
  await register('crm', receiver.url);
  const [id] = (await withdraw('crm')) as [string];
  const instance = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'support/delivery-process.ts'),
      databases.urls.app,
      databases.urls.keys,
      keyEncryptionKey,
    ],
    { stdio: 'inherit' },
  );
  closing.push(async () => instance.kill('SIGKILL'));
  await arrived.promise;
  instance.kill('SIGKILL');
  await once(instance, 'exit');
  expect(await stateOf(id)).toMatchObject({ attempts: 1, delivered: false, acknowledged: false, leased: true });
  const worker = work();
  await sleep(1_500);
  expect(receiver.deliveries).toHaveLength(1);
  await pass(60);
  worker.wake();
  await allAcknowledged();
  expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id, id]);
});

test('an answer that could not be written back leads to another delivery, not to a lost one', async () => {
  const receiver = await receive();
  await register('crm', receiver.url);
  const [id] = (await withdraw('crm')) as [string];
  const failing: Database['query'] = (text, parameters) =>
    text.startsWith('update obligation') || text.includes('acknowledged_at = coalesce')
      ? Promise.reject(new Error('connection lost'))
      : database.query(text, parameters);
  const warnings: string[] = [];
  const broken = work({
    database: { ...database, query: failing },
    log: { warn: (_, message) => warnings.push(message) },
  });
  await expect.poll(() => warnings, patiently).toEqual(['the outcome of a delivery was not recorded']);
  await broken.stop();
  expect(await stateOf(id)).toMatchObject({ delivered: false, acknowledged: false });
  await pass(60);
  work();
  await allAcknowledged();
  expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id, id]);
});

test('several instances share the work: no obligation is under way twice at the same time', async () => {
  const receiver = await receive((delivery, response) => void setTimeout(() => acknowledge(delivery, response), 5));
  await register('crm', receiver.url);
  await register('newsletter', receiver.url);
  const others = [connect(databases.urls.app, { connections: 4 }), connect(databases.urls.app, { connections: 4 })];
  const workers = [work(), ...others.map((other) => work({ database: other }))];
  const told: string[] = [];
  for (let round = 0; round < 10; round++) {
    told.push(...(await withdraw('crm', 20)), ...(await withdraw('newsletter', 20)));
    for (const worker of workers) worker.wake();
  }
  await allAcknowledged();
  expect(receiver.mostAtOnce()).toBe(1);
  expect(receiver.deliveries.map((delivery) => delivery.id).toSorted()).toEqual(told.toSorted());
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all(others.map((other) => other.end()));
});

test('of two instances that look at the same moment each obligation falls to one', async () => {
  await register('crm', 'http://127.0.0.1:9/');
  await withdraw('crm', 200);
  const taken = await Promise.all(
    Array.from({ length: 40 }, () =>
      leaseForDelivery(database, { systems: ['crm'], total: 64, perSystem: 8, limits: [] }),
    ),
  );
  const tokens = taken.flat().map(({ id, leaseToken }) => `${id} ${leaseToken}`);
  expect(new Set(tokens).size).toBe(tokens.length);
  expect(taken.flat().every(({ leaseToken }) => leaseToken === 1)).toBe(true);
  expect(tokens.length).toBe(200);
});

test('who held an obligation before can no longer write about it', async () => {
  await register('crm', 'http://127.0.0.1:9/');
  const [id] = (await withdraw('crm')) as [string];
  const look = () => leaseForDelivery(database, { systems: ['crm'], total: 64, perSystem: 8, limits: [] });
  const [late] = (await look()) as [Addressed];
  expect(await look()).toEqual([]);
  await pass(61);
  const [current] = (await look()) as [Addressed];
  expect([late.leaseToken, current.leaseToken]).toEqual([1, 2]);
  await recordDelivery(database, late, null, 600);
  expect(await stateOf(id)).toMatchObject({ delivered: false, leased: true });
  await recordDelivery(database, current, null, 600);
  expect(await stateOf(id)).toMatchObject({ delivered: true, leased: false });
  expect((await stateOf(id)).waitSeconds).toBeGreaterThan(590);
});

test('a system that answers nothing does not delay another, and is not asked by everything that waits for it', async () => {
  const dead = await receive(() => {});
  const alive = await receive();
  await register('crm', dead.url);
  await register('newsletter', alive.url);
  await withdraw('crm', 200);
  const worker = work();
  await expect.poll(() => dead.deliveries.length, patiently).toBe(8);
  const delays: number[] = [];
  for (let i = 0; i < 20; i++) {
    await withdraw('newsletter');
    const committed = performance.now();
    worker.wake();
    await expect.poll(() => alive.deliveries.length, patiently).toBe(i + 1);
    delays.push(alive.deliveries[i]!.receivedAt - committed);
  }
  expect(delays.toSorted((a, b) => a - b)[10]).toBeLessThan(100);
  expect(dead.deliveries).toHaveLength(8);
  await dead.close();
  await worker.stop();
});

test('an obligation that a system always refuses stays in view and holds nothing up', async () => {
  let refused = '';
  const receiver = await receive((delivery, response) => {
    if (delivery.id === refused) response.writeHead(500).end('stack trace');
    else acknowledge(delivery, response);
  });
  await register('crm', receiver.url);
  [refused] = (await withdraw('crm')) as [string];
  const worker = work();
  await expect.poll(async () => (await stateOf(refused)).problem, patiently).toBe('HTTP 500');
  await withdraw('crm', 50);
  worker.wake();
  await expect.poll(open, patiently).toBe(1);
  expect((await stateOf(refused)).attempts).toBeLessThanOrEqual(2);
  await owner.query(`update obligation set due_at = now() - interval '1 second' where id = $1`, [refused]);
  expect(await countObligations(database)).toEqual([
    { system: 'crm', open: 1, overdue: 1, oldestSeconds: expect.any(Number) as number },
  ]);
});

test('a redirect is a failure, and so is a private address where none is allowed', async () => {
  const secret = await receive();
  const redirecting = await receive((_, response) => response.writeHead(308, { location: secret.url }).end());
  await register('crm', redirecting.url);
  const [id] = (await withdraw('crm')) as [string];
  const worker = work();
  await expect.poll(async () => (await stateOf(id)).problem, patiently).toBe('redirect (308)');
  await worker.stop();
  await register('newsletter', secret.url);
  const [other] = (await withdraw('newsletter')) as [string];
  work({ send: createWebhookSender({ allowPrivateTargets: false }) });
  await expect.poll(async () => (await stateOf(other)).problem, patiently).toBe('the host has a private address');
  expect(secret.deliveries).toHaveLength(0);
  expect(await open()).toBe(2);
});

test('where keys cannot be opened obligations wait without counting as tried', async () => {
  const receiver = await receive();
  await register('crm', receiver.url);
  const [id] = (await withdraw('crm')) as [string];
  const closed = work({ describe: () => Promise.reject(new Error('the key store is down')) });
  await expect.poll(async () => (await stateOf(id)).waitSeconds, patiently).toBeGreaterThan(1);
  expect(await stateOf(id)).toMatchObject({ attempts: 0, leased: false, problem: null });
  await closed.stop();
  await pass(5);
  work();
  await allAcknowledged();
});

test('after an erasure the obligation still goes out, without the identifiers that are gone', async () => {
  const receiver = await receive();
  await register('crm', receiver.url);
  await withdraw('crm');
  work({ describe: () => Promise.resolve(new Map()) });
  await allAcknowledged();
  expect(receiver.deliveries[0]!.message.data).not.toHaveProperty('customer');
  expect(receiver.deliveries[0]!.message.data).toHaveProperty('linkId');
});

test('a new secret signs at once and the ones before go on for a day, also when an answer was lost and the call repeated', async () => {
  const receiver = await receive();
  const clock = testClock(systemClock.now().toString());
  const secrets: string[] = [];
  for (let i = 0; i < 3; i++) {
    const endpoint = await register('crm', receiver.url, clock);
    secrets.push(endpoint.secret);
    expect(endpoint.previousSecretEndsAt === null).toBe(i === 0);
  }
  // The package's verifier reads the machine's clock, which does not move with ours: its signer tells as well.
  const signing = ({ id, headers, body }: Delivery) =>
    secrets.filter((secret) =>
      headers['webhook-signature']!.split(' ').includes(
        new Webhook(secret).sign(id, new Date(Number(headers['webhook-timestamp']) * 1_000), body),
      ),
    );
  const worker = work({ clock });
  await withdraw('crm');
  worker.wake();
  await allAcknowledged();
  expect(signing(receiver.deliveries[0]!)).toEqual(secrets);
  for (const secret of secrets)
    new Webhook(secret).verify(receiver.deliveries[0]!.body, receiver.deliveries[0]!.headers);
  clock.advance({ hours: 24, seconds: 1 });
  await withdraw('crm');
  worker.wake();
  await allAcknowledged();
  expect(signing(receiver.deliveries[1]!)).toEqual([secrets[2]]);
});

test('secrets lie sealed: neither table nor answer of a later call shows one again', async () => {
  const [first, second] = [await register('crm', 'http://127.0.0.1:9/'), await register('crm', 'http://127.0.0.1:9/')];
  const [row] = await database.query<{ everything: string }>('select endpoint::text as everything from endpoint');
  for (const { secret } of [first, second]) {
    expect(row!.everything).not.toContain(Buffer.from(secret).toString('hex'));
    expect(row!.everything).not.toContain(secret);
  }
  expect(second.secret).not.toBe(first.secret);
});

test.each([
  ['http://hooks.example.org/', 'https'],
  ['https://127.0.0.1/', 'private'],
  ['https://[::ffff:10.0.0.1]/', 'private'],
  ['https://169.254.169.254/latest/meta-data', 'private'],
  ['https://user:pass@hooks.example.org/', 'user name'],
  ['https://hooks.example.org/#x', 'fragment'],
  ['ftp://hooks.example.org/', 'https'],
  ['/relative', 'absolute'],
])('the endpoint %s is refused', async (url, reason) => {
  const set = setEndpoint({ database, keys, clock: systemClock, systems, allowPrivateTargets: false }, 'crm', { url });
  await expect(set).rejects.toThrow(EndpointRefused);
  await expect(set).rejects.toThrow(reason);
});

test('a system that is declared to pull cannot have personal data posted somewhere', async () => {
  await expect(register('analytics', 'https://hooks.example.org/')).rejects.toThrow(SystemPulls);
});

test('a system that registers late gets what has waited', async () => {
  await withdraw('crm', 3);
  await pass(-3_000);
  const receiver = await receive();
  const worker = work();
  await register('crm', receiver.url);
  worker.wake();
  await allAcknowledged();
  expect(receiver.deliveries).toHaveLength(3);
});

test('pulling leases: nobody gets the same twice at once, only the own, again until acknowledged', async () => {
  const deps = { database, describe, onAcknowledged: () => Promise.resolve() };
  const own = await withdraw('analytics', 5);
  const [foreign] = (await withdraw('crm')) as [string];
  const [one, two] = await Promise.all([pullObligations(deps, 'analytics', 3), pullObligations(deps, 'analytics', 3)]);
  const pulled = [...one, ...two].map(({ data }) => data.obligationId);
  expect(pulled.toSorted()).toEqual(own.toSorted());
  expect(one[0]).toMatchObject({ type: 'obligation.unlink', data: { customer: 'crm:4711' } });
  expect(await pullObligations(deps, 'analytics', 100)).toEqual([]);
  for (const id of own.slice(0, 2)) await acknowledgeObligation(deps, 'analytics', id);
  await pass(60);
  const again = await pullObligations(deps, 'analytics', 100);
  expect(again.map(({ data }) => data.obligationId).toSorted()).toEqual(own.slice(2).toSorted());
  await expect(acknowledgeObligation(deps, 'analytics', foreign)).rejects.toThrow(ObligationUnknown);
  await expect(acknowledgeObligation(deps, 'analytics', ids.uuid())).rejects.toThrow(ObligationUnknown);
  expect((await stateOf(foreign)).acknowledged).toBe(false);
});

test('an acknowledgement whose consequence failed is not taken, so that the system is asked again', async () => {
  const [id] = (await withdraw('analytics')) as [string];
  const confirmed: string[] = [];
  const failing = { database, onAcknowledged: () => Promise.reject(new Error('down')) };
  await expect(acknowledgeObligation(failing, 'analytics', id)).rejects.toThrow('down');
  expect((await stateOf(id)).acknowledged).toBe(false);
  const working = {
    database,
    onAcknowledged: (obligation: Obligation) => {
      confirmed.push(`${obligation.kind} ${obligation.kind === 'unlink' && obligation.facts.customerRef.length}`);
      return Promise.resolve();
    },
  };
  await acknowledgeObligation(working, 'analytics', id);
  await acknowledgeObligation(working, 'analytics', id);
  expect(confirmed).toEqual(['unlink 64']);
});

test('stopping waits until what is under way has been written back', async () => {
  const receiver = await receive((delivery, response) => void setTimeout(() => acknowledge(delivery, response), 300));
  await register('crm', receiver.url);
  await withdraw('crm', 4);
  const worker = work();
  await expect.poll(() => receiver.deliveries.length, patiently).toBe(4);
  await worker.stop();
  expect(await open()).toBe(0);
});
