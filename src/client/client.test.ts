import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { Context, Facts } from '../policies/index.ts';
import { createAskfirst } from './client.ts';
import { AskfirstError, AskfirstRefused, AskfirstUnreachable } from './errors.ts';
import type { Action, Circumstances, LinkRequest, Scope, UseRequest } from './request.ts';
import { decisionId, permit, refusal, startService, type Service } from './test-service.ts';

const evaluation = '/access/v1/evaluation';
const evaluations = '/access/v1/evaluations';
const eva = { customer: 'crm:4711', identity: 'facebook:1029384756' };
const reply: UseRequest = { action: 'reply', purpose: 'customer-service', identity: 'x:44196397' };

let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(() => service.stop());

describe('the question on the wire', () => {
  it('asks AuthZEN for a link, as itself, with the customer and the chain in the context', async () => {
    service.answer(evaluation, () => ({ body: permit() }));
    const client = createAskfirst(service.options);
    const decision = await client.mayLink({
      ...eva,
      actor: { id: 'u17', role: 'agent' },
      match: { method: 'declared' },
      chain: ['email:eva@example.org', 'x:44196397'],
    });
    expect(decision).toMatchObject({ permit: true, decisionId, lease: { expiresAt: '2026-07-15T09:30:05Z' } });
    expect(service.asked(evaluation)[0]!.json).toEqual({
      subject: { type: 'system', id: 'listening' },
      action: { name: 'link' },
      resource: { type: 'social_identity', id: 'facebook:1029384756' },
      context: {
        purpose: 'profile-linking',
        customer: 'crm:4711',
        actor: { id: 'u17', role: 'agent' },
        match: { method: 'declared' },
        chain: ['email:eva@example.org', 'x:44196397'],
      },
    });
  });

  it('asks for a use of a customer, an account or an aggregate, each dimension a member of the context', async () => {
    service.answer(evaluation, () => ({ body: refusal() }));
    const client = createAskfirst(service.options);
    const scope = { channel: 'email', topic: 'events', form: 'weekly' };
    await client.mayUse({ action: 'contact', purpose: 'newsletter', customer: 'crm:4711', scope, marketing: true });
    await client.mayUse({ ...reply, inReplyTo: { openedBySubject: true, days: 2 } });
    await client.mayUse({ action: 'publish_aggregate', purpose: 'open-statistics', aggregate: 'nights', cellSize: 12 });
    expect(service.asked(evaluation).map(({ json: { resource, context } }) => [resource, context])).toEqual([
      [
        { type: 'customer', id: 'crm:4711' },
        { purpose: 'newsletter', channel: 'email', topic: 'events', form: 'weekly', marketing: true },
      ],
      [
        { type: 'social_identity', id: 'x:44196397' },
        { purpose: 'customer-service', inReplyTo: { openedBySubject: true, days: 2 } },
      ],
      [
        { type: 'aggregate', id: 'nights' },
        { purpose: 'open-statistics', cellSize: 12 },
      ],
    ]);
  });

  it('asks for reasons in the language of the component, and speaks it when the service cannot', async () => {
    service.answer(evaluation, () => ({ status: 503, body: {} }));
    const decision = await createAskfirst({ ...service.options, language: 'de' }).mayUse(reply);
    expect(service.asked(evaluation)[0]!.headers['accept-language']).toBe('de');
    expect(decision.reasons[0]!.person).toContain('nicht geprüft');
  });

  it('knows the words that the service knows, no more and no fewer', () => {
    type Words = Circumstances & Scope & { purpose: string; customer?: string | undefined };
    expectTypeOf<keyof Words>().toEqualTypeOf<keyof Context>();
    expectTypeOf<Words>().toExtend<Context>();
    expectTypeOf<Context>().toExtend<Words>();
    expectTypeOf<Action>().toEqualTypeOf<Facts['action']>();
  });
});

