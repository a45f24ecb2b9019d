import { z } from 'zod';
import { personal } from '../kernel/personal.ts';
import { contextSchema } from '../policies/index.ts';
import { identifierSchema, momentSchema, uuidSchema } from '../subjects/index.ts';

const matchSchema = contextSchema.shape.match.unwrap();
const chainSchema = z.array(identifierSchema).max(8).meta({ description: 'What led from one to the other, in order' });
const words = z.string().trim().min(1).max(2_000);
const noteSchema = personal(
  words.meta({ description: 'What a colleague should know; sealed under the key of the customer' }),
);
const answerSchema = z.enum(['same-person', 'not-same-person']);

export const reviewRequestSchema = z
  .strictObject({
    customer: identifierSchema,
    identity: identifierSchema.meta({
      description: 'The social account by its immutable id',
      examples: ['facebook:1029384756'],
    }),
    purpose: z
      .string()
      .min(1)
      .max(64)
      .meta({ examples: ['profile-linking'] }),
    match: matchSchema.meta({ description: 'How the system came to think so' }),
    chain: chainSchema.optional(),
    note: noteSchema.optional(),
  })
  .meta({
    id: 'ReviewRequest',
    examples: [
      {
        customer: 'crm:4711',
        identity: 'facebook:1029384756',
        purpose: 'profile-linking',
        match: { method: 'probabilistic', confidence: 0.93 },
        note: 'Same name and the same photograph of the summit cross',
      },
    ],
  });

const queuedMembers = {
  reviewId: uuidSchema.meta({ description: 'Goes into context.review of the check' }),
  subjectId: uuidSchema.meta({ description: 'The customer' }),
  system: z.string().meta({ description: 'Who asked' }),
  purpose: z.string(),
  requestedAt: momentSchema,
  answer: answerSchema.nullable().meta({ description: 'null: open. It counts for thirty days' }),
  answeredAt: momentSchema.nullable(),
};

export const requestedReviewSchema = z.object(queuedMembers).meta({ id: 'RequestedReview' });

const answeredBy = personal(z.string().nullable().meta({ description: 'Pseudonymous id of the colleague' }));
const listedReviewSchema = z.object({ ...queuedMembers, answeredBy }).meta({ id: 'ListedReview' });

export const reviewsSchema = z
  .object({
    reviews: z.array(listedReviewSchema),
    next: uuidSchema.nullable().meta({ description: '`after` of the next page; null: there is none' }),
  })
  .meta({ id: 'Reviews' });

export const reviewsQuerySchema = z.object({
  status: z
    .enum(['open', 'answered'])
    .default('open')
    .meta({ examples: ['open'] }),
  after: uuidSchema.optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'How many at most', examples: [20] }),
});

export const reviewPathSchema = z.object({ reviewId: uuidSchema });

/** What was sealed is absent once the customer was erased. */
export const reviewSchema = listedReviewSchema
  .extend({
    customer: identifierSchema.optional(),
    identity: identifierSchema.optional(),
    match: matchSchema.optional(),
    chain: chainSchema.optional(),
    note: noteSchema.optional(),
    reason: personal(z.string()).optional(),
  })
  .meta({ id: 'Review', description: 'A likely match that a colleague judges, with both identifiers opened' });

export const reviewAnswerSchema = z
  .strictObject({
    answer: answerSchema,
    reason: personal(words.meta({ description: 'Why; sealed under the key of the customer' })),
  })
  .meta({ id: 'ReviewAnswer', examples: [{ answer: 'same-person', reason: 'She said so on the phone' }] });
