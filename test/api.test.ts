import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { makeReference } from '../scripts/openapi.ts';
import { projectFolder } from '../src/config.ts';
import { verifyReceipt } from '../src/consent/index.ts';
import { formatDocument } from '../src/http/index.ts';
import { createClient } from '../src/systems/index.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { readOperations } from './support/openapi-operations.ts';
import { agreeToLinking } from './support/people.ts';

const { document, operations } = readOperations();

describe('The documented examples', () => {
  let app: TestApp;
  let smtp: Smtp;
  beforeAll(async () => {
    smtp = await startSmtp();
    app = await startTestApp({ mail: smtp });
  });
  afterAll(async () => {
    await app?.close();
    await smtp?.close();
  });

  /** What only the service can give, by the name under which it is sent back. */
  const given = new Map<string, string>();
  const tried = new Set<string>();

  const answered = (id: string, status: number): z.ZodType | undefined => {
    const operation = operations.find((one) => one.id === id)!;
    expect(operation.statuses, `${id} answers ${status}`).toContain(status);
    const schema = operation.answers.get(status);
    if (schema === undefined) return undefined;
    const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
    return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
  };

  /** Calls an operation exactly as its example says; ids and codes are those that the service gave before. */
  const tryExample = async (id: string, as: string, change: (body: any) => any = (body) => body) => {
    const operation = operations.find((one) => one.id === id);
    if (!operation) throw new Error(`there is no operation ${id}`);
    const exampleOf = ({ schema }: { schema: any }) => String(schema.examples[0]);
    const fill = (value: string, name: string) => given.get(name) ?? value;
    const by = (place: string) => operation.parameters.filter((one) => one.in === place);
    const path = by('path').reduce(
      (text, one) => text.replace(`{${one.name}}`, fill(exampleOf(one), one.name)),
      operation.path,
    );
    const query = new URLSearchParams(by('query').map((one) => [one.name, exampleOf(one)]));
    const headers: Record<string, string> = Object.fromEntries(by('header').map((one) => [one.name, exampleOf(one)]));
    // One that is new for each act, as its description says.
    if ('Idempotency-Key' in headers) headers['Idempotency-Key'] = `"${randomUUID()}"`;
    if (operation.scope !== undefined) headers['authorization'] = await app.token(as, [operation.scope]);
    const { body } = operation;
    if (body) headers['content-type'] = body.contentType;
    if (id === 'issueToken') {
      const deps = { database: app.db, systems: app.catalogue.systems };
      const made = await createClient(deps, { system: as, scopes: ['decisions:evaluate'] });
      headers['authorization'] = `Basic ${Buffer.from(`${made.clientId}:${made.clientSecret}`).toString('base64')}`;
    }
    const example =
      body &&
      change(
        Object.fromEntries(
          Object.entries(body.example as Record<string, unknown>).map(([name, value]) => [
            name,
            typeof value === 'string' ? fill(value, name) : value,
          ]),
        ),
      );
    const response = await fetch(`${app.url}${path}${query.size === 0 ? '' : `?${query.toString()}`}`, {
      method: operation.method,
      headers,
      ...(body
        ? { body: body.contentType === 'application/json' ? JSON.stringify(example) : new URLSearchParams(example) }
        : {}),
    });
    const text = await response.text();
    expect(response.status, `${id}: ${text}`).toBeLessThan(300);
    const answer = text === '' ? undefined : JSON.parse(text);
    answered(id, response.status)?.parse(answer);
    tried.add(id);
    return answer;
  };

  test('each works as documented, one after the other against a service that knows nobody', async () => {
    for (const id of ['isAlive', 'isReady', 'readKeys', 'readAuthzenConfiguration']) await tryExample(id, 'crm');
    expect((await tryExample('issueToken', 'crm')).scope).toBe('decisions:evaluate');
    expect((await tryExample('readPurposes', 'crm')).purposes.length).toBeGreaterThan(10);
    await tryExample('setEndpoint', 'crm');

    const registered = await tryExample('registerSubject', 'crm');
    expect(registered.created).toBe(true);
    given.set('subjectId', registered.subjectId);
    expect((await tryExample('lookUpSubject', 'crm')).subjectId).toBe(registered.subjectId);
    expect(await tryExample('addIdentifiers', 'crm')).toEqual({ ...registered, created: false });

    const { event } = await tryExample('recordConsent', 'crm');
    given.set('eventId', event.id);
    const standing = await tryExample('readConsents', 'crm');
    expect(standing.purposes.map((one: any) => one.purpose)).toContain('profile-linking');
    expect((await tryExample('readConsentHistory', 'crm')).nextCursor).toBeNull();
    expect((await tryExample('readReceipt', 'crm')).receipt).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);

    given.set('code', (await tryExample('openChallenge', 'crm')).code);
    expect((await tryExample('reportCodeSeen', 'community-desk')).subjectId).toBe(registered.subjectId);

    // The example names a chain of accounts: the hop over X needs its own yes, or the question is denied and says so.
    const denied = await tryExample('evaluate', 'community-desk');
    expect([denied.decision, Object.keys(denied.context.reason_admin)]).toEqual([false, ['every-hop-is-asked']]);
    const again = await fetch(`${app.url}/v1/consents`, {
      method: 'POST',
      headers: { authorization: await app.token('crm', ['consents:write']), 'content-type': 'application/json' },
      body: JSON.stringify({
        ...(operations.find(({ id }) => id === 'recordConsent')!.body!.example as object),
        scope: { platform: 'x' },
      }),
    });
    expect(again.status).toBe(201);
    const permit = await tryExample('evaluate', 'community-desk');
    expect(permit.decision, JSON.stringify(permit)).toBe(true);
    const many = await tryExample('evaluateMany', 'community-desk');
    expect(many.evaluations.map((one: any) => one.decision)).toEqual([true, false]);

    given.set('leaseId', permit.context.lease.id);
    const link = await tryExample('confirmLink', 'community-desk');
    expect(link.status).toBe('active');
    given.set('linkId', link.linkId);
    expect((await tryExample('readLinks', 'community-desk')).links).toEqual([link]);
    const found = await tryExample('searchResources', 'community-desk');
    expect(found.results.map((one: any) => one.type)).toEqual(found.results.map(() => 'social_identity'));
    expect(found.page).toEqual({ next_token: '', count: found.results.length });
    expect((await tryExample('unlink', 'community-desk')).status).toBe('unlink-due');
    const { obligations } = await tryExample('pullObligations', 'community-desk');
    expect(obligations.map((one: any) => one.type)).toEqual(['obligation.unlink']);
    given.set('obligationId', obligations[0].data.obligationId);
    expect((await tryExample('acknowledgeObligation', 'community-desk')).withdrawalToSilenceMs).toBeGreaterThanOrEqual(
      0,
    );
    expect((await tryExample('reportCollection', 'community-desk')).inform.dueAt).toBe('2026-02-28T09:30:00Z');
    expect((await tryExample('requestReview', 'community-desk')).answer).toBeNull();
    expect((await tryExample('readGpcSupport', 'crm')).gpc).toBe(true);
    expect((await tryExample('recordSignal', 'crm')).changed).toBe(true);
    const { mails } = await tryExample('createUnsubscribeHeaders', 'crm');
    expect(mails[0].headers['List-Unsubscribe']).toBe(`<${mails[0].link}>`);
    expect((await fetch((await tryExample('createNoLink', 'crm')).url)).status).toBe(200);
    const campaign = await tryExample('putCampaign', 'newsletter');
    expect(await tryExample('readCampaign', 'newsletter')).toEqual(campaign);
    const pending = await tryExample('recordConsent', 'crm', (body) => ({
      ...body,
      confirmAt: 'email:eva@example.org',
    }));
    expect(pending.event.answer).toBe('pending');
    given.set('eventId', pending.event.id);
    given.set('code', /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec((await smtp.nextMail('eva@example.org')).text)![0]);
    expect((await tryExample('confirmConsent', 'crm')).event.confirms).toBe(pending.event.id);
    expect((await tryExample('withdrawConsent', 'crm')).event.action).toBe('withdraw');
    expect((await tryExample('objectToPurpose', 'crm')).event.action).toBe('object');

    await tryExample('recordBirthMonth', 'crm');
    const other = operations.find(({ id }) => id === 'mergeSubjects')!.body!.example as { subject: string };
    await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: other.subject }] } });
    expect((await tryExample('mergeSubjects', 'crm')).subjectId).toBe(registered.subjectId);

    // What colleagues do needs a session with an OpenID provider: tried in staff.test.ts and human-review.test.ts.
    const ofColleagues = [/^\/staff\//, /^\/v1\/reviews\/./];
    const others = operations.filter(
      ({ id, path }) => id !== 'listReviews' && !ofColleagues.some((pattern) => pattern.test(path)),
    );
    expect(others.map(({ id }) => id).filter((id) => !tried.has(id))).toEqual([]);
  });
});

