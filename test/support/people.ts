import { expect } from 'vitest';
import type { TestApp } from './app.ts';

const created = async (call: ReturnType<TestApp['call']>): Promise<any> => {
  const { status, body } = await call;
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body;
};

/** The question whether the community desk may link an account to a customer. */
export const linkQuestion = (customer: string, identity: string, context: object = {}) => ({
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: identity },
  context: { purpose: 'profile-linking', customer, ...context },
});

/** The customer's yes to linking on one platform. Answers `{event, receipt}`. */
export const agreeToLinking = (app: TestApp, customer: string, platform: string) =>
  created(
    app.call('POST', '/v1/consents', {
      body: {
        subject: customer,
        purpose: 'profile-linking',
        scope: { platform },
        decision: 'given',
        notice: { version: 1, language: 'en' },
        method: 'web-form',
      },
    }),
  );

/** The customer shows a code from the account. */
export const proveControl = async (app: TestApp, customer: string, account: string) => {
  const { code } = await created(app.call('POST', '/v1/challenges', { body: { customer, account } }));
  return created(app.call('POST', '/v1/challenges/seen', { as: 'community-desk', body: { account, code } }));
};

/** Consent, proof, permit and confirmation. Answers the link. */
export const linkAccount = async (app: TestApp, customer: string, account: string) => {
  await agreeToLinking(app, customer, account.split(':', 1)[0]!);
  await proveControl(app, customer, account);
  const permit = await created(
    app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body: linkQuestion(customer, account) }),
  );
  expect(permit.decision, JSON.stringify(permit)).toBe(true);
  const body = { leaseId: permit.context.lease.id, customer, identity: account };
  return created(app.call('POST', '/v1/links', { as: 'community-desk', body }));
};
