import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from './support/app.ts';
import { agreeToLinking, linkQuestion, proveControl } from './support/people.ts';

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
      body: { subject: 'crm:all', purpose, decision, notice, method: 'web-form' },
    });
  const all = { subject: 'crm:all', purpose: '*', method: 'web-form' };
  expect((await app.call('POST', '/v1/consents/withdraw', { body: all })).status).toBe(201);
  const told = await app.db.query<{ purpose: string }>(
    `select distinct facts->>'purpose' as purpose from obligation where subject_id = $1`,
    [subjectId],
  );
  expect(told).toEqual([{ purpose: 'newsletter' }]);
});
