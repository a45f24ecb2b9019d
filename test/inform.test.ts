import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchInform } from '../src/decisions/index.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import { createSubjectReader, createSubjectWriter } from '../src/subjects/index.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { linkAccount } from './support/people.ts';
import { startReceiver } from './support/receiver.ts';

let app: TestApp;
let owner: Database;
beforeAll(async () => {
  app = await startTestApp();
  owner = connect(app.database.urls.owner, { connections: 1 });
});
afterAll(async () => {
  await owner.end();
  await app.close();
});

let made = 0;
const account = () => `x:88001${++made}`;
const collection = (subject: string, more: object = {}) => ({ subject, purpose: 'campaign-participation', ...more });
const report = (body: object, as = 'community-desk', headers: Record<string, string> = {}) =>
  app.call('POST', '/v1/collections', { as, body, headers });
const reported = async (body: object, as?: string) => {
  const answer = await report(body, as);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as { subjectId: string; inform: { obligationId: string; dueAt: string } | null };
};
/** A clock that certainly still runs. */
const lately = () => systemClock.now().subtract({ hours: 1 });

const dueAt = async (obligationId: string): Promise<string> => {
  const [row] = await app.db.query<{ dueAt: string }>(`select due_at as "dueAt" from obligation where id = $1`, [
    obligationId,
  ]);
  return Temporal.Instant.from(row!.dueAt).toString();
};
/** What the job of each minute does, at once: the service's own may hold the lease for a moment. */
const look = async (): Promise<void> => {
  await owner.query(`update lease set until = now() - interval '1 second' where name = 'watch-inform'`);
  await watch();
};
const watch = async (): Promise<void> => {
  const ids = uuidV7s(systemClock);
  const reader = createSubjectReader(app.db, 5_000);
  const writer = createSubjectWriter({ database: app.db, reader, ids, deadlineMs: 5_000 });
  await watchInform({ database: app.db, reader, writer, clock: systemClock, ids }, app.catalogue);
};
const permitted = async (action: string, resource: object, context: object, as = 'community-desk'): Promise<any> => {
  const { body } = await app.call('POST', '/access/v1/evaluation', {
    as,
    body: { subject: { type: 'system', id: as }, action: { name: action }, resource, context },
  });
  expect(body.decision, JSON.stringify(body)).toBe(true);
  return body;
};
const decidedAt = async (decision: { context: { decisionId: string } }): Promise<string> => {
  const [row] = await app.db.query<{ at: string }>(
    `select decided_at as at from permit where decisions::text like $1`,
    [`%${decision.context.decisionId}%`],
  );
  return Temporal.Instant.from(row!.at).toString();
};
const consent = async (
  subject: string,
  purpose: string,
  decision: string,
  scope: object = {},
  as = 'community-desk',
) => {
  const { status, body } = await app.call('POST', '/v1/consents', {
    as,
    body: { subject, purpose, scope, decision, notice: { version: 1, language: 'en' }, method: 'app' },
  });
  expect(status, JSON.stringify(body)).toBe(201);
};
const acknowledge = (obligationId: string, body?: object, as = 'community-desk') =>
  app.call('POST', `/v1/obligations/${obligationId}/acknowledge`, { as, ...(body && { body }) });
const informed = { notice: { version: 1, language: 'de' }, method: 'direct-message' };
const statusOf = async (subjectId: string, purpose: string) => {
  const { body } = await app.call('GET', `/v1/subjects/${subjectId}/consents`);
  return body.purposes.find((one: { purpose: string }) => one.purpose === purpose).scopes[0].status.code;
};

