import { AppError } from '../kernel/errors.ts';

export class IdentifierMalformed extends AppError {
  constructor(member: string, rule: string) {
    super('subjects.identifier-malformed', 'invalid', `${member} ${rule}`, { member });
  }
}

/** Said before any look-up, so that it is the same whether the person is known or not. */
export class NamespaceNotEntitled extends AppError {
  constructor(namespace: string, member: string) {
    super(
      'subjects.namespace-not-entitled',
      'forbidden',
      `this system may not use identifiers of the namespace "${namespace}"`,
      { member },
    );
  }
}

export class SubjectNotFound extends AppError {
  constructor(member: string) {
    super('subjects.not-found', 'not-found', 'no subject is known by this identifier', { member });
  }
}

/** A handle goes to whoever used it last: one seen in the future would never go to anybody else. */
export class ObservedInFuture extends AppError {
  constructor(member: string) {
    super('subjects.observed-in-future', 'unprocessable', `${member} lies in the future`, { member });
  }
}

export class IdentifiersOfTwoSubjects extends AppError {
  constructor() {
    super(
      'subjects.identifiers-of-two-subjects',
      'conflict',
      'the identifiers belong to more than one subject; a registration never merges people',
      {
        member: 'identifiers',
      },
    );
  }
}

export class SubjectErased extends AppError {
  constructor() {
    super('subjects.erased', 'conflict', 'this subject was erased');
  }
}

export class SubjectContended extends AppError {
  constructor() {
    super('subjects.contended', 'unavailable', 'too many changes of this subject at the same time', {
      retryAfterSeconds: 1,
    });
  }
}

export class IdempotencyKeyRaced extends AppError {
  constructor() {
    super('idempotency.raced', 'conflict', 'a call with the same Idempotency-Key was answered meanwhile');
  }
}

export class ChallengeRefused extends AppError {
  constructor() {
    super('subjects.challenge-refused', 'unprocessable', 'no open challenge of this account has this code');
  }
}

export class IdentifierUnprovable extends AppError {
  constructor(rule: string) {
    super('subjects.identifier-unprovable', 'unprocessable', rule, { member: 'account' });
  }
}
