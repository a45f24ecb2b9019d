import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { connect } from '../src/kernel/database/client.ts';
import { DatabaseRefused } from '../src/kernel/database/errors.ts';
import { blindIndex, parseIdentifier } from '../src/subjects/index.ts';
import { startTestApp, testKeyEncryptionKeys, type TestApp } from './support/app.ts';
import { freshDatabase } from './support/database.ts';
import { agreeToLinking, linkAccount, linkQuestion, proveControl } from './support/people.ts';
import { startParts } from './support/promises-parts.ts';

/** Gaps that a reading of the code found: each of these failed before it was closed. */

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const register = async (...identifiers: string[]): Promise<string> => {
  const body = { identifiers: identifiers.map((identifier) => ({ identifier })) };
  const answer = await app.call('POST', '/v1/subjects', { body });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body.subjectId;
};

const blindIndexOf = async (text: string): Promise<string> => {
  const keys = createKeyStore(app.database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  const { key } = await keys.secret('blind-index');
  await keys.database.end();
  return blindIndex(key, parseIdentifier(text, app.catalogue, 'identifier'));
};

const statusesOf = async (subjectId: string): Promise<string[]> => {
  const { body } = await app.call('GET', `/v1/subjects/${subjectId}/links`, { as: 'community-desk' });
  return body.links.map(({ status }: { status: string }) => status);
};

test('a link is looked at by its own question, not by another of the batch that permitted it', async () => {
  const account = 'facebook:7000000001';
  const subjectId = await register('crm:batch');
  await agreeToLinking(app, 'crm:batch', 'facebook');
  await proveControl(app, 'crm:batch', account);
  const inform = { subject: 'crm:batch', purpose: 'customer-service', decision: 'informed', method: 'web-form' };
  await app.call('POST', '/v1/consents', { body: { ...inform, notice: { version: 1, language: 'en' } } });
  const { subject, resource } = linkQuestion('crm:batch', account);
  const { body } = await app.call('POST', '/access/v1/evaluations', {
    as: 'community-desk',
    body: {
      subject,
      resource,
      evaluations: [
        {
          action: { name: 'collect' },
          context: {
            purpose: 'customer-service',
            customer: 'crm:batch',
            channel: 'thread',
            visibility: 'public',
            inReplyTo: { openedBySubject: true, days: 1 },
          },
        },
        { action: { name: 'link' }, context: { purpose: 'profile-linking', customer: 'crm:batch' } },
      ],
    },
  });
  expect(body.evaluations, JSON.stringify(body)).toMatchObject([{ decision: true }, { decision: true }]);
  const { lease } = body.evaluations[1].context;
  const confirmation = { leaseId: lease.id, customer: 'crm:batch', identity: account };
  const link = await app.call('POST', '/v1/links', { as: 'community-desk', body: confirmation });
  expect(link.body.status, JSON.stringify(link.body)).toBe('active');

  await register('crm:batch-other');
  await proveControl(app, 'crm:batch-other', account);
  await expect.poll(() => statusesOf(subjectId), { timeout: 12_000 }).toEqual(['suspended']);
}, 20_000);

test('a link ends with the yes of a hop of its chain, where that one runs out before the others', async () => {
  const account = 'facebook:7000000002';
  const subjectId = await register('crm:hop');
  await register('x:70000002');
  await agreeToLinking(app, 'crm:hop', 'facebook');
  // Valid for two years, of which four seconds are left.
  const occurredAt = Temporal.Now.zonedDateTimeISO('UTC').add({ seconds: 4 }).subtract({ years: 2 }).toInstant();
  await app.call('POST', '/v1/consents', {
    body: {
      subject: 'crm:hop',
      purpose: 'profile-linking',
      scope: { platform: 'x' },
      decision: 'given',
      notice: { version: 1, language: 'en' },
      method: 'web-form',
      occurredAt: occurredAt.toString(),
    },
  });
  await proveControl(app, 'crm:hop', account);
  const asked = linkQuestion('crm:hop', account, { chain: ['x:70000002'] });
  const permit = await app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body: asked });
  expect(permit.body.decision, JSON.stringify(permit.body)).toBe(true);
  const confirmation = { leaseId: permit.body.context.lease.id, customer: 'crm:hop', identity: account };
  const link = await app.call('POST', '/v1/links', { as: 'community-desk', body: confirmation });
  expect(link.body.status, JSON.stringify(link.body)).toBe('active');
  await sleep(4_000);
  await expect.poll(() => statusesOf(subjectId), { timeout: 12_000 }).toEqual(['suspended']);
}, 25_000);

test('a no to everything tells nobody to stop what it does not reach: contracts and legal obligations', async () => {
  const subjectId = await register('crm:all');
  const notice = { version: 1, language: 'en' };
  for (const [purpose, decision] of [
    ['customer-service', 'informed'],
    ['newsletter', 'given'],
  ])
    await app.call('POST', '/v1/consents', {
      body: { subject: 'crm:all', purpose, decision, notice, method: 'app' },
    });
  const all = { subject: 'crm:all', purpose: '*', method: 'app' };
  expect((await app.call('POST', '/v1/consents/withdraw', { body: all })).status).toBe(201);
  const told = await app.db.query<{ purpose: string }>(
    `select distinct facts->>'purpose' as purpose from obligation where subject_id = $1`,
    [subjectId],
  );
  expect(told).toEqual([{ purpose: 'newsletter' }]);
});