test('whoever collected about somebody has a month to tell them, and hears it with all that it has to tell', async () => {
  const subject = account();
  const { subjectId, inform } = await reported(
    collection(subject, { collectedAt: '2026-01-31T09:30:00Z', source: 'x' }),
  );
  expect(inform!.dueAt).toBe('2026-02-28T09:30:00Z');
  const { body } = await app.call('GET', '/v1/obligations?limit=100', { as: 'community-desk' });
  expect(body.obligations).toContainEqual({
    type: 'obligation.inform',
    timestamp: expect.any(String),
    data: {
      obligationId: inform!.obligationId,
      subjectId,
      customer: subject,
      purpose: 'campaign-participation',
      cause: 'collected',
      createdAt: expect.any(String),
      dueAt: '2026-02-28T09:30:00.000Z',
      collectedAt: '2026-01-31T09:30:00Z',
      source: 'x',
    },
  });
  // It is long past, and visible as that.
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toMatch(/askfirst_obligations\{system="community-desk",state="overdue"\} [1-9]/);
});

test('the message is delivered by webhook, and an answer with the notice shown acknowledges it', async () => {
  const answers: string[] = [
    '{"acknowledged": true}',
    JSON.stringify({ acknowledged: true, ...informed, notice: { version: 99, language: 'de' } }),
  ];
  const receiver = await startReceiver((delivery, response) => {
    const own = delivery.message.data['customer'] === subject;
    response.end(
      own ? (answers.shift() ?? JSON.stringify({ acknowledged: true, ...informed })) : '{"acknowledged": false}',
    );
  });
  const subject = account();
  const { body: endpoint } = await app.call('PUT', '/v1/endpoint', {
    as: 'community-desk',
    body: { url: receiver.url },
  });
  const { subjectId, inform } = await reported(collection(subject, { purpose: 'customer-service' }));
  const row = async () =>
    (
      await app.db.query<{ done: boolean; problem: string | null }>(
        `select acknowledged_at is not null as done, last_problem as problem from obligation where id = $1`,
        [inform!.obligationId],
      )
    )[0]!;
  // Neither a yes without words nor words that never were prove that somebody knows.
  for (const problem of ['systems.notice-missing', 'consent.notice-unknown']) {
    await expect.poll(async () => (await row()).problem, { timeout: 10_000 }).toContain(problem);
    expect((await row()).done).toBe(false);
    await owner.query(`update obligation set next_attempt_at = now() where id = $1`, [inform!.obligationId]);
  }
  await expect.poll(async () => (await row()).done, { timeout: 10_000 }).toBe(true);
  const first = receiver.deliveries.find(({ id }) => id === inform!.obligationId)!;
  expect(new Webhook(endpoint.secret).verify(first.body, first.headers)).toEqual(first.message);
  expect(first.message.type).toBe('obligation.inform');
  expect(await statusOf(subjectId, 'customer-service')).toBe('informed');
  await receiver.close();
  await owner.query(`delete from endpoint`);
});

test('acknowledged with the notice that was shown, the person counts as informed, once; without it nothing counts', async () => {
  const { subjectId, inform } = await reported(collection(account(), { purpose: 'customer-service' }));
  expect(await statusOf(subjectId, 'customer-service')).toBe('not-informed');
  const refused = await acknowledge(inform!.obligationId);
  expect(refused).toMatchObject({ status: 422, body: { code: 'systems.notice-missing' } });
  const unknown = await acknowledge(inform!.obligationId, { ...informed, notice: { version: 99, language: 'de' } });
  expect(unknown).toMatchObject({ status: 422, body: { code: 'consent.notice-unknown' } });
  expect(await statusOf(subjectId, 'customer-service')).toBe('not-informed');
  const first = await acknowledge(inform!.obligationId, informed);
  expect(first.status).toBe(200);
  expect((await acknowledge(inform!.obligationId, informed)).body).toEqual(first.body);
  expect(await statusOf(subjectId, 'customer-service')).toBe('informed');
  const { body: history } = await app.call('GET', `/v1/subjects/${subjectId}/consents/history`);
  expect(history.events).toMatchObject([
    { action: 'inform', notice: { version: 1, language: 'de' }, method: 'direct-message', system: 'community-desk' },
  ]);
  expect((await reported(collection(`x:88001${made}`, { purpose: 'customer-service' }))).inform).toBeNull();
});

