import { Webhook } from 'standardwebhooks';

/**
 * The headers of a Standard Webhooks message: its id (the same at each redelivery, so that a receiver can tell), the moment of this attempt, and
 * one signature per secret that is valid now.
 */
export const webhookHeaders = (
  id: string,
  attemptedAtMs: number,
  body: string,
  secrets: readonly string[],
): Record<string, string> => ({
  'content-type': 'application/json',
  'user-agent': 'askfirst',
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(attemptedAtMs / 1000)),
  // oxlint-disable-next-line no-restricted-globals -- the package takes a Date
  'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, new Date(attemptedAtMs), body)).join(' '),
});
