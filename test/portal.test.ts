import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import decodeQR from 'qr/decode.js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../src/kernel/database/client.ts';
import { createLog } from '../src/kernel/log.ts';
import { personalSchemas } from '../src/personal-schemas.ts';
import { activatePolicies, languages, loadCatalogue, type Catalogue, type Language } from '../src/policies/index.ts';
import { startTestApp, testSettings, type TestApp } from './support/app.ts';
import { submit, visit, type Visited } from '../src/demo/browser.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';

let app: TestApp;
let smtp: Smtp;
const logged: string[] = [];
const written = new Writable({
  write: (chunk: Buffer, _encoding, done) => {
    logged.push(chunk.toString());
    done();
  },
});

beforeAll(async () => {
  smtp = await startSmtp();
  const log = createLog({ level: 'info', stream: written, personal: personalSchemas() });
  app = await startTestApp({ mail: { url: smtp.url }, log });
});
afterAll(async () => {
  await app?.close();
  await smtp?.close();
});

const busyWords = {
  de: 'Gerade antworten sehr viele',
  fr: 'Beaucoup de personnes répondent en ce moment',
  it: 'In questo momento rispondono in molti',
  en: 'Very many are answering just now',
};

let people = 0;
const somebody = () => `p${++people}@example.org`;

const call = async (method: string, path: string, body?: unknown, as = 'crm') => {
  const answer = await app.call(method, path, { as, body });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
};

/** A customer who agreed to linking on Facebook and to the newsletter by mail. */
const agreed = async () => {
  const crm = `crm:portal-${++people}`;
  const give = (purpose: string, scope: object) =>
    call('POST', '/v1/consents', {
      subject: crm,
      purpose,
      scope,
      decision: 'given',
      notice: { version: 1, language: 'en' },
      method: 'app',
    });
  const { event } = await give('newsletter', { channel: 'email', topic: 'events', form: 'newsletter' });
  await give('newsletter', { channel: 'email', topic: 'offers', form: 'newsletter' });
  await give('profile-linking', { platform: 'facebook' });
  return { crm, subjectId: event.subjectId as string };
};

const historyOf = async (subjectId: string): Promise<any[]> =>
  (await call('GET', `/v1/subjects/${subjectId}/consents/history`)).events;
const mailFor = { channel: 'email', topic: 'events', form: 'newsletter' };
const unsubscribeHeaders = async (subject: string, scope: object = mailFor) =>
  (await call('POST', '/v1/unsubscribe-headers', { mails: [{ subject, purpose: 'newsletter', scope }] })).mails[0];
const oneClick = { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) };
const subjectOf = async (identifier: string) =>
  (await call('POST', '/v1/subjects/lookup', { identifier })).subjectId as string;