describe('The reference', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app?.close());

  const page = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(app.url + path, { headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  test('is complete, is checked in, and is what the service serves', async () => {
    const { document: made, gaps } = makeReference();
    expect(gaps).toEqual([]);
    const checkedIn = readFileSync(join(projectFolder, 'openapi/openapi.json'), 'utf8');
    expect(formatDocument(made), 'run: npm run openapi').toBe(checkedIn);
    const served = await page('/openapi.json');
    expect(served.headers.get('content-type')).toMatch(/^application\/json/);
    expect(served.text).toBe(checkedIn);
    expect(JSON.parse(served.text).openapi).toBe('3.1.0');
  });

  test('is shown at /docs by this service alone: nothing on the page, and nothing that it may load, is elsewhere', async () => {
    const { status, text, headers } = await page('/docs');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    const policy = headers.get('content-security-policy')!;
    expect(policy).toMatch(/^default-src 'none'/);
    // Not one directive lets another origin in: the browser keeps the page to that, whatever its script wants.
    const sources = policy.split(';').flatMap((directive) => directive.trim().split(' ').slice(1));
    expect(new Set(sources)).toEqual(new Set(["'none'", "'self'", "'unsafe-inline'", 'data:']));
    expect(policy).toMatch(/script-src 'self'(;|$)/);

    const links = [...text.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(1);
    expect(text).not.toMatch(/https?:|\/\//);
    for (const link of links) {
      expect(link).toMatch(/^\/docs\//);
      const asset = await page(link);
      expect([asset.status, asset.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect(asset.text.length).toBeGreaterThan(10);
    }
    const start = await page('/docs/start.js');
    expect(start.text).toContain('/openapi.json');
    expect(start.text).not.toMatch(/https?:/);
    const bundle = links.find((link) => link.includes('scalar'))!;
    const compressed = await fetch(app.url + bundle, { headers: { 'accept-encoding': 'br' } });
    expect(compressed.headers.get('content-encoding')).toBe('br');
    expect(await compressed.text()).toBe((await page(bundle, { 'accept-encoding': 'identity' })).text);
    expect((await page('/docs/scalar.another.js')).status).toBe(404);
  });
});

describe('An Idempotency-Key', () => {
  let database: TestDatabase;
  const settings = { baseUrl: 'http://127.0.0.1:1' };
  let app: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    database = await freshDatabase();
    [app, other] = await Promise.all([startTestApp({ database, settings }), startTestApp({ database, settings })]);
    await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: 'crm:1' }] } });
  });
  afterAll(async () => {
    await Promise.all([app?.close(), other?.close()]);
    await database?.drop();
  });

  let keys = 0;
  const newKey = () => `"key-${++keys}"`;
  /** One client's token serves both instances. */
  const post = async (to: TestApp, path: string, body: unknown, key?: string) =>
    to.call('POST', path, {
      body,
      headers: { authorization: await app.token('crm'), ...(key === undefined ? {} : { 'idempotency-key': key }) },
    });

  const consent = (subject: string) => ({
    subject,
    purpose: 'profile-linking',
    scope: { platform: 'facebook' },
    decision: 'given',
    notice: { version: 1, language: 'de' },
    method: 'web-form',
  });
  let people = 100;
  /** Each creating call, and how to tell what it created: a receipt is signed anew, over the same words. */
  const creating: { name: string; call: () => Promise<[path: string, body: object]>; created(body: any): unknown }[] = [
    {
      name: 'registering',
      call: async () => ['/v1/subjects', { identifiers: [{ identifier: `crm:${people++}` }] }],
      created: (body) => body,
    },
    {
      name: 'adding identifiers',
      call: async () => {
        const { body } = await app.call('POST', '/v1/subjects', {
          body: { identifiers: [{ identifier: `crm:${people++}` }] },
        });
        return [
          `/v1/subjects/${body.subjectId}/identifiers`,
          { identifiers: [{ identifier: `email:e${people}@example.org` }] },
        ];
      },
      created: (body) => body,
    },
    {
      name: 'recording consent',
      call: async () => ['/v1/consents', consent(`crm:${people++}`)],
      created: ({ event, receipt }) => [event, receipt.split('.').slice(0, 2)],
    },
    {
      name: 'opening a challenge',
      call: async () => ['/v1/challenges', { customer: 'crm:1', account: `facebook:${1e6 + people++}` }],
      created: (body) => body,
    },
    {
      name: 'reporting a collection',
      call: async () => ['/v1/collections', { subject: `crm:${people++}`, purpose: 'profile-enrichment' }],
      created: (body) => body,
    },
  ];

  test('is taken by exactly the creating calls', () => {
    const taking = operations.filter(({ parameters }) => parameters.some(({ name }) => name === 'Idempotency-Key'));
    expect(taking).toHaveLength(creating.length);
  });

  describe.each(creating)('of $name', ({ call, created }) => {
    test('gives the first answer again, on this instance and on the other, also when the members come in another order', async () => {
      const [path, body] = await call();
      const key = newKey();
      const first = await post(app, path, body, key);
      expect(first.status, JSON.stringify(first.body)).toBeLessThan(300);
      const reordered = Object.fromEntries(Object.entries(body).toReversed());
      for (const [to, again] of [
        [app, body],
        [other, body],
        [other, reordered],
      ] as const) {
        const answer = await post(to, path, again, key);
        expect([answer.status, created(answer.body)]).toEqual([first.status, created(first.body)]);
      }
    });

    test('acts once however many ask at the same time, on both instances', async () => {
      const [path, body] = await call();
      const key = newKey();
      const count = async () => (await app.db.query<{ n: number }>('select count(*)::int as n from idempotency'))[0]!.n;
      const before = await count();
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, index) => post(index % 2 === 0 ? app : other, path, body, key)),
      );
      const good = answers.filter(({ status }) => status < 300);
      expect(good.length).toBeGreaterThan(0);
      for (const answer of good)
        expect([answer.status, created(answer.body)]).toEqual([good[0]!.status, created(good[0]!.body)]);
      for (const answer of answers.filter(({ status }) => status >= 300)) {
        expect([answer.status, answer.body.code]).toEqual([409, 'idempotency.in-progress']);
        expect(answer.headers.get('retry-after')).toBe('1');
      }
      expect(await count()).toBe(before + 1);
      const after = await post(other, path, body, key);
      expect([after.status, created(after.body)]).toEqual([good[0]!.status, created(good[0]!.body)]);
    });

    test('with another request is refused, and the first answer stays', async () => {
      const [path, body] = await call();
      const [otherPath, otherBody] = await call();
      const key = newKey();
      const first = await post(app, path, body, key);
      for (const [to, again] of [
        [path, otherBody],
        [otherPath, otherBody],
      ] as const) {
        const answer = await post(app, to, again, key);
        expect([answer.status, answer.body.code]).toEqual([422, 'idempotency.key-reused']);
        expect(answer.body.errors[0].member).toBe('Idempotency-Key');
      }
      expect(created((await post(app, path, body, key)).body)).toEqual(created(first.body));
    });
  });

  test('still answers after the service was restarted', async () => {
    const mine = await startTestApp({ database, settings });
    const calls = await Promise.all(
      creating.map(async ({ call, created }) => ({ call: await call(), created, key: newKey() })),
    );
    const before = await Promise.all(calls.map(({ call: [path, body], key }) => post(mine, path, body, key)));
    await mine.close();
    const reborn = await startTestApp({ database, settings });
    for (const [
      index,
      {
        call: [path, body],
        created,
        key,
      },
    ] of calls.entries()) {
      const answer = await post(reborn, path, body, key);
      expect([answer.status, created(answer.body)]).toEqual([before[index]!.status, created(before[index]!.body)]);
    }
    await reborn.close();
  });

  test('of a call that was refused is free for the call that is right', async () => {
    const key = newKey();
    const refused = await post(app, '/v1/consents', { ...consent('crm:2'), purpose: 'none-such' }, key);
    expect(refused.status).toBe(422);
    expect((await post(app, '/v1/consents', consent('crm:2'), key)).status).toBe(201);
  });

  test.each(['""', '"open', 'a b', `"${'k'.repeat(256)}"`])(
    'that reads %s is refused before anything is done',
    async (key) => {
      const { status, body } = await post(app, '/v1/consents', consent('crm:3'), key);
      expect([status, body.code, body.errors[0].member]).toEqual([400, 'idempotency.key-malformed', 'Idempotency-Key']);
      expect((await app.call('POST', '/v1/subjects/lookup', { body: { identifier: 'crm:3' } })).status).toBe(404);
    },
  );

  test('stands between nobody and a no: the same one twice, with any key, is two recorded noes', async () => {
    const no = { subject: 'crm:4', purpose: 'newsletter', method: 'phone' };
    const key = newKey();
    for (const path of ['/v1/consents/withdraw', '/v1/consents/object']) {
      const answers = [
        await post(app, path, no, key),
        await post(app, path, { ...no, method: 'app' }, key),
        await post(app, path, no, '"open'),
      ];
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
      expect(new Set(answers.map(({ body }) => body.event.id)).size).toBe(3);
    }
  });
});

