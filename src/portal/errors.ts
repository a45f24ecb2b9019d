import type { MemberProblem } from '../http/errors.ts';
import { AppError } from '../kernel/errors.ts';

/** A link that is not one of ours, or one for something else. */
export class LinkUnknown extends AppError {
  constructor() {
    super('portal.link-unknown', 'not-found', 'this is no link of this service');
  }
}

export class CampaignNotFound extends AppError {
  constructor() {
    super('portal.campaign-not-found', 'not-found', 'there is no such campaign');
  }
}

/** Whoever types in strangers' addresses makes this service mail them: so only so many in a minute. */
export class CampaignBusy extends AppError {
  constructor(retryAfterSeconds: number) {
    super('portal.campaign-busy', 'too-many', 'this campaign has sent enough mails for one minute', {
      retryAfterSeconds,
    });
  }
}

export class CampaignOfAnother extends AppError {
  constructor() {
    super('portal.campaign-of-another', 'conflict', 'a campaign of this id belongs to another system');
  }
}

export class CampaignImpossible extends AppError {
  constructor(member: string, rule: string) {
    super('portal.campaign-impossible', 'unprocessable', `${member} ${rule}`, { member });
  }
}

export class ScopeUnknown extends AppError {
  constructor(member: string, rule: string) {
    super('portal.scope-unknown', 'unprocessable', `${member} ${rule}`, { member });
  }
}

export class PurposeUnknown extends AppError {
  constructor(member: string) {
    super('portal.purpose-unknown', 'unprocessable', `${member} is not a purpose of the active policy set`, { member });
  }
}

/** Names every one of a batch, so that a sender can leave them out and ask again. */
export class PeopleUnknown extends AppError {
  readonly errors: readonly MemberProblem[];

  constructor(members: readonly string[]) {
    super('subjects.not-found', 'not-found', `no subject is known by ${members.slice(0, 5).join(', ')}`, {
      member: members[0],
    });
    this.errors = members.map((member) => ({
      member,
      rule: 'subjects.not-found',
      detail: `no subject is known by ${member}`,
    }));
  }
}

export class FormUnreadable extends AppError {
  constructor(rule: string) {
    super('portal.form-unreadable', 'invalid', `the form ${rule}`, { member: 'body' });
  }
}

export class FormFromElsewhere extends AppError {
  constructor() {
    super('portal.form-from-elsewhere', 'forbidden', 'the form was sent by a page of another origin');
  }
}
