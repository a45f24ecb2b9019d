/** The histories of DESIGN section 6 ("Histories that must come out so"), each through the real service and in its words. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testClock } from '../src/kernel/clock.ts';
import { activatePolicies } from '../src/policies/index.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { openImports } from './support/imports.ts';
import { endedByGpc, withCorrectedNotice, withRetired } from './support/promises-policies.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';

// A Monday. Nothing else moves this clock: each answer is some hours after the one before it.
const clock = testClock('2026-12-07T09:00:00Z');
let smtp: Smtp;
let app: TestApp;
beforeAll(async () => {
  smtp = await startSmtp();
  app = await startTestApp({ clock, mail: smtp });
});
afterAll(async () => {
  await app?.close();
  await smtp?.close();
});

const ok = async (call: ReturnType<TestApp['call']>): Promise<any> => {
  const { status, body } = await call;
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body;
};
const post = (path: string, body: object) => ok(app.call('POST', path, { body }));

const sharing = 'third-party-sharing';
const X = { recipient: 'example-hotels' };
const Y = { recipient: 'example-railways' };
const all = {};
type Scope = Record<string, string>;
type More = Record<string, unknown>;

let people = 0;
/** Somebody new, and what they say, one after the other. `more` is what else stands in the call. */
const somebody = (identifier = `crm:histories-${++people}`) => {
  const say = async (path: string, purpose: string, scope: Scope, more: More) => {
    const { event } = await post(path, { subject: identifier, purpose, scope, method: 'app', ...more });
    clock.advance({ hours: 6 });
    return event;
  };
  const notice = { version: 1, language: 'en' };
  return {
    identifier,
    yes: (scope: Scope, more: More = {}) => say('/v1/consents', sharing, scope, { decision: 'given', notice, ...more }),
    no: (scope: Scope, more: More = {}) => say('/v1/consents/withdraw', sharing, scope, more),
    object: (scope: Scope, more: More = {}) => say('/v1/consents/object', sharing, scope, more),
    /** Whether their data may be passed on so now. */
    may: async (scope: Scope): Promise<boolean> =>
      (await check('crm', 'share', identifier, { purpose: sharing, upload: 'hashed-list', ...scope })).decision,
    mayMail: async (scope: Scope): Promise<any> =>
      check('newsletter', 'contact', identifier, { purpose: 'newsletter', marketing: true, ...scope }),
    standing: async (subjectId: string, purpose = sharing): Promise<any[]> =>
      (await ok(app.call('GET', `/v1/subjects/${subjectId}/consents`))).purposes.find(
        (one: any) => one.purpose === purpose,
      ).scopes,
  };
};
const check = (system: string, action: string, customer: string, context: object): Promise<any> =>
  ok(
    app.call('POST', '/access/v1/evaluation', {
      as: system,
      body: {
        subject: { type: 'system', id: system },
        action: { name: action },
        resource: { type: 'customer', id: customer },
        context,
      },
    }),
  );

test('yes all, no X, yes all -> X deny, "except X" shown', async () => {
  const eva = somebody();
  await eva.yes(all);
  expect(await eva.may(X)).toBe(true);
  await eva.no(X);
  const { subjectId } = await eva.yes(all);
  expect([await eva.may(X), await eva.may(Y)]).toEqual([false, true]);
  expect((await eva.standing(subjectId))[0]).toMatchObject({
    scope: {},
    status: { result: 'permit' },
    exceptions: [{ scope: X, status: { result: 'deny' } }],
  });
});

test('yes X, no all, yes all -> X permit', async () => {
  const eva = somebody();
  await eva.yes(X);
  await eva.no(all);
  expect(await eva.may(X)).toBe(false);
  await eva.yes(all);
  expect(await eva.may(X)).toBe(true);
});

test('no all, yes X -> X permit', async () => {
  const eva = somebody();
  await eva.no(all);
  await eva.yes(X);
  expect([await eva.may(X), await eva.may(Y)]).toEqual([true, false]);
});

