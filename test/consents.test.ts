import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from './support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const notice = { version: 1, language: 'en' };
const send = (path: string, body: object) => app.call('POST', path, { body: { method: 'app', ...body } });
const recorded = async (path: string, body: object) => {
  const answer = await send(path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as { event: any; receipt: string };
};
const decide = async (subject: string, purpose: string, decision: string, more: object = {}) =>
  (await recorded('/v1/consents', { subject, purpose, decision, notice, ...more })).event;
const withdraw = async (subject: string, purpose: string, more: object = {}) =>
  (await recorded('/v1/consents/withdraw', { subject, purpose, ...more })).event;
const object = async (subject: string, purpose: string, more: object = {}) =>
  (await recorded('/v1/consents/object', { subject, purpose, ...more })).event;

/** The standing on one purpose: `[{scope, status, exceptions}]`, the purpose as a whole first. */
const standing = async (subjectId: string, purpose: string, asOf?: string): Promise<any[]> => {
  const query = asOf === undefined ? '' : `?asOf=${encodeURIComponent(asOf)}`;
  const { status, body } = await app.call('GET', `/v1/subjects/${subjectId}/consents${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  if (asOf !== undefined) expect(Temporal.Instant.from(body.asOf).equals(asOf)).toBe(true);
  // Whether somebody may be asked has tests of its own (consent-breadth).
  return body.purposes
    .find((one: any) => one.purpose === purpose)
    .scopes.map(({ mayBeAsked: _may, askableFrom: _from, ...scope }: any) => scope);
};

const history = async (subjectId: string, query = ''): Promise<any> => {
  const { status, body } = await app.call('GET', `/v1/subjects/${subjectId}/consents/history${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};

/** Whether the community desk may answer this customer by a program (legitimate interests). */
const mayAnswerByProgram = (customer: string) =>
  mayDesk(customer, 'reply_automatically', { purpose: 'automated-reply', botDisclosed: true });
/** Whether the community desk may answer this customer (contract). */
const mayServe = (customer: string) => mayDesk(customer, 'reply', { purpose: 'customer-service', channel: 'thread' });

const mayDesk = async (customer: string, name: string, context: object): Promise<boolean> => {
  const { status, body } = await app.call('POST', '/access/v1/evaluation', {
    as: 'community-desk',
    body: {
      subject: { type: 'system', id: 'community-desk' },
      action: { name },
      resource: { type: 'customer', id: customer },
      context: { customer, marketing: false, inReplyTo: { openedBySubject: true, days: 0 }, ...context },
    },
  });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.decision;
};

test('where a person stands shows the exceptions: yes to linking, except on Facebook', async () => {
  const yes = await decide('crm:exceptions', 'profile-linking', 'given');
  const no = await withdraw('crm:exceptions', 'profile-linking', { scope: { platform: 'facebook' } });
  const permit = { result: 'permit', code: 'valid-yes', reliedOn: yes.id, until: yes.expiresAt };
  const deny = { result: 'deny', code: 'live-no', reliedOn: no.id };
  const facebook = { platform: 'facebook' };
  expect(await standing(yes.subjectId, 'profile-linking')).toEqual([
    { scope: {}, status: permit, exceptions: [{ scope: facebook, status: deny }] },
    { scope: facebook, status: deny, exceptions: [] },
  ]);
  expect(await standing(yes.subjectId, 'newsletter')).toEqual([
    { scope: {}, status: { result: 'deny', code: 'nothing-recorded' }, exceptions: [] },
  ]);
});

test('asOf answers from what was recorded by then, whenever it is said to have occurred', async () => {
  const now = Temporal.Now.instant();
  const ago = (hours: number) => now.subtract({ hours }).toString();
  const yes = await decide('crm:as-of', 'profile-enrichment', 'given', { occurredAt: ago(48) });
  const other = await decide('crm:as-of', 'newsletter', 'refused');
  const no = await withdraw('crm:as-of', 'profile-enrichment', { occurredAt: ago(24) });
  const at = async (moment: string) => (await standing(yes.subjectId, 'profile-enrichment', moment))[0].status;
  const justBefore = (moment: string) => Temporal.Instant.from(moment).subtract({ microseconds: 1 }).toString();

  expect(await at(ago(36))).toEqual({ result: 'deny', code: 'nothing-recorded' });
  expect(await at(justBefore(yes.recordedAt))).toEqual({ result: 'deny', code: 'nothing-recorded' });
  for (const moment of [yes.recordedAt, other.recordedAt, justBefore(no.recordedAt)])
    expect(await at(moment)).toMatchObject({ result: 'permit', reliedOn: yes.id });
  for (const moment of [no.recordedAt, Temporal.Now.instant().add({ hours: 1 }).toString()])
    expect(await at(moment)).toMatchObject({ result: 'deny', code: 'live-no', reliedOn: no.id });
  expect((await standing(yes.subjectId, 'profile-enrichment'))[0].status).toMatchObject({ reliedOn: no.id });
});

test('the history comes in pages, in the order of recording, each event once and as it was answered', async () => {
  const events: any[] = [];
  const registered = await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:pages' }] } });
  for (let i = 0; i < 11; i++) {
    const occurredAt = Temporal.Now.instant().subtract({ hours: i }).round('microsecond').toString();
    const scope = { platform: ['facebook', 'x', 'forum'][i % 3]! };
    events.push(
      i % 4 === 3
        ? await withdraw('crm:pages', 'profile-linking', { scope, occurredAt })
        : await decide('crm:pages', 'profile-linking', i % 2 === 0 ? 'given' : 'refused', { scope, occurredAt }),
    );
    // Another person's events in between are nobody else's history.
    await decide('crm:pages-neighbour', 'newsletter', 'refused');
  }
  const { subjectId } = registered.body;
  const pages: any[][] = [];
  let cursor: string | null = null;
  do {
    const page = await history(subjectId, `?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`);
    pages.push(page.events);
    cursor = page.nextCursor;
  } while (cursor !== null && pages.length < 20);
  expect(pages.map(({ length }) => length)).toEqual([3, 3, 3, 2]);
  expect(pages.flat()).toEqual(events);
  expect(await history(subjectId)).toEqual({ events, nextCursor: null });
  expect((await history(subjectId, '?limit=11')).nextCursor, 'a page that is full and the last').toBeNull();
});

test('an event that is recorded while somebody pages is on a later page, and no page is wrong for it', async () => {
  const first = await decide('crm:paging', 'newsletter', 'given');
  const second = await decide('crm:paging', 'newsletter', 'refused');
  const page = await history(first.subjectId, '?limit=1');
  const third = await withdraw('crm:paging', '*');
  expect(page.events).toEqual([first]);
  const rest = await history(first.subjectId, `?cursor=${page.nextCursor}`);
  expect(rest).toEqual({ events: [second, third], nextCursor: null });
});

test('an objection ends at once what rests on legitimate interests, and is kept as an objection', async () => {
  expect(await mayAnswerByProgram('crm:objector')).toBe(false);
  const informed = await decide('crm:objector', 'automated-reply', 'informed');
  expect(await mayAnswerByProgram('crm:objector')).toBe(true);
  const objection = await object('crm:objector', 'automated-reply');
  expect(objection).toMatchObject({ action: 'object', purpose: 'automated-reply', notice: null });
  expect(await mayAnswerByProgram('crm:objector')).toBe(false);
  expect((await standing(informed.subjectId, 'automated-reply'))[0].status).toEqual({
    result: 'deny',
    code: 'live-no',
    reliedOn: objection.id,
  });
  // Telling the person once more is no answer of theirs.
  await decide('crm:objector', 'automated-reply', 'informed');
  expect(await mayAnswerByProgram('crm:objector')).toBe(false);
});

test('a no to what a contract needs is kept as a request and ends nothing', async () => {
  const informed = await decide('crm:contract', 'customer-service', 'informed');
  expect(await mayServe('crm:contract')).toBe(true);
  const requests = [
    await withdraw('crm:contract', 'customer-service'),
    await object('crm:contract', 'customer-service', { scope: { channel: 'thread' } }),
    await decide('crm:contract', 'customer-service', 'refused'),
  ];
  expect(await mayServe('crm:contract')).toBe(true);
  expect((await standing(informed.subjectId, 'customer-service'))[0]).toEqual({
    scope: {},
    status: { result: 'permit', code: 'informed', reliedOn: informed.id },
    exceptions: [],
  });
  const { events } = await history(informed.subjectId);
  expect(events).toEqual([informed, ...requests]);
  const rows = await app.db.query<{ answer: string }>(
    'select answer from consent_event where subject_id = $1 order by subject_seq',
    [informed.subjectId],
  );
  expect(rows.map(({ answer }) => answer)).toEqual(['informed', 'request', 'request', 'request']);
});

test('a no to everything denies also what was never asked, and nothing that a contract needs', async () => {
  const informed = await decide('crm:everything', 'customer-service', 'informed');
  await decide('crm:everything', 'automated-reply', 'informed');
  const yes = await decide('crm:everything', 'profile-linking', 'given');
  expect(await mayAnswerByProgram('crm:everything')).toBe(true);
  const no = await withdraw('crm:everything', '*');
  expect(no).toMatchObject({ purpose: '*', scope: {}, action: 'withdraw' });

  const denied = { result: 'deny', code: 'live-no', reliedOn: no.id, inheritedFrom: 'everything' };
  for (const { id, legalBasis } of app.catalogue.purposes.values()) {
    const [whole] = await standing(yes.subjectId, id);
    if (legalBasis === 'contract') expect(whole.status).toMatchObject({ result: 'permit', reliedOn: informed.id });
    else expect(whole.status, id).toEqual(denied);
  }
  expect(await mayAnswerByProgram('crm:everything')).toBe(false);
  expect(await mayServe('crm:everything')).toBe(true);

  // One that is specific and later is not undone by the general one before it.
  const again = await decide('crm:everything', 'newsletter', 'given');
  expect((await standing(yes.subjectId, 'newsletter'))[0].status).toMatchObject({
    result: 'permit',
    reliedOn: again.id,
  });
  expect((await standing(yes.subjectId, 'profile-linking'))[0].status).toEqual(denied);
});

const yesToLinking = { subject: 'crm:wrong', purpose: 'profile-linking', decision: 'given', notice };
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const inHours = (hours: number) => Temporal.Now.instant().add({ hours }).toString();

test.each<[string, string, () => object, number, string, string]>([
  ['a purpose that is none', '', () => ({ purpose: 'profile-linkin' }), 422, 'purpose', 'consent.purpose-unknown'],
  ['a yes to everything', '', () => ({ purpose: '*' }), 422, 'purpose', 'consent.purpose-unknown'],
  ['a dimension of no scope', '', () => ({ scope: { network: 'x' } }), 400, 'scope.network', 'http.input-invalid'],
  [
    'another purpose’s dimension',
    '',
    () => ({ scope: { channel: 'email' } }),
    422,
    'scope.channel',
    'consent.scope-unknown',
  ],
  [
    'a platform that is none',
    '',
    () => ({ scope: { platform: 'orkut' } }),
    422,
    'scope.platform',
    'consent.scope-unknown',
  ],
  [
    'a value of another dimension',
    '',
    () => ({ purpose: 'newsletter', scope: { topic: 'sms' } }),
    422,
    'scope.topic',
    'consent.scope-unknown',
  ],
  [
    'a notice that is not there yet',
    '',
    () => ({ notice: { version: 99, language: 'en' } }),
    422,
    'notice.version',
    'consent.notice-unknown',
  ],
  [
    'a language without words',
    '',
    () => ({ notice: { version: 1, language: 'rm' } }),
    400,
    'notice.language',
    'http.input-invalid',
  ],
  [
    'other words than the notice’s',
    '',
    () => ({ notice: { ...notice, hash: hashOf('other words') } }),
    422,
    'notice.hash',
    'consent.notice-words-differ',
  ],
  ['a hash that is none', '', () => ({ notice: { ...notice, hash: 'abc' } }), 400, 'notice.hash', 'http.input-invalid'],
  ['no notice at all', '', () => ({ notice: undefined }), 400, 'notice', 'http.input-invalid'],
  ['an answer of tomorrow', '', () => ({ occurredAt: inHours(24) }), 422, 'occurredAt', 'consent.occurred-in-future'],
  ['a time without a zone', '', () => ({ occurredAt: '2026-11-21T09:30:00' }), 400, 'occurredAt', 'http.input-invalid'],
  ['a yes to a contract', '', () => ({ purpose: 'customer-service' }), 422, 'decision', 'consent.not-the-basis'],
  [
    'a yes to legitimate interests',
    '',
    () => ({ purpose: 'open-statistics' }),
    422,
    'decision',
    'consent.not-the-basis',
  ],
  ['telling where consent is needed', '', () => ({ decision: 'informed' }), 422, 'decision', 'consent.not-the-basis'],
  ['a decision that is none', '', () => ({ decision: 'maybe' }), 400, 'decision', 'http.input-invalid'],
  ['a method that is none', '', () => ({ method: 'telepathy' }), 400, 'method', 'http.input-invalid'],
  [
    'an identifier that is none',
    '',
    () => ({ subject: 'email:nobody' }),
    400,
    'subject',
    'subjects.identifier-malformed',
  ],
  ['a member too many', '', () => ({ rank: 'guardian' }), 400, 'rank', 'http.input-invalid'],
  [
    'the withdrawal of a purpose that is none',
    '/withdraw',
    () => ({ purpose: 'none-such' }),
    422,
    'purpose',
    'consent.purpose-unknown',
  ],
  [
    'a withdrawal of tomorrow',
    '/withdraw',
    () => ({ occurredAt: inHours(24) }),
    422,
    'occurredAt',
    'consent.occurred-in-future',
  ],
  [
    'an objection in no scope of the purpose',
    '/object',
    () => ({ scope: { platform: 'orkut' } }),
    422,
    'scope.platform',
    'consent.scope-unknown',
  ],
])('%s is refused by its name, and nothing changes', async (_what, verb, wrong, status, member, code) => {
  const { decision: _decision, notice: _notice, ...no } = yesToLinking;
  const before = await everythingStored();
  const answer = await send(`/v1/consents${verb}`, { ...(verb === '' ? yesToLinking : no), ...wrong() });
  expect(answer.body).toMatchObject({ status, code });
  expect(answer.status).toBe(status);
  expect(answer.body.errors.map((error: any) => error.member)).toContain(member);
  expect(await everythingStored()).toEqual(before);
});

/** How many rows each table has that a call about consent could write. */
const everythingStored = async () => {
  const [counts] = await app.db.query(
    `select (select count(*) from consent_event) events, (select count(*) from subject_state) subjects,
       (select count(*) from identifier) identifiers, (select count(*) from audit_event) audit,
       (select count(*) from obligation) obligations, (select sum(version) from subject_state) versions`,
  );
  return counts;
};

test('the same calls with right members are accepted, so that each refusal above has its one reason', async () => {
  const words = app.catalogue.purposes.get('profile-linking')!.notices[0]!.text.en;
  await recorded('/v1/consents', {
    ...yesToLinking,
    subject: 'crm:right',
    scope: { platform: 'x' },
    notice: { ...notice, hash: hashOf(words).toUpperCase() },
    occurredAt: '2026-01-31T10:30:00+01:00',
  });
  await recorded('/v1/consents/withdraw', {
    subject: 'crm:right',
    purpose: 'profile-linking',
    occurredAt: inHours(-1),
  });
  await recorded('/v1/consents/object', { subject: 'crm:right', purpose: 'open-statistics' });
});

test('a system states no answer that only a browser, a page of ours, a button in a mail or an import can bring', async () => {
  const answered = async (path: string, method: string, more: object = {}) => {
    const body = { subject: 'crm:stated', purpose: 'newsletter', method, evidence: 'Card 12', actor: 'u17', ...more };
    const { status, body: problem } = await app.call('POST', path, { body });
    return [status, problem.errors?.map(({ member }: any) => member)];
  };
  const given = { decision: 'given', notice, scope: { channel: 'email' } };
  for (const method of ['import', 'gpc', 'one-click', 'hosted-page'])
    for (const decision of ['given', 'refused', 'informed'])
      expect([method, ...(await answered('/v1/consents', method, { ...given, decision }))]).toEqual([
        method,
        400,
        ['method'],
      ]);
  for (const method of ['import', 'gpc', 'hosted-page'])
    for (const path of ['/v1/consents/withdraw', '/v1/consents/object'])
      expect([method, ...(await answered(path, method))]).toEqual([method, 400, ['method']]);
  // A button in a mail that the system itself serves (RFC 8058).
  expect(await answered('/v1/consents/withdraw', 'one-click')).toEqual([201, undefined]);
});

test('the withdrawal of somebody unknown is remembered, and holds when an older yes arrives afterwards', async () => {
  const no = await withdraw('email:stranger@example.org', 'newsletter');
  expect((await standing(no.subjectId, 'newsletter'))[0].status).toEqual({
    result: 'deny',
    code: 'live-no',
    reliedOn: no.id,
  });
  const older = await decide('email:Stranger@Example.org', 'newsletter', 'given', {
    method: 'paper',
    evidence: 'Card 12',
    actor: 'u17',
    occurredAt: Temporal.Now.instant().subtract({ hours: 24 }).toString(),
  });
  expect(older.subjectId).toBe(no.subjectId);
  expect((await standing(no.subjectId, 'newsletter'))[0].status).toMatchObject({ result: 'deny', reliedOn: no.id });
  expect((await history(no.subjectId)).events).toEqual([no, older]);
});

test('one event has one receipt: what is asked for later says to the byte what was answered first', async () => {
  const payload = (receipt: string) => Buffer.from(receipt.split('.')[1]!, 'base64url').toString();
  const stated = { occurredAt: '2026-11-20T09:30:00.123456789+01:00' };
  const calls: [string, object][] = [
    ['/v1/consents', yesToLinking],
    ['/v1/consents', { ...yesToLinking, ...stated }],
    ['/v1/consents', { ...yesToLinking, decision: 'refused', scope: { platform: 'x' } }],
    ['/v1/consents/withdraw', { purpose: 'profile-linking' }],
    ['/v1/consents/withdraw', { purpose: '*', ...stated }],
    ['/v1/consents/object', { purpose: 'automated-reply' }],
  ];
  for (const [path, body] of calls) {
    const { event, receipt } = await recorded(path, { ...body, subject: 'crm:receipts' });
    const later = await app.call('GET', `/v1/subjects/${event.subjectId}/consents/${event.id}/receipt`);
    expect(later.status).toBe(200);
    expect(payload(later.body.receipt)).toBe(payload(receipt));
    const { events } = await history(event.subjectId, `?cursor=${event.subjectSeq - 1}.${event.id}&limit=1`);
    expect(events).toEqual([event]);
  }
});

test('nobody else’s event is found under a subject, and an unknown subject has no standing and no history', async () => {
  const mine = await decide('crm:mine', 'newsletter', 'given');
  const theirs = await decide('crm:theirs', 'newsletter', 'given');
  const nobody = '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11';
  for (const path of [
    `${mine.subjectId}/consents/${theirs.id}/receipt`,
    `${nobody}/consents`,
    `${nobody}/consents/history`,
  ])
    expect((await app.call('GET', `/v1/subjects/${path}`)).status, path).toBe(404);
});

test('customer service reaches a person on the channel that they chose, and on no other', async () => {
  const customer = 'crm:service';
  const body = {
    subject: customer,
    purpose: 'customer-service',
    scope: { channel: 'email' },
    decision: 'given',
    notice,
    method: 'phone',
    evidence: 'call of this morning',
    actor: 'u17',
  };
  expect((await app.call('POST', '/v1/consents', { body })).status).toBe(201);
  const contact = async (channel: string) => {
    const question = {
      subject: { type: 'system', id: 'crm' },
      action: { name: 'contact' },
      resource: { type: 'customer', id: customer },
      context: { purpose: 'customer-service', channel, marketing: false },
    };
    return (await app.call('POST', '/access/v1/evaluation', { body: question })).body.decision;
  };
  expect(await contact('email')).toBe(true);
  expect(await contact('phone')).toBe(false);
});