describe('a check fails closed', () => {
  const codeOf = async (request = createAskfirst(service.options).mayLink(eva)) => {
    const decision = await request;
    expect(decision.permit).toBe(false);
    expect(decision.lease).toBeUndefined();
    return decision.reasons[0]?.code;
  };

  it('when the answer does not come in time, and then does not wait longer', async () => {
    service.answer(evaluation, () => undefined);
    const client = createAskfirst({ ...service.options, timeoutMs: 100 });
    const startedAt = performance.now();
    expect(await codeOf(client.mayLink(eva))).toBe('askfirst.timeout');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('when the answer starts in time and stops halfway', async () => {
    service.answer(
      evaluation,
      (_, response) => void response.writeHead(200).write(JSON.stringify(permit()).slice(0, 40)),
    );
    expect(await codeOf(createAskfirst({ ...service.options, timeoutMs: 100 }).mayLink(eva))).toBe('askfirst.timeout');
  });

  it('when the connection breaks in the middle of a permit', async () => {
    service.answer(evaluation, (_, response) => {
      response.writeHead(200, { 'content-length': 10_000 }).write(JSON.stringify(permit()), () => response.destroy());
    });
    expect(await codeOf()).toBe('askfirst.malformed');
  });

  it('when nobody listens', async () => {
    await service.stop();
    expect(await codeOf()).toBe('askfirst.unreachable');
    service = await startService();
  });

  it('when a given fetch never settles and ignores its signal', async () => {
    const fetch = () => new Promise<Response>(() => undefined);
    expect(await codeOf(createAskfirst({ ...service.options, timeoutMs: 50, fetch }).mayLink(eva))).toBe(
      'askfirst.timeout',
    );
  });

  it('when the token is refused, when it is malformed and when it does not come', async () => {
    const wrong = createAskfirst({ ...service.options, clientSecret: 'wrong' });
    expect(await codeOf(wrong.mayLink(eva))).toBe('askfirst.refused');
    service.answer('/oauth/token', () => ({ body: { access_token: 'a\nb', token_type: 'Bearer', expires_in: 300 } }));
    expect(await codeOf()).toBe('askfirst.malformed');
    service.answer('/oauth/token', () => undefined);
    expect(await codeOf(createAskfirst({ ...service.options, timeoutMs: 50 }).mayLink(eva))).toBe('askfirst.timeout');
  });

  it('when a redirect would lead to a permit elsewhere', async () => {
    service.answer('/elsewhere', () => ({ body: permit() }));
    service.answer(evaluation, (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end());
    expect(await codeOf()).toBe('askfirst.unreachable');
    expect(service.asked('/elsewhere')).toEqual([]);
  });

  it.each([
    [400, 'askfirst.refused'],
    [403, 'askfirst.refused'],
    [404, 'askfirst.refused'],
    [429, 'askfirst.unreachable'],
    [500, 'askfirst.unreachable'],
    [503, 'askfirst.unreachable'],
    [201, 'askfirst.malformed'],
    [204, 'askfirst.malformed'],
  ])('when a permit comes with status %i', async (status, code) => {
    service.answer(evaluation, () => ({ status, body: permit() }));
    expect(await codeOf()).toBe(code);
  });

  it('when the request is none, or cannot be put in JSON', async () => {
    service.answer(evaluation, () => ({ status: 400, body: { code: 'decisions.request-invalid' } }));
    const client = createAskfirst(service.options);
    const circular: any = { method: 'declared' };
    circular.self = circular;
    expect(await codeOf(client.mayLink({ ...eva, match: circular }))).toBe('askfirst.failed');
    expect(await codeOf(client.mayUse(undefined as unknown as UseRequest))).toBe('askfirst.failed');
    expect(await codeOf(client.mayLink(undefined as unknown as LinkRequest))).toBe('askfirst.refused');
  });

  it('over arbitrary statuses and bodies: it never throws, and permits only a whole permit of status 200', async () => {
    const bodies = fc.oneof(
      fc.constant(permit()).map((answer) => JSON.stringify(answer)),
      fc.jsonValue().map((value) => JSON.stringify({ ...permit(), decision: value })),
      fc.jsonValue().map((value) => JSON.stringify({ decision: true, context: value })),
      fc.json(),
      fc.string(),
      fc.nat(200).map((length) => JSON.stringify(permit()).slice(0, length)),
    );
    const statuses = fc.oneof(fc.constant(200), fc.integer({ min: 200, max: 599 }));
    const client = createAskfirst({ ...service.options, timeoutMs: 20_000 });
    let permits = 0;
    await fc.assert(
      fc.asyncProperty(statuses, bodies, async (status, body) => {
        service.answer(evaluation, () => ({ status, body }));
        const decision = await client.mayLink(eva);
        expect(decision.permit).toBe(status === 200 && body === JSON.stringify(permit()));
        if (!decision.permit && status !== 200) expect(decision.reasons).toHaveLength(1);
        permits += Number(decision.permit);
      }),
      { numRuns: 1_500 },
    );
    expect(permits).toBeGreaterThan(10);
  });
});

describe('many checks', () => {
  const nth = (index: number): UseRequest => ({ ...reply, identity: `x:${index}` });
  const permitEven = ({ json }: { json: any }) => ({
    body: {
      evaluations: json.evaluations.map(({ resource }: { resource: { id: string } }) =>
        Number(resource.id.slice(2)) % 2 === 0 ? { decision: true, context: { decisionId: resource.id } } : refusal(),
      ),
    },
  });

  it('come back in the order of the questions, by the thousand', async () => {
    service.answer(evaluations, permitEven);
    const requests = Array.from({ length: 2_345 }, (_, index) => nth(index));
    const decisions = await createAskfirst(service.options).mayUseAll(requests);
    expect(decisions.map(({ permit: permitted }) => permitted)).toEqual(requests.map((_, index) => index % 2 === 0));
    expect(decisions[2_344]!.decisionId).toBe('x:2344');
    expect(service.asked(evaluations).map(({ json }) => json.evaluations.length)).toEqual([1_000, 1_000, 345]);
    expect(service.asked(evaluations)[0]!.json.subject).toEqual({ type: 'system', id: 'listening' });
  });

  it('are not asked when there are none: an empty batch would be one evaluation', async () => {
    expect(await createAskfirst(service.options).mayUseAll([])).toEqual([]);
    expect(service.received).toEqual([]);
  });

  it('are all denied when one answer is missing, none is there, or the service is not', async () => {
    const client = createAskfirst(service.options);
    const denied = async () =>
      (await client.mayUseAll([nth(2), nth(4)])).map((one) => [one.permit, one.reasons[0]!.code]);
    service.answer(evaluations, () => ({ body: { evaluations: [{ decision: true, context: { decisionId } }] } }));
    expect(await denied()).toEqual(Array(2).fill([false, 'askfirst.malformed']));
    service.answer(evaluations, () => ({ body: { decision: true, context: { decisionId } } }));
    expect(await denied()).toEqual(Array(2).fill([false, 'askfirst.malformed']));
    service.answer(evaluations, () => ({ status: 503, body: {} }));
    expect(await denied()).toEqual(Array(2).fill([false, 'askfirst.unreachable']));
  });
});

describe('the access token', () => {
  it('is fetched once for many calls at once, and kept', async () => {
    service.answer(evaluation, () => ({ body: permit() }));
    const client = createAskfirst(service.options);
    await Promise.all(Array.from({ length: 50 }, () => client.mayLink(eva)));
    await client.mayLink(eva);
    expect(service.asked('/oauth/token')).toHaveLength(1);
    expect(service.asked(evaluation)).toHaveLength(51);
  });

  it('is renewed before it expires, so that no call is sent with a dead one', async () => {
    const shortLived = await startService(1);
    shortLived.answer(evaluation, () => ({ body: permit() }));
    const client = createAskfirst(shortLived.options);
    await client.mayLink(eva);
    await new Promise((resolve) => setTimeout(resolve, 920));
    await client.mayLink(eva);
    const used = shortLived.asked(evaluation).map(({ headers }) => headers.authorization);
    expect(new Set(used).size).toBe(2);
    await shortLived.stop();
  });

  it('is fetched anew, once for all, when the service no longer takes it', async () => {
    service.answer(evaluation, () => ({ body: permit() }));
    const client = createAskfirst(service.options);
    await client.mayLink(eva);
    service.forgetTokens();
    const decisions = await Promise.all(Array.from({ length: 20 }, () => client.mayLink(eva)));
    expect(decisions.every(({ permit: permitted }) => permitted)).toBe(true);
    expect(service.asked('/oauth/token')).toHaveLength(2);
  });

  it('is asked for only once more in a call: a service that takes none is not asked in a circle', async () => {
    service.answer(evaluation, () => ({ status: 401, body: {} }));
    const decision = await createAskfirst(service.options).mayLink(eva);
    expect(decision.reasons[0]!.code).toBe('askfirst.refused');
    expect(service.asked(evaluation)).toHaveLength(2);
  });

  it('that comes too late for one call serves the next', async () => {
    let send = () => {};
    service.answer('/oauth/token', (_, response) => {
      send = () => response.end('{"access_token":"t","token_type":"Bearer","expires_in":300}');
    });
    const client = createAskfirst({ ...service.options, timeoutMs: 100 });
    expect((await client.mayLink(eva)).reasons[0]!.code).toBe('askfirst.timeout');
    await vi.waitFor(() => expect(service.asked('/oauth/token')).toHaveLength(1), 5_000);
    service.accept('t');
    send();
    await vi.waitFor(async () => {
      await client.mayLink(eva);
      expect(service.asked(evaluation)[0]?.headers.authorization).toBe('Bearer t');
    }, 5_000);
    expect(service.asked('/oauth/token')).toHaveLength(1);
  });
});

describe('mode observe', () => {
  it('permits what would be denied, says so, and reports it without an identifier', async () => {
    service.answer(evaluation, () => ({ body: refusal() }));
    const onWouldDeny = vi.fn();
    const decision = await createAskfirst({ ...service.options, mode: 'observe', onWouldDeny }).mayLink(eva);
    expect(decision).toMatchObject({
      permit: true,
      observed: { wouldDeny: true },
      reasons: [{ code: 'consent-missing' }],
    });
    expect(decision.lease).toBeUndefined();
    expect(onWouldDeny).toHaveBeenCalledOnce();
    expect(onWouldDeny.mock.calls[0]).toMatchObject([
      { permit: false },
      { action: 'link', purpose: 'profile-linking' },
    ]);
    expect(JSON.stringify(onWouldDeny.mock.calls)).not.toMatch(/4711|1029384756/);
  });

  it('permits when the service is not there', async () => {
    service.answer(evaluation, () => ({ status: 503, body: {} }));
    const onWouldDeny = vi.fn();
    const client = createAskfirst({ ...service.options, mode: 'observe', onWouldDeny });
    expect(await client.mayUse(reply)).toMatchObject({ permit: true, observed: { wouldDeny: true } });
    expect(await client.mayUseAll([reply, reply])).toMatchObject(Array(2).fill({ permit: true }));
    expect(onWouldDeny).toHaveBeenCalledTimes(3);
  });

  it('leaves a permit a permit, with its lease', async () => {
    service.answer(evaluation, () => ({ body: permit() }));
    const onWouldDeny = vi.fn();
    const decision = await createAskfirst({ ...service.options, mode: 'observe', onWouldDeny }).mayLink(eva);
    expect(decision).toMatchObject({ permit: true, observed: { wouldDeny: false }, lease: { id: expect.any(String) } });
    expect(onWouldDeny).not.toHaveBeenCalled();
  });

  it.each([
    [
      'at once',
      () => {
        throw new Error('log is full');
      },
    ],
    [
      'later',
      async () => {
        throw new Error('log is full');
      },
    ],
  ])('is not disturbed by a callback that fails %s', async (_, onWouldDeny) => {
    service.answer(evaluation, () => ({ body: refusal() }));
    expect(await createAskfirst({ ...service.options, mode: 'observe', onWouldDeny }).mayLink(eva)).toMatchObject({
      permit: true,
    });
  });

  it('warns on the console without a callback, in codes alone', async () => {
    service.answer(evaluation, () => ({ body: refusal() }));
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await createAskfirst({ ...service.options, mode: 'observe' }).mayLink(eva);
    expect(warn.mock.calls).toEqual([['askfirst would deny link for profile-linking: consent-missing']]);
    warn.mockRestore();
  });

  it('does not confirm a link that would have been denied', async () => {
    service.answer(evaluation, () => ({ body: refusal() }));
    const client = createAskfirst({ ...service.options, mode: 'observe', onWouldDeny: () => undefined });
    const decision = await client.mayLink(eva);
    expect(await client.confirmLink(decision, eva)).toEqual({ linkId: null, status: 'observed' });
    expect(service.asked('/v1/links')).toEqual([]);
  });
});

describe('confirming a link', () => {
  const lease = { id: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e12', expiresAt: '2026-07-15T09:30:05Z' };

  it('sends the lease and the two that were asked about', async () => {
    service.answer('/v1/links', () => ({ status: 201, body: { linkId: 'l1', status: 'active', system: 'listening' } }));
    const client = createAskfirst(service.options);
    expect(await client.confirmLink({ lease }, { ...eva })).toEqual({ linkId: 'l1', status: 'active' });
    expect(service.asked('/v1/links')).toMatchObject([{ method: 'POST', json: { leaseId: lease.id, ...eva } }]);
  });

  it('has more patience than a check: its answer waits for a commit', async () => {
    service.answer('/v1/links', (_, response) => {
      setTimeout(() => response.writeHead(201).end('{"linkId":"l1","status":"active"}'), 300);
    });
    const client = createAskfirst({ ...service.options, timeoutMs: 100 });
    expect(await client.confirmLink({ lease }, eva)).toMatchObject({ linkId: 'l1' });
  });

  it('tells a refusal from an unknown outcome', async () => {
    const client = createAskfirst(service.options);
    const failure = () => client.confirmLink({ lease }, eva).catch((error: unknown) => error);
    service.answer('/v1/links', () => ({ status: 409, body: { code: 'linkage.lease-expired', status: 409 } }));
    expect(await failure()).toMatchObject({ constructor: AskfirstRefused, code: 'linkage.lease-expired', status: 409 });
    service.answer('/v1/links', () => ({ status: 503, body: { code: 'http.not-ready' } }));
    expect(await failure()).toMatchObject({ constructor: AskfirstUnreachable, code: 'http.not-ready' });
    service.answer('/v1/links', () => ({ status: 201, body: { linkId: 7 } }));
    expect(await failure()).toMatchObject({ constructor: AskfirstUnreachable, code: 'askfirst.malformed' });
  });

  it('refuses by itself what has no lease: a denial, or a permit for something else', async () => {
    await expect(createAskfirst(service.options).confirmLink({}, eva)).rejects.toThrow(AskfirstRefused);
    expect(service.received).toEqual([]);
  });
});

describe('pulled obligations', () => {
  const data = { obligationId: 'o/1', dueAt: '2026-07-15T09:30:05Z', purpose: 'profile-linking', linkId: 'l1' };
  const message = { type: 'obligation.unlink', timestamp: '2026-07-15T09:30:00Z', data };

  it('are listed and acknowledged by their id', async () => {
    service.answer('/v1/obligations', () => ({ body: { obligations: [message] } }));
    service.answer('/v1/obligations/o%2F1/acknowledge', () => ({ status: 204, body: '' }));
    const client = createAskfirst(service.options);
    expect(await client.pullObligations()).toEqual([{ ...data, kind: 'unlink' }]);
    await client.acknowledge('o/1');
    const informed = { notice: { version: 2, language: 'de' }, method: 'email' } as const;
    await client.acknowledge('o/1', informed);
    expect(service.asked('/v1/obligations/o%2F1/acknowledge')).toMatchObject([{ method: 'POST' }, { json: informed }]);
  });

  it('are not taken for none when the list cannot be read', async () => {
    const client = createAskfirst(service.options);
    service.answer('/v1/obligations', () => ({ body: {} }));
    await expect(client.pullObligations()).rejects.toThrow(AskfirstUnreachable);
    service.answer('/v1/obligations', () => ({ body: { obligations: [{ ...message, data: undefined }] } }));
    await expect(client.pullObligations()).rejects.toThrow(AskfirstUnreachable);
  });
});

describe('options', () => {
  it.each([
    ['baseUrl', { baseUrl: 'askfirst' }],
    ['system', { system: '' }],
    ['clientSecret', { clientSecret: undefined }],
    ['mode', { mode: 'observed' }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
  ])('a wrong %s is refused at once, not taken for a permit later', (name, wrong) => {
    expect(() => createAskfirst({ ...service.options, ...wrong } as never)).toThrow(name);
  });

  it('no error or reason repeats an identifier, a secret or what a stranger answered', async () => {
    const secrets = /4711|1029384756|s3cret|token-\d/;
    const client = createAskfirst(service.options);
    const hostile = { code: 'crm:4711 s3cret', error: 'facebook:1029384756', errors: [{ member: 'crm:4711' }] };
    for (const status of [400, 403, 500, 200]) {
      service.answer(evaluation, (request) => ({ status, body: { ...hostile, echo: request.json } }));
      service.answer('/v1/links', (request) => ({ status, body: { ...hostile, echo: request.headers } }));
      expect(JSON.stringify(await client.mayLink(eva))).not.toMatch(secrets);
      const error = await client.confirmLink(permit().context, eva).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AskfirstError);
      expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toMatch(secrets);
    }
  });

  it('a refusal names the member that the service found wrong', async () => {
    const problem = { code: 'decisions.request-invalid', errors: [{ member: 'context.customer', rule: 'type' }] };
    service.answer(evaluation, () => ({ status: 400, body: problem }));
    const decision = await createAskfirst(service.options).mayLink(eva);
    expect(decision.reasons[0]!.admin).toBe('answered 400 decisions.request-invalid at context.customer');
  });
});
