import type { z } from 'zod';
import { problemsOf, RequestInvalid, unfit } from './authzen-errors.ts';

/** Escapes of NUL or of surrogates: in UTF-8 text the only way to either, since JSON wants control characters escaped. */
const suspicious = /\\u(?:0000|d[89a-f])/i;

const holdsBrokenText = (body: unknown): boolean => {
  const pending = [body]; // grows while it is walked: with recursion deep nesting would exhaust the stack
  for (const value of pending) {
    if (typeof value === 'string') {
      if (value.includes('\0') || !value.isWellFormed()) return true;
    } else if (typeof value === 'object' && value !== null) {
      for (const entry of Object.entries(value)) pending.push(...entry);
    }
  }
  return false;
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestInvalid([unfit('the body', 'must be JSON')]);
  }
};

/**
 * Reads a request body by its schema.
 *
 * Text that is not the same everywhere is refused: unpaired surrogates (AuthZEN §11.5), and NUL, which PostgreSQL takes in
 * no text, so that it would fail a whole batch with other people's decisions in it.
 *
 * @param text the body, as it came
 * @throws RequestInvalid naming each member that is missing or mistyped
 */
export const readBody = <S extends z.ZodType>(schema: S, text: string): z.output<S> => {
  const body = parseJson(text);
  const read = schema.safeParse(body);
  if (!read.success) throw new RequestInvalid(problemsOf(read.error, body));
  // Walking each body would cost more than the schema does; searching the text costs next to nothing.
  if (suspicious.test(text) && holdsBrokenText(body)) {
    throw new RequestInvalid([unfit('the body', 'must hold no NUL and no unpaired surrogate')]);
  }
  return read.data;
};
