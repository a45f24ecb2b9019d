import { AppError } from '../kernel/errors.ts';

export class SystemUnknown extends AppError {
  constructor(system: string) {
    super('systems.unknown', 'unprocessable', `system "${system}" is not in the active policy set`, {
      member: 'system',
    });
  }
}

export class ScopeUnknown extends AppError {
  constructor(scope: string, known: readonly string[]) {
    super('systems.scope-unknown', 'unprocessable', `scope "${scope}" is none of ${known.join(', ')}`, {
      member: 'scope',
    });
  }
}

export class ClientUnknown extends AppError {
  constructor() {
    super('systems.client-unknown', 'not-found', 'no client has this id');
  }
}

export class ClientExists extends AppError {
  constructor() {
    super('systems.client-exists', 'conflict', 'this issuer’s client is registered already: revoke it first', {
      member: 'externalId',
    });
  }
}

export class EndpointRefused extends AppError {
  constructor(rule: string) {
    super('systems.endpoint-refused', 'unprocessable', `url ${rule}`, { member: 'url' });
  }
}

/** What a system is told by is declared in the policies, so that nobody can redirect personal data by a call. */
export class SystemPulls extends AppError {
  constructor(system: string, kind: 'pull' | 'manual') {
    super(
      'systems.pulls',
      'conflict',
      `system "${system}" is of kind "${kind}" in the active policy set and takes no webhook`,
    );
  }
}

export class EndpointContended extends AppError {
  constructor() {
    super('systems.endpoint-contended', 'unavailable', 'the endpoint was changed by other calls at the same time', {
      retryAfterSeconds: 1,
    });
  }
}

/** Who may not collect for a purpose has nothing to report; the same where there is no such purpose. */
export class CollectionNotGranted extends AppError {
  constructor() {
    super(
      'systems.collection-not-granted',
      'forbidden',
      'the active policy set does not let this system collect for this purpose',
      { member: 'purpose' },
    );
  }
}

export class CollectedInFuture extends AppError {
  constructor() {
    super('systems.collected-in-future', 'unprocessable', 'collectedAt lies in the future', { member: 'collectedAt' });
  }
}

/** Whether somebody was informed is proved by what they were shown (Art. 5(2) GDPR). */
export class NoticeMissing extends AppError {
  constructor() {
    super(
      'systems.notice-missing',
      'unprocessable',
      'an obligation to inform is acknowledged with the notice that was shown and how (notice, method)',
      { member: 'notice' },
    );
  }
}

/** The same for an obligation of another system: its existence is nobody else's business. */
export class ObligationUnknown extends AppError {
  constructor() {
    super('systems.obligation-unknown', 'not-found', 'this system has no obligation of this id');
  }
}