const newsletter = { purpose: 'newsletter' };
const byEmail = { channel: 'email' };
const events = { channel: 'email', topic: 'events', form: 'newsletter' };
const offers = { ...events, topic: 'offers' };

test('yes for e-mail without topic, asked for e-mail + events -> permit; asked without the topic -> deny', async () => {
  const eva = somebody();
  await eva.yes(byEmail, newsletter);
  expect((await eva.mayMail(events)).decision).toBe(true);
  const { decision, context } = await eva.mayMail({ channel: 'email', form: 'newsletter' });
  expect(decision).toBe(false);
  expect(JSON.stringify(context.reason_admin)).toContain('topic');
});

test('no to events, then yes to e-mail, asked for e-mail + events -> deny', async () => {
  const eva = somebody();
  await eva.no({ topic: 'events' }, newsletter);
  await eva.yes(byEmail, newsletter);
  expect((await eva.mayMail(events)).decision).toBe(false);
  expect((await eva.mayMail(offers)).decision).toBe(true);
});

test('no e-mail, yes e-mail + events -> events permit', async () => {
  const eva = somebody();
  await eva.no(byEmail, newsletter);
  await eva.yes({ channel: 'email', topic: 'events' }, newsletter);
  expect((await eva.mayMail(events)).decision).toBe(true);
  expect((await eva.mayMail(offers)).decision).toBe(false);
});

test('objection to all, yes X that expires -> X deny', async () => {
  const eva = somebody();
  await eva.object(all, { purpose: '*' });
  await eva.yes(X);
  expect(await eva.may(X)).toBe(true);
  clock.advance({ days: 366 });
  expect(await eva.may(X)).toBe(false);
});

test('a letter of Monday with a no, recorded Wednesday, after a yes of Tuesday -> deny and ask', async () => {
  const eva = somebody();
  const monday = clock.now().toString();
  clock.advance({ days: 1 });
  const { subjectId } = await eva.yes(X);
  expect(await eva.may(X)).toBe(true);
  clock.advance({ days: 1 });
  await eva.no(X, { occurredAt: monday, method: 'paper', evidence: 'letter 17', actor: 'u17' });
  expect(await eva.may(X)).toBe(false);
  const scopes = await eva.standing(subjectId);
  expect(scopes.find(({ scope }) => scope.recipient)).toMatchObject({ status: { result: 'deny', ask: true } });
});

test('no, then an import dated later -> deny', async () => {
  const eva = somebody();
  const max = somebody();
  await eva.no(X);
  const said = { purpose: sharing, scope: X, decision: 'given', evidence: 'list of the old office' };
  const more = { occurredAt: clock.now().toString(), notice: { version: 1, language: 'en' } };
  const lines = [eva, max].map(({ identifier }) => JSON.stringify({ identifiers: [identifier], ...said, ...more }));
  const path = join(mkdtempSync(join(tmpdir(), 'histories-')), 'list.ndjson');
  writeFileSync(path, lines.join('\n'));
  clock.advance({ hours: 6 });
  const imports = openImports(app.database, clock);
  expect((await imports.run(path, 'ndjson', { apply: true })).problems).toEqual([]);
  await imports.end();
  expect([await eva.may(X), await max.may(X)]).toEqual([false, true]);
});

test('guardian yes, child no, guardian yes -> deny', async () => {
  const eva = somebody();
  const { subjectId } = await post('/v1/subjects', { identifiers: [{ identifier: eva.identifier }] });
  const month = `${clock.now().toZonedDateTimeISO('UTC').year - 12}-05`;
  await ok(app.call('PUT', `/v1/subjects/${subjectId}/birth-month`, { body: { month } }));
  const byGuardian = { guardian: {}, method: 'in-person', evidence: 'at the counter' };
  await eva.yes(X, byGuardian);
  expect(await eva.may(X)).toBe(true);
  await eva.no(X);
  await eva.yes(X, byGuardian);
  expect(await eva.may(X)).toBe(false);
  // A guardian's own no is theirs to take back, the child's is not.
  const max = somebody();
  const other = await post('/v1/subjects', { identifiers: [{ identifier: max.identifier }] });
  await ok(app.call('PUT', `/v1/subjects/${other.subjectId}/birth-month`, { body: { month } }));
  await max.no(X, { guardian: {} });
  await max.yes(X, byGuardian);
  expect(await max.may(X)).toBe(true);
});

