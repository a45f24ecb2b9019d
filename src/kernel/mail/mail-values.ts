import { seal, unseal } from '../crypto/key-encryption.ts';

/** A mail as it goes out: plain text only, since nothing may be loaded from elsewhere or measured. */
export type MailContent = { to: string; subject: string; text: string; headers?: Record<string, string> };

/**
 * The row of table `mail` that owes a person a mail, for the change that owes it. `key` is the person's own; nothing is sent after
 * `endsAt`.
 */
export const mailValues = (
  key: Buffer,
  about: { id: string; kind: string; content: MailContent; now: Temporal.Instant; endsAt: Temporal.Instant },
) => ({
  id: about.id,
  kind: about.kind,
  sealed: seal(key, Buffer.from(JSON.stringify(about.content)), `mail:${about.id}`),
  endsAt: about.endsAt.toString(),
  nextAttemptAt: about.now.toString(),
  attempts: 0,
  leaseToken: 0,
});

/** The mail of such a row. Throws KeyUnusable. */
export const openMail = (key: Buffer, id: string, sealed: Buffer): MailContent =>
  JSON.parse(unseal(key, sealed, `mail:${id}`).toString()) as MailContent;
