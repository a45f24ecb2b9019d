import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { createBrowser, startOidcProvider, type OidcProvider } from './support/oidc.ts';
import { agreeToLinking, linkQuestion, proveControl } from './support/people.ts';

let provider: OidcProvider;
let app: TestApp;
let owner: Database;
/** A call as a colleague with one role; answers status and body. */
type Colleague = (method: string, path: string, body?: object) => Promise<{ status: number; body: any }>;
let caseworker: Colleague;
let dpo: Colleague;
let auditor: Colleague;

const secret = 'a-secret-of-the-choice-of-the-provider';

const signIn = async (sub: string, role: string): Promise<Colleague> => {
  provider.person = { sub, roles: [role] };
  const browser = createBrowser();
  const { url } = await browser.follow(`${app.url}/staff/sign-in`, `${app.url}/staff/callback`);
  expect((await browser.visit(url)).status).toBe(302);
  return async (method, path, body) => {
    const headers = { origin: app.url, ...(body && { 'content-type': 'application/json' }) };
    const answer = await browser.visit(app.url + path, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };
};

beforeAll(async () => {
  provider = await startOidcProvider();
  app = await startTestApp({
    staffProvider: {
      issuer: provider.issuer,
      clientId: 'askfirst',
      clientSecret: secret,
      scope: 'openid',
      rolesClaim: 'roles',
    },
  });
  provider.serve([
    {
      client_id: 'askfirst',
      client_secret: secret,
      redirect_uris: [`${app.url}/staff/callback`],
      id_token_signed_response_alg: 'ES256',
    },
  ]);
  owner = connect(app.database.urls.owner, { connections: 1 });
  [caseworker, dpo, auditor] = [
    await signIn('cw1', 'caseworker'),
    await signIn('dp1', 'dpo'),
    await signIn('au1', 'auditor'),
  ];
});
afterAll(async () => {
  await owner.end();
  await app.close();
  await provider.close();
});

const likely = { match: { method: 'probabilistic', confidence: 0.93 } };
let made = 0;
/** A customer and an account that nobody else in this file uses. */
const pair = async (): Promise<{ customer: string; identity: string }> => {
  made += 1;
  const customer = `crm:reviewed-${made}`;
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  return { customer, identity: `facebook:77001${String(made).padStart(4, '0')}` };
};
type Pair = Awaited<ReturnType<typeof pair>>;

const check = async ({ customer, identity }: Pair, context: object = {}) =>
  (
    await app.call('POST', '/access/v1/evaluation', {
      as: 'community-desk',
      body: linkQuestion(customer, identity, { ...likely, ...context }),
    })
  ).body as { decision: boolean; context: any };
const codes = ({ context }: { context: any }) => Object.keys(context.reason_admin).sort();

const request = (about: Pair, more: object = {}, as = 'community-desk') =>
  app.call('POST', '/v1/reviews', { as, body: { ...about, ...likely, purpose: 'profile-linking', ...more } });
const requested = async (about: Pair, more: object = {}): Promise<string> => {
  const { status, body } = await request(about, more);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.reviewId;
};
const answer = (reviewId: string, said: 'same-person' | 'not-same-person', as = caseworker) =>
  as('POST', `/v1/reviews/${reviewId}/answer`, { answer: said, reason: 'She said so on the phone' });

test('a likely match is linked once a colleague found it right, the customer said yes and control is proved', async () => {
  const about = await pair();
  await agreeToLinking(app, about.customer, 'facebook');
  await proveControl(app, about.customer, about.identity);
  const denied = await check(about);
  expect(denied).toMatchObject({ decision: false, context: { obligations: ['human-review'] } });

  const reviewId = await requested(about, { note: 'Same photograph of the summit cross' });
  expect(await check(about, { review: reviewId })).toMatchObject({ decision: false });
  expect((await answer(reviewId, 'same-person')).status).toBe(200);
  expect(await check(about)).toMatchObject({ decision: false });
  const permit = await check(about, { review: reviewId });
  expect(permit.decision, JSON.stringify(permit)).toBe(true);
  const { status, body: link } = await app.call('POST', '/v1/links', {
    as: 'community-desk',
    body: { leaseId: permit.context.lease.id, ...about },
  });
  expect([status, link.status]).toEqual([201, 'active']);
});

test('a permit that rests on a review is confirmed only while that review stands', async () => {
  const about = await pair();
  await agreeToLinking(app, about.customer, 'facebook');
  await proveControl(app, about.customer, about.identity);
  const reviewId = await requested(about);
  await answer(reviewId, 'same-person');
  const permit = await check(about, { review: reviewId });
  expect(permit.decision).toBe(true);
  await app.db.query(`update match_review set answer = 'not-same-person' where id = $1`, [reviewId]);
  const confirmed = await app.call('POST', '/v1/links', {
    as: 'community-desk',
    body: { leaseId: permit.context.lease.id, ...about },
  });
  expect(confirmed).toMatchObject({ status: 409, body: { code: 'linkage.ground-ended' } });
});

test('what a colleague found to be another person is denied with that reason, and asking again does not change it', async () => {
  const about = await pair();
  await agreeToLinking(app, about.customer, 'facebook');
  await proveControl(app, about.customer, about.identity);
  const reviewId = await requested(about);
  await answer(reviewId, 'not-same-person');
  const denied = await check(about, { review: reviewId });
  expect(denied.decision).toBe(false);
  expect(codes(denied)).toContain('review-said-no');
  const again = await request(about);
  expect(again).toMatchObject({ status: 200, body: { reviewId, answer: 'not-same-person' } });
});

test('what a colleague found to be another person is not linked by leaving the review unnamed, nor by waiting or asking anew, until a colleague finds otherwise', async () => {
  const about = await pair();
  await agreeToLinking(app, about.customer, 'facebook');
  await proveControl(app, about.customer, about.identity);
  const reviewId = await requested(about);
  const declared = { match: { method: 'declared' } };
  const permit = await check(about, declared);
  expect(permit.decision).toBe(true);
  await answer(reviewId, 'not-same-person');
  const confirmed = await app.call('POST', '/v1/links', {
    as: 'community-desk',
    body: { leaseId: permit.context.lease.id, ...about },
  });
  expect(confirmed).toMatchObject({ status: 409, body: { code: 'linkage.ground-ended' } });
  const denied = await check(about, declared);
  expect([denied.decision, codes(denied)]).toEqual([false, expect.arrayContaining(['review-said-no'])]);

  await app.db.query(`update match_review set answered_at = answered_at - interval '31 days' where id = $1`, [
    reviewId,
  ]);
  expect((await check(about, declared)).decision).toBe(false);
  const anew = await requested(about);
  expect(anew).not.toBe(reviewId);
  expect((await check(about, declared)).decision).toBe(false);
  await answer(anew, 'same-person');
  expect((await check(about, declared)).decision).toBe(true);
  const other = { ...about, identity: 'facebook:7700288888' };
  expect((await check(other, declared)).context.reason_admin).not.toHaveProperty('review-said-no');
});

test('two records that became one: what a colleague found of one of them still holds', async () => {
  const [about, survivor] = [await pair(), await pair()];
  const reviewId = await requested(about);
  await answer(reviewId, 'not-same-person');
  const { body } = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: survivor.customer } });
  const merged = await app.call('POST', `/v1/subjects/${body.subjectId}/merge`, { body: { subject: about.customer } });
  expect(merged.status, JSON.stringify(merged.body)).toBe(200);
  expect(codes(await check(about, { match: { method: 'declared' } }))).toContain('review-said-no');
});

