import type { z } from 'zod';
import { answer } from './answer.ts';
import type { HttpContext } from './env.ts';

/**
 * Answers with JSON that has gone through its schema: a member that the schema does not name never reaches the client,
 * whatever a verb returned (zod-openapi checks no responses). A value that does not fit is our mistake, hence a 500.
 */
export const respond = <S extends z.ZodType>(
  c: HttpContext,
  schema: S,
  value: z.input<S>,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response => answer(c, status, JSON.stringify(schema.parse(value)), 'application/json', headers);
