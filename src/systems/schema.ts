import { z } from 'zod';
import { methods } from '../consent/index.ts';
import { personal } from '../kernel/personal.ts';
import { languages } from '../policies/index.ts';
import { identifierSchema, statedMomentSchema, uuidSchema } from '../subjects/index.ts';

const moment = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });

export const endpointInputSchema = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .max(2_000)
      .meta({ description: 'Where obligations are posted to; https, a public address, no redirect' }),
  })
  .meta({ id: 'EndpointInput', examples: [{ url: 'https://crm.example.org/askfirst' }] });

export const endpointSchema = z
  .object({
    url: z.string(),
    secret: z.string().meta({ description: 'Verifies the signatures of deliveries (Standard Webhooks). Shown once.' }),
    previousSecretEndsAt: moment
      .nullable()
      .meta({ description: 'Until then deliveries are signed with the secret before as well' }),
  })
  .meta({
    id: 'Endpoint',
    examples: [
      {
        url: 'https://crm.example.org/askfirst',
        secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=',
        previousSecretEndsAt: null,
      },
    ],
  });

const identifier = (whose: string) =>
  personal(z.string())
    .optional()
    .meta({ description: `${whose}, namespace:value; absent when it has been erased`, 'x-personal-data': true });

const common = {
  obligationId: z
    .string()
    .meta({ description: 'The same at each delivery: what was done already is only acknowledged' }),
  subjectId: z.string(),
  customer: identifier('The customer'),
  identity: identifier('The social identity'),
  purpose: z.string(),
  cause: z.string().meta({ description: 'What it comes from, such as withdrawn or collected' }),
  createdAt: moment,
  dueAt: moment.meta({ description: 'After this it is overdue, and visible as such' }),
};

const unlinkMessageSchema = z
  .object({
    type: z.literal('obligation.unlink'),
    timestamp: moment,
    data: z.object({ ...common, linkId: z.string() }),
  })
  .meta({ id: 'UnlinkObligation', description: 'Undo a link' });

const stopMessageSchema = z
  .object({
    type: z.literal('obligation.stop'),
    timestamp: moment,
    data: z.object({
      ...common,
      scope: z.record(z.string(), z.string()).meta({ description: 'Dimension to value; empty: everywhere' }),
    }),
  })
  .meta({ id: 'StopObligation', description: 'Stop using data for a purpose' });

const sourceSchema = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
  .meta({
    description: 'Where the data come from (Art. 14(2)(f) GDPR), in a word and never by a name',
    examples: ['facebook'],
  });

const informMessageSchema = z
  .object({
    type: z.literal('obligation.inform'),
    timestamp: moment,
    data: z.object({ ...common, collectedAt: moment, source: sourceSchema.optional() }),
  })
  .meta({
    id: 'InformObligation',
    description:
      'Tell the person of what was collected about them (Art. 14 GDPR): within a month, and at the first contact or disclosure at the latest. It may come again with an earlier dueAt',
  });

export const obligationMessageSchema = z.discriminatedUnion('type', [
  unlinkMessageSchema,
  stopMessageSchema,
  informMessageSchema,
]);

export const informedSchema = z
  .strictObject({
    notice: z.strictObject({ version: z.int().min(1).max(2_147_483_647), language: z.enum(languages) }),
    method: z
      .enum(methods)
      .exclude(['gpc', 'import', 'one-click'])
      .meta({ description: 'How the person was told', examples: ['direct-message'] }),
  })
  .meta({
    id: 'Informed',
    description: 'What the person was shown, and how. Needed where the obligation is to inform, of no use elsewhere',
    examples: [{ notice: { version: 1, language: 'en' }, method: 'direct-message' }],
  });

export const collectionSchema = z
  .strictObject({
    subject: identifierSchema.meta({
      description: 'The person about whom something was collected: an account by its immutable id, or a customer',
      examples: ['x:44196397'],
    }),
    purpose: z
      .string()
      .min(1)
      .max(64)
      .meta({ examples: ['campaign-participation'] }),
    collectedAt: statedMomentSchema.optional().meta({ description: 'RFC 3339; now if absent', format: 'date-time' }),
    source: sourceSchema.optional(),
  })
  .meta({
    id: 'Collection',
    examples: [
      { subject: 'x:44196397', purpose: 'campaign-participation', collectedAt: '2026-01-31T09:30:00Z', source: 'x' },
    ],
  });

export const collectedSchema = z
  .object({
    subjectId: uuidSchema,
    inform: z.object({ obligationId: uuidSchema, dueAt: moment }).nullable().meta({
      description: 'What the system owes now; null where the person knows already, or another system has to tell them',
    }),
  })
  .meta({ id: 'ReportedCollection' });

export const pullQuerySchema = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'How many at most', examples: [20] }),
});

export const pulledSchema = z.object({ obligations: z.array(obligationMessageSchema) }).meta({
  id: 'PulledObligations',
  examples: [
    {
      obligations: [
        {
          type: 'obligation.unlink',
          timestamp: '2026-06-01T09:30:00.120Z',
          data: {
            obligationId: '0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e',
            subjectId: '0198c1ef-1111-7c1a-9d0e-1f2a3b4c5d6e',
            customer: 'crm:4711',
            identity: 'facebook:1029384756',
            purpose: 'profile-linking',
            cause: 'withdrawn',
            createdAt: '2026-06-01T09:30:00.120Z',
            dueAt: '2026-06-02T09:30:00.120Z',
            linkId: '0198c1ee-2222-7c1a-9d0e-1f2a3b4c5d6e',
          },
        },
      ],
    },
  ],
});

export const obligationPathSchema = z.object({
  obligationId: z.uuid().meta({ examples: ['0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e'] }),
});

export const acknowledgementSchema = z
  .object({
    obligationId: z.string(),
    acknowledgedAt: moment.meta({ description: 'When it was acknowledged first' }),
    withdrawalToSilenceMs: z
      .number()
      .meta({ description: 'Milliseconds from its cause, mostly a withdrawal, until then' }),
  })
  .meta({
    id: 'Acknowledgement',
    examples: [
      {
        obligationId: '0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e',
        acknowledgedAt: '2026-06-01T09:30:00.161Z',
        withdrawalToSilenceMs: 41,
      },
    ],
  });
