import type { z } from 'zod';
import { consentSchemas } from './consent/index.ts';
import { decisionsSchemas } from './decisions/index.ts';
import { personalMembers } from './kernel/log.ts';
import { reviewSchemas } from './linkage/index.ts';
import { contextSchema } from './policies/index.ts';
import { portalSchemas } from './portal/index.ts';
import { staffSchemas } from './staff/index.ts';
import { subjectsSchemas } from './subjects/index.ts';
import { systemsSchemas } from './systems/index.ts';

const isSchema = (value: unknown): value is z.ZodType => typeof value === 'object' && value !== null && '_zod' in value;

/** The names of every member that any schema of the API marks as personal: what the log never shows. */
export const personalSchemas = (): ReadonlySet<string> =>
  personalMembers(
    [
      consentSchemas,
      decisionsSchemas,
      subjectsSchemas,
      systemsSchemas,
      staffSchemas,
      portalSchemas,
      reviewSchemas,
      { contextSchema },
    ].flatMap((room) => Object.values(room).filter(isSchema)),
  );
