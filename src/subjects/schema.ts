import { z } from 'zod';
import { personal } from '../kernel/personal.ts';

export const identifierSchema = personal(
  z
    .string()
    .min(3)
    .max(320)
    .meta({
      description: 'Identifier `namespace:value`; a platform identity by its immutable account id',
      examples: ['crm:4711'],
    }),
);

export const momentSchema = z.iso
  .datetime({ offset: true })
  .meta({ description: 'RFC 3339', examples: ['2026-11-21T09:30:00Z'] });
const isKeepable = (text: string): boolean => {
  try {
    const ms = Temporal.Instant.from(text).epochMilliseconds;
    return ms >= -62_135_596_800_000 && ms < 253_402_300_800_000;
  } catch {
    return false;
  }
};

/** A moment as somebody states it: one that `Temporal` and PostgreSQL both can hold and write with four digits of a year. */
export const statedMomentSchema = momentSchema
  .refine(isKeepable, 'must be a moment of the years 1 to 9999 in UTC, to the nanosecond at most')
  .meta({ ...momentSchema.meta(), format: 'date-time' });
export const uuidSchema = z.guid().meta({ format: 'uuid', examples: ['019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11'] });
export const subjectPathSchema = z.object({
  subjectId: uuidSchema.meta({
    description: 'Pseudonymous id of the subject',
    examples: ['019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11'],
  }),
});
export const actorSchema = personal(
  z
    .string()
    .min(1)
    .max(128)
    .meta({ description: 'The colleague on whose behalf the system acts: an id, no name', examples: ['u17'] }),
);

export const registrationSchema = z
  .strictObject({
    identifiers: z
      .array(
        z.strictObject({
          identifier: identifierSchema,
          shared: z
            .boolean()
            .optional()
            .meta({ description: 'Used by several persons (a family’s mailbox): proves nothing' }),
          observedAt: statedMomentSchema
            .optional()
            .meta({ description: 'When a handle was seen at the account; now if absent' }),
        }),
      )
      .min(1)
      .max(20),
  })
  .meta({
    id: 'SubjectRegistration',
    examples: [{ identifiers: [{ identifier: 'crm:4711' }, { identifier: 'email:eva@example.org' }] }],
  });

export const registeredSchema = z
  .object({ subjectId: uuidSchema, created: z.boolean().meta({ description: 'false: the subject was known already' }) })
  .meta({ id: 'RegisteredSubject' });

export const lookUpSchema = z
  .strictObject({ identifier: identifierSchema })
  .meta({ id: 'SubjectLookUp', examples: [{ identifier: 'crm:4711' }] });

export const foundSchema = z.object({ subjectId: uuidSchema }).meta({ id: 'FoundSubject' });

export const challengeRequestSchema = z
  .strictObject({ customer: identifierSchema, account: identifierSchema })
  .meta({ id: 'ChallengeRequest', examples: [{ customer: 'crm:4711', account: 'facebook:1029384756' }] });

export const challengeSchema = z
  .object({
    challengeId: uuidSchema,
    code: z.string().meta({ description: 'For the eyes of that person only: to be sent or posted from the account' }),
    expiresAt: momentSchema,
  })
  .meta({ id: 'Challenge' });

export const codeSeenSchema = z
  .strictObject({
    account: identifierSchema.meta({ description: 'The account on which the code was seen, by its immutable id' }),
    code: personal(z.string().min(1).max(64)),
    handle: identifierSchema.optional().meta({ description: 'What the account called itself then, `x:@eva`' }),
    observedAt: statedMomentSchema.optional(),
  })
  .meta({
    id: 'CodeSeen',
    examples: [{ account: 'facebook:1029384756', code: '7K2M-9QXD', handle: 'facebook:@eva.muster' }],
  });

export const controlProvedSchema = z
  .object({
    subjectId: uuidSchema.meta({ description: 'Who is proved to control the account' }),
    provedAt: momentSchema,
  })
  .meta({ id: 'ControlProved' });
