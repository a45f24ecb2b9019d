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
  constructor(rule: string) {
    const detail = `the access token is ${rule}`;
    super('auth.token-invalid', 'unauthenticated', detail, {
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

/** RFC 6750 section 3.1, `insufficient_scope`. */
export class ScopeInsufficient extends HttpError {
  constructor(scope: Scope) {
    super('auth.scope-insufficient', 'forbidden', `the access token lacks the scope ${scope}`, {
      ...challenge(`, error="insufficient_scope", scope="${scope}"`),
    });
  }
}
