import { BodyTooLarge } from '../http/errors.ts';
import type { HttpContext } from '../http/env.ts';
import { header } from '../http/header.ts';
import { FormFromElsewhere, FormUnreadable } from './errors.ts';

/** A form of ours has a handful of short fields; the receipt of a mail provider is one field. */
const limitBytes = 16 * 1024;

/** The two encodings that a browser and RFC 8058 section 3.2 know. */
const encodings = ['application/x-www-form-urlencoded', 'multipart/form-data'];

const readBytes = async (request: Request): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) throw new BodyTooLarge(limitBytes);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
};

/** The fields of a posted form; files are ignored. Throws FormUnreadable, BodyTooLarge. */
export const readForm = async (c: HttpContext): Promise<URLSearchParams> => {
  const type = header(c, 'content-type') ?? '';
  if (!encodings.includes(type.split(';', 1)[0]!.trim().toLowerCase()))
    throw new FormUnreadable('has another encoding');
  if (Number(header(c, 'content-length') ?? 0) > limitBytes) throw new BodyTooLarge(limitBytes);
  const body = await readBytes(c.req.raw);
  const fields = new URLSearchParams();
  try {
    const form = await new Response(body, { headers: { 'Content-Type': type } }).formData();
    for (const [name, value] of form) if (typeof value === 'string') fields.append(name, value);
  } catch {
    throw new FormUnreadable('cannot be read');
  }
  return fields;
};

/**
 * Refuses a form that a page elsewhere sends through somebody's browser. There is no session to abuse, but what such a page made its visitors
 * type would look as if they had come here. Every browser of today says so itself (Sec-Fetch-Site, W3C Fetch Metadata); of older ones only
 * a foreign Origin is refused, since ours is `null` under `Referrer-Policy: no-referrer`. What is no browser says neither, and could say anything.
 */
export const assertFromHere = (c: HttpContext, baseUrl: string): void => {
  const site = header(c, 'sec-fetch-site');
  const origin = header(c, 'origin');
  const isHere =
    site === undefined
      ? [undefined, 'null', new URL(baseUrl).origin].includes(origin)
      : // `none`: the person did it themselves, such as loading the page again.
        site === 'same-origin' || site === 'none';
  if (!isHere) throw new FormFromElsewhere();
};
