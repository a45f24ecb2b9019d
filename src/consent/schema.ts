import { z } from 'zod';
import { personal } from '../kernel/personal.ts';
import { languages } from '../policies/index.ts';
import { actorSchema, identifierSchema, momentSchema, statedMomentSchema, uuidSchema } from '../subjects/index.ts';
import type { Scope } from './answers.ts';
import { methods } from './record-event.ts';

const value = z.string().min(1).max(64);
/** zod calls every optional member `T | undefined`; a scope never holds undefined, because JSON cannot say it. */
export const scopeSchema = z
  .strictObject({ platform: value, channel: value, topic: value, form: value, recipient: value })
  .partial()
  .meta({
    id: 'ConsentScope',
    description: 'What the answer is narrowed to; a dimension left out means all of it',
  }) as unknown as z.ZodType<Scope, Scope>;

const common = {
  subject: identifierSchema.meta({ description: 'The person, by an identifier that this system may use' }),
  scope: scopeSchema.default({}),
  method: z.enum(methods).meta({ description: 'How the person answered' }),
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
    purpose: purposeSchema,
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
    purpose: z
      .string()
      .min(1)
      .max(64)
      .meta({ description: 'A purpose, or `*` for everything', examples: ['profile-linking'] }),
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
    action: z.enum(['give', 'refuse', 'inform', 'withdraw', 'object']),
    notice: z.object({ version: z.int(), language: z.string(), hash: z.string() }).nullable(),
    method: z.string(),
    system: z.string(),
    occurredAt: momentSchema,
    recordedAt: momentSchema,
    expiresAt: momentSchema.nullable(),
    policyDigest: z.string(),
  })
  .meta({ id: 'ConsentEvent' });

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
    .max(20)
    .regex(/^\d{1,10}$/)
    // What a column of the database can hold: no cursor of ours is larger.
    .refine((digits) => Number(digits) <= 2_147_483_647, 'must be the nextCursor of a page')
    .optional()
    .meta({ description: 'nextCursor of the page before', examples: ['12'] }),
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