test('a review replaces neither the yes of the customer nor their proof', async () => {
  const about = await pair();
  const reviewId = await requested(about);
  await answer(reviewId, 'same-person');
  expect((await check(about, { review: reviewId })).decision).toBe(false);
  await agreeToLinking(app, about.customer, 'facebook');
  expect((await check(about, { review: reviewId })).decision).toBe(false);
  await proveControl(app, about.customer, about.identity);
  expect((await check(about, { review: reviewId })).decision).toBe(true);
});

test('a review says nothing about other identifiers, for another system, or when it does not exist', async () => {
  const [about, other] = [await pair(), await pair()];
  for (const { customer, identity } of [about, other]) {
    await agreeToLinking(app, customer, 'facebook');
    await proveControl(app, customer, identity);
  }
  const reviewId = await requested(about);
  await answer(reviewId, 'same-person');
  expect((await check(other, { review: reviewId })).decision).toBe(false);
  expect((await check({ ...about, identity: other.identity }, { review: reviewId })).decision).toBe(false);
  expect((await check(about, { review: '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11' })).decision).toBe(false);
  const { body: byCrm } = await app.call('POST', '/access/v1/evaluation', {
    body: {
      ...linkQuestion(about.customer, about.identity, { ...likely, review: reviewId }),
      subject: { type: 'system', id: 'crm' },
    },
  });
  expect(byCrm.decision).toBe(false);
  expect((await check(about, { review: reviewId.toUpperCase() })).decision).toBe(true);
});