test('acknowledged twice at one moment, the person was informed once', async () => {
  const { subjectId, inform } = await reported(collection(account(), { purpose: 'customer-service' }));
  // Holds up what each of them writes, until all have found that nothing is recorded yet.
  await owner.script(`begin; select version from subject_state where subject_id = '${subjectId}' for update`);
  const calls = Promise.all([1, 2, 3, 4].map(() => acknowledge(inform!.obligationId, informed)));
  await sleep(300);
  await owner.script('commit');
  expect((await calls).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const { body: history } = await app.call('GET', `/v1/subjects/${subjectId}/consents/history`);
  expect(history.events).toHaveLength(1);
});

test('who was merged meanwhile is informed as who they are now, and a contact as that ends the clock', async () => {
  const [former, present] = ['crm:former', 'email:present@example.org'];
  const { inform } = await reported({
    subject: former,
    purpose: 'customer-service',
    collectedAt: lately().toString(),
  });
  const { body } = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: present }] } });
  const merged = await app.call('POST', `/v1/subjects/${body.subjectId}/merge`, { body: { subject: former } });
  expect(merged.status, JSON.stringify(merged.body)).toBe(200);
  await consent(present, 'newsletter', 'given', { channel: 'email', topic: 'events', form: 'newsletter' }, 'crm');
  const context = { purpose: 'newsletter', channel: 'email', topic: 'events', form: 'newsletter' };
  const contact = await permitted('contact', { type: 'customer', id: present }, context, 'newsletter');
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(await decidedAt(contact));
  expect((await reported({ subject: former, purpose: 'cocreation' })).subjectId).toBe(body.subjectId);
  expect((await acknowledge(inform!.obligationId, informed)).status).toBe(200);
  expect(await statusOf(body.subjectId, 'customer-service')).toBe('informed');
});

test('to be informed of what needs a yes is no yes, and is not told twice', async () => {
  const subject = account();
  const { subjectId, inform } = await reported(collection(subject));
  await acknowledge(inform!.obligationId, informed);
  expect(await statusOf(subjectId, 'campaign-participation')).toBe('nothing-recorded');
  expect((await reported(collection(subject))).inform).toBeNull();
});

test.each([
  ['said yes', 'campaign-participation', 'given'],
  ['said no', 'campaign-participation', 'refused'],
  ['was informed', 'customer-service', 'informed'],
])('whoever %s need not be told', async (_, purpose, decision) => {
  const subject = account();
  await consent(subject, purpose, decision);
  expect((await reported(collection(subject, { purpose }))).inform).toBeNull();
  expect((await reported(collection(subject, { purpose: 'cocreation' }))).inform).not.toBeNull();
});

test('a second report keeps the earlier clock, and another system hears nothing of it', async () => {
  const subject = 'crm:told-once';
  const first = await reported({ subject, purpose: 'customer-service', collectedAt: '2026-09-10T08:00:00Z' });
  const later = await reported({ subject, purpose: 'customer-service', collectedAt: '2026-09-20T08:00:00Z' });
  expect(later).toEqual(first);
  const earlier = await reported({ subject, purpose: 'customer-service', collectedAt: '2026-09-01T08:00:00Z' });
  expect(earlier.inform).toEqual({ ...first.inform, dueAt: '2026-10-01T08:00:00Z' });
  expect(await dueAt(first.inform!.obligationId)).toBe('2026-10-01T08:00:00Z');
  const answers = await Promise.all(Array.from({ length: 6 }, () => reported(collection('x:880077'))));
  expect(new Set(answers.map(({ inform }) => inform!.obligationId)).size).toBe(1);
  const rows = await app.db.query(`select id from obligation where subject_id = $1`, [answers[0]!.subjectId]);
  expect(rows).toHaveLength(1);
});

