import { z } from 'zod';
import { consentSchemas } from '../consent/index.ts';
import { identifierSchema, momentSchema, statedMomentSchema } from '../subjects/index.ts';

const { scopeSchema } = consentSchemas;

const subject = identifierSchema.meta({ description: 'The person, by an identifier that this system may use' });
const purpose = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'Purpose of the active policy set', examples: ['newsletter'] });

export const unsubscribeInputSchema = z
  .strictObject({
    mails: z
      .array(z.strictObject({ subject, purpose, scope: scopeSchema.default({}) }))
      .min(1)
      .max(1_000)
      .meta({ description: 'One per mail that is about to be sent: to whom, and what it is sent for' }),
  })
  .meta({
    id: 'UnsubscribeHeadersInput',
    examples: [{ mails: [{ subject: 'crm:4711', purpose: 'newsletter', scope: { channel: 'email' } }] }],
  });

export const unsubscribeHeadersSchema = z
  .object({
    mails: z.array(
      z.object({
        headers: z.object({ 'List-Unsubscribe': z.string(), 'List-Unsubscribe-Post': z.string() }),
        link: z.string().meta({ description: 'The same address, for the text of the mail' }),
      }),
    ),
  })
  .meta({ id: 'UnsubscribeHeaders', description: 'In the order of the request' });

export const noLinkInputSchema = z
  .strictObject({ subject })
  .meta({ id: 'NoLinkInput', examples: [{ subject: 'crm:4711' }] });

export const noLinkSchema = z.object({ url: z.string() }).meta({ id: 'NoLink' });

export const signalInputSchema = z
  .strictObject({
    subject,
    gpc: z.boolean().meta({ description: 'Whether the browser of the person sends Sec-GPC: 1' }),
  })
  .meta({ id: 'SignalInput', examples: [{ subject: 'crm:4711', gpc: true }] });

export const signalSchema = z
  .object({ gpc: z.boolean(), changed: z.boolean().meta({ description: 'false: it was known already' }) })
  .meta({ id: 'Signal' });

export const gpcSupportSchema = z.object({ gpc: z.boolean(), lastUpdate: z.string() }).meta({ id: 'GpcSupport' });

export const campaignPathSchema = z.object({
  campaign: z
    .string()
    .max(64)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'small letters, digits and single hyphens')
    .meta({
      description: 'Small letters, digits, single hyphens: people may have to type it',
      examples: ['summer-fair'],
    }),
});

export const campaignInputSchema = z
  .strictObject({
    purpose,
    scope: scopeSchema.default({}).meta({ description: 'What is asked for; of a dimension left out people choose' }),
    closesAt: statedMomentSchema.optional().meta({ description: 'Until when people are asked; for ever if absent' }),
  })
  .meta({
    id: 'CampaignInput',
    examples: [{ purpose: 'newsletter', scope: { channel: 'email', form: 'newsletter' } }],
  });

export const campaignSchema = z
  .object({
    id: z.string(),
    purpose: z.string(),
    scope: scopeSchema,
    closesAt: momentSchema.nullable(),
    url: z.string().meta({ description: 'The page that asks' }),
    qr: z.string().meta({ description: 'An SVG with a QR code of that address' }),
    print: z.string().meta({ description: 'A page to be printed and hung up' }),
  })
  .meta({ id: 'Campaign' });
