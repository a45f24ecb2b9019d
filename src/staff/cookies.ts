import { generateCookie, getCookie } from 'hono/cookie';
import type { HttpContext } from '../http/env.ts';

/**
 * One cookie of ours: HttpOnly, SameSite=Lax (the provider's redirect must bring it back), for this host alone. `__Host-` (RFC 6265bis
 * section 4.1.3.2) keeps sister domains from planting one; browsers take it over https only, so on plain loopback it goes without.
 */
export const createCookie = (baseUrl: string, name: string) => {
  const secure = baseUrl.startsWith('https:');
  const fullName = `${secure ? '__Host-' : ''}askfirst-${name}`;
  return {
    read: (c: HttpContext): string | undefined => getCookie(c, fullName),
    /** The header's value; `maxAge` in seconds, 0 removes it. */
    write: (value: string, maxAge: number): string =>
      generateCookie(fullName, value, { httpOnly: true, sameSite: 'Lax', path: '/', secure, maxAge }),
  };
};

export type Cookie = ReturnType<typeof createCookie>;

/** Who is signed in. */
export const sessionCookie = (baseUrl: string): Cookie => createCookie(baseUrl, 'staff');