test('a no while the review is open stands, whatever the colleague answers, and nothing new is put before anybody', async () => {
  const about = await pair();
  await agreeToLinking(app, about.customer, 'facebook');
  await proveControl(app, about.customer, about.identity);
  const reviewId = await requested(about);
  await app.call('POST', '/v1/consents/withdraw', {
    body: { subject: about.customer, purpose: 'profile-linking', scope: {}, method: 'email' },
  });
  await answer(reviewId, 'same-person');
  const denied = await check(about, { review: reviewId });
  expect(denied.decision).toBe(false);
  expect(codes(denied)).toContain('no-means-no');
  const others = { ...about, identity: 'facebook:7700199999' };
  expect(await request(others)).toMatchObject({ status: 409, body: { code: 'linkage.no-stands' } });
});

test('the queue shows the oldest first in pages, without saying whom it is about; one review shows both and the note', async () => {
  const abouts = [await pair(), await pair(), await pair()];
  const ids: string[] = [];
  for (const about of abouts)
    ids.push(await requested(about, { note: 'Ask about the hike', chain: ['email:eva@example.org'] }));
  const seen: string[] = [];
  let after = '';
  do {
    const { status, body } = await dpo('GET', `/v1/reviews?limit=2${after}`);
    expect(status).toBe(200);
    expect(JSON.stringify(body)).not.toMatch(/crm:|facebook:|hike/);
    seen.push(...body.reviews.map((review: { reviewId: string }) => review.reviewId));
    after = body.next === null ? '' : `&after=${body.next}`;
  } while (after);
  expect(seen.filter((id) => ids.includes(id))).toEqual(ids);
  expect(seen).toEqual(seen.toSorted());
  for (const colleague of [caseworker, dpo, auditor])
    expect(await colleague('GET', `/v1/reviews/${ids[0]}`)).toMatchObject({
      status: 200,
      body: { ...abouts[0], ...likely, note: 'Ask about the hike', chain: ['email:eva@example.org'], answer: null },
    });
  await answer(ids[0]!, 'same-person');
  const { body } = await auditor('GET', '/v1/reviews?status=answered&limit=100');
  expect(body.reviews).toContainEqual(
    expect.objectContaining({ reviewId: ids[0], answer: 'same-person', answeredBy: 'cw1' }),
  );
  expect((await auditor('GET', `/v1/reviews/${ids[0]}`)).body.reason).toBe('She said so on the phone');
});

test('only a caseworker answers, once, and it stands in the audit of the customer', async () => {
  const reviewId = await requested(await pair());
  for (const colleague of [dpo, auditor])
    expect(await answer(reviewId, 'same-person', colleague)).toMatchObject({
      status: 403,
      body: { code: 'staff.role-missing' },
    });
  const answers = await Promise.all([answer(reviewId, 'same-person'), answer(reviewId, 'not-same-person')]);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  expect(answers.find(({ status }) => status === 409)!.body.code).toBe('linkage.review-answered');
  const won = answers.find(({ status }) => status === 200)!.body;
  expect((await caseworker('GET', `/v1/reviews/${reviewId}`)).body.answer).toBe(won.answer);
  const audit = await app.db.query<{ actor: string }>(
    `select actor from audit_event where subject_id = $1 and verb = 'answer-review'`,
    [won.subjectId],
  );
  expect(audit[0]).toEqual({ actor: 'cw1' });
});

