import { z } from 'zod';
import { personal } from '../kernel/personal.ts';
import { languages } from '../policies/index.ts';
import { actorSchema, identifierSchema, momentSchema, statedMomentSchema, uuidSchema } from '../subjects/index.ts';
import type { Scope } from './answers.ts';
import { methods } from './commit-events.ts';

const value = z.string().min(1).max(64);
/** zod calls every optional member `T | undefined`; a scope never holds undefined, because JSON cannot say it. */
export const scopeSchema = z
  .strictObject({ platform: value, channel: value, topic: value, form: value, recipient: value })
  .partial()
  .meta({
    id: 'ConsentScope',
    description: 'What the answer is narrowed to; a dimension left out means all of it',
  }) as unknown as z.ZodType<Scope, Scope>;

/**
 * How a person answered, as a system may state it of what it heard itself. Only our own pages, the signal of a browser and an import know
 * better (`methods`), and what they say is judged otherwise.
 */
const answerMethodSchema = z
  .enum(methods)
  .exclude(['hosted-page', 'one-click', 'gpc', 'import'])
  .meta({ description: 'How the person answered' });
const noMethodSchema = z
  .enum(methods)
  .exclude(['hosted-page', 'gpc', 'import'])
  .meta({ description: 'How the person answered; `one-click`: by the button of a mail (RFC 8058)' });

const common = {
  subject: identifierSchema.meta({ description: 'The person, by an identifier that this system may use' }),
  scope: scopeSchema.default({}),
  occurredAt: statedMomentSchema
    .optional()
    .meta({ description: 'When the person answered, if not now', examples: ['2026-11-21T09:30:00Z'] }),
  evidence: personal(
    z
      .string()
      .min(1)
      .max(4_000)
      .meta({ description: 'Where the answer can be found again: sealed under the key of the person' }),
  ).optional(),
  actor: actorSchema.optional(),
};

const purposeSchema = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'Purpose of the active policy set', examples: ['newsletter'] });

export const consentInputSchema = z
  .strictObject({
    ...common,
    method: answerMethodSchema,
    purpose: purposeSchema,
    confirmAt: identifierSchema.optional().meta({
      description:
        'A mailbox (`email:…`) to which the code of a double opt-in goes. A purpose that asks for one needs it for a yes by e-mail that was typed into a form; `subject` is taken where it is a mailbox',
      'x-personal-data': true,
    }),
    guardian: z.strictObject({ confirmAt: identifierSchema.optional() }).optional().meta({
      description:
        'The answer is that of a parent or guardian (Art. 8 GDPR), who confirms a yes by the code in a mail to `confirmAt`, or was seen by whoever wrote it down (`evidence`)',
    }),
    campaign: z
      .string()
      .max(64)
      .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      .optional()
      .meta({ description: 'What the person was asked on the occasion of' }),
    decision: z.enum(['given', 'refused', 'informed']).meta({
      description:
        'given and refused answer a question for consent; informed notes that the person was told of a purpose on another basis, within which given chooses (the channel of a contract)',
    }),
    notice: z
      .strictObject({
        version: z.int().min(1),
        language: z.enum(languages),
        hash: z
          .string()
          .regex(/^[0-9a-fA-F]{64}$/)
          .optional()
          .meta({ description: 'SHA-256 (hex) of the words as they were shown; compared with those of the notice' }),
      })
      .meta({ description: 'Which words the person saw' }),
  })
  .meta({
    id: 'ConsentInput',
    examples: [
      {
        subject: 'crm:4711',
        purpose: 'profile-linking',
        scope: { platform: 'facebook' },
        decision: 'given',
        notice: { version: 1, language: 'de' },
        method: 'web-form',
      },
    ],
  });

export const noInputSchema = z
  .strictObject({
    ...common,
    method: noMethodSchema,
    purpose: z
      .string()
      .min(1)
      .max(64)
      .meta({ description: 'A purpose, or `*` for everything', examples: ['profile-linking'] }),
    guardian: z
      .strictObject({})
      .optional()
      .meta({ description: 'The no is that of a parent or guardian; the own word of a child stands above it' }),
  })
  .meta({
    id: 'NoInput',
    examples: [
      { subject: 'crm:4711', purpose: 'profile-linking', scope: { platform: 'facebook' }, method: 'web-form' },
    ],
  });

export const eventSchema = z
  .object({
    id: uuidSchema,
    subjectId: uuidSchema,
    subjectSeq: z.int().meta({ description: 'Grows with each change of this subject' }),
    purpose: z.string(),
    scope: scopeSchema,
    action: z.enum(['give', 'confirm', 'refuse', 'inform', 'withdraw', 'object']),
    answer: z.enum(['yes', 'no', 'informed', 'pending', 'request', 'unproven']).meta({
      description:
        'What it means: `pending` waits for its confirmation, `request` is a no that the legal basis gives no right to, `unproven` an imported yes without evidence; none of these permits anything',
    }),
    by: z.enum(['self', 'guardian']),
    notice: z.object({ version: z.int(), language: z.string(), hash: z.string() }).nullable(),
    method: z.string(),
    system: z.string(),
    occurredAt: momentSchema,
    recordedAt: momentSchema,
    expiresAt: momentSchema.nullable(),
    confirms: uuidSchema.nullable().meta({ description: 'The pending yes that this one confirms' }),
    campaign: z.string().nullable(),
    policyDigest: z.string(),
  })
  .meta({ id: 'ConsentEvent' });