describe('A history', () => {
  let app: TestApp;
  let subjectId: string;
  let events: any[];
  beforeAll(async () => {
    app = await startTestApp();
    events = [];
    for (const platform of ['facebook', 'instagram', 'x', 'mastodon', 'youtube', 'forum', 'blog'])
      events.push((await agreeToLinking(app, 'crm:1', platform)).event);
    subjectId = events[0].subjectId;
  });
  afterAll(() => app?.close());

  const read = async (query: string) => {
    const { status, body } = await app.call('GET', `/v1/subjects/${subjectId}/consents/history${query}`);
    expect(status, JSON.stringify(body)).toBe(200);
    return body as { events: any[]; nextCursor: string | null };
  };
  /** All pages of at most `limit`. `between` happens after each page. */
  const readAll = async (limit: number, between: () => Promise<unknown> = async () => {}): Promise<any[][]> => {
    const pages: any[][] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { events: any[]; nextCursor: string | null } = await read(
        `?limit=${limit}${cursor && `&cursor=${cursor}`}`,
      );
      pages.push(page.events);
      cursor = page.nextCursor;
      await between();
    }
    return pages;
  };

  test('comes in pages of any size, each event once and in the order of recording', async () => {
    expect((await read('')).events).toEqual(events);
    for (const limit of [1, 2, 3, 6, 7, 8, 500]) {
      const pages = await readAll(limit);
      expect(pages.flat()).toEqual(events);
      expect(pages.map((page) => page.length)).toEqual(
        Array.from({ length: Math.ceil(7 / limit) }, (_, index) => Math.min(limit, 7 - index * limit)),
      );
    }
  });

  test('shows what is recorded while somebody turns the pages, and repeats nothing', async () => {
    const added: any[] = [];
    const pages = await readAll(3, async () => {
      if (added.length < 2) added.push((await agreeToLinking(app, 'crm:1', 'tripadvisor')).event);
    });
    expect(pages.flat()).toEqual([...events, ...added]);
  });

  test.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'limit=1&limit=2',
    'cursor=-1',
    'cursor=x',
    'cursor=12',
    `cursor=9999999999.${randomUUID()}`,
  ])('cannot be asked for with %s', async (query) => {
    const { status, body } = await app.call('GET', `/v1/subjects/${subjectId}/consents/history?${query}`);
    expect([status, body.errors[0].member]).toEqual([400, query.split('=')[0]]);
  });

  test('as of a moment is what had been recorded by then, whenever it occurred', async () => {
    const standing = async (person: string, asOf: string): Promise<string | undefined> => {
      const { body } = await app.call('GET', `/v1/subjects/${person}/consents?asOf=${encodeURIComponent(asOf)}`);
      const purpose = body.purposes.find((one: any) => one.purpose === 'profile-linking');
      return purpose.scopes.find((one: any) => one.scope.platform === 'facebook')?.status.code;
    };
    const yes = (await agreeToLinking(app, 'crm:2', 'facebook')).event;
    const no = { subject: 'crm:2', purpose: 'profile-linking', scope: { platform: 'facebook' }, method: 'paper' };
    // The letter was written before the yes, and came in after it.
    const letter = { ...no, occurredAt: Temporal.Instant.from(yes.recordedAt).subtract({ hours: 24 }).toString() };
    const withdrawal = (await app.call('POST', '/v1/consents/withdraw', { body: letter })).body.event;
    const before = Temporal.Instant.from(yes.recordedAt).subtract({ seconds: 1 }).toString();
    expect(await standing(yes.subjectId, before)).toBeUndefined();
    expect(await standing(yes.subjectId, yes.recordedAt)).toBe('valid-yes');
    expect(await standing(yes.subjectId, withdrawal.recordedAt)).toBe('live-no');
    const elsewhere = Temporal.Instant.from(yes.recordedAt)
      .toZonedDateTimeISO('+05:30')
      .toString({ timeZoneName: 'never' });
    expect(await standing(yes.subjectId, elsewhere)).toBe('valid-yes');
  });
});

