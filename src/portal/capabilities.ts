import { z } from 'zod';
import { openCapability, sealCapability } from '../kernel/crypto/capability.ts';
import type { Scope } from '../consent/index.ts';
import { LinkUnknown } from './errors.ts';

const scope = z.record(z.string(), z.string()) as unknown as z.ZodType<Scope>;

/**
 * To say no, and nothing else: to a purpose and scope, or to everything (`*`). It does not expire: withdrawing is possible at any time (Art. 7(3)
 * GDPR), so also from a mail of ten years ago. Whoever else gets hold of it can do no more than that either.
 */
const noSchema = z.strictObject({ kind: z.literal('no'), subjectId: z.guid(), purpose: z.string(), scope });

/** To type the code of a double opt-in, where the hosted page asked for it: `rest` are the other choices, recorded once the mailbox is proved. */
const pendingSchema = z.strictObject({
  kind: z.literal('pending'),
  campaign: z.string(),
  subjectId: z.guid(),
  eventId: z.guid(),
  rest: z.array(scope),
  notice: z.strictObject({ version: z.int(), language: z.enum(['de', 'fr', 'it', 'en']), hash: z.string() }),
  email: z.string(),
});

/** To fetch the receipt of one answer. */
const receiptSchema = z.strictObject({ kind: z.literal('receipt'), subjectId: z.guid(), eventId: z.guid() });

export type NoGrant = z.output<typeof noSchema>;
export type PendingGrant = z.output<typeof pendingSchema>;

/** Seals and opens what a link or a form of these pages may do. `key`: the service's secret `capabilities`. Opening throws LinkUnknown. */
export const createCapabilities = (key: Buffer) => {
  const open =
    <S extends z.ZodType>(schema: S) =>
    (token: string): z.output<S> => {
      const read = schema.safeParse(openCapability(key, token));
      if (!read.success) throw new LinkUnknown();
      return read.data;
    };
  return {
    sealNo: (grant: Omit<NoGrant, 'kind'>) => sealCapability(key, { kind: 'no', ...grant }),
    sealPending: (grant: Omit<PendingGrant, 'kind'>) => sealCapability(key, { kind: 'pending', ...grant }),
    sealReceipt: (grant: { subjectId: string; eventId: string }) => sealCapability(key, { kind: 'receipt', ...grant }),
    openNo: open(noSchema),
    openPending: open(pendingSchema),
    openReceipt: open(receiptSchema),
  };
};

export type Capabilities = ReturnType<typeof createCapabilities>;
