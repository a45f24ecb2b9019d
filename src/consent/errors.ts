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
