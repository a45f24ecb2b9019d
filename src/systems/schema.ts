import { z } from 'zod';
import { personal } from '../kernel/personal.ts';

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
  cause: z.string().meta({ description: 'What ended the ground, such as withdrawn' }),
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

export const obligationMessageSchema = z.discriminatedUnion('type', [unlinkMessageSchema, stopMessageSchema]);

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
    withdrawalToSilenceMs: z.number().meta({ description: 'Milliseconds from the withdrawal until then' }),
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
