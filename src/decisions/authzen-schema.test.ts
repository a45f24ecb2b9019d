import { expect, test } from 'vitest';
import { z } from 'zod';
import * as schemas from './schema.ts';

const documented = Object.entries(schemas).flatMap(([name, schema]) =>
  schema instanceof z.ZodType && schema.meta()?.id !== undefined ? [[name, schema] as const] : [],
);

test.each(documented)('%s describes itself and takes its own examples as they stand', (_, schema) => {
  const { description, examples } = schema.meta()!;
  expect(description).toBeTypeOf('string');
  for (const example of (examples ?? []) as unknown[]) expect(schema.parse(example)).toEqual(example);
});

test('what a request says of persons is marked as personal', () => {
  const shape = schemas.accessEvaluationRequestSchema.shape;
  const marked = [shape.subject.shape.id, shape.resource.shape.id, shape.context.unwrap()];
  for (const schema of marked) expect(schema.meta()).toMatchObject({ 'x-personal-data': true });
});

test('no answer carries a member that its schema does not name', () => {
  const answer = { decision: false, context: { decisionId: 'x', secret: 'eva@example.org' }, secret: 1 };
  expect(schemas.decisionSchema.parse(answer)).toEqual({ decision: false, context: { decisionId: 'x' } });
});
