import { z } from 'zod';
import { actorSchema, identifierSchema, momentSchema, uuidSchema } from '../subjects/index.ts';

export const confirmationSchema = z
  .strictObject({
    leaseId: uuidSchema.meta({ description: 'context.lease.id of the permit' }),
    customer: identifierSchema,
    identity: identifierSchema.meta({
      description: 'The social account by its immutable id',
      examples: ['facebook:1029384756'],
    }),
  })
  .meta({
    id: 'LinkConfirmation',
    examples: [
      { leaseId: '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11', customer: 'crm:4711', identity: 'facebook:1029384756' },
    ],
  });

export const linkSchema = z
  .object({
    linkId: uuidSchema,
    subjectId: uuidSchema,
    status: z.enum(['pending', 'active', 'suspended', 'unlink-due']),
    system: z.string(),
    purpose: z.string(),
    platform: z.string(),
    confirmedAt: momentSchema,
  })
  .meta({ id: 'Link', description: 'The recorded tie of a social identity to a customer' });

export const linksSchema = z.object({ links: z.array(linkSchema) }).meta({ id: 'Links' });

export const unlinkSchema = z
  .strictObject({ actor: actorSchema.optional() })
  .meta({ id: 'UnlinkInput', examples: [{ actor: 'u17' }] });
