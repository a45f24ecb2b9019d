import { Webhook } from 'standardwebhooks';

/** What a component has to do because something changed for a person. Times are RFC 3339, UTC. */
export type Obligation = {
  obligationId: string;
  dueAt: string;
  /** The identifiers by which the component knows the person; absent where they are erased already. */
  customer?: string;
  identity?: string;
} & (
  | { kind: 'unlink'; linkId: string; purpose: string }
  /** Stop using data for the purpose within the scope (dimension -> value; empty: everywhere). */
  | { kind: 'stop'; purpose: string; scope: Record<string, string> }
  /**
   * Tell the person what was collected about them (Art. 14 GDPR): by `dueAt`, which may come earlier later on, and at the first contact or
   * disclosure at the latest. `source`: where the data come from, in a word.
   */
  | { kind: 'inform'; purpose: string; collectedAt: string; source?: string }
  /** One that this version does not know, by its `type` on the wire: throw, so that it stays open. */
  | { kind: 'unknown'; type: string }
);

/** Which notice a person was shown, and how: what proves that they were informed. */
export type Informed = {
  notice: { version: number; language: 'de' | 'fr' | 'it' | 'en' };
  method: 'web-form' | 'hosted-page' | 'app' | 'email' | 'direct-message' | 'phone' | 'in-person' | 'paper';
};

/**
 * Does what the obligation asks. Resolving acknowledges it for good; resolving with `'later'` only takes the delivery, and
 * `acknowledge` follows; throwing has it delivered again. It comes at least once: doing it twice must do no harm. The service
 * waits ten seconds for the answer. One to inform is acknowledged by resolving with what the person was shown; without that it stays open.
 */
export type ObligationHandler = (obligation: Obligation) => Promise<void | 'later' | Informed>;

/** The answer to a delivery, to be sent as it is; `error` is what the handler threw, for the component's own log. */
export type Receipt = {
  status: 200 | 400 | 401 | 500;
  body: { acknowledged: boolean } & Partial<Informed>;
  error?: unknown;
};

/** Takes the body as it arrived, byte for byte, and the request's headers. Never rejects. */
export type ObligationReceiver = (
  rawBody: string | Uint8Array,
  headers: Headers | Record<string, string | string[] | undefined>,
) => Promise<Receipt>;

/**
 * A receiver of signed deliveries (Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body; five minutes of
 * tolerance). Each secret counts, so that a new one can be taken up before the old one ends.
 *
 * @throws if there is no secret, or one that is not base64
 */
export const obligationReceiver = (secrets: readonly string[], handler: ObligationHandler): ObligationReceiver => {
  if (secrets.length === 0) throw new TypeError('onObligation needs webhookSecrets');
  const webhooks = secrets.map((secret) => new Webhook(secret));

  return async (rawBody, headers) => {
    // The bytes are what was signed: a byte order mark stays.
    const body = typeof rawBody === 'string' ? rawBody : new TextDecoder('utf-8', { ignoreBOM: true }).decode(rawBody);
    if (!webhooks.some((webhook) => isSigned(webhook, body, headers))) return refusal(401);
    const obligation = readDelivery(body);
    if (!obligation) return refusal(400);
    try {
      const done = await handler(obligation);
      const informed = typeof done === 'object' ? done : undefined;
      const acknowledged = done !== 'later' && (obligation.kind !== 'inform' || informed !== undefined);
      return { status: 200, body: { acknowledged, ...informed } };
    } catch (error) {
      return { ...refusal(500), error };
    }
  };
};

const refusal = (status: 400 | 401 | 500): Receipt => ({ status, body: { acknowledged: false } });

const isSigned = (webhook: Webhook, body: string, headers: Parameters<ObligationReceiver>[1]): boolean => {
  const header = (name: string): string => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    return typeof value === 'string' ? value : '';
  };
  try {
    webhook.verify(
      body,
      {
        'webhook-id': header('webhook-id'),
        'webhook-timestamp': header('webhook-timestamp'),
        'webhook-signature': header('webhook-signature'),
      },
      { jsonParse: false },
    );
    return true;
  } catch {
    return false;
  }
};

const readDelivery = (body: string): Obligation | undefined => {
  try {
    return readObligation(JSON.parse(body));
  } catch {
    return undefined;
  }
};

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Reads the message that carries an obligation, the same by webhook and by pull: `{type, timestamp, data}`. */
export const readObligation = (message: unknown): Obligation | undefined => {
  const { type, data } = (message ?? {}) as Record<string, unknown>;
  const { obligationId, dueAt, purpose, linkId, scope, collectedAt, source, customer, identity } = (data ??
    {}) as Record<string, unknown>;
  if (!isText(type) || !isText(obligationId) || !isText(dueAt)) return undefined;
  const common = {
    obligationId,
    dueAt,
    ...(isText(customer) && { customer }),
    ...(isText(identity) && { identity }),
  };
  switch (type) {
    case 'obligation.unlink':
      return isText(linkId) && isText(purpose) ? { ...common, kind: 'unlink', linkId, purpose } : undefined;
    case 'obligation.stop':
      return isText(purpose) && typeof scope === 'object' && scope !== null
        ? { ...common, kind: 'stop', purpose, scope: scope as Record<string, string> }
        : undefined;
    case 'obligation.inform':
      return isText(purpose) && isText(collectedAt)
        ? { ...common, kind: 'inform', purpose, collectedAt, ...(isText(source) && { source }) }
        : undefined;
    default:
      return { ...common, kind: 'unknown', type };
  }
};
