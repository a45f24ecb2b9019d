import { HttpError } from '../http/errors.ts';
import { AppError } from '../kernel/errors.ts';

/** A 401 names how to authenticate (RFC 9110 section 11.6.1), and here no Bearer token would help. */
const challenge = { 'WWW-Authenticate': 'Cookie realm="askfirst-staff"' };

export class SignInMissing extends HttpError {
  constructor() {
    super('staff.sign-in-missing', 'unauthenticated', 'sign in first: /staff/sign-in', challenge);
  }
}

export class RoleMissing extends AppError {
  constructor(allowed: readonly string[]) {
    super('staff.role-missing', 'forbidden', `this needs one of the roles ${allowed.join(', ')}`);
  }
}

/** A request that another site made the browser send, with the cookie of whoever sits there. */
export class CrossSite extends AppError {
  constructor() {
    super('staff.cross-site', 'forbidden', 'this must be called from a page of the service itself');
  }
}

export class SignInNotConfigured extends AppError {
  constructor() {
    super('staff.sign-in-not-configured', 'not-found', 'staff sign-in is not set up: STAFF_ISSUER names no provider');
  }
}

/** The browser brings no sign-in that was begun here within the last minutes. */
export class SignInNotBegun extends AppError {
  constructor() {
    super(
      'staff.sign-in-not-begun',
      'invalid',
      'no sign-in is under way in this browser, or it took too long; begin anew',
    );
  }
}

/** `rule` says in words of ours, and at most a code of the provider's, why nobody was signed in. */
export class SignInRefused extends AppError {
  constructor(rule: string, cause?: unknown) {
    super('staff.sign-in-refused', 'invalid', `nobody was signed in: ${rule}; begin anew`, { cause });
  }
}

export class ProviderUnavailable extends AppError {
  constructor(why: string, cause?: unknown) {
    super('staff.provider-unavailable', 'unavailable', `the identity provider ${why}`, {
      retryAfterSeconds: 5,
      cause,
    });
  }
}
