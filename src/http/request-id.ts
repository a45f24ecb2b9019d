import { randomBytes } from 'node:crypto';
import type { HttpContext } from './env.ts';
import { header } from './header.ts';

/** What a caller's own id may look like, so that it can neither break a log line nor carry much. */
const sane = /^[\w.:-]{1,64}$/;

/**
 * Echoes the caller's `X-Request-ID` (AuthZEN 1.0 section 10.1.3) when it is sane, else makes one: a random name of this
 * instance and a count, because a UUID a request costs as much as verifying the token of a known caller.
 */
export const createRequestIds = (): ((c: HttpContext) => string) => {
  const instance = randomBytes(9).toString('base64url');
  let count = 0;
  return (c) => {
    const given = header(c, 'x-request-id');
    return given !== undefined && sane.test(given) ? given : `${instance}.${(++count).toString(36)}`;
  };
};