describe('One-click unsubscribe (RFC 8058)', () => {
  test('a system gets both headers for each mail, and a provider posting to them ends exactly that mail’s purpose and scope', async () => {
    const { crm, subjectId } = await agreed();
    const { headers, link } = await unsubscribeHeaders(crm);
    expect(headers).toEqual({
      'List-Unsubscribe': `<${link}>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    });
    const answer = await fetch(link, oneClick);
    expect([answer.status, answer.headers.get('location'), answer.headers.get('set-cookie')]).toEqual([
      200,
      null,
      null,
    ]);
    const events = await historyOf(subjectId);
    expect(events.at(-1)).toMatchObject({
      purpose: 'newsletter',
      scope: mailFor,
      action: 'withdraw',
      answer: 'no',
      method: 'one-click',
    });
    expect(events).toHaveLength(4);
  });

  test('a form in parts (multipart/form-data) counts alike, and so does a second click', async () => {
    const { crm, subjectId } = await agreed();
    const { link } = await unsubscribeHeaders(crm);
    const body = new FormData();
    body.set('List-Unsubscribe', 'One-Click');
    expect((await fetch(link, { method: 'POST', body })).status).toBe(200);
    expect((await fetch(link, oneClick)).status).toBe(200);
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ answer: 'no', scope: mailFor });
  });

  test('opening the link, asking for its head, or posting anything else does nothing', async () => {
    const { crm, subjectId } = await agreed();
    const { link } = await unsubscribeHeaders(crm);
    const before = await historyOf(subjectId);
    for (const init of [
      {},
      { headers: { 'sec-gpc': '1' } },
      { method: 'HEAD' },
      { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Clock' }) },
      { method: 'POST', body: new URLSearchParams({ purpose: '*' }) },
      { method: 'POST', body: new FormData() },
    ])
      expect((await fetch(link, init)).status).toBe(200);
    expect((await fetch(link, { method: 'POST', body: 'List-Unsubscribe=One-Click' })).status).toBe(400);
    expect(
      (await fetch(`${link}?List-Unsubscribe=One-Click`, { method: 'POST', body: new URLSearchParams() })).status,
    ).toBe(200);
    expect(await historyOf(subjectId)).toEqual(before);
  });

  test('the page of the link offers this one and everything, each as a button that works without scripts', async () => {
    const { crm, subjectId } = await agreed();
    const { link } = await unsubscribeHeaders(crm);
    const page = await visit(link, { 'accept-language': 'de-CH,de;q=0.9,en;q=0.5' });
    expect(page.text).toContain('Neuigkeiten, die Sie gewählt haben (E-Mail, Veranstaltungen, Newsletter)');
    const [one, all] = page.forms;
    expect((await submit(one!)).text).toContain('Ihr Nein gilt');
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'newsletter', scope: mailFor });
    expect((await submit(all!)).text).toContain('Ab jetzt tun wir das nicht mehr: alles');
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: '*', scope: {}, answer: 'no' });
  });

  test('a purpose on another basis is objected to; a contract notes a request', async () => {
    const { crm, subjectId } = await agreed();
    const { mails } = await call('POST', '/v1/unsubscribe-headers', {
      mails: [
        { subject: crm, purpose: 'automated-reply' },
        { subject: crm, purpose: 'customer-service', scope: { channel: 'email' } },
      ],
    });
    await fetch(mails[0].link, oneClick);
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'automated-reply', action: 'object' });
    const page = await visit(mails[1].link, { 'accept-language': 'en' });
    expect((await submit(page.forms[0]!)).text).toContain('a person will look at it');
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'customer-service', answer: 'request' });
  });

  test('nobody is created for a mail: whoever is unknown is named, each one', async () => {
    const { crm } = await agreed();
    const answer = await app.call('POST', '/v1/unsubscribe-headers', {
      body: {
        mails: ['crm:nobody-1', crm, 'crm:nobody-2'].map((subject) => ({ subject, purpose: 'newsletter', scope: {} })),
      },
    });
    expect([answer.status, answer.body.errors.map(({ member }: any) => member)]).toEqual([
      404,
      ['mails.0.subject', 'mails.2.subject'],
    ]);
    expect((await app.call('POST', '/v1/subjects/lookup', { body: { identifier: 'crm:nobody-1' } })).status).toBe(404);
    for (const [mail, code] of [
      [{ subject: crm, purpose: 'no-such-thing' }, 'portal.purpose-unknown'],
      [{ subject: crm, purpose: 'newsletter', scope: { topic: 'weather' } }, 'portal.scope-unknown'],
      [{ subject: crm, purpose: 'newsletter', scope: { platform: 'x' } }, 'portal.scope-unknown'],
    ] as const) {
      const refused = await app.call('POST', '/v1/unsubscribe-headers', { body: { mails: [mail] } });
      expect([refused.status, refused.body.code]).toEqual([422, code]);
    }
  });

  test('a link that was changed, cut off or made for something else is none', async () => {
    const { crm } = await agreed();
    const { link } = await unsubscribeHeaders(crm);
    const { url } = await call('POST', '/v1/no-links', { subject: crm });
    const token = link.split('/').at(-1)!;
    const changed = `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}`;
    for (const path of [`/u/${changed}`, `/u/${token.slice(0, -3)}`, '/u/x', `/no/${token}`, `/receipt/${token}`]) {
      const page = await visit(app.url + path, { 'accept-language': 'fr' });
      expect([path, page.status, page.headers.get('content-type')]).toEqual([path, 404, 'text/html; charset=utf-8']);
      expect(page.text).toContain('Ce lien ne fonctionne pas');
    }
    expect((await visit(url)).status).toBe(200);
  });

  test('no token comes into the log or the metrics, and no mail address', async () => {
    const { crm } = await agreed();
    const { link } = await unsubscribeHeaders(crm);
    await visit(link);
    await fetch(link, oneClick);
    const token = link.split('/').at(-1)!;
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    // Access lines and metrics name a path by the same pattern.
    expect(metrics).toContain('/u/:token');
    expect(metrics).not.toContain(token.slice(0, 20));
    expect(logged.join('')).toContain('Askfirst is ready');
    expect(logged.join('')).not.toContain(token.slice(0, 20));
    expect(logged.join('')).not.toContain('@example.org');
  });
});

describe('The page that can only say no', () => {
  const noLink = async (crm: string): Promise<string> => (await call('POST', '/v1/no-links', { subject: crm })).url;

  test('lists every purpose that can be refused in words, each with its button, and shows neither who nor what was answered', async () => {
    const { crm, subjectId } = await agreed();
    const stranger = `crm:portal-${++people}`;
    await call('POST', '/v1/subjects', { identifiers: [{ identifier: stranger }] });
    const [page, blank] = [await visit(await noLink(crm)), await visit(await noLink(stranger))];
    const withoutToken = ({ html }: Visited) => html.replaceAll(/\/no\/[\w-]+/g, '/no/TOKEN');
    expect(withoutToken(page)).toBe(withoutToken(blank));
    const offered = [...app.catalogue.purposes.values()].filter(
      ({ legalBasis }) => legalBasis !== 'contract' && legalBasis !== 'legal-obligation',
    );
    expect(page.forms.map(({ fields }) => fields.get('purpose'))).toEqual(['*', ...offered.map(({ id }) => id)]);
    const linking = page.forms.find(({ fields }) => fields.get('purpose') === 'profile-linking')!;
    expect((await submit(linking)).status).toBe(200);
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'profile-linking', answer: 'no', scope: {} });
    expect((await submit(page.forms[0]!)).status).toBe(200);
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: '*', answer: 'no' });
    expect((await visit(await noLink(crm))).html.length).toBe(page.html.length);
  });

  test('a yes cannot be said there, whatever is posted', async () => {
    const { crm, subjectId } = await agreed();
    const page = await visit(await noLink(crm));
    await submit(page.forms[1]!, { purpose: 'newsletter', decision: 'given', action: 'give', answer: 'yes' });
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'newsletter', answer: 'no' });
    const before = await historyOf(subjectId);
    expect((await submit(page.forms[1]!, { purpose: 'never-heard-of' })).status).toBe(200);
    expect(await historyOf(subjectId)).toEqual(before);
  });

  test('many noes in a row are all taken: there is no limit', async () => {
    const { crm, subjectId } = await agreed();
    const page = await visit(await noLink(crm));
    const before = (await historyOf(subjectId)).length;
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => submit(page.forms[1]!)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }
    expect((await historyOf(subjectId)).length).toBe(before + 40);
  });
});

describe('Global Privacy Control', () => {
  const sharing = 'third-party-sharing';
  const noes = async (subjectId: string) => (await historyOf(subjectId)).filter(({ method }) => method === 'gpc');

  test('the site says that it honours the signal', async () => {
    const answer = await fetch(`${app.url}/.well-known/gpc.json`);
    expect([answer.headers.get('content-type'), await answer.json()]).toEqual([
      'application/json',
      { gpc: true, lastUpdate: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) },
    ]);
  });

  test('a person’s own page opened with it records the objection once and says so; without the header nothing is switched off', async () => {
    const { crm, subjectId } = await agreed();
    const { url } = await call('POST', '/v1/no-links', { subject: crm });
    expect((await visit(url)).text).not.toContain('Global Privacy Control');
    expect(await noes(subjectId)).toEqual([]);
    expect((await visit(url, { 'sec-gpc': '1' })).text).toContain('Global Privacy Control');
    expect(await noes(subjectId)).toMatchObject([{ purpose: sharing, answer: 'no' }]);
    await visit(url);
    expect((await visit(url, { 'sec-gpc': '1' })).text).toContain('Global Privacy Control');
    expect(await noes(subjectId)).toHaveLength(1);
  });

  test('a system reports the browser of a person who signed in; the header on its own calls means nothing', async () => {
    const { crm, subjectId } = await agreed();
    const signal = (gpc: boolean) => call('POST', '/v1/signals', { subject: crm, gpc });
    await app.call('POST', '/v1/no-links', { body: { subject: crm }, headers: { 'sec-gpc': '1' } });
    expect(await noes(subjectId)).toEqual([]);
    expect(await signal(true)).toEqual({ gpc: true, changed: true });
    expect(await signal(true)).toEqual({ gpc: true, changed: false });
    expect(await noes(subjectId)).toHaveLength(1);
    expect(await signal(false)).toEqual({ gpc: false, changed: true });
    const unknown = await app.call('POST', '/v1/signals', { body: { subject: 'crm:nobody-3', gpc: true } });
    expect(unknown.status).toBe(404);
  });
});

describe('The hosted page of a campaign', () => {
  const fair = { purpose: 'newsletter', scope: { channel: 'email', form: 'newsletter' } };
  beforeAll(async () => {
    await call('PUT', '/v1/campaigns/fair', fair, 'newsletter');
    await call('PUT', '/v1/campaigns/contest', { purpose: 'campaign-participation' }, 'community-desk');
  });
  const ask = (campaign = 'fair', language = 'en') => visit(`${app.url}/ask/${campaign}?lang=${language}`);
  const codeIn = async (email: string) => /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec((await smtp.nextMail(email)).text)![0];
  const yes = async (email: string, topic: string | string[] = 'events', language = 'en') =>
    submit((await ask('fair', language)).forms[0]!, { email, topic, decision: 'yes' });

  test('belongs to the system that made it, and asks only for what that system may use on consent', async () => {
    expect(await call('GET', '/v1/campaigns/fair', undefined, 'newsletter')).toEqual({
      id: 'fair',
      ...fair,
      closesAt: null,
      url: `${app.url}/ask/fair`,
      qr: `${app.url}/ask/fair/qr.svg`,
      print: `${app.url}/ask/fair/print`,
    });
    expect((await app.call('GET', '/v1/campaigns/fair', { as: 'crm' })).status).toBe(404);
    for (const [as, body, code] of [
      ['crm', { purpose: 'profile-linking' }, 'portal.campaign-of-another'],
      ['newsletter', { purpose: 'profile-linking' }, 'portal.campaign-impossible'],
      ['crm', { purpose: 'customer-service' }, 'portal.campaign-impossible'],
      ['newsletter', { purpose: 'newsletter', scope: { topic: 'weather' } }, 'portal.scope-unknown'],
      ['newsletter', { purpose: 'nothing' }, 'portal.purpose-unknown'],
    ] as const) {
      const refused = await app.call('PUT', '/v1/campaigns/fair', { as, body });
      expect([code, refused.body.code]).toEqual([code, code]);
    }
  });

  test('is not set up when its time is over already, but may be ended by that', async () => {
    const over = { ...fair, closesAt: '2026-01-01T00:00:00Z' };
    const refused = await app.call('PUT', '/v1/campaigns/too-late', { as: 'newsletter', body: over });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ code: 'portal.campaign-impossible', errors: [{ member: 'closesAt' }] });
    expect((await app.call('GET', '/v1/campaigns/too-late', { as: 'newsletter' })).status).toBe(404);
    const foreign = await app.call('PUT', '/v1/campaigns/contest', { as: 'newsletter', body: over });
    expect([foreign.status, foreign.body.code]).toEqual([409, 'portal.campaign-of-another']);
    await call('PUT', '/v1/campaigns/ended', fair, 'newsletter');
    expect(await call('PUT', '/v1/campaigns/ended', over, 'newsletter')).toMatchObject({ closesAt: over.closesAt });
  });

  test.each(languages)(
    'shows the notice to the letter as it is hashed, and what may be chosen, in %s',
    async (language) => {
      const page = await ask('fair', language);
      const words = app.catalogue.purposes.get('newsletter')!.notices.at(-1)!.text[language];
      const shown = /<div class="notice">([\s\S]*?)<\/div>/.exec(page.html)![1]!;
      expect(shown.replaceAll(/<\/?span>/g, '')).toBe(words);
      expect(page.forms[0]!.fields.get('hash')).toBe(createHash('sha256').update(words).digest('hex'));
      expect(
        [...page.html.matchAll(/type="checkbox"\s+name="(\w+)"\s+value="(\w+)"/g)].map(([, , value]) => value),
      ).toEqual(['events', 'offers', 'outdoors', 'culture', 'families', 'community']);
      expect(page.html).toContain(`<html lang="${language}">`);
      expect(page.html).not.toMatch(/<script|<style|style="|\son\w+="|https?:\/\/(?!127\.0\.0\.1)/);
    },
  );

  test('a yes counts once the code from the mail is typed: receipt, and the link that can only say no', async () => {
    const email = somebody();
    const page = await yes(email, ['events', 'culture'], 'de');
    expect(page.text).toContain('Noch ein Schritt');
    const pending = await historyOf(await subjectOf(`email:${email}`));
    expect(pending).toMatchObject([
      { answer: 'pending', method: 'hosted-page', campaign: 'fair', system: 'newsletter', scope: { topic: 'events' } },
    ]);
    const form = page.forms[0]!;
    const wrong = await submit(form, { code: '0000-0000' });
    expect([wrong.status, wrong.text.includes('Dieser Code stimmt nicht')]).toEqual([422, true]);
    const done = await submit(wrong.forms[0]!, { code: (await codeIn(email)).toLowerCase() });
    expect([done.status, done.text.includes('Ihr Ja gilt')]).toEqual([200, true]);
    const events = await historyOf(await subjectOf(`email:${email}`));
    expect(events.slice(1)).toMatchObject([
      { answer: 'yes', action: 'confirm', scope: { channel: 'email', form: 'newsletter', topic: 'events' } },
      { answer: 'yes', action: 'give', scope: { channel: 'email', form: 'newsletter', topic: 'culture' } },
    ]);
    expect(events[1].notice).toMatchObject({ language: 'de' });
    expect(smtp.mails.filter(({ to }) => to === email)).toHaveLength(1);

    const receipts = done.links.filter((link) => link.startsWith('/receipt/'));
    expect(receipts).toHaveLength(2);
    const receipt = await fetch(app.url + receipts[0]!);
    expect(receipt.headers.get('content-disposition')).toContain('attachment');
    const claims = JSON.parse(Buffer.from((await receipt.text()).split('.')[1]!, 'base64url').toString());
    expect(JSON.stringify(claims)).toContain(events[1].id);
    expect(JSON.stringify(claims)).not.toContain(email);

    const withdraw = done.links.find((link) => link.includes('/no/'))!;
    await submit((await visit(withdraw)).forms[0]!);
    expect((await historyOf(await subjectOf(`email:${email}`))).at(-1)).toMatchObject({ purpose: '*', answer: 'no' });
  });

  test('the code typed again, at once or from a tab restored later, records nothing anew and never revives what was withdrawn', async () => {
    const email = somebody();
    const page = await yes(email, ['events', 'culture', 'offers']);
    const code = await codeIn(email);
    const confirm = () => submit(page.forms[0]!, { code });
    const done = await Promise.all([confirm(), confirm(), confirm()]);
    expect(done.map(({ status }) => status)).toEqual([200, 200, 200]);
    const subjectId = await subjectOf(`email:${email}`);
    expect((await historyOf(subjectId)).map(({ answer }) => answer)).toEqual(['pending', 'yes', 'yes', 'yes']);
    await submit((await visit(done[0]!.links.find((link) => link.includes('/no/'))!)).forms[0]!);
    const withdrawn = await historyOf(subjectId);
    const again = await confirm();
    expect([again.status, again.links.filter((link) => link.startsWith('/receipt/')).length]).toEqual([200, 3]);
    expect(await historyOf(subjectId)).toEqual(withdrawn);
  });

  test('what a crash kept from being recorded beside the confirmed yes is as old as that, so a no in between still counts', async () => {
    const email = somebody();
    const page = await yes(email, ['events', 'culture']);
    const code = await codeIn(email);
    await submit(page.forms[0]!, { code });
    const subjectId = await subjectOf(`email:${email}`);
    const [, confirmed, rest] = await historyOf(subjectId);
    expect(rest.occurredAt).toBe(confirmed.occurredAt);
    // As if the process had ended between the two.
    const reaper = connect(app.database.urls.reaper, { connections: 1 });
    await reaper.query('delete from consent_event where subject_id = $1 and id = $2', [subjectId, rest.id]);
    await reaper.end();
    await submit((await visit((await call('POST', '/v1/no-links', { subject: `email:${email}` })).url)).forms[0]!);
    await submit(page.forms[0]!, { code });
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ id: rest.id, occurredAt: confirmed.occurredAt });
    const { purposes } = await call('GET', `/v1/subjects/${subjectId}/consents`);
    const { scopes } = purposes.find(({ purpose }: any) => purpose === 'newsletter');
    expect(JSON.stringify(scopes)).not.toContain('"permit"');
  });

  test('the page mails only so many a minute, says so kindly in each language, and takes every no', async () => {
    await call('PUT', '/v1/campaigns/busy', fair, 'newsletter');
    const agree = async (language: Language) =>
      submit((await ask('busy', language)).forms[0]!, { email: somebody(), topic: 'events', decision: 'yes' });
    const count = async () => (await app.db.query<{ n: number }>('select count(*)::int as n from subject_state'))[0]!.n;
    const before = await count();
    const pages = await Promise.all(Array.from({ length: 35 }, () => agree('en')));
    expect(pages.filter(({ status }) => status === 429)).toHaveLength(5);
    for (const language of languages) {
      const page = await agree(language);
      expect([page.status, page.title]).toEqual([429, busyWords[language]]);
    }
    expect((await count()) - before).toBe(30);
    expect((await submit((await ask('busy')).forms[0]!, { email: somebody(), decision: 'no' })).status).toBe(200);
    // Another page is not held up by it.
    expect((await yes(somebody())).status).toBe(200);
  });

  test('the same no of one mailbox within a minute is recorded once, and again as soon as a yes came in between', async () => {
    const email = somebody();
    const [form] = (await ask()).forms;
    const no = () => submit(form!, { email, decision: 'no' });
    const pages = await Promise.all(Array.from({ length: 20 }, no));
    expect(new Set(pages.map(({ html }) => html)).size).toBe(1);
    const subjectId = await subjectOf(`email:${email}`);
    const answers = async () => (await historyOf(subjectId)).map(({ answer }) => answer);
    expect(await answers()).toEqual(['no']);
    await yes(email);
    await no();
    expect(await answers()).toEqual(['no', 'pending', 'no']);
    const scope = { ...fair.scope, topic: 'events' };
    const given = { decision: 'given', notice: { version: 1, language: 'en' }, method: 'app' };
    await call('POST', '/v1/consents', { subject: `email:${email}`, purpose: 'newsletter', scope, ...given });
    await Promise.all([no(), no()]);
    expect(await answers()).toEqual(['no', 'pending', 'no', 'yes', 'no']);
    // Longer ago than a minute.
    await app.db.query(
      `update subject_state set answers = jsonb_set(answers, '{newsletter}', (select jsonb_agg(a || jsonb_build_object('at', (a->>'at')::bigint - 61000)) from jsonb_array_elements(answers->'newsletter') a)) where subject_id = $1`,
      [subjectId],
    );
    await no();
    expect(await answers()).toHaveLength(6);
  });

  test('an address that can be none of a campaign is a page that does not exist', async () => {
    for (const path of ['%00', '%00/qr.svg', '%00/print', 'Fair', '%ff', 'a'.repeat(65)]) {
      const page = await visit(`${app.url}/ask/${path}`);
      expect([path, page.status, page.headers.get('content-type')]).toEqual([path, 404, 'text/html; charset=utf-8']);
    }
  });

  test('a no counts at once, for all that the page asks, and hands out nothing that could act for that address', async () => {
    const email = somebody();
    const done = await submit((await ask()).forms[0]!, { email, topic: 'events', decision: 'no' });
    expect(done.text).toContain('Your no counts');
    expect(done.links.filter((link) => /receipt|\/no\//.test(link))).toEqual([]);
    expect(await historyOf(await subjectOf(`email:${email}`))).toMatchObject([
      { action: 'refuse', answer: 'no', scope: fair.scope, campaign: 'fair', method: 'hosted-page' },
    ]);
  });

  test('who is known is not to be learned: same page and same mail, whether new, known or just asked', async () => {
    const known = somebody();
    await call('POST', '/v1/subjects', {
      identifiers: [{ identifier: `email:${known}` }, { identifier: 'crm:known-1' }],
    });
    const fresh = somebody();
    const blank = ({ html, status }: Visited, email: string) => [
      status,
      html.replaceAll(email, 'EMAIL').replaceAll(/value="[\w-]{60,}"/g, 'value="TOKEN"'),
    ];
    const [one, other, again] = [await yes(known), await yes(fresh), await yes(fresh)];
    expect(blank(one, known)).toEqual(blank(other, fresh));
    expect(blank(again, fresh)).toEqual(blank(other, fresh));
    const mails = [await smtp.nextMail(known), await smtp.nextMail(fresh)];
    const text = mails.map((mail) => mail.text.replace(/[0-9A-Z]{4}-[0-9A-Z]{4}/, 'CODE'));
    expect(text[0]).toBe(text[1]);
    const no = async (email: string) => {
      const { forms } = await ask();
      const begun = performance.now();
      const page = await submit(forms[0]!, { email, decision: 'no' });
      // Longer than the work takes, so that the time tells nothing.
      expect(performance.now() - begun).toBeGreaterThan(245);
      return page;
    };
    const noes = [await no(known), await no(somebody())];
    expect(noes[0]!.html).toBe(noes[1]!.html);
  });

  test('guesses of a code end after a few, even with the right one', async () => {
    const email = somebody();
    const { forms } = await yes(email);
    for (let guess = 0; guess < 5; guess++)
      expect((await submit(forms[0]!, { code: `0000-000${guess}` })).status).toBe(422);
    expect((await submit(forms[0]!, { code: await codeIn(email) })).status).toBe(422);
    expect(await historyOf(await subjectOf(`email:${email}`))).toHaveLength(1);
  });

  test('what is filled in wrongly is said in words, and what was right stays filled in', async () => {
    const [form] = (await ask('fair', 'it')).forms;
    for (const [filled, words] of [
      [{ email: 'eva', topic: 'events', decision: 'yes' }, 'L’indirizzo e-mail non è completo'],
      [{ email: 'eva"><b>@x', decision: 'no' }, 'L’indirizzo e-mail non è completo'],
      [{ email: 'a@example.org', decision: 'yes' }, 'Contrassegni almeno una voce'],
      [{ email: 'a@example.org', topic: 'weather', decision: 'yes' }, 'Contrassegni almeno una voce'],
      [{ email: 'a@example.org', topic: 'events', decision: 'yes', hash: '0'.repeat(64) }, 'Il testo è cambiato'],
      [{ email: 'a@example.org', topic: 'events' }, 'Prema Sì o No'],
    ] as const) {
      const page = await submit(form!, filled);
      expect([words, page.status, page.text.includes(words)]).toEqual([words, 422, true]);
      expect(page.html).not.toContain('<b>');
    }
    const page = await submit(form!, { email: 'eva', topic: 'culture', decision: 'yes' });
    expect(page.html).toMatch(/value="culture"\s+checked/);
    expect(page.html).toContain('value="eva"');
  });

  test('a form that another site sends, or one that is too large, is not taken', async () => {
    const email = somebody();
    const { forms } = await ask();
    const filled = { email, decision: 'no' };
    for (const site of ['cross-site', 'same-site']) {
      const page = await submit(forms[0]!, filled, { 'sec-fetch-site': site });
      expect([page.status, page.text.includes('sent from another page')]).toEqual([403, true]);
    }
    /** A browser of before 2023 says its origin only, which is `null` on pages that pass on no referrer. */
    const fromOldBrowser = (origin: string, email: string) =>
      fetch(forms[0]!.action, {
        method: 'POST',
        headers: { origin },
        body: new URLSearchParams([...forms[0]!.fields, ['email', email], ['decision', 'no']]),
      });
    expect((await fromOldBrowser('https://evil.example', email)).status).toBe(403);
    for (const origin of ['null', app.url]) expect((await fromOldBrowser(origin, somebody())).status).toBe(200);
    const loadedAgain = await submit(forms[0]!, { ...filled, email: somebody() }, { 'sec-fetch-site': 'none' });
    expect(loadedAgain.status).toBe(200);
    expect((await submit(forms[0]!, { ...filled, more: 'x'.repeat(20_000) })).status).toBe(413);
    expect((await app.call('POST', '/v1/subjects/lookup', { body: { identifier: `email:${email}` } })).status).toBe(
      404,
    );
  });

  test('the QR code leads to the page, and a page to print shows both', async () => {
    const svg = await (await fetch(`${app.url}/ask/fair/qr.svg`)).text();
    expect(decodeSvg(svg)).toBe(`${app.url}/ask/fair`);
    const print = await visit(`${app.url}/ask/fair/print?lang=fr`);
    expect(print.html).toContain('src="/ask/fair/qr.svg"');
    expect(print.text).toContain(`${app.url}/ask/fair`);
  });

  test('a closed campaign says so, takes no answer, and still lets finish whoever was asked before', async () => {
    await call('PUT', '/v1/campaigns/short', fair, 'newsletter');
    const email = somebody();
    const page = await ask('short');
    const waiting = await submit(page.forms[0]!, { email, topic: 'events', decision: 'yes' });
    await call('PUT', '/v1/campaigns/short', { ...fair, closesAt: '2026-01-01T00:00:00Z' }, 'newsletter');
    const closed = await ask('short', 'de');
    expect([closed.status, closed.text.includes('Diese Frage ist geschlossen')]).toEqual([410, true]);
    expect((await submit(page.forms[0]!, { email, topic: 'events', decision: 'yes' })).status).toBe(410);
    const done = await submit(waiting.forms[0]!, { code: await codeIn(email) });
    expect(done.text).toContain('Your yes counts');
    expect((await ask('no-such-campaign')).status).toBe(404);
  });

  test('a yes given while the browser says no was meant, and the signal does not end it', async () => {
    await call('PUT', '/v1/campaigns/hotels', {
      purpose: 'third-party-sharing',
      scope: { recipient: 'example-hotels' },
    });
    const email = somebody();
    const page = await submit((await ask('hotels')).forms[0]!, { email, decision: 'yes' });
    const gpc = { 'sec-gpc': '1' };
    await submit(page.forms[0]!, { code: '0000-0000' }, gpc);
    const subjectId = await subjectOf(`email:${email}`);
    expect((await historyOf(subjectId)).map(({ method }) => method)).toEqual(['hosted-page']);
    const done = await submit(page.forms[0]!, { code: await codeIn(email) }, gpc);
    expect((await historyOf(subjectId))[1]).toMatchObject({ answer: 'yes', action: 'confirm' });
    await visit(
      done.links.find((link) => link.includes('/no/'))!,
      gpc,
    );
    const { purposes } = await call('GET', `/v1/subjects/${subjectId}/consents`);
    const { scopes } = purposes.find(({ purpose }: any) => purpose === 'third-party-sharing');
    expect(JSON.stringify(scopes)).toContain('"permit"');
  });
});

test('every page protects itself: nothing stored, nothing passed on, nothing run', async () => {
  for (const path of ['/ask/fair', '/u/x', '/no/x', '/ask/none']) {
    const { headers } = await visit(app.url + path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'content-security-policy':
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    });
    expect(headers.get('set-cookie')).toBeNull();
  }
});

test('the stylesheet comes from here, for ever under its name, compressed where it may be', async () => {
  const { html } = await visit(`${app.url}/ask/none`);
  const path = /href="(\/assets\/[^"]+)"/.exec(html)![1]!;
  const answer = await fetch(app.url + path, { headers: { 'accept-encoding': 'gzip, br' } });
  expect([answer.status, answer.headers.get('content-encoding'), answer.headers.get('cache-control')]).toEqual([
    200,
    'br',
    'public, max-age=31536000, immutable',
  ]);
  expect(await answer.text()).toContain('.answers');
  expect((await fetch(`${app.url}/assets/pages.other.css`)).status).toBe(404);
});

// The last, because the policies do not come back: what was retired would widen.
describe('When the policies or the person changed since', () => {
  /** The default pack without the newsletter’s topic of events, and with contests retired. */
  const later = async (folder: string): Promise<Catalogue> => {
    await cp(testSettings.policiesFolder, folder, { recursive: true });
    const edit = async (file: string, change: (text: string) => string) => {
      const path = join(folder, file);
      await writeFile(path, change(await readFile(path, 'utf8')));
    };
    await edit('purposes/newsletter.yaml', (text) => text.replace('topic: [events, ', 'topic: ['));
    await edit('purposes/campaign-participation.yaml', (text) =>
      text.replace(/^legalBasis/m, 'retired: 2026-11-01\nlegalBasis'),
    );
    return loadCatalogue(folder);
  };

  test('who was erased is not to be learned: the links still answer, and the page still asks', async () => {
    const email = somebody();
    const { subjectId } = await call('POST', '/v1/subjects', { identifiers: [{ identifier: `email:${email}` }] });
    const { mails } = await call('POST', '/v1/unsubscribe-headers', {
      mails: [{ subject: `email:${email}`, purpose: 'newsletter' }],
    });
    const { url } = await call('POST', '/v1/no-links', { subject: `email:${email}` });
    const page = await visit(url);
    await app.db.query('update subject_state set erased_at = now() where subject_id = $1', [subjectId]);
    const before = await historyOf(subjectId);
    expect((await fetch(mails[0].link, oneClick)).status).toBe(200);
    expect((await visit(url, { 'sec-gpc': '1' })).text).not.toContain('Global Privacy Control');
    expect((await submit(page.forms[0]!)).text).toContain('Your no counts');
    const [form] = (await visit(`${app.url}/ask/fair?lang=en`)).forms;
    expect((await submit(form!, { email, decision: 'no' })).text).toContain('Your no counts');
    const code = await submit(form!, { email, topic: 'events', decision: 'yes' });
    expect([code.status, code.text.includes('One more step')]).toEqual([200, true]);
    expect((await submit(code.forms[0]!, { code: '0000-0000' })).text).toContain('This code is not right');
    expect(await historyOf(subjectId)).toEqual(before);
    const again = await app.call('POST', '/v1/no-links', { body: { subject: `email:${email}` } });
    expect(again.status).toBe(404);
  });

  test('the button of a mail for a purpose that the policies dropped records the no, which holds when it comes back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'askfirst policies '));
    onTestFinished(() => rm(folder, { recursive: true }));
    const subject = `crm:portal-${++people}`;
    const { subjectId } = await call('POST', '/v1/subjects', { identifiers: [{ identifier: subject }] });
    await cp(testSettings.policiesFolder, folder, { recursive: true });
    const purpose = 'weather-mail';
    const newsletter = await readFile(join(folder, 'purposes/newsletter.yaml'), 'utf8');
    await writeFile(
      join(folder, `purposes/${purpose}.yaml`),
      newsletter.replace(/^id: newsletter$/m, `id: ${purpose}`),
    );
    const more = await loadCatalogue(folder);
    await activatePolicies(app.db, more);
    const { mails } = await call('POST', '/v1/unsubscribe-headers', { mails: [{ subject, purpose }] });
    const { url } = await call('POST', '/v1/no-links', { subject });
    const old = await visit(url);
    await activatePolicies(app.db, app.catalogue);

    expect((await submit(old.forms.find(({ fields }) => fields.get('purpose') === purpose)!)).text).not.toContain(
      'Your no counts',
    );
    expect(await historyOf(subjectId)).toEqual([]);
    expect((await visit(mails[0].link, { 'accept-language': 'en' })).text).toContain('messages of this kind');
    const answer = await fetch(mails[0].link, oneClick);
    expect([answer.status, (await answer.text()).includes('Your no counts')]).toEqual([200, true]);
    expect(await historyOf(subjectId)).toMatchObject([{ purpose, answer: 'no', method: 'one-click' }]);
    const stranger = await app.call('POST', '/v1/consents/withdraw', {
      body: { subject, purpose: 'never-heard-of', method: 'phone' },
    });
    expect(stranger.body.code).toBe('consent.purpose-unknown');

    await activatePolicies(app.db, more);
    const { purposes } = await call('GET', `/v1/subjects/${subjectId}/consents`);
    expect(purposes.find(({ purpose: one }: any) => one === purpose).scopes).toMatchObject([
      { scope: {}, status: { code: 'live-no' } },
    ]);
  });

  test('the button of an old mail is never turned away: what the policies retired is left out of the no', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'askfirst policies '));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { crm, subjectId } = await agreed();
    const stranger = `crm:portal-${++people}`;
    const { subjectId: strangerId } = await call('POST', '/v1/subjects', { identifiers: [{ identifier: stranger }] });
    const [answered, never] = [await unsubscribeHeaders(crm), await unsubscribeHeaders(stranger)];
    const { url } = await call('POST', '/v1/no-links', { subject: crm });
    const old = await visit(url);
    await activatePolicies(app.db, await later(folder));

    for (const { link } of [answered, never]) expect((await fetch(link, oneClick)).status).toBe(200);
    // Who answered about events can still take exactly that back; for who never did, the no reaches a little further.
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ answer: 'no', scope: mailFor });
    const { topic: _retired, ...wider } = mailFor;
    expect((await historyOf(strangerId)).at(-1)).toMatchObject({ answer: 'no', scope: wider });

    const contest = old.forms.find(({ fields }) => fields.get('purpose') === 'campaign-participation')!;
    expect((await submit(contest)).status).toBe(200);
    expect((await historyOf(subjectId)).at(-1)).toMatchObject({ purpose: 'campaign-participation', answer: 'no' });
    expect((await visit(url)).forms.map(({ fields }) => fields.get('purpose'))).not.toContain('campaign-participation');
    const closed = await visit(`${app.url}/ask/contest`);
    expect(closed.status).toBe(410);
  });
});

/** Paints the squares of an SVG of `qr`, each eight pixels wide, and reads that picture as a camera would. */
function decodeSvg(svg: string): string {
  const scale = 8;
  const width = Number(/viewBox="0 0 (\d+) /.exec(svg)![1]) * scale;
  const data = new Uint8ClampedArray(width * width * 4).fill(255);
  let [x, y] = [0, 0];
  for (const [, command, across, down] of svg.matchAll(/([Mm])(-?\d+) (-?\d+)h1v1[hH]-?\d+Z/g)) {
    [x, y] = [Number(across) + (command === 'm' ? x : 0), Number(down) + (command === 'm' ? y : 0)];
    for (let row = y * scale; row < (y + 1) * scale; row++)
      for (let column = x * scale; column < (x + 1) * scale; column++)
        data.fill(0, (row * width + column) * 4, (row * width + column) * 4 + 3);
  }
  return decodeQR({ width, height: width, data });
}
