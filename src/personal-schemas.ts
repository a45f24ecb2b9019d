import { personalMembers } from './kernel/log.ts';
import * as consent from './consent/schema.ts';
import * as decisions from './decisions/schema.ts';
import { contextSchema } from './policies/index.ts';
import * as subjects from './subjects/schema.ts';
import * as systems from './systems/schema.ts';

/** The names of every member that any schema of the API marks as personal: what the log never shows. */
export const personalSchemas = (): ReadonlySet<string> =>
  personalMembers(
    [...[consent, decisions, subjects, systems].flatMap((room) => Object.values(room)), contextSchema].filter(isSchema),
  );

const isSchema = (
  value: unknown,
): value is Parameters<typeof personalMembers>[0] extends Iterable<infer S> ? S : never =>
  typeof value === 'object' && value !== null && '_zod' in value;