test('merge of a no with a later yes of the other -> deny, whichever record survives', async () => {
  for (const survivor of ['the no', 'the yes'] as const) {
    const [one, other] = [somebody(), somebody()];
    const no = await one.no(X);
    const yes = await other.yes(X);
    expect(await other.may(X)).toBe(true);
    const [into, from] = survivor === 'the no' ? [no, other] : [yes, one];
    await post(`/v1/subjects/${into.subjectId}/merge`, { subject: from.identifier });
    for (const { may } of [one, other]) expect(await may(X), survivor).toBe(false);
    // What they say themselves afterwards counts, by either name.
    await from.yes(X);
    for (const { may } of [one, other]) expect(await may(X), survivor).toBe(true);
  }
});

test('a yes that one of two records holds from a time when the other knows they were a child counts no more', async () => {
  const profile = { purpose: 'profile-enrichment' };
  const mayKeep = async (customer: string) =>
    (await check('crm', 'retain', customer, { ...profile, platform: 'facebook' })).decision;
  const [one, other] = [somebody(), somebody()];
  await other.yes(all, profile);
  const month = clock.now().toZonedDateTimeISO('UTC').toPlainDate().toPlainYearMonth().subtract({ years: 16 });
  clock.advance({ days: 70 });
  const { subjectId } = await post('/v1/subjects', { identifiers: [{ identifier: one.identifier }] });
  const told = { body: { month: month.toString() } };
  await ok(app.call('PUT', `/v1/subjects/${subjectId}/birth-month`, told));
  await one.yes(all, profile);
  expect([await mayKeep(one.identifier), await mayKeep(other.identifier)]).toEqual([true, true]);
  await post(`/v1/subjects/${subjectId}/merge`, { subject: other.identifier });
  expect(await mayKeep(one.identifier)).toBe(false);
  await one.yes(all, profile);
  expect(await mayKeep(other.identifier)).toBe(true);
});

test('a browser’s signal: a no where nothing was chosen, never over a yes given while it was on, and each time it is turned on again', async () => {
  const eva = somebody();
  const signal = async (gpc: boolean) => {
    await post('/v1/signals', { subject: eva.identifier, gpc });
    clock.advance({ days: 1 });
  };
  await eva.yes(X);
  await signal(true);
  expect([await eva.may(X), await eva.may(Y)]).toEqual([false, false]);
  await eva.yes(Y);
  await signal(false);
  // Turned off it gives nothing back.
  expect([await eva.may(X), await eva.may(Y)]).toEqual([false, true]);
  await eva.yes(X);
  expect(await eva.may(X)).toBe(true);
  await signal(true);
  // It ends the yes from while it was off, and leaves the one that was meant.
  expect([await eva.may(X), await eva.may(Y)]).toEqual([false, true]);
  await eva.no(Y);
  expect(await eva.may(Y)).toBe(false);
});

test('a yes from before a browser’s signal came on is not meant despite it, however late it is written down', async () => {
  const eva = somebody();
  const monday = clock.now().toString();
  clock.advance({ days: 1 });
  await post('/v1/subjects', { identifiers: [{ identifier: eva.identifier }] });
  await post('/v1/signals', { subject: eva.identifier, gpc: true });
  await eva.yes(X, { occurredAt: monday, method: 'paper', evidence: 'letter 17', actor: 'u17' });
  expect(await eva.may(X)).toBe(false);
  await eva.yes(Y, { occurredAt: clock.now().toString(), method: 'paper', evidence: 'letter 18', actor: 'u17' });
  expect([await eva.may(X), await eva.may(Y)]).toEqual([false, true]);
});