test('where another system owes the telling already, this one owes nothing', async () => {
  const subject = 'facebook:880088';
  const first = await reported({ subject, purpose: 'social-monitoring' }, 'listening');
  expect(first.inform).not.toBeNull();
  await owner.query(`update obligation set system = 'crm' where id = $1`, [first.inform!.obligationId]);
  expect(await reported({ subject, purpose: 'social-monitoring' }, 'listening')).toEqual({ ...first, inform: null });
});

test('a repeated call with its key is answered the same and starts nothing new', async () => {
  const headers = { 'Idempotency-Key': '"6b0f0e1e-collected"' };
  const subject = account();
  const first = await report(collection(subject), undefined, headers);
  expect(first.body.inform).not.toBeNull();
  expect(await report(collection(subject), undefined, headers)).toMatchObject({ status: 201, body: first.body });
  const known = account();
  await consent(known, 'campaign-participation', 'given');
  const none = await report(collection(known), undefined, { 'Idempotency-Key': 'known-1' });
  const same = await report(collection(known), undefined, { 'Idempotency-Key': 'known-1' });
  expect([none.body.inform, same.body]).toEqual([null, none.body]);
});

test('who may not collect for a purpose, or may not use such identifiers, is refused before anybody is recorded', async () => {
  const subject = account();
  const code = async (body: object, as?: string) => {
    const answer = await report(body, as);
    return [answer.status, answer.body.code];
  };
  expect(await code(collection(subject), 'newsletter')).toEqual([403, 'systems.collection-not-granted']);
  expect(await code(collection(subject, { purpose: 'newsletter' }))).toEqual([403, 'systems.collection-not-granted']);
  expect(await code(collection(subject, { purpose: 'no-such' }))).toEqual([403, 'systems.collection-not-granted']);
  expect(await code({ subject: 'crm:1', purpose: 'social-monitoring' }, 'listening')).toEqual([
    403,
    'subjects.namespace-not-entitled',
  ]);
  expect(await code(collection(subject, { collectedAt: '2099-01-01T00:00:00Z' }))).toEqual([
    422,
    'systems.collected-in-future',
  ]);
  expect(await code(collection(subject, { source: 'her friend Max' }))).toEqual([400, 'http.input-invalid']);
  expect((await app.call('POST', '/v1/subjects/lookup', { body: { identifier: subject } })).status).toBe(404);
});

test('a first contact ends the clock at its moment, and the system is told so', async () => {
  const [subject, silent] = [account(), account()];
  const { inform } = await reported(collection(subject, { collectedAt: lately().toString() }));
  const other = await reported(collection(silent, { collectedAt: lately().toString() }));
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(inform!.dueAt);
  await consent(subject, 'customer-service', 'given', { channel: 'messenger' });
  const context = { purpose: 'customer-service', channel: 'messenger', marketing: false };
  const contact = await permitted('contact', { type: 'social_identity', id: subject }, context);
  const second = await permitted('contact', { type: 'social_identity', id: subject }, context);
  await owner.query(`update obligation set next_attempt_at = now() + interval '3 days' where id = $1`, [
    inform!.obligationId,
  ]);
  await look();
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(await decidedAt(contact));
  expect(await decidedAt(second)).not.toBe(await decidedAt(contact));
  const [row] = await app.db.query<{ due: boolean }>(
    `select next_attempt_at <= now() as due from obligation where id = $1`,
    [inform!.obligationId],
  );
  expect(row!.due).toBe(true);
  expect(await dueAt(other.inform!.obligationId)).toBe(other.inform!.dueAt);
});

test('a first disclosure ends the clock, and what was disclosed before the collection does not', async () => {
  const subject = 'crm:disclosed';
  const share = () =>
    permitted(
      'share',
      { type: 'customer', id: subject },
      { purpose: 'third-party-sharing', recipient: 'example-hotels', upload: 'hashed-list' },
      'crm',
    );
  await consent(subject, 'third-party-sharing', 'given', { recipient: 'example-hotels' }, 'crm');
  await share();
  const { inform } = await reported({ subject, purpose: 'profile-enrichment' }, 'crm');
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(inform!.dueAt);
  const disclosed = await share();
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(await decidedAt(disclosed));
});

