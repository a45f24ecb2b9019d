/** Every way to say yes and no beyond a plain answer (DESIGN section 6): with mail, for a child, by a browser, on paper, in two records. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock, type Clock } from '../src/kernel/clock.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { linkAccount } from './support/people.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';

let smtp: Smtp;
let app: TestApp;
let ahead = Temporal.Duration.from({ seconds: 0 });
const clock: Clock = { now: () => systemClock.now().add(ahead) };
/** Runs `use` at a moment that lies so much later. */
const later = async <T>(duration: Temporal.DurationLike, use: () => Promise<T>): Promise<T> => {
  ahead = Temporal.Duration.from(duration);
  try {
    return await use();
  } finally {
    ahead = Temporal.Duration.from({ seconds: 0 });
  }
};

beforeAll(async () => {
  smtp = await startSmtp();
  app = await startTestApp({ mail: smtp, clock });
});
afterAll(async () => {
  await app?.close();
  await smtp?.close();
});

const notice = { version: 1, language: 'en' };
const post = (path: string, body: object) => app.call('POST', path, { body });
const ok = async (call: ReturnType<TestApp['call']>): Promise<any> => {
  const { status, body } = await call;
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body;
};
const refused = async (call: ReturnType<TestApp['call']>): Promise<string> => {
  const { status, body } = await call;
  expect(status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
  return body.code;
};
const say = (subject: string, purpose: string, more: object = {}) =>
  post('/v1/consents', { subject, purpose, decision: 'given', notice, method: 'app', ...more });
const newsletter = { channel: 'email', topic: 'events', form: 'newsletter' };
const toNewsletter = (subject: string, more: object = {}) =>
  say(subject, 'newsletter', { scope: { channel: 'email' }, method: 'web-form', ...more });
const confirm = ({ subjectId, id }: { subjectId: string; id: string }, code: string) =>
  post(`/v1/subjects/${subjectId}/consents/${id}/confirm`, { code });
const codeIn = (text: string): string => /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/.exec(text)![0];

const check = (system: string, action: string, customer: string, context: object) =>
  app.call('POST', '/access/v1/evaluation', {
    as: system,
    body: {
      subject: { type: 'system', id: system },
      action: { name: action },
      resource: { type: 'customer', id: customer },
      context,
    },
  });
const mayMail = async (customer: string): Promise<boolean> =>
  (await ok(check('newsletter', 'contact', customer, { purpose: 'newsletter', marketing: true, ...newsletter })))
    .decision;
const mayKeep = async (customer: string): Promise<boolean> =>
  (await ok(check('crm', 'retain', customer, { purpose: 'profile-enrichment', platform: 'facebook' }))).decision;
const standing = async (subjectId: string, purpose: string, query = ''): Promise<any[]> =>
  (await ok(app.call('GET', `/v1/subjects/${subjectId}/consents${query}`))).purposes.find(
    (one: any) => one.purpose === purpose,
  ).scopes;

test('a yes typed into a form counts once the code from the mail was typed, and not before', async () => {
  const { event } = await ok(toNewsletter('email:eva@example.org'));
  expect(event).toMatchObject({ action: 'give', answer: 'pending', by: 'self' });
  expect(await mayMail('email:eva@example.org')).toBe(false);
  const mail = await smtp.nextMail('eva@example.org');
  expect(mail.text).toContain('Example Tourism Association');
  expect(mail.text).not.toMatch(/https?:/);
  const code = codeIn(mail.text);
  expect(
    await refused(
      confirm(
        event,
        code.replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A')),
      ),
    ),
  ).toBe('consent.confirmation-refused');
  expect(await mayMail('email:eva@example.org')).toBe(false);
  const confirmed = await ok(confirm(event, code.toLowerCase().replace('-', ' ')));
  expect(confirmed.event).toMatchObject({
    action: 'confirm',
    answer: 'yes',
    confirms: event.id,
    scope: { channel: 'email' },
  });
  expect(await mayMail('email:eva@example.org')).toBe(true);
  // The answer may have been lost on its way.
  expect((await ok(confirm(event, code))).event).toEqual(confirmed.event);
  const { events } = await ok(app.call('GET', `/v1/subjects/${event.subjectId}/consents/history`));
  expect(events.map(({ answer }: any) => answer)).toEqual(['pending', 'yes']);
});

test('five wrong codes end a question, and the right one after them is refused like them', async () => {
  const { event } = await ok(toNewsletter('email:guess@example.org'));
  const code = codeIn((await smtp.nextMail('guess@example.org')).text);
  for (let guess = 0; guess < 5; guess++) await refused(confirm(event, `000${guess}-0000`));
  expect(await refused(confirm(event, code))).toBe('consent.confirmation-refused');
  expect(await mayMail('email:guess@example.org')).toBe(false);
});

test('a pending yes lapses after 48 hours', async () => {
  const { event } = await ok(toNewsletter('email:late@example.org'));
  const code = codeIn((await smtp.nextMail('late@example.org')).text);
  expect((await standing(event.subjectId, 'newsletter'))[1].status.code).toBe('pending');
  await later({ hours: 48, seconds: 1 }, async () => {
    expect(await refused(confirm(event, code))).toBe('consent.confirmation-refused');
    expect((await standing(event.subjectId, 'newsletter'))[1].status.code).toBe('nothing-recorded');
  });
});

test('a no that came after the question ends it, also one to everything', async () => {
  for (const [name, purpose] of [
    ['no-to-this', 'newsletter'],
    ['no-to-all', '*'],
  ] as const) {
    const { event } = await ok(toNewsletter(`email:${name}@example.org`));
    const code = codeIn((await smtp.nextMail(`${name}@example.org`)).text);
    await ok(post('/v1/consents/withdraw', { subject: `email:${name}@example.org`, purpose, method: 'email' }));
    expect(await refused(confirm(event, code))).toBe('consent.confirmation-refused');
    expect(await mayMail(`email:${name}@example.org`)).toBe(false);
  }
});

test('nobody’s mailbox is flooded: after five mails on a day it is asked no more, whether anybody is known by it or not', async () => {
  for (let form = 0; form < 5; form++) await ok(toNewsletter('email:flood@example.org'));
  expect(await refused(toNewsletter('email:flood@example.org'))).toBe('consent.too-many-confirmations');
  // A no still counts.
  await ok(post('/v1/consents/withdraw', { subject: 'email:flood@example.org', purpose: '*', method: 'email' }));
});

test('where the mailbox is not the person’s identifier, it must be named', async () => {
  expect(await refused(toNewsletter('crm:form'))).toBe('consent.confirmation-unavailable');
  const { event } = await ok(toNewsletter('crm:form', { confirmAt: 'email:Form@Example.org' }));
  expect(event.answer).toBe('pending');
  await ok(confirm(event, codeIn((await smtp.nextMail('form@example.org')).text)));
  expect(await mayMail('crm:form')).toBe(true);
});

test('a code proves something only in the mailbox of whoever the yes is of; one that was nobody’s is theirs from then on', async () => {
  await ok(
    post('/v1/subjects', { identifiers: [{ identifier: 'crm:ines' }, { identifier: 'email:ines@example.org' }] }),
  );
  await ok(post('/v1/subjects', { identifiers: [{ identifier: 'email:max@example.org' }] }));
  expect(await refused(toNewsletter('crm:ines', { confirmAt: 'email:max@example.org' }))).toBe(
    'consent.confirmation-unavailable',
  );
  const family = { identifiers: [{ identifier: 'crm:shares' }, { identifier: 'email:all@example.org', shared: true }] };
  await ok(post('/v1/subjects', family));
  expect(await refused(toNewsletter('crm:shares', { confirmAt: 'email:all@example.org' }))).toBe(
    'consent.confirmation-unavailable',
  );
  const { event } = await ok(toNewsletter('crm:ines', { confirmAt: 'email:new.ines@example.org' }));
  const lookedUp = () =>
    app.call('POST', '/v1/subjects/lookup', { body: { identifier: 'email:new.ines@example.org' } });
  expect((await lookedUp()).status).toBe(404);
  await ok(confirm(event, codeIn((await smtp.nextMail('new.ines@example.org')).text)));
  expect((await lookedUp()).body.subjectId).toBe(event.subjectId);
});

test('a mailbox that somebody else showed to be theirs in between confirms nothing for others', async () => {
  const { event } = await ok(toNewsletter('crm:slow', { confirmAt: 'email:taken@example.org' }));
  const code = codeIn((await smtp.nextMail('taken@example.org')).text);
  await ok(post('/v1/subjects', { identifiers: [{ identifier: 'email:taken@example.org' }] }));
  expect(await refused(confirm(event, code))).toBe('consent.confirmation-refused');
  expect(await mayMail('crm:slow')).toBe(false);
});

test('what a colleague writes down is a yes with its evidence, and none without', async () => {
  const heard = { method: 'phone', scope: { channel: 'email' } };
  expect(await refused(say('crm:paper', 'newsletter', heard))).toBe('consent.evidence-missing');
  expect(await refused(say('crm:paper', 'newsletter', { ...heard, evidence: 'call of 9.30' }))).toBe(
    'consent.evidence-missing',
  );
  await ok(say('crm:paper', 'newsletter', { ...heard, evidence: 'call of 9.30', actor: 'u17' }));
  expect(await mayMail('crm:paper')).toBe(true);
});

test('a child’s own yes waits for a guardian; a guardian’s yes by mail counts until the child comes of age', async () => {
  // Fifteen this month: of age in a year, long before the yes would end by itself.
  const born = clock.now().toZonedDateTimeISO('UTC').toPlainDate().toPlainYearMonth().subtract({ years: 15 });
  const { subjectId } = await ok(post('/v1/subjects', { identifiers: [{ identifier: 'crm:child' }] }));
  const guardian = { confirmAt: 'email:parent@example.org' };
  expect(await refused(say('crm:child', 'profile-enrichment', { guardian }))).toBe('consent.guardian-not-needed');
  const month = born.toString();
  const tell = (told: string) => app.call('PUT', `/v1/subjects/${subjectId}/birth-month`, { body: { month: told } });
  expect(await refused(tell('2099-01'))).toBe('consent.birth-month-ahead');
  expect((await tell(month)).status).toBe(204);

  const own = await ok(say('crm:child', 'profile-enrichment'));
  expect(await mayKeep('crm:child')).toBe(false);
  expect((await standing(subjectId, 'profile-enrichment'))[0].status.code).toBe('guardian-missing');
  expect(own.event.by).toBe('self');

  expect(await refused(say('crm:child', 'profile-enrichment', { guardian: {} }))).toBe('consent.guardian-unverified');
  const theirs = { identifiers: [{ identifier: 'email:child@example.org' }] };
  await ok(post(`/v1/subjects/${subjectId}/identifiers`, theirs));
  const itself = { guardian: { confirmAt: 'email:child@example.org' } };
  expect(await refused(say('crm:child', 'profile-enrichment', itself))).toBe('consent.guardian-unverified');
  const { event } = await ok(say('crm:child', 'profile-enrichment', { guardian }));
  expect(event).toMatchObject({ answer: 'pending', by: 'guardian' });
  expect(await mayKeep('crm:child')).toBe(false);
  const mail = await smtp.nextMail('parent@example.org');
  expect(mail.text).toContain('parent or guardian');
  const confirmed = await ok(confirm(event, codeIn(mail.text)));
  expect(confirmed.event).toMatchObject({
    answer: 'yes',
    by: 'guardian',
    expiresAt: `${born.add({ years: 16 }).toString()}-01T00:00:00Z`,
  });
  expect(await mayKeep('crm:child')).toBe(true);

  // The child's own word stands above the guardian's.
  await ok(post('/v1/consents/withdraw', { subject: 'crm:child', purpose: 'profile-enrichment', method: 'app' }));
  const again = await ok(say('crm:child', 'profile-enrichment', { guardian }));
  await ok(confirm(again.event, codeIn((await smtp.nextMail('parent@example.org')).text)));
  expect(await mayKeep('crm:child')).toBe(false);
});

test('a birth month that is told later takes the ground from what a child had said alone, and gives none back', async () => {
  const { event } = await ok(say('crm:told-later', 'profile-enrichment'));
  expect(await mayKeep('crm:told-later')).toBe(true);
  const { year } = clock.now().toZonedDateTimeISO('UTC');
  const tell = (month: string) => app.call('PUT', `/v1/subjects/${event.subjectId}/birth-month`, { body: { month } });
  expect((await tell(`${year - 12}-01`)).status).toBe(204);
  expect(await mayKeep('crm:told-later')).toBe(false);
  expect((await tell(`${year - 30}-01`)).status).toBe(204);
  expect(await mayKeep('crm:told-later')).toBe(false);
  // What was so then is still told as it was.
  const asOf = `?asOf=${encodeURIComponent(event.recordedAt)}`;
  expect((await standing(event.subjectId, 'profile-enrichment', asOf))[0].status.result).toBe('permit');
  expect((await standing(event.subjectId, 'profile-enrichment'))[0].status.code).toBe('guardian-missing');
  await ok(say('crm:told-later', 'profile-enrichment'));
  expect(await mayKeep('crm:told-later')).toBe(true);
});

test('who refused is left in peace until the purpose allows to ask again', async () => {
  const { event } = await ok(say('crm:asked', 'newsletter', { decision: 'refused' }));
  const scope = async () => (await standing(event.subjectId, 'newsletter'))[0];
  const from = Temporal.Instant.from(event.occurredAt).toZonedDateTimeISO('UTC').add({ years: 1 }).toInstant();
  expect(await scope()).toMatchObject({ mayBeAsked: false });
  expect(
    Temporal.Instant.from((await scope()).askableFrom)
      .since(from)
      .total('milliseconds'),
  ).toBeLessThan(1);
  await later({ hours: 24 * 366 }, async () => expect((await scope()).mayBeAsked).toBe(true));
  // Profiling: never.
  const never = await ok(say('crm:asked', 'segmentation', { decision: 'refused' }));
  const [whole] = await standing(never.event.subjectId, 'segmentation');
  expect(whole).toMatchObject({ mayBeAsked: false });
  expect(whole.askableFrom).toBeUndefined();
});

const merge = (subjectId: string, subject: string) => post(`/v1/subjects/${subjectId}/merge`, { subject });

test('two records of one person become one: every no of either survives, a yes only where both gave it', async () => {
  const one = (await ok(say('crm:m1', 'profile-enrichment'))).event.subjectId;
  const other = (await ok(say('email:m2@example.org', 'profile-enrichment'))).event.subjectId;
  await ok(say('crm:m1', 'segmentation'));
  await ok(say('crm:m1', 'newsletter', { scope: { channel: 'email' } }));
  await ok(say('email:m2@example.org', 'newsletter', { decision: 'refused', scope: { channel: 'email' } }));
  expect(await mayMail('crm:m1')).toBe(true);

  expect(await ok(merge(one, 'email:m2@example.org'))).toEqual({ subjectId: one, mergedSubjectId: other });
  for (const name of ['crm:m1', 'email:m2@example.org']) {
    expect((await ok(post('/v1/subjects/lookup', { identifier: name }))).subjectId).toBe(one);
    expect(await mayMail(name)).toBe(false);
  }
  expect(await mayKeep('crm:m1')).toBe(true); // both gave it
  expect((await standing(one, 'segmentation'))[0].status.code).toBe('nothing-recorded');
  // The alias leads there too.
  expect((await standing(other, 'profile-enrichment'))[0].status.result).toBe('permit');
  // What the person says now counts for both.
  await ok(say('email:m2@example.org', 'newsletter', { scope: { channel: 'email' } }));
  expect(await mayMail('crm:m1')).toBe(true);
  expect(await refused(merge(one, 'email:m2@example.org'))).toBe('subjects.merge-with-itself');
});

test('a social account is never merged with a customer, because that would unmask whoever is behind it', async () => {
  const { subjectId } = await ok(post('/v1/subjects', { identifiers: [{ identifier: 'crm:masked' }] }));
  await ok(post('/v1/subjects', { identifiers: [{ identifier: 'forum:4711' }] }));
  expect(await refused(merge(subjectId, 'forum:4711'))).toBe('subjects.merge-not-for-accounts');
});

test('a merge that died before the identifiers moved permits nothing under the old ones, and is completed by the sweep', async () => {
  const one = (await ok(say('crm:dies1', 'newsletter'))).event.subjectId;
  const other = (await ok(say('crm:dies2', 'newsletter'))).event.subjectId;
  // As the last step but one leaves it.
  await app.db.query('update subject_state set merged_into = $2, version = version + 1 where subject_id = $1', [
    other,
    one,
  ]);
  const moved = async () =>
    (await app.db.query('select 1 from identifier where subject_id = $1', [other])).length === 0;
  const permitted = await mayMail('crm:dies2');
  if (!(await moved())) expect(permitted).toBe(false);
  // Whoever says no meanwhile is heard.
  const no = await ok(post('/v1/consents/withdraw', { subject: 'crm:dies2', purpose: 'segmentation', method: 'app' }));
  expect(no.event.subjectId).toBe(one);
  await expect.poll(moved, { timeout: 10_000 }).toBe(true);
  expect(await mayMail('crm:dies2')).toBe(true);
});

test('links of a merged record end, because nobody could withdraw from them any more', async () => {
  const { subjectId } = (await ok(say('crm:keeps', 'profile-linking', { scope: { platform: 'facebook' } }))).event;
  const link = await linkAccount(app, 'crm:merges', 'facebook:5511223344');
  expect(link.status).toBe('active');
  await ok(merge(subjectId, 'crm:merges'));
  const { obligations } = await ok(app.call('GET', '/v1/obligations', { as: 'community-desk' }));
  const unlink = obligations.find(({ data }: any) => data.linkId === link.linkId);
  expect(unlink).toMatchObject({
    type: 'obligation.unlink',
    data: { customer: 'crm:merges', identity: 'facebook:5511223344', cause: 'merged' },
  });
});

test('who was known to be a child in one of two records is known to be one in the merged', async () => {
  const { year } = clock.now().toZonedDateTimeISO('UTC');
  const adult = (await ok(say('crm:grown', 'profile-enrichment'))).event.subjectId;
  const child = (await ok(say('crm:small', 'profile-enrichment'))).event.subjectId;
  await app.call('PUT', `/v1/subjects/${child}/birth-month`, { body: { month: `${year - 10}-01` } });
  await ok(merge(adult, 'crm:small'));
  await ok(say('crm:grown', 'profile-enrichment'));
  expect(await mayKeep('crm:grown')).toBe(false);
  expect((await standing(adult, 'profile-enrichment'))[0].status.code).toBe('guardian-missing');
});

const object = (subject: string, scope: object) =>
  ok(post('/v1/consents/object', { subject, purpose: 'dialogue', scope, method: 'app' }));
const speak = async (customer: string, action: string, context: object) => {
  const { decision, context: said } = await ok(
    check('community-desk', action, customer, {
      purpose: 'customer-service',
      marketing: false,
      inReplyTo: { openedBySubject: true, days: 1 },
      ...context,
    }),
  );
  return decision ? 'permit' : Object.keys(said.reason_admin);
};

test('people are spoken to as they wish: by a person, not by phone, never in public', async () => {
  const inPrivate = { channel: 'messenger', visibility: 'private' };
  const inPublic = { channel: 'thread', visibility: 'public' };
  await ok(say('crm:wishes', 'customer-service', { decision: 'informed' }));
  expect(await speak('crm:wishes', 'reply', inPublic)).toBe('permit');
  await object('crm:wishes', { form: 'public' });
  expect(await speak('crm:wishes', 'reply', inPublic)).toContain('dialogue-as-wished');
  expect(await speak('crm:wishes', 'reply', { channel: 'thread' })).toContain('dialogue-as-wished');
  expect(await speak('crm:wishes', 'reply', inPrivate)).toBe('permit');
  await object('crm:wishes', { form: 'bot' });
  const byBot = { purpose: 'automated-reply', botDisclosed: true, ...inPrivate };
  expect(await speak('crm:wishes', 'reply_automatically', byBot)).toContain('dialogue-as-wished');
  expect(await speak('crm:wishes', 'reply', inPrivate)).toBe('permit');
  await object('crm:wishes', { channel: 'messenger' });
  expect(await speak('crm:wishes', 'reply', inPrivate)).toContain('dialogue-as-wished');
  // They come back to it themselves.
  await ok(say('crm:wishes', 'dialogue', { scope: { channel: 'messenger', form: 'person' } }));
  expect(await speak('crm:wishes', 'reply', inPrivate)).toBe('permit');
  expect(await speak('crm:wishes', 'reply_automatically', byBot)).toContain('dialogue-as-wished');
});

test('who objected can take it back as simply, and nobody is asked to agree to what needs no consent', async () => {
  const agree = () => say('crm:takes-back', 'dialogue');
  expect(await refused(agree())).toBe('consent.not-the-basis');
  await object('crm:takes-back', {});
  const inPrivate = { channel: 'messenger', visibility: 'private' };
  await ok(say('crm:takes-back', 'customer-service', { decision: 'informed' }));
  expect(await speak('crm:takes-back', 'reply', inPrivate)).toContain('dialogue-as-wished');
  await ok(agree());
  expect(await speak('crm:takes-back', 'reply', inPrivate)).toBe('permit');
});

test('a wish about a topic holds against a message that does not say what it is about', async () => {
  await ok(say('crm:topics', 'newsletter', { scope: { channel: 'email' } }));
  await object('crm:topics', { topic: 'offers' });
  const mails = async (topic: string) =>
    (
      await ok(
        check('newsletter', 'contact', 'crm:topics', { purpose: 'newsletter', marketing: true, ...newsletter, topic }),
      )
    ).decision;
  expect(await mails('events')).toBe(true);
  expect(await mails('offers')).toBe(false);
  await ok(say('crm:topics', 'campaign-participation', { scope: {} }));
  const campaign = { purpose: 'campaign-participation', channel: 'email', marketing: false };
  expect((await ok(check('newsletter', 'contact', 'crm:topics', campaign))).context.reason_admin).toHaveProperty(
    'dialogue-as-wished',
  );
});

test('nobody is asked by a message for what they refused', async () => {
  await ok(say('crm:ask-by-mail', 'customer-service', { scope: { channel: 'email' } }));
  const ask = (asksFor?: string) =>
    ok(
      check('crm', 'contact', 'crm:ask-by-mail', {
        purpose: 'customer-service',
        channel: 'email',
        marketing: false,
        ...(asksFor && { asksFor }),
      }),
    );
  expect((await ask()).decision).toBe(true);
  await ok(say('crm:ask-by-mail', 'segmentation', { decision: 'refused' }));
  expect((await ask('segmentation')).context.reason_admin).toHaveProperty('not-asked-again');
  expect((await ask('profile-enrichment')).context.reason_admin).not.toHaveProperty('not-asked-again');
  expect((await ask('no-such-purpose')).context.reason_admin).toHaveProperty('facts-invalid');
});

test('a no that was said under a handle holds for the account at which the handle is seen later', async () => {
  await ok(post('/v1/consents/object', { subject: 'x:@nobody-yet', purpose: '*', method: 'direct-message' }));
  await ok(post('/v1/subjects', { identifiers: [{ identifier: 'crm:handle' }] }));
  await ok(say('crm:handle', 'profile-linking', { scope: { platform: 'x' } }));
  const { code } = await ok(post('/v1/challenges', { customer: 'crm:handle', account: 'x:7711' }));
  await ok(
    app.call('POST', '/v1/challenges/seen', {
      as: 'community-desk',
      body: { account: 'x:7711', code, handle: 'x:@Nobody-Yet' },
    }),
  );
  const question = {
    subject: { type: 'system', id: 'community-desk' },
    action: { name: 'link' },
    resource: { type: 'social_identity', id: 'x:7711' },
    context: { purpose: 'profile-linking', customer: 'crm:handle' },
  };
  const linked = () => ok(app.call('POST', '/access/v1/evaluation', { as: 'community-desk', body: question }));
  expect((await linked()).context.reason_admin).toHaveProperty('no-means-no');
  // The owner of the account may still change their mind.
  await ok(say('x:7711', 'profile-linking', { scope: { platform: 'x' } }));
  expect((await linked()).decision).toBe(true);
  // And what they said since is not undone when the handle is seen again.
  await ok(post('/v1/subjects', { identifiers: [{ identifier: 'x:7711' }, { identifier: 'x:@nobody-yet' }] }));
  expect((await linked()).decision).toBe(true);
});