test('a code is asked for anew: the newer one counts; and a yes by mail stands against no later no', async () => {
  const eva = somebody();
  const mailbox = `histories-${people}@example.org`;
  const ask = async () => {
    const question = await eva.yes(byEmail, { ...newsletter, method: 'web-form', confirmAt: `email:${mailbox}` });
    const code = /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/.exec((await smtp.nextMail(mailbox)).text)![0];
    return { path: `/v1/subjects/${question.subjectId}/consents/${question.id}/confirm`, code };
  };
  const [older, newer] = [await ask(), await ask()];
  const refused = await app.call('POST', older.path, { body: { code: older.code } });
  expect([refused.status, refused.body.code]).toEqual([422, 'consent.confirmation-refused']);
  expect((await eva.mayMail(events)).decision).toBe(false);
  await post(newer.path, { code: newer.code });
  expect((await eva.mayMail(events)).decision).toBe(true);
  clock.advance({ hours: 1 });
  await eva.no(all, newsletter);
  // The answer to a code that was used is repeated, and gives nothing back.
  await post(newer.path, { code: newer.code });
  expect((await eva.mayMail(events)).decision).toBe(false);
});

test('a yes to words that were wrong counts no more; to what is retired nobody can say yes, but everybody no', async () => {
  const eva = somebody();
  await eva.yes(X);
  await eva.yes(byEmail, newsletter);
  expect(await eva.may(X)).toBe(true);
  const corrected = withCorrectedNotice(app.catalogue, sharing);
  await activatePolicies(app.db, corrected);
  expect(await eva.may(X)).toBe(false);
  await expect(activatePolicies(app.db, app.catalogue)).rejects.toMatchObject({ code: 'policies.activation-widens' });
  await eva.yes(X, { notice: { version: 2, language: 'en' } });
  expect(await eva.may(X)).toBe(true);

  expect((await eva.mayMail(events)).decision).toBe(true);
  await activatePolicies(app.db, withRetired(corrected, 'newsletter'));
  expect((await eva.mayMail(events)).decision).toBe(false);
  const body = { subject: eva.identifier, purpose: 'newsletter', scope: byEmail, method: 'app' };
  const given = { ...body, decision: 'given', notice: { version: 1, language: 'en' } };
  expect((await app.call('POST', '/v1/consents', { body: given })).body.code).toBe('consent.purpose-retired');
  await eva.no(byEmail, newsletter);
  await expect(activatePolicies(app.db, corrected)).rejects.toMatchObject({ code: 'policies.activation-widens' });
});

test('what the policies let a browser’s signal end only now ends for those whose signal is on already, once, and not what was meant despite it', async () => {
  const profile = { purpose: 'profile-enrichment' };
  const [before, despite] = [somebody(), somebody()];
  const mayKeep = async (customer: string) =>
    (await check('crm', 'retain', customer, { ...profile, platform: 'facebook' })).decision;
  const both = async () => [await mayKeep(before.identifier), await mayKeep(despite.identifier)];
  const signal = (one: typeof before) => post('/v1/signals', { subject: one.identifier, gpc: true });
  const { subjectId } = await before.yes(all, profile);
  await despite.yes(all, profile);
  for (const one of [before, despite]) await signal(one);
  clock.advance({ hours: 1 });
  await despite.yes(all, profile);
  expect(await both()).toEqual([true, true]);

  const corrected = withRetired(withCorrectedNotice(app.catalogue, sharing), 'newsletter');
  await activatePolicies(app.db, endedByGpc(corrected, 'profile-enrichment'));
  for (const changed of [true, false]) {
    expect(await signal(before)).toEqual({ gpc: true, changed });
    expect(await signal(despite)).toEqual({ gpc: true, changed });
    expect(await both()).toEqual([false, true]);
  }
  const { events: recorded } = await ok(app.call('GET', `/v1/subjects/${subjectId}/consents/history`));
  expect(recorded.filter(({ method }: any) => method === 'gpc').map(({ purpose }: any) => purpose)).toEqual([
    sharing,
    'profile-enrichment',
  ]);
});
