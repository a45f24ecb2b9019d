import { z } from 'zod';
import { requestSchema } from './context.ts';
import { actions, dimensions, legalBases, namings } from './schema.ts';

/**
 * Everything a rule may look at, in one strict schema. Facts hold no identifier, so a stored denial cannot be joined to
 * a person. `request` is what the caller said; every other member comes from the policy set or from recorded state.
 */

/**
 * Where a person stands on (purpose, scope), DESIGN section 6. `live-no` beats all others; `informed` is given only where
 * the legal basis is not consent; the rest say why there is no valid yes.
 */
const consentStates = [
  'valid-yes',
  'informed',
  'live-no',
  'pending',
  'notice-outdated',
  'expired',
  'guardian-missing',
  'nothing-recorded',
  'not-informed',
  'scope-missing',
] as const;

const person = {
  known: z.boolean().meta({ description: 'we have a record of this person' }),
  consent: z.enum(consentStates),
  restricted: z.boolean().meta({ description: 'GDPR Art. 18' }),
  erased: z.boolean().meta({ description: 'GDPR Art. 17' }),
  suppressed: z.boolean().meta({ description: 'erased, and not to be recorded again' }),
};

const asWished = {
  prefersHumans: z.boolean().meta({ description: 'live no to automated replies' }),
  dialogue: z
    .enum(['open', 'refused'])
    .meta({ description: 'whether the person wants to be spoken to so: this topic, on this channel, in this form' }),
  mayBeAsked: z.boolean().meta({
    description: 'what the message asks for is neither given nor about to be, and was not refused, or long enough ago',
  }),
};

const customerSchema = z.strictObject({
  named: z.boolean().meta({ description: 'the request is about a customer' }),
  ...person,
  ...asWished,
  yesNamesPlatform: z.boolean().meta({ description: 'the valid yes is narrowed to the platform of the account' }),
});

const identitySchema = z.strictObject({
  named: z.boolean().meta({ description: 'the request is about a social account' }),
  ...person,
  ...asWished,
  platform: z.string().optional().meta({ description: 'id in platforms.yaml', 'x-refers-to': 'platforms' }),
  naming: z.enum(namings).optional(),
  handleOnly: z.boolean().meta({ description: 'named by its handle, not by its immutable account id' }),
  shared: z.boolean().meta({ description: 'several persons use it' }),
  controlProved: z.boolean().meta({ description: "the customer's own subject proved control of the account" }),
});

const hopSchema = z.strictObject({
  ...person,
  namespace: z.string().meta({ description: 'email, phone, a platform or a system', 'x-refers-to': 'namespaces' }),
});

const purposeFactsSchema = z.strictObject({
  known: z.boolean(),
  retired: z.boolean().meta({ description: 'no longer in use' }),
  id: z.string().optional().meta({ 'x-refers-to': 'purposes' }),
  legalBasis: z.enum(legalBases).optional(),
  highRisk: z.boolean(),
  specialCategories: z.boolean(),
  automatedDecisions: z.boolean(),
  actionServed: z.boolean().meta({ description: 'the action is one that the purpose is for' }),
  missingDimensions: z.array(z.enum(dimensions)).meta({ description: 'declared by the purpose, not named' }),
  unknownValues: z.array(z.enum(dimensions)).meta({ description: 'named with a value that does not exist' }),
  forwardCompatible: z.boolean().meta({ description: 'GDPR Art. 6(4): forwarded for this or a compatible purpose' }),
});

export const factsSchema = z
  .strictObject({
    action: z.enum(actions),
    resource: z.enum(['customer', 'social_identity', 'aggregate']).meta({ description: 'AuthZEN resource type' }),
    controller: z.strictObject({ minimumCellSize: z.int() }),
    system: z.strictObject({
      granted: z.boolean().meta({ description: 'systems.yaml lets it do this for this purpose' }),
    }),
    purpose: purposeFactsSchema,
    request: requestSchema,
    customer: customerSchema,
    identity: identitySchema,
    /** The link between the two sides. */
    link: z.enum(['none', 'pending', 'active', 'suspended', 'unlink-due']),
    review: z
      .enum(['none', 'open', 'same-person', 'not-same-person'])
      .meta({ description: 'what a colleague found who looked at whether account and customer are one person' }),
    chain: z.array(hopSchema).meta({ description: 'what led to the account, in order; each hop a person of its own' }),
  })
  .meta({ id: 'Facts', description: 'everything a rule looked at' });

export type Facts = z.output<typeof factsSchema>;
export type CustomerFacts = Facts['customer'];
export type IdentityFacts = Facts['identity'];
export type PurposeFacts = Facts['purpose'];

const nobody = {
  named: false,
  known: false,
  consent: 'nothing-recorded',
  restricted: false,
  erased: false,
  suppressed: false,
  prefersHumans: false,
  dialogue: 'open',
  mayBeAsked: true,
} as const;

/** The customer's side of a request that names no customer. */
export const noCustomer: CustomerFacts = Object.freeze({ ...nobody, yesNamesPlatform: false });

/** The account's side of a request that names no account. */
export const noIdentity: IdentityFacts = Object.freeze({
  ...nobody,
  handleOnly: false,
  shared: false,
  controlProved: false,
});