test('an account’s clock ends also when its owner is spoken to as the customer it is linked to', async () => {
  const [customer, identity] = ['crm:linked-and-told', 'facebook:8800990011'];
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  await linkAccount(app, customer, identity);
  const { inform } = await reported(collection(identity, { collectedAt: lately().toString() }));
  await consent(customer, 'customer-service', 'given', { channel: 'email' });
  const context = { purpose: 'customer-service', channel: 'email', marketing: false };
  const contact = await permitted('contact', { type: 'customer', id: customer }, context);
  await look();
  expect(await dueAt(inform!.obligationId)).toBe(await decidedAt(contact));
});

test('what was permitted to be collected about somebody known starts their clock, though nobody reported it; a total starts none', async () => {
  const [subject, stranger] = [account(), account()];
  const { body: known } = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: subject }] } });
  await look();
  const context = {
    purpose: 'customer-service',
    channel: 'thread',
    visibility: 'public',
    marketing: false,
    inReplyTo: { openedBySubject: true, days: 0 },
  };
  const collect = await permitted('collect', { type: 'social_identity', id: subject }, context);
  expect(collect.context.obligations).toContain('inform-person');
  await permitted('collect', { type: 'social_identity', id: stranger }, context);
  const counted = { purpose: 'social-monitoring', visibility: 'public' };
  await permitted('collect', { type: 'social_identity', id: subject }, counted, 'listening');
  await look();
  await look();
  const rows = await app.db.query<{ system: string; purpose: string; dueAt: string }>(
    `select system, facts->>'purpose' as purpose, due_at as "dueAt" from obligation where subject_id = $1`,
    [known.subjectId],
  );
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ system: 'community-desk', purpose: 'customer-service' });
  const month = Temporal.Instant.from(await decidedAt(collect))
    .toZonedDateTimeISO('UTC')
    .add({ months: 1 })
    .toInstant();
  expect(Temporal.Instant.from(rows[0]!.dueAt).toString()).toBe(month.toString());
  expect((await app.call('POST', '/v1/subjects/lookup', { body: { identifier: stranger } })).status).toBe(404);
});

test('what was permitted while nobody looked is found by whoever looks next, and one instance looks at a time', async () => {
  const [subject, counted] = [account(), account()];
  const register = async (identifier: string) =>
    (await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier }] } })).body.subjectId as string;
  const [missed, inTotals] = [await register(subject), await register(counted)];
  const owed = async (subjectId: string) =>
    (await app.db.query(`select id from obligation where subject_id = $1`, [subjectId])).length;
  const ids = uuidV7s(systemClock);
  const collected = (subjectId: string, obligations: string[]) =>
    app.db.query(
      `insert into permit (subject_id, id, system, policy_digest, decisions, version, decided_at, lease_ends_at)
       values ($1, $2, 'community-desk', $3, $4::text::json, 1, now() - interval '50 minutes', now())`,
      [
        subjectId,
        ids.uuid(),
        app.catalogue.digest,
        JSON.stringify([{ id: ids.uuid(), action: 'collect', purpose: 'customer-service', obligations, chain: [] }]),
      ],
    );
  await collected(missed, ['inform-person']);
  await collected(inTotals, ['inform-person', 'aggregate-only']);
  await look();
  expect(await owed(missed)).toBe(0); // long before the last look
  const anHourAgo = systemClock.now().subtract({ hours: 1 }).toString();
  await owner.query(
    `update lease set progress = jsonb_build_object('lookedUntil', $1::text) where name = 'watch-inform'`,
    [anHourAgo],
  );
  await owner.query(`update lease set until = now() + interval '1 minute' where name = 'watch-inform'`);
  await watch();
  expect(await owed(missed)).toBe(0); // somebody else is looking
  await look();
  await look();
  expect([await owed(missed), await owed(inTotals)]).toEqual([1, 0]);
});
