import { AppError } from '../kernel/errors.ts';

/** Dozens of yeses of one scope, typed in out of order, each of which still matters: refused rather than forgotten. */
export class TooManyAnswers extends AppError {
  constructor() {
    super(
      'consent.too-many-answers',
      'unprocessable',
      'this person has too many yeses for one scope that occurred in another order than they were recorded',
      { member: 'occurredAt' },
    );
  }
}

export class PurposeUnknown extends AppError {
  constructor() {
    super(
      'consent.purpose-unknown',
      'unprocessable',
      'purpose is not one of the active policy set (GET /v1/purposes lists them)',
      {
        member: 'purpose',
      },
    );
  }
}

export class ScopeUnknown extends AppError {
  constructor(dimension: string, purpose: string, rule: string) {
    super('consent.scope-unknown', 'unprocessable', `scope.${dimension} ${rule} of purpose "${purpose}"`, {
      member: `scope.${dimension}`,
    });
  }
}

export class NoticeUnknown extends AppError {
  constructor(purpose: string) {
    super('consent.notice-unknown', 'unprocessable', `purpose "${purpose}" has no notice of this version`, {
      member: 'notice.version',
    });
  }
}

export class NoticeWordsDiffer extends AppError {
  constructor() {
    super(
      'consent.notice-words-differ',
      'unprocessable',
      'notice.hash is not the SHA-256 of the words of this notice',
      {
        member: 'notice.hash',
      },
    );
  }
}

export class OccurredInFuture extends AppError {
  constructor() {
    super('consent.occurred-in-future', 'unprocessable', 'occurredAt lies in the future', { member: 'occurredAt' });
  }
}

export class ConsentEventNotFound extends AppError {
  constructor() {
    super('consent.event-not-found', 'not-found', 'this subject has no such consent event');
  }
}

export class ConsentNotTheBasis extends AppError {
  constructor(purpose: string) {
    super(
      'consent.not-the-basis',
      'unprocessable',
      `purpose "${purpose}" does not rest on consent: a person is informed of it or objects`,
      {
        member: 'decision',
      },
    );
  }
}

export class PurposeRetired extends AppError {
  constructor(purpose: string) {
    super(
      'consent.purpose-retired',
      'unprocessable',
      `purpose "${purpose}" is retired: nobody is asked for it any more`,
      {
        member: 'purpose',
      },
    );
  }
}

/** Consent that a colleague wrote down has to be demonstrable (Art. 7(1) GDPR). */
export class EvidenceMissing extends AppError {
  constructor(member: 'evidence' | 'actor') {
    super(
      'consent.evidence-missing',
      'unprocessable',
      `${member} must be given with a yes by phone or on paper: where it can be found again, and who wrote it down`,
      { member },
    );
  }
}

export class ConfirmationUnavailable extends AppError {
  constructor(member: string, why: string) {
    super('consent.confirmation-unavailable', 'unprocessable', `${member} ${why}`, { member });
  }
}

export class TooManyConfirmations extends AppError {
  constructor() {
    super('consent.too-many-confirmations', 'too-many', 'this mailbox has been asked often enough for one day', {
      member: 'confirmAt',
      retryAfterSeconds: 86_400,
    });
  }
}

/** Only where the caller asked for it (`unlessSaidSince`). */
export class NoSaidAlready extends AppError {
  constructor() {
    super('consent.no-said-already', 'conflict', 'the same no was recorded just now');
  }
}

/** The same for every reason, so that a guess learns nothing. */
export class ConfirmationRefused extends AppError {
  constructor() {
    super('consent.confirmation-refused', 'unprocessable', 'this code does not confirm anything, or no longer', {
      member: 'code',
    });
  }
}

export class GuardianUnverified extends AppError {
  constructor() {
    super(
      'consent.guardian-unverified',
      'unprocessable',
      "guardian.confirmAt must name the guardian's mailbox, which is not the child's own, or evidence must say how the guardian was seen (in person, by phone, on paper)",
      { member: 'guardian' },
    );
  }
}

export class GuardianNotNeeded extends AppError {
  constructor(why: string) {
    super('consent.guardian-not-needed', 'unprocessable', `guardian cannot answer: ${why}`, { member: 'guardian' });
  }
}

/** A social account is linked by consent and proof; merging it with a customer would unmask whoever is behind it. */
export class MergeNotForAccounts extends AppError {
  constructor() {
    super(
      'subjects.merge-not-for-accounts',
      'unprocessable',
      'a record that is known by social accounts alone is linked, never merged',
      { member: 'subject' },
    );
  }
}

export class MergeWithItself extends AppError {
  constructor() {
    super('subjects.merge-with-itself', 'unprocessable', 'both are the same record', { member: 'subject' });
  }
}

/** What is restricted is preserved as it is (Art. 18(2) GDPR). */
export class MergeOfRestricted extends AppError {
  constructor() {
    super('subjects.merge-of-restricted', 'conflict', 'a restricted record cannot be merged until the case is settled');
  }
}

export class BirthMonthAhead extends AppError {
  constructor() {
    super('consent.birth-month-ahead', 'unprocessable', 'month lies in the future', { member: 'month' });
  }
}