test('two colleagues who answer at the same moment do not both count', async () => {
  const reviewId = await requested(await pair());
  // Holds up what each of them writes, until both have found it unanswered.
  await owner.script(`begin; select id from match_review where id = '${reviewId}' for update`);
  const both = Promise.all([answer(reviewId, 'same-person'), answer(reviewId, 'not-same-person')]);
  const tried = () =>
    owner.query(
      `select a.id from audit_event a join match_review r on r.subject_id = a.subject_id where r.id = $1 and a.verb = 'answer-review'`,
      [reviewId],
    );
  await expect.poll(async () => (await tried()).length, { interval: 5 }).toBe(2);
  await owner.script('commit');
  const statuses = (await both).map(({ status }) => status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 409]);
  const won = (await both).find(({ status }) => status === 200)!.body.answer;
  expect((await caseworker('GET', `/v1/reviews/${reviewId}`)).body.answer).toBe(won);
});

test('nobody without a session reads or answers, and another site cannot make a colleague answer', async () => {
  const reviewId = await requested(await pair());
  const token = await app.token('community-desk');
  for (const [method, path] of [
    ['GET', '/v1/reviews'],
    ['GET', `/v1/reviews/${reviewId}`],
    ['POST', `/v1/reviews/${reviewId}/answer`],
  ] as const) {
    const answered = await fetch(app.url + path, {
      method,
      headers: { authorization: token, origin: app.url, 'content-type': 'application/json' },
      ...(method === 'POST' && { body: JSON.stringify({ answer: 'same-person', reason: 'x' }) }),
    });
    expect([path, answered.status]).toEqual([path, 401]);
  }
  expect((await caseworker('GET', '/v1/reviews/019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11')).status).toBe(404);
});

test('one review is open for two identifiers, however many calls ask at once', async () => {
  const about = await pair();
  const answers = await Promise.all(Array.from({ length: 8 }, () => request(about)));
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    200, 200, 200, 200, 200, 200, 200, 201,
  ]);
  expect(new Set(answers.map(({ body }) => body.reviewId)).size).toBe(1);
});

test('a review is asked for by who may link, about a customer that is known and an account by its id', async () => {
  const about = await pair();
  const refused = async (more: object, as?: string) => {
    const { status, body } = await request(about, more, as);
    return [status, body.code];
  };
  expect(await refused({}, 'newsletter')).toEqual([403, 'linkage.not-granted']);
  expect(await refused({ purpose: 'newsletter' })).toEqual([403, 'linkage.not-granted']);
  expect(await refused({ customer: 'crm:nobody' })).toEqual([404, 'subjects.not-found']);
  expect(await refused({ identity: 'facebook:@eva' })).toEqual([422, 'linkage.account-needed']);
  expect(await refused({ identity: 'email:eva@example.org' })).toEqual([422, 'linkage.account-needed']);
  expect(await refused({ match: { method: 'certain' } })).toEqual([400, 'http.input-invalid']);
});

test('whom a review is about and what was written lies in no table in clear', async () => {
  const about = await pair();
  const reviewId = await requested(about, { note: 'Zoë of the summit cross' });
  await answer(reviewId, 'same-person');
  const [row] = await app.db.query<{ everything: string; sealed: Buffer; reason: Buffer }>(
    `select row_to_json(r)::text as everything, sealed, sealed_reason as reason from match_review r where id = $1`,
    [reviewId],
  );
  for (const clear of [row!.everything, row!.sealed.toString('latin1'), row!.reason.toString('latin1')])
    expect(clear).not.toMatch(/crm:reviewed|facebook:|summit|on the phone/);
});
