import { randomBytes } from 'node:crypto';
import type { HttpContext } from './env.ts';
import { header } from './header.ts';

/** What a caller's own id may look like to be logged: it can neither break a line nor say who somebody is. */
const sane = /^[\w.:-]{1,64}$/;

/**
 * Names the request. A caller's `X-Request-ID` comes back as it is, whatever it is (AuthZEN 1.0 section 10.1.3); in the
 * log and in problems the request goes by it when it is sane, else by a name of ours: a random one of this instance and a
 * count, because a UUID a request costs as much as verifying the token of a known caller.
 */
export const createRequestNaming = (): ((c: HttpContext) => void) => {
  const instance = randomBytes(9).toString('base64url');
  let count = 0;
  return (c) => {
    const given = header(c, 'x-request-id');
    if (given !== undefined && sane.test(given)) return c.set('requestId', given);
    c.set('requestId', `${instance}.${(++count).toString(36)}`);
    if (given !== undefined) c.set('echoedRequestId', given);
  };
};
