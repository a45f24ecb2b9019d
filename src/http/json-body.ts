import type { HttpContext } from './env.ts';
import { BodyTooLarge, ContentTypeUnsupported, JsonMalformed, JsonUnsafe } from './errors.ts';
import { header } from './header.ts';
import { brokenAt } from './json-position.ts';

export const defaultBodyLimitBytes = 256 * 1024;

/** Deeper than any request of ours by far, and shallow enough for every recursive reader behind it. */
const deepest = 32;

const isType = (given: string | undefined, expected: string): boolean => {
  if (given === expected) return true;
  return given !== undefined && given.split(';', 1)[0]!.trim().toLowerCase() === expected;
};

/** Reads a body whose length nobody announced, and stops at the limit instead of taking in whatever comes. */
const readUnannounced = async (request: Request, limitBytes: number): Promise<string> => {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) throw new BodyTooLarge(limitBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};

/**
 * Reads a request's body of the given content type within its limit.
 *
 * An announced length over the limit is refused before a byte is read; Node holds a client to the length it announced.
 * Throws ContentTypeUnsupported, BodyTooLarge, JsonUnsafe.
 */
export const readText = async (c: HttpContext, contentType: string, limitBytes: number): Promise<string> => {
  if (!isType(header(c, 'content-type'), contentType)) throw new ContentTypeUnsupported(contentType);
  const announced = header(c, 'content-length');
  if (announced !== undefined && Number(announced) > limitBytes) throw new BodyTooLarge(limitBytes);
  const text = announced === undefined ? await readUnannounced(c.req.raw, limitBytes) : await c.req.raw.text();
  // Bytes that are not UTF-8 were decoded to U+FFFD: two different names would become the same one.
  if (text.includes('\uFFFD')) throw new JsonUnsafe('must be valid UTF-8 without U+FFFD');
  return text;
};

/**
 * Refuses what PostgreSQL's jsonb refuses (NUL, unpaired surrogates: in UTF-8 text they can only come as escapes) with
 * a whole batch of other people's decisions, keys that write to a prototype, and numbers that become Infinity here, null
 * in what is written, and something else for everybody else.
 */
const inspect = (value: unknown, depth: number, suspicious: boolean): void => {
  if (typeof value === 'string') {
    if (suspicious && (value.includes('\0') || !value.isWellFormed())) {
      throw new JsonUnsafe('must hold no NUL and no unpaired surrogate');
    }
    return;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new JsonUnsafe('must hold only numbers of the range of a double');
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth === deepest) throw new JsonUnsafe(`must be nested at most ${deepest} deep`);
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, depth + 1, suspicious);
    return;
  }
  for (const key in value) {
    if (suspicious) {
      if (key === '__proto__') throw new JsonUnsafe('must have no member named __proto__');
      inspect(key, depth, suspicious);
    }
    inspect((value as Record<string, unknown>)[key], depth + 1, suspicious);
  }
};

/** Only a number written so can be too large for a double. (Looking behind keeps the search linear in long runs of digits.) */
const hugeNumber = /\d[eE]\+?\d{3}|(?<!\d)\d{309}/;

/** Whether two characters occur more than `count` times together: nothing is nested deeper than it has openings. */
const hasMore = (text: string, a: string, b: string, count: number): boolean => {
  let found = 0;
  for (const sign of [a, b]) {
    for (let at = text.indexOf(sign); at >= 0; at = text.indexOf(sign, at + 1)) if (++found > count) return true;
  }
  return false;
};

/**
 * Parses JSON that every later reader understands alike.
 * Throws JsonMalformed with the place (never the text), JsonUnsafe.
 */
export const parseJson = (text: string): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonMalformed(brokenAt(text));
  }
  // Searching the text costs next to nothing, walking each body costs more than its schema.
  const suspicious = text.includes('\\u') || text.includes('__proto__');
  if (suspicious || hugeNumber.test(text) || hasMore(text, '{', '[', deepest)) inspect(value, 0, suspicious);
  return value;
};
