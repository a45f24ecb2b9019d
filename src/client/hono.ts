import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Askfirst } from './client.ts';
import type { Decision } from './decision.ts';
import type { ObligationHandler } from './obligations.ts';
import type { LinkRequest, UseRequest } from './request.ts';

/**
 * Lets a request pass only with a permit, which the handler finds in `c.var.decision`; else answers 403 with a problem
 * document (RFC 9457) that holds the reasons for the person, not those for the component's staff.
 *
 * @param ask what the request is about to do; without an `action` it is to link. What it throws goes to `app.onError`.
 */
export const askfirstGate = (gate: {
  client: Pick<Askfirst, 'mayLink' | 'mayUse'>;
  ask: (c: Context) => LinkRequest | UseRequest | Promise<LinkRequest | UseRequest>;
}): MiddlewareHandler<{ Variables: { decision: Decision } }> => {
  const { client, ask } = gate;
  return async (c, next) => {
    const request = await ask(c);
    const decision = await ('action' in request ? client.mayUse(request) : client.mayLink(request));
    if (!decision.permit) return denied(c, decision);
    c.set('decision', decision);
    await next();
  };
};

const denied = (c: Context, { decisionId, reasons }: Decision): Response =>
  c.body(
    JSON.stringify({
      type: 'urn:askfirst:problem:denied',
      title: 'Not permitted',
      status: 403,
      detail: reasons.map(({ person }) => person).join(' '),
      code: 'denied',
      decisionId,
      reasons: reasons.map(({ code, person }) => ({ code, person })),
    }),
    403,
    { 'content-type': 'application/problem+json' },
  );

/** A delivery is a few hundred bytes; who sends it is known only after it is read. */
const deliveryLimitBytes = 65_536;

/** The handler of this component's webhook: `app.post('/askfirst', obligationsRoute(client, doIt))`. */
export const obligationsRoute = (
  client: Pick<Askfirst, 'onObligation'>,
  handler: ObligationHandler,
): MiddlewareHandler => {
  const receive = client.onObligation(handler);
  const limited = bodyLimit({ maxSize: deliveryLimitBytes, onError: (c) => c.body(null, 413) });
  return (c) =>
    limited(c, async () => {
      const { status, body, error } = await receive(await c.req.text(), c.req.raw.headers);
      if (error !== undefined) throw error;
      c.res = c.json(body, status);
    });
};
