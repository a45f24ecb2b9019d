import { ScopeInsufficient, TokenInvalid, TokenMissing } from './auth-errors.ts';
import type { Caller, HttpContext } from './env.ts';
import { header } from './header.ts';
import type { Scope } from './scopes.ts';
import type { TokenVerifier } from './tokens.ts';

/**
 * Throws ClientRevoked when the client, or its tokens issued until a moment after `issuedAt` (seconds), were revoked.
 * Must read the primary each time: revoking works at once on every instance.
 */
export type AssertNotRevoked = (clientId: string, issuedAt: number) => Promise<void>;

/** Finds out who calls and refuses who may not: sets `caller`, or throws TokenMissing, TokenInvalid, ScopeInsufficient. */
export type Authenticate = (c: HttpContext, scope: Scope) => Promise<Caller>;

/** The one credential of a Bearer header (RFC 6750 section 2.1; the scheme's case does not matter, RFC 9110 section 11.1). */
const bearer = (authorization: string | undefined): string => {
  if (authorization === undefined) throw new TokenMissing();
  const scheme = authorization.slice(0, 7);
  if (scheme !== 'Bearer ' && scheme.toLowerCase() !== 'bearer ') throw new TokenMissing();
  const token = authorization.slice(7);
  if (token === '') throw new TokenInvalid('empty');
  return token;
};

/** The order is that of what it costs: token, scope, and only then the read of the primary. */
export const createAuthenticate =
  (verify: TokenVerifier, assertNotRevoked: AssertNotRevoked): Authenticate =>
  async (c, scope) => {
    const verified = verify(bearer(header(c, 'authorization')));
    const caller = verified instanceof Promise ? await verified : verified;
    if (!caller.scopes.includes(scope)) throw new ScopeInsufficient(scope);
    await assertNotRevoked(caller.clientId, caller.issuedAt);
    c.set('caller', caller);
    return caller;
  };
