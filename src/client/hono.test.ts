import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAskfirst, type Askfirst } from './client.ts';
import { askfirstGate, obligationsRoute } from './hono.ts';
import { decisionId, permit, refusal, startService, type Service } from './test-service.ts';

const secret = `whsec_${Buffer.from('n'.repeat(32)).toString('base64')}`;

let service: Service;
let client: Askfirst;
let stop: () => Promise<unknown>;
beforeEach(async () => {
  service = await startService();
  client = createAskfirst({ ...service.options, webhookSecrets: [secret] });
});
afterEach(async () => {
  await stop();
  await service.stop();
});

/** Serves a component's app over HTTP and returns its address. */
const listen = async (app: Hono<any>): Promise<string> => {
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  stop = async () => {
    server.close();
    await once(server, 'close');
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('the gate', () => {
  const component = () => {
    const done: string[] = [];
    const app = new Hono()
      .onError((_, c) => c.text('failed', 500))
      .post(
        '/links',
        askfirstGate({ client, ask: async (c) => ({ customer: 'crm:4711', identity: (await c.req.json()).identity }) }),
        (c) => {
          done.push('link');
          return c.json({ decisionId: c.var.decision.decisionId });
        },
      )
      .post(
        '/replies',
        askfirstGate({ client, ask: () => ({ action: 'reply', purpose: 'customer-service', identity: 'x:1' }) }),
        (c) => {
          done.push('reply');
          return c.body(null, 204);
        },
      );
    return { app, done };
  };
  const post = (url: string, body: string) => fetch(url, { method: 'POST', body });

  it('lets a permitted request pass and hands the decision to the handler', async () => {
    service.answer('/access/v1/evaluation', () => ({ body: permit() }));
    const { app, done } = component();
    const url = await listen(app);
    const response = await post(`${url}/links`, '{"identity":"facebook:1"}');
    expect(await response.json()).toEqual({ decisionId });
    expect((await post(`${url}/replies`, '')).status).toBe(204);
    expect(done).toEqual(['link', 'reply']);
    expect(service.asked('/access/v1/evaluation').map(({ json }) => json.action.name)).toEqual(['link', 'reply']);
  });

  it('answers 403 with the reasons for the person, and the handler does not run', async () => {
    service.answer('/access/v1/evaluation', () => ({ body: refusal() }));
    const { app, done } = component();
    const response = await post(`${await listen(app)}/links`, '{"identity":"facebook:1"}');
    expect(response.status).toBe(403);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'urn:askfirst:problem:denied',
      title: 'Not permitted',
      status: 403,
      detail: 'You have not agreed to this.',
      code: 'denied',
      decisionId,
      reasons: [{ code: 'consent-missing', person: 'You have not agreed to this.' }],
    });
    expect(done).toEqual([]);
  });

  it('answers 403 when the service cannot be asked, and 500 when the question cannot be made', async () => {
    service.answer('/access/v1/evaluation', () => ({ status: 503, body: {} }));
    const { app, done } = component();
    const url = await listen(app);
    expect(await (await post(`${url}/links`, '{"identity":"facebook:1"}')).json()).toMatchObject({
      status: 403,
      reasons: [{ code: 'askfirst.unreachable' }],
    });
    expect((await post(`${url}/links`, 'no JSON')).status).toBe(500);
    expect(done).toEqual([]);
  });
});

describe('the webhook of a component', () => {
  const data = { obligationId: 'o1', dueAt: '2026-07-15T09:30:05Z', purpose: 'newsletter', scope: {} };
  const body = JSON.stringify({ type: 'obligation.stop', timestamp: '2026-07-15T09:30:00Z', data });
  const headers = (of = body) => ({
    'webhook-id': 'o1',
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': new Webhook(secret).sign('o1', new Date(), of),
  });
  const component = () => {
    const done: unknown[] = [];
    const errors: unknown[] = [];
    const app = new Hono()
      .onError((error, c) => {
        errors.push(error.message);
        return c.text('failed', 500);
      })
      .post(
        '/askfirst',
        obligationsRoute(client, async (one) => {
          if (one.kind !== 'stop') throw new Error(`cannot do ${one.kind}`);
          done.push(one);
        }),
      );
    return { app, done, errors };
  };

  it('does what a signed delivery asks and acknowledges it', async () => {
    const { app, done } = component();
    const response = await fetch(`${await listen(app)}/askfirst`, { method: 'POST', headers: headers(), body });
    expect([response.status, await response.json()]).toEqual([200, { acknowledged: true }]);
    expect(done).toEqual([{ ...data, kind: 'stop' }]);
  });

  it('refuses an unsigned and an endless one', async () => {
    const { app, done } = component();
    const url = `${await listen(app)}/askfirst`;
    expect((await fetch(url, { method: 'POST', body })).status).toBe(401);
    const large = 'x'.repeat(70_000);
    expect((await fetch(url, { method: 'POST', body: large })).status).toBe(413);
    const chunked = new ReadableStream({
      start: (controller) => {
        for (let sent = 0; sent < 70; sent++) controller.enqueue(new Uint8Array(1_000));
        controller.close();
      },
    });
    expect((await fetch(url, { method: 'POST', body: chunked, duplex: 'half' } as RequestInit)).status).toBe(413);
    expect(done).toEqual([]);
  });

  it('lets a failure of the handler reach the component, which then answers no 2xx', async () => {
    const { app, errors } = component();
    const unknown = body.replace('obligation.stop', 'obligation.erase');
    const request = { method: 'POST', headers: headers(unknown), body: unknown };
    expect((await fetch(`${await listen(app)}/askfirst`, request)).status).toBe(500);
    expect(errors).toEqual(['cannot do unknown']);
  });
});
