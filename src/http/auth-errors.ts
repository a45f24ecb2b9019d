import { HttpError } from './errors.ts';
import type { Scope } from './scopes.ts';

const challenge = (parameters = ''): Record<string, string> => ({
  'WWW-Authenticate': `Bearer realm="askfirst"${parameters}`,
});

/** RFC 6750 section 3: a request without any authentication gets the challenge without an error code. */
export class TokenMissing extends HttpError {
  constructor() {
    super('auth.token-missing', 'unauthenticated', 'an access token is required: Authorization: Bearer …', challenge());
  }
}

/** RFC 6750 section 3.1, `invalid_token`. `rule` says what is wrong in words of ours, without the token. */
export class TokenInvalid extends HttpError {
  constructor(rule: string, code = 'auth.token-invalid') {
    const detail = `the access token is ${rule}`;
    super(code, 'unauthenticated', detail, {
      ...challenge(`, error="invalid_token", error_description="${detail}"`),
    });
  }
}

/** What `assertNotRevoked` throws; to the caller the token is invalid like any other. */
export class ClientRevoked extends TokenInvalid {
  constructor() {
    super('of a client that was revoked');
  }
}

/** Nobody can tell whether the token is good: its issuer does not tell its keys. To the caller that is no reason to be let in. */
export class IssuerUnavailable extends TokenInvalid {
  constructor() {
    super('signed with a key that its issuer cannot be asked for right now', 'auth.issuer-unavailable');
  }
}

/** Genuine, but of a client that no operator has given a system and scopes (`askfirst clients create … --issuer`). */
export class ClientUnregistered extends TokenInvalid {
  constructor() {
    super('of a client that is not registered here', 'auth.client-unregistered');
  }
}

/** RFC 6750 section 3.1, `insufficient_scope`. */
export class ScopeInsufficient extends HttpError {
  constructor(scope: Scope) {
    super('auth.scope-insufficient', 'forbidden', `the access token lacks the scope ${scope}`, {
      ...challenge(`, error="insufficient_scope", scope="${scope}"`),
    });
  }
}