describe('A receipt', () => {
  test('verifies against the published keys alone, also after a restart, and nothing else passes for one', async () => {
    const database = await freshDatabase();
    const settings = { baseUrl: 'http://127.0.0.1:1' };
    const app = await startTestApp({ database, settings });
    const { event, receipt } = await agreeToLinking(app, 'crm:1', 'facebook');
    const keysOf = async (of: TestApp) => (await fetch(`${of.url}/.well-known/jwks.json`)).json() as Promise<any>;
    const proof = await verifyReceipt(receipt, await keysOf(app));
    expect(proof).toMatchObject({ genuine: true, receipt: { iss: settings.baseUrl, 'dct:identifier': event.id } });

    const [head, body, signature] = receipt.split('.') as [string, string, string];
    const said = JSON.parse(Buffer.from(body, 'base64url').toString());
    said['dpv:hasRecordOfActivity']['askfirst:action'] = 'withdraw';
    const changed = `${head}.${Buffer.from(JSON.stringify(said)).toString('base64url')}.${signature}`;
    expect(await verifyReceipt(changed, await keysOf(app))).toEqual({ genuine: false, fault: 'bad-signature' });
    const token = (await app.token('crm')).slice('Bearer '.length);
    expect(await verifyReceipt(token, await keysOf(app))).toEqual({ genuine: false, fault: 'wrong-type' });
    for (const key of (await keysOf(app)).keys)
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    await app.close();

    const reborn = await startTestApp({ database, settings });
    expect((await verifyReceipt(receipt, await keysOf(reborn))).genuine).toBe(true);
    const anew = await reborn.call('GET', `/v1/subjects/${event.subjectId}/consents/${event.id}/receipt`);
    const second = await verifyReceipt(anew.body.receipt, await keysOf(reborn));
    expect(second).toEqual(proof);
    await reborn.close();

    const stranger = await startTestApp({ settings });
    expect(await verifyReceipt(receipt, await keysOf(stranger))).toEqual({ genuine: false, fault: 'unknown-key' });
    await stranger.close();
    await database.drop();
  });
});
