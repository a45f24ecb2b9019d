import fc from 'fast-check';
import { z } from 'zod';
import { factsSchema } from '../../src/policies/facts.ts';
import type { Facts } from '../../src/policies/facts.ts';

/** Every value that a schema of facts lets through, read off the schema: nothing that is valid is left out. */
function arbitraryOf(schema: z.ZodType, words: readonly string[]): fc.Arbitrary<unknown> {
  if (schema instanceof z.ZodOptional)
    return fc.option(arbitraryOf(schema.unwrap() as z.ZodType, words), { nil: undefined });
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...(schema.options as string[]));
  if (schema instanceof z.ZodNumber) {
    const whole = schema.isInt;
    const { minValue, maxValue } = schema;
    const min = minValue !== null && Number.isFinite(minValue) ? Math.max(minValue, -1000) : -1000;
    const max = maxValue !== null && Number.isFinite(maxValue) ? Math.min(maxValue, 1000) : 1000;
    return whole
      ? fc.integer({ min, max: Math.min(max, 40) })
      : fc.oneof(fc.constantFrom(min, max), fc.double({ min, max, noNaN: true }));
  }
  if (schema instanceof z.ZodString) return fc.constantFrom(...words);
  if (schema instanceof z.ZodArray) {
    const item = schema.element as z.ZodType;
    return item instanceof z.ZodEnum
      ? fc.subarray(item.options as string[])
      : fc.array(arbitraryOf(item, words), { maxLength: 3 });
  }
  if (schema instanceof z.ZodObject) {
    const members = Object.entries(schema.shape).map(([name, member]) => [
      name,
      arbitraryOf(member as z.ZodType, words),
    ]);
    return fc
      .record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>)
      .map((object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
  }
  throw new TypeError('facts hold a kind of schema that this generator does not know');
}

/** Any facts that pass the schema; `words` are the values of what the schema leaves open (purposes, platforms, channels). */
export const arbitraryFacts = (words: readonly string[]): fc.Arbitrary<Facts> =>
  arbitraryOf(factsSchema, words).map((facts) => factsSchema.parse(facts));