export const confirmInputSchema = z
  .strictObject({
    code: personal(
      z
        .string()
        .min(1)
        .max(64)
        .meta({ description: 'As the person typed it', examples: ['7K3M-Q9TX'] }),
    ),
  })
  .meta({ id: 'ConfirmInput', examples: [{ code: '7K3M-Q9TX' }] });

export const mergeInputSchema = z
  .strictObject({
    subject: identifierSchema.meta({ description: 'The other record, by an identifier that this system may use' }),
    actor: actorSchema.optional(),
  })
  .meta({ id: 'MergeInput', examples: [{ subject: 'crm:4712' }] });

export const mergedSchema = z
  .object({
    subjectId: uuidSchema.meta({ description: 'The record that goes on' }),
    mergedSubjectId: uuidSchema.meta({ description: 'Now an alias of it' }),
  })
  .meta({ id: 'Merged' });

export const birthMonthSchema = z
  .strictObject({
    month: personal(
      z
        .string()
        .regex(/^(19|20)\d\d-(0[1-9]|1[0-2])$/, 'must be a month such as "2012-05"')
        .meta({ description: 'Year and month; the day is nobody’s business', examples: ['2012-05'] }),
    ),
  })
  .meta({ id: 'BirthMonth', examples: [{ month: '2012-05' }] });

export const recordedSchema = z
  .object({
    event: eventSchema,
    receipt: z
      .string()
      .meta({ description: 'ISO/IEC TS 27560 receipt, signed (JWS, ES256): for the person; verifiable offline' }),
  })
  .meta({ id: 'RecordedConsent' });

export const receiptSchema = z.object({ receipt: z.string() }).meta({ id: 'Receipt' });

const statusSchema = z.object({
  result: z.enum(['permit', 'deny']),
  code: z.string(),
  reliedOn: uuidSchema.optional().meta({ description: 'The event that decided' }),
  until: momentSchema.optional().meta({ description: 'When that answer ends' }),
  inheritedFrom: z
    .enum(['broader-scope', 'everything'])
    .optional()
    .meta({ description: 'A broader answer that decided' }),
  ask: z
    .literal(true)
    .optional()
    .meta({ description: 'The order of two answers is in doubt: denied until the person is asked' }),
});

export const standingSchema = z
  .object({
    asOf: momentSchema,
    purposes: z.array(
      z.object({
        purpose: z.string(),
        legalBasis: z.string(),
        scopes: z.array(
          z.object({
            scope: scopeSchema,
            status: statusSchema,
            mayBeAsked: z.boolean().optional().meta({
              description: 'Whether the person may be asked for this consent now; false: they are left in peace',
            }),
            askableFrom: momentSchema
              .optional()
              .meta({ description: 'From when they may be asked again; absent where only they can come back to it' }),
            exceptions: z.array(z.object({ scope: scopeSchema, status: statusSchema })),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'ConsentStanding', description: 'Where a person stands on every purpose, exceptions shown' });

export const historySchema = z
  .object({
    events: z.array(eventSchema),
    nextCursor: z.string().nullable().meta({ description: 'For the next page; null on the last' }),
  })
  .meta({ id: 'ConsentHistory' });

export const historyQuerySchema = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,10}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the nextCursor of a page')
    // What a column of the database can hold: no cursor of ours is larger.
    .refine((cursor) => Number.parseInt(cursor, 10) <= 2_147_483_647, 'must be the nextCursor of a page')
    .optional()
    .meta({ description: 'nextCursor of the page before', examples: ['12.019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11'] }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .default(100)
    .meta({ examples: [100] }),
});

export const asOfQuerySchema = z.object({
  asOf: statedMomentSchema
    .optional()
    .meta({ description: 'As it was recorded up to that moment; now if absent', examples: ['2026-11-21T09:30:00Z'] }),
});

export const purposesSchema = z
  .object({
    policyDigest: z.string(),
    purposes: z.array(
      z.object({
        id: z.string(),
        title: z.record(z.string(), z.string()),
        legalBasis: z.string(),
        dimensions: z.array(z.string()),
        actions: z.array(z.string()),
        validity: z.string().optional(),
        notice: z.object({
          version: z.int(),
          since: z.string(),
          text: z.record(z.string(), z.string()),
          summary: z.record(z.string(), z.string()),
          hash: z.record(z.string(), z.string()).meta({ description: 'SHA-256 (hex) of the text, per language' }),
        }),
      }),
    ),
  })
  .meta({ id: 'Purposes' });
