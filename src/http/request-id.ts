import { randomUUID } from 'node:crypto';

/** What a caller's own id may look like, so that it can neither break a log line nor carry much. */
const sane = /^[\w.:-]{1,64}$/;

/** Echoes the caller's `X-Request-ID` (AuthZEN 1.0 section 10.1.3) when it is sane, else makes one. */
export const requestIdOf = (header: string | undefined): string =>
  header !== undefined && sane.test(header) ? header : randomUUID();
