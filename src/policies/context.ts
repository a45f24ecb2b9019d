import { z } from 'zod';
import { personal } from '../kernel/personal.ts';

/**
 * The vocabulary of the AuthZEN `context`: what a caller may say about its request. Strict, because a misspelt condition
 * must not widen (an unknown member denies `facts-invalid`). Whatever the service knows by itself (consent, restriction,
 * proof of control, links) has no member here, so a caller cannot claim it.
 */

const identifier = personal(
  z
    .string()
    .max(320)
    .regex(/^[a-z][a-z0-9-]{0,31}:[^\s\p{Cc}](?:[^\p{Cc}]*[^\s\p{Cc}])?$/u, 'namespace:value, for example "crm:4711"')
    .meta({ description: 'identifier `namespace:value`', examples: ['crm:4711', 'x:44196397'] }),
);

const slug = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
const listOf = <S extends z.ZodType>(schema: S) =>
  z
    .array(schema)
    .max(32)
    .refine((items) => new Set(items).size === items.length, 'each entry once');

const roles = ['agent', 'moderator', 'editor', 'analyst', 'marketer', 'manager', 'automation'] as const;

/** How a caller came to believe that an account is a customer's. Only recorded proof of control counts as proof. */
const matchMethods = ['proved', 'declared', 'inferred', 'same-identifier', 'same-name', 'probabilistic'] as const;

/** Who may see the material that is used; `internal` is the controller's own record and no social material at all. */
const visibilities = ['public', 'followers', 'members', 'private', 'internal'] as const;

const dataSources = [
  'own-records',
  'posts',
  'comments',
  'reviews',
  'criticism',
  'messages',
  'profile-page',
  'likes',
  'follows',
  'friends',
  'prizes',
  'group-statistics',
  'bought-data',
] as const;

/** GDPR Art. 9(1), Art. 10 and the grounds of discrimination of Art. 21 of the EU Charter. */
const protectedAttributes = [
  'ethnic-origin',
  'political-opinion',
  'religion',
  'trade-union-membership',
  'genetic-data',
  'biometric-data',
  'health',
  'sex-life',
  'sexual-orientation',
  'criminal-record',
  'sex',
  'age',
  'disability',
  'nationality',
  'social-origin',
] as const;

const claimedGrounds = [
  'like',
  'follow',
  'prize-draw',
  'friend',
  'public-post',
  'platform-terms',
  'silence',
  'bought-list',
] as const;

const confidence = z.number().min(0).max(1);

/** What passes from the caller into the facts as it stands: no identifier among it. */
const stated = {
  match: z.strictObject({ method: z.enum(matchMethods), confidence: confidence.optional() }).optional(),
  nickname: z.boolean().optional().meta({ description: 'the account goes by a nickname' }),
  visibility: z.enum(visibilities).optional().meta({ description: 'who may see the material that is used' }),
  channel: slug.optional().meta({ 'x-refers-to': 'channels' }),
  topic: slug.optional().meta({ 'x-refers-to': 'topics' }),
  form: slug.optional().meta({ 'x-refers-to': 'forms' }),
  recipient: slug.optional().meta({ 'x-refers-to': 'recipients' }),
  inReplyTo: z
    .strictObject({ openedBySubject: z.boolean(), days: z.number().min(0) })
    .optional()
    .meta({ description: 'the thread that is answered, and how many days ago the person last wrote in it' }),
  marketing: z.boolean().optional().meta({ description: 'the message advertises something' }),
  automated: z.boolean().optional().meta({ description: 'no human reads it before it is sent' }),
  botDisclosed: z.boolean().optional().meta({ description: 'the message says that a program wrote it' }),
  asksForHuman: z.boolean().optional().meta({ description: 'the person asked for a human in this thread' }),
  sources: listOf(z.enum(dataSources)).optional().meta({ description: 'what is evaluated' }),
  protectedAttributes: listOf(z.enum(protectedAttributes)).optional().meta({ description: 'those that are used' }),
  produces: z.enum(['aggregate', 'segment', 'recommendation', 'score', 'prediction', 'ranking']).optional(),
  consequence: z.enum(['none', 'benefit', 'detriment']).optional().meta({ description: 'for the person' }),
  claimedGround: z.enum(claimedGrounds).optional().meta({ description: 'what the caller takes for an agreement' }),
  cellSize: z.int().min(0).optional().meta({ description: 'persons in the smallest cell of the statistic' }),
  upload: z.enum(['customer-list', 'hashed-list']).optional().meta({ description: 'a list handed to a platform' }),
};

export const requestSchema = z.strictObject({
  ...stated,
  role: z.enum(roles).optional(),
  asksForConsent: z.boolean().optional().meta({ description: 'the message asks for consent to a purpose' }),
});
/** What the caller says about its request, without identifiers. */
export type RequestFacts = z.output<typeof requestSchema>;

export const contextSchema = z
  .strictObject({
    purpose: slug,
    customer: identifier.optional(),
    actor: z
      .strictObject({ id: personal(z.string().min(1).max(128)), role: z.enum(roles) })
      .optional()
      .meta({ description: 'the colleague, or the program, on whose behalf the system asks' }),
    chain: z
      .array(identifier)
      .min(1)
      .max(8)
      .optional()
      .meta({ description: 'identifiers that led from the customer to the account, in order' }),
    platform: slug.optional().meta({ description: 'only where the resource does not name it' }),
    forward: z
      .strictObject({ department: slug, purpose: slug })
      .optional()
      .meta({ description: 'who gets the material, and for what' }),
    asksFor: slug.optional().meta({ description: 'the message asks for consent to this purpose' }),
    review: z.uuid().optional().meta({ description: 'the human review of a likely match' }),
    ...stated,
  })
  .meta({
    id: 'EvaluationContext',
    description: 'what a caller may say about its request; any other member denies facts-invalid',
    examples: [
      {
        purpose: 'profile-linking',
        customer: 'crm:4711',
        actor: { id: 'u17', role: 'agent' },
        match: { method: 'declared' },
        chain: ['email:eva@example.org', 'x:44196397'],
      },
    ],
  });
export type Context = z.output<typeof contextSchema>;