test('noes of one handle that come at once reach the same person', async () => {
  const said = { subject: 'x:@eva_at_once', purpose: 'social-monitoring', method: 'direct-message' };
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => app.call('POST', '/v1/consents/object', { body: said })),
  );
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const { body } = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: said.subject } });
  expect(new Set(answers.map((answer) => answer.body.event.subjectId))).toEqual(new Set([body.subjectId]));
  // It names the account only as of the moment it was seen: whoever is seen with it later has it.
  const later = await register('x:70000003', said.subject);
  expect(later).not.toBe(body.subjectId);
  const moved = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: said.subject } });
  expect(moved.body.subjectId).toBe(later);
});

test('an identifier that somebody else takes meanwhile is not added to another person than was named', async () => {
  const mine = await register('crm:adding');
  const add = () =>
    app.call('POST', `/v1/subjects/${mine}/identifiers`, {
      body: { identifiers: [{ identifier: 'email:raced@example.org' }] },
    });
  // The key store holds the first call up between its look and its claim.
  const keys = connect(app.database.urls.keysOwner, { connections: 1 });
  const holding = keys.script(`begin; lock table subject_key in access exclusive mode; select pg_sleep(0.9); commit`);
  await sleep(300);
  const adding = add();
  await sleep(300);
  const theirs = '01900000-0000-7000-8000-000000000001';
  const owner = connect(app.database.urls.owner, { connections: 1 });
  await owner.query(
    `insert into identifier (blind_index, namespace, key_version, subject_id, sealed, recorded_by)
     values (decode($1, 'hex'), 'email', 1, $2, '', 'crm')`,
    [await blindIndexOf('email:raced@example.org'), theirs],
  );
  await holding;
  expect(await adding).toMatchObject({ status: 409, body: { code: 'subjects.identifiers-of-two-subjects' } });
  await keys.end();
  await owner.end();
});

test('a proof by somebody else ends the earlier person’s link even if the service dies as it is recorded', async () => {
  const account = 'facebook:7000000004';
  const subjectId = await register('crm:dies');
  await register('crm:dies-other');
  await linkAccount(app, 'crm:dies', account);
  const reviewed = () =>
    app.db.query('select 1 from subject_state where subject_id = $1 and reviewed_policy is not null', [subjectId]);
  await expect.poll(reviewed, { timeout: 12_000 }).toHaveLength(1);
  let dead = false;
  const parts = await startParts(app.database, {
    name: 'dies',
    faults: {
      database: (real) => ({
        ...real,
        query: async (text, parameters) => {
          if (dead) throw new DatabaseRefused('XX000', undefined);
          const rows = await real.query(text, parameters);
          dead = text.includes('set proved_subject_id');
          return rows as never;
        },
      }),
    },
  });
  await expect(parts.prove('crm:dies-other', account)).rejects.toThrow('XX000');
  await parts.close();
  // The sweep has its time in between, and then a minute has passed.
  await sleep(5_500);
  await app.db.query(
    `update subject_state set review_at = now() where subject_id = $1 and review_at between now() and now() + interval '1 minute'`,
    [subjectId],
  );
  await expect.poll(() => statusesOf(subjectId), { timeout: 12_000 }).toEqual(['suspended']);
}, 30_000);

test('a change and a permit that lose to another transaction (40001, 40P01) are sent again', async () => {
  const states = ['40001', '40P01', '40001'];
  const parts = await startParts(app.database, {
    name: 'loses',
    faults: {
      database: (real) => ({
        ...real,
        query: (text, parameters) => {
          const writes = text.includes('insert into audit_event') || text.includes('insert into permit');
          const lost = writes ? states.pop() : undefined;
          return lost ? Promise.reject(new DatabaseRefused(lost, undefined)) : real.query(text, parameters);
        },
      }),
    },
  });
  await parts.withdraw({ subject: 'crm:loses' });
  expect(states).toEqual([]);
  states.push('40001');
  const record = { subject_id: '01900000-0000-7000-8000-000000000002', id: '01900000-0000-7000-8000-000000000003' };
  const now = Temporal.Now.instant().toString();
  await parts.deps.permits.record([
    { ...record, system: 'crm', policy_digest: '', version: 1, decided_at: now, lease_ends_at: now, decisions: [] },
  ]);
  expect(await app.db.query('select 1 from permit where id = $1', [record.id])).toHaveLength(1);
  await parts.close();
});

test('a key store that may forget what it acknowledged is refused at start', async () => {
  const database = await freshDatabase();
  const owner = connect(database.urls.keysOwner, { connections: 1 });
  const name = new URL(database.urls.keys).pathname.slice(1);
  await owner.script(`alter database "${name}" set synchronous_commit = off`);
  await owner.end();
  const started = startTestApp({ database });
  try {
    await expect(started).rejects.toThrow('synchronous_commit off');
  } finally {
    await started.then((service) => service.close()).catch(() => {});
    await database.drop();
  }
});
