import { z } from 'zod';
import { casesSchema, controllerSchema, jurisdictionSchema, platformsSchema, purposeSchema } from './schema.ts';
import { rulesSchema, systemsSchema } from './schema.ts';

/**
 * All that a policy folder says, in one value: what the digest covers and what the database stores. The lists are sorted,
 * so that neither the division into files nor the order within one changes the digest.
 */
export const contentSchema = z.strictObject({
  format: z.literal(1),
  controller: controllerSchema,
  jurisdictions: z.array(jurisdictionSchema),
  platforms: platformsSchema.shape.platforms,
  systems: systemsSchema.shape.systems,
  purposes: z.array(purposeSchema),
  rules: rulesSchema.shape.rules,
  cases: casesSchema.shape.cases,
});
export type Content = z.output<typeof contentSchema>;
export type Collection = Exclude<keyof Content, 'format' | 'controller'>;
