import type { HttpContext } from '../http/env.ts';
import { header } from '../http/header.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../kernel/database/client.ts';
import { sessionCookie } from './cookies.ts';
import { CrossSite, RoleMissing, SignInMissing } from './errors.ts';
import type { StaffRole } from './roles.ts';
import { findSession, type Staff } from './session.ts';

/**
 * Answers who is signed in, with at least one of the roles, and throws for everybody else: CrossSite, SignInMissing, RoleMissing. For
 * handlers of routes whose security is `staffSession`.
 */
export type RequireStaff = (c: HttpContext, roles: readonly StaffRole[]) => Promise<Staff>;

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * A cookie goes along with whatever a page makes the browser send, SameSite=Lax for sister sites too. So what changes something must come
 * from our own pages: the browser says so in Sec-Fetch-Site (W3C Fetch Metadata) or, where it is older, in Origin (RFC 6454 section 7).
 */
export const assertSameOrigin = (c: HttpContext, baseUrl: string): void => {
  if (safeMethods.has(c.req.method)) return;
  const site = header(c, 'sec-fetch-site');
  const same = site === undefined ? header(c, 'origin') === new URL(baseUrl).origin : site === 'same-origin';
  if (!same) throw new CrossSite();
};

/** The guard of everything that is for colleagues. `baseUrl` as browsers reach it. */
export const createStaffGuard = (deps: { database: Database; clock: Clock; baseUrl: string }): RequireStaff => {
  const cookie = sessionCookie(deps.baseUrl);
  return async (c, roles) => {
    assertSameOrigin(c, deps.baseUrl);
    const secret = cookie.read(c);
    const staff = secret === undefined ? undefined : await findSession(deps.database, secret, deps.clock.now());
    if (!staff) throw new SignInMissing();
    if (!staff.roles.some((role) => roles.includes(role))) throw new RoleMissing(roles);
    return staff;
  };
};
