import { AppError } from '../kernel/errors.ts';

export class LeaseUnknown extends AppError {
  constructor() {
    super(
      'linkage.lease-unknown',
      'not-found',
      'no permit of this system to link these two is known under this lease',
      { member: 'leaseId' },
    );
  }
}

export class LeaseExpired extends AppError {
  constructor() {
    super('linkage.lease-expired', 'conflict', 'the lease has run out: ask again', { member: 'leaseId' });
  }
}

/** The ground ended between the permit and now: the link must not be kept. `rules` are the codes of what forbids it. */
export class GroundEndedMeanwhile extends AppError {
  constructor(rules: readonly string[]) {
    super(
      'linkage.ground-ended',
      'conflict',
      `this link is no longer permitted (${rules.join(', ') || 'its lease was voided'}): do not keep it`,
    );
  }
}

export class LinkNotFound extends AppError {
  constructor() {
    super('linkage.not-found', 'not-found', 'this subject has no such link of this system');
  }
}

export class LinkNotGranted extends AppError {
  constructor() {
    super('linkage.not-granted', 'forbidden', 'the active policy set does not let this system link for this purpose', {
      member: 'purpose',
    });
  }
}

export class AccountNeeded extends AppError {
  constructor() {
    super('linkage.account-needed', 'unprocessable', 'identity must be an account of a platform by its immutable id', {
      member: 'identity',
    });
  }
}

/** No human need look at a link that one of its two has refused. */
export class NoStands extends AppError {
  constructor() {
    super('linkage.no-stands', 'conflict', 'one of the two has said no to this purpose');
  }
}

export class ReviewNotFound extends AppError {
  constructor() {
    super('linkage.review-not-found', 'not-found', 'there is no such review');
  }
}

export class ReviewAnswered extends AppError {
  constructor() {
    super('linkage.review-answered', 'conflict', 'this review has been answered already');
  }
}
