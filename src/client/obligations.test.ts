import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { obligationReceiver, type Obligation, type ObligationHandler } from './obligations.ts';

const secretOf = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;
const current = secretOf('n');
const old = secretOf('o');
const data = {
  obligationId: 'o1',
  subjectId: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e13',
  createdAt: '2026-07-15T09:30:00Z',
  dueAt: '2026-07-16T09:30:00Z',
  purpose: 'profile-linking',
  cause: 'withdrawal',
  linkId: 'l1',
  customer: 'crm:4711 – Zoë',
  identity: 'facebook:1029384756',
};
const messageOf = (type: string, members: object) =>
  JSON.stringify({ type: `obligation.${type}`, timestamp: '2026-07-15T09:30:00Z', data: members });
const body = messageOf('unlink', data);

const signed = (secret = current, of = body, at = new Date()) => ({
  'webhook-id': 'o1',
  'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
  'webhook-signature': new Webhook(secret).sign('o1', at, of),
});

describe('a delivered obligation', () => {
  it('is handed over and acknowledged when the handler has done it', async () => {
    const handler = vi.fn(async () => undefined);
    const receive = obligationReceiver([current], handler);
    expect(await receive(body, signed())).toEqual({ status: 200, body: { acknowledged: true } });
    expect(handler.mock.calls).toEqual([
      [
        {
          kind: 'unlink',
          obligationId: 'o1',
          dueAt: '2026-07-16T09:30:00Z',
          purpose: 'profile-linking',
          linkId: 'l1',
          customer: 'crm:4711 – Zoë',
          identity: 'facebook:1029384756',
        },
      ],
    ]);
  });

  it('to stop tells the scope, and one of a later version is told apart by its type', async () => {
    const seen: Obligation[] = [];
    const receive = obligationReceiver([current], async (obligation) => void seen.push(obligation));
    const { linkId: _linkId, customer: _customer, identity: _identity, ...erased } = data;
    for (const raw of [messageOf('stop', { ...erased, scope: { channel: 'email' } }), messageOf('erase', erased)])
      expect(await receive(raw, signed(current, raw))).toMatchObject({ status: 200 });
    const common = { obligationId: 'o1', dueAt: '2026-07-16T09:30:00Z' };
    expect(seen).toEqual([
      { ...common, kind: 'stop', purpose: 'profile-linking', scope: { channel: 'email' } },
      { ...common, kind: 'unknown', type: 'obligation.erase' },
    ]);
  });

  it('to inform tells what was collected, and is acknowledged only with the words that were shown', async () => {
    const informed = { notice: { version: 2, language: 'de' }, method: 'email' } as const;
    const { linkId: _linkId, identity: _identity, ...collected } = data;
    const raw = messageOf('inform', { ...collected, collectedAt: '2026-07-14T09:30:00Z', source: 'x' });
    const handler = vi.fn<ObligationHandler>(async () => informed);
    const receive = obligationReceiver([current], handler);
    expect(await receive(raw, signed(current, raw))).toEqual({
      status: 200,
      body: { acknowledged: true, ...informed },
    });
    expect(handler).toHaveBeenCalledWith({
      kind: 'inform',
      obligationId: 'o1',
      dueAt: '2026-07-16T09:30:00Z',
      purpose: 'profile-linking',
      customer: 'crm:4711 – Zoë',
      collectedAt: '2026-07-14T09:30:00Z',
      source: 'x',
    });
    const wordless = obligationReceiver([current], async () => undefined);
    expect(await wordless(raw, signed(current, raw))).toEqual({ status: 200, body: { acknowledged: false } });
  });

  it('is taken as bytes and with the headers of either kind', async () => {
    const receive = obligationReceiver([current], async () => undefined);
    expect(await receive(Buffer.from(body), new Headers(signed()))).toMatchObject({ status: 200 });
    expect(await receive(new TextEncoder().encode(body), signed())).toMatchObject({ status: 200 });
  });

  it('is not acknowledged by a handler that wants to do it later', async () => {
    const receive = obligationReceiver([current], async () => 'later');
    expect(await receive(body, signed())).toEqual({ status: 200, body: { acknowledged: false } });
  });

  it('is answered 500, to be delivered again, when the handler fails; the component gets its own error', async () => {
    const failure = new Error('the link table is locked');
    const receive = obligationReceiver([current], async () => {
      throw failure;
    });
    expect(await receive(body, signed())).toEqual({ status: 500, body: { acknowledged: false }, error: failure });
  });

  it('counts under the old secret while secrets are exchanged, and under a list of signatures', async () => {
    const receive = obligationReceiver([current, old], async () => undefined);
    expect(await receive(body, signed(old))).toMatchObject({ status: 200 });
    const both = {
      ...signed(),
      'webhook-signature': `${signed(secretOf('x'))['webhook-signature']} ${signed()['webhook-signature']}`,
    };
    expect(await obligationReceiver([current], async () => undefined)(body, both)).toMatchObject({ status: 200 });
  });
});

describe('a delivery is refused before anything is done', () => {
  const minutesAway = (minutes: number) => new Date(Date.now() + minutes * 60_000);
  const { 'webhook-id': _, ...withoutId } = signed();
  it.each([
    ['signed with another secret', body, signed(old)],
    ['changed by one letter', body.replace('l1', 'l2'), signed()],
    ['under another id', body, { ...signed(), 'webhook-id': 'o2' }],
    ['under another time', body, { ...signed(), 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 60) }],
    ['older than five minutes', body, signed(current, body, minutesAway(-6))],
    ['from the future', body, signed(current, body, minutesAway(6))],
    ['without signature', body, { ...signed(), 'webhook-signature': undefined }],
    ['without id', body, withoutId],
    ['with an empty signature', body, { ...signed(), 'webhook-signature': 'v1,' }],
    ['with a header given twice', body, { ...signed(), 'webhook-id': ['o1', 'o1'] }],
    ['with a byte order mark in front', `\uFEFF${body}`, signed()],
  ])('%s', async (_name, raw, headers) => {
    const handler = vi.fn(async () => undefined);
    const receive = obligationReceiver([current], handler);
    expect(await receive(raw, headers)).toMatchObject({ status: 401 });
    expect(await receive(Buffer.from(raw), headers)).toMatchObject({ status: 401 });
    expect(handler).not.toHaveBeenCalled();
  });

  it.each([
    '',
    'null',
    '[]',
    'not JSON',
    '{"type":"obligation.stop","data":null}',
    messageOf('unlink', { ...data, linkId: undefined }),
    messageOf('stop', { ...data, scope: null }),
    messageOf('inform', data),
    messageOf('stop', { ...data, obligationId: 7 }),
    JSON.stringify({ data }),
  ])('signed but no obligation: %j', async (raw) => {
    const handler = vi.fn(async () => undefined);
    expect(await obligationReceiver([current], handler)(raw, signed(current, raw))).toMatchObject({ status: 400 });
    expect(handler).not.toHaveBeenCalled();
  });
});

describe('secrets', () => {
  it('are checked when the receiver is made, not when the first obligation comes', () => {
    expect(() => obligationReceiver([], async () => undefined)).toThrow('webhookSecrets');
    expect(() => obligationReceiver(['whsec_'], async () => undefined)).toThrow();
    expect(() => obligationReceiver(['whsec_not base64!'], async () => undefined)).toThrow();
  });
});
