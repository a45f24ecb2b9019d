import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyReceipt } from '../src/consent/index.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { agreeToLinking } from './support/people.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const facebook = 'facebook:1029384756';
const mayLink = (context: object = {}) =>
  app.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: {
      subject: { type: 'system', id: 'community-desk' },
      action: { name: 'link' },
      resource: { type: 'social_identity', id: facebook },
      context: { purpose: 'profile-linking', customer: 'crm:4711', ...context },
    },
  });

test('a link is denied until consent and proof are there, then confirmed, and every check after the withdrawal denies', async () => {
  const unknown = await mayLink();
  expect(unknown).toMatchObject({ status: 200, body: { decision: false } });

  const registered = await app.call('POST', '/v1/subjects', {
    body: { identifiers: [{ identifier: 'crm:4711' }, { identifier: 'email:Eva@Example.org' }] },
  });
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);

  const consent = await app.call('POST', '/v1/consents', {
    body: {
      subject: 'crm:4711',
      purpose: 'profile-linking',
      scope: { platform: 'facebook' },
      decision: 'given',
      notice: { version: 1, language: 'de' },
      method: 'web-form',
    },
  });
  expect(consent.status, JSON.stringify(consent.body)).toBe(201);

  const claimed = await mayLink({ match: { method: 'declared' } });
  expect(claimed.body.decision).toBe(false);

  const challenge = await app.call('POST', '/v1/challenges', { body: { customer: 'crm:4711', account: facebook } });
  expect(challenge.status, JSON.stringify(challenge.body)).toBe(201);
  const seen = await app.call('POST', '/v1/challenges/seen', {
    as: 'community-desk',
    body: { account: facebook, code: challenge.body.code },
  });
  expect(seen.status, JSON.stringify(seen.body)).toBe(200);

  const permitted = await mayLink({ match: { method: 'declared' } });
  expect(permitted.body.decision, JSON.stringify(permitted.body)).toBe(true);
  const link = await app.call('POST', '/v1/links', {
    as: 'community-desk',
    body: { leaseId: permitted.body.context.lease.id, customer: 'crm:4711', identity: facebook },
  });
  expect(link.status, JSON.stringify(link.body)).toBe(201);
  expect(link.body.status).toBe('active');

  const withdrawn = await app.call('POST', '/v1/consents/withdraw', {
    body: { subject: 'crm:4711', purpose: 'profile-linking', scope: { platform: 'facebook' }, method: 'web-form' },
  });
  expect(withdrawn.status, JSON.stringify(withdrawn.body)).toBe(201);
  expect((await mayLink()).body.decision).toBe(false);

  const pulled = await app.call('GET', '/v1/obligations', { as: 'community-desk' });
  expect(pulled.body.obligations).toMatchObject([
    { type: 'obligation.unlink', data: { linkId: link.body.linkId, customer: 'crm:4711', identity: facebook } },
  ]);
  const { obligationId } = pulled.body.obligations[0].data;
  const acknowledged = await app.call('POST', `/v1/obligations/${obligationId}/acknowledge`, { as: 'community-desk' });
  expect(acknowledged.status).toBe(200);
  const { subjectId } = registered.body;
  expect((await app.call('GET', `/v1/subjects/${subjectId}/links`, { as: 'community-desk' })).body.links).toEqual([]);
});

test('the receipt of an answer verifies with nothing but the published keys, and says the words that were shown', async () => {
  const { event, receipt } = await agreeToLinking(app, 'crm:receipt', 'instagram');
  const jwks = (await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as Parameters<typeof verifyReceipt>[1];
  const proof = await verifyReceipt(receipt, jwks);
  expect(proof).toMatchObject({ genuine: true });
  expect(JSON.stringify(proof)).toContain(event.notice.hash);
  const [header, payload, signature] = receipt.split('.');
  const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  expect(await verifyReceipt(`${header}.${payload}.${flipped}`, jwks)).toMatchObject({ genuine: false });
  const path = `/v1/subjects/${event.subjectId}/consents/${event.id}/receipt`;
  expect(await verifyReceipt((await app.call('GET', path)).body.receipt, jwks)).toMatchObject({ genuine: true });
});
