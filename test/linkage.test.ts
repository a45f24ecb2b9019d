import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { agreeToLinking, linkQuestion, proveControl } from './support/people.ts';

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

test('a link over a chain of accounts is looked at every hour, and suspended when the owner of one of them has said no', async () => {
  const [customer, account, hop] = ['crm:chain', 'facebook:5551234567', 'x:2244994945'];
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  await agreeToLinking(app, customer, 'facebook');
  await agreeToLinking(app, customer, 'x');
  await proveControl(app, customer, account);
  const { body: permit } = await app.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: linkQuestion(customer, account, { chain: [hop] }),
  });
  expect(permit.decision, JSON.stringify(permit)).toBe(true);
  const { body: link } = await app.call('POST', '/v1/links', {
    as: 'community-desk',
    body: { leaseId: permit.context.lease.id, customer, identity: account },
  });
  const { subjectId } = link;
  const status = async () =>
    (await app.call('GET', `/v1/subjects/${subjectId}/links`, { as: 'community-desk' })).body.links[0].status;
  expect(await status()).toBe('active');
  const due = async () => {
    const [row] = await app.db.query<{ minutes: number }>(
      `select extract(epoch from review_at - now())::float8 / 60 as minutes from subject_state where subject_id = $1`,
      [subjectId],
    );
    return row!.minutes;
  };
  await expect.poll(due).toSatisfy((minutes: number) => minutes > 50 && minutes <= 60);

  // Whoever owns the account on X is another subject, to whom this link is unknown.
  const { status: refused } = await app.call('POST', '/v1/consents/withdraw', {
    as: 'community-desk',
    body: { subject: hop, purpose: 'profile-linking', scope: { platform: 'x' }, method: 'direct-message' },
  });
  expect(refused).toBe(201);
  // An hour later.
  await owner.query(`update subject_state set review_at = now() where subject_id = $1`, [subjectId]);
  await expect.poll(status, { timeout: 20_000 }).toBe('suspended');
});
