import {
  answersFor,
  contradicts,
  everything,
  guardianInOrder,
  overrides,
  within,
  type Answer,
  type Answers,
  type Dimension,
  type LegalBasis,
  type Scope,
} from './answers.ts';

/** What a check needs to know of a purpose; a purpose of the policies fits. `notices`: newest last. */
export type PurposeRules = {
  readonly legalBasis: LegalBasis;
  readonly dimensions: readonly Dimension[];
  /** `corrects`: versions whose words were wrong. A yes to wrong words was not informed (Art. 4(11) GDPR). */
  readonly notices: readonly { readonly version: number; readonly corrects?: readonly number[] | undefined }[];
  readonly renewOnNewNotice: boolean;
};

/**
 * Why. `valid-yes` and `informed` permit; a `live-no` denies over all; the rest say what is missing: an answer to the second
 * step of a double opt-in (`pending`), a renewed yes (`notice-outdated`, `expired`), a guardian, any answer at all
 * (`nothing-recorded`), the notice where the basis is not consent (`not-informed`), or a dimension of the check itself.
 */
export type ConsentCode =
  | 'valid-yes'
  | 'informed'
  | 'live-no'
  | 'pending'
  | 'notice-outdated'
  | 'expired'
  | 'guardian-missing'
  | 'nothing-recorded'
  | 'not-informed'
  | 'scope-missing';

/**
 * `reliedOn` is the id of the event that decided: of several, the narrowest and then the latest. `scope` and `notice` are that
 * event's own; `inheritedFrom` is set where it was broader than the question.
 * `until`, in epoch milliseconds, is the first moment at which the passing of time alone ends a permit: when the last
 * valid answer expires, or earlier, when a yes that holds off a no does.
 * `ask`: a no denies, yet each live no *occurred* before a valid yes that was recorded before it (a letter that took its
 * time). The person should be asked which was meant last.
 */
export type ConsentStatus = {
  readonly result: 'permit' | 'deny';
  readonly code: ConsentCode;
  readonly reliedOn?: string;
  readonly scope?: Scope;
  readonly notice?: number;
  readonly until?: number;
  readonly inheritedFrom?: 'broader-scope' | 'everything';
  readonly ask?: true;
  readonly missing?: Dimension;
};

/** Nearest to valid first: of several yeses that are not valid, the one with the least to mend is reported. */
const defects = ['valid', 'notice-outdated', 'expired', 'guardian-missing'] as const;

/** 0 when valid at that moment, else the place of the gravest fault in `defects`. */
const defectOf = (answer: Answer, at: number, rules: PurposeRules): number => {
  if (!guardianInOrder(answer)) return 3;
  if (answer.until !== undefined && answer.until <= at) return 2;
  if (rules.renewOnNewNotice && answer.notice !== rules.notices.at(-1)!.version) return 1;
  for (const { corrects } of rules.notices) if (corrects?.includes(answer.notice)) return 1;
  return 0;
};

const endOf = (answer: Answer): number => answer.until ?? Infinity;

const narrowness = (scope: Scope): number => {
  let count = 0;
  for (const _ in scope) count += 1;
  return count;
};

const decidesBefore = (one: Answer, other: Answer | undefined): boolean => {
  if (!other) return true;
  const narrower = narrowness(one.scope) - narrowness(other.scope);
  return narrower > 0 || (narrower === 0 && (one.at > other.at || (one.at === other.at && one.seq > other.seq)));
};

/**
 * Whether this person's answers allow this purpose for exactly this scope (DESIGN section 6). Pure; on the path of every check.
 * @param answers all that is kept of the person's history, see `addAnswer`
 * @param at epoch milliseconds of the check
 * @param rules of the purpose, as they are at the check
 */
export const consentStatus = (
  answers: Answers,
  purpose: string,
  scope: Scope,
  at: number,
  rules: PurposeRules,
): ConsentStatus => {
  for (const dimension of rules.dimensions) {
    if (scope[dimension] === undefined) return { result: 'deny', code: 'scope-missing', missing: dimension };
  }
  return statusOfScope(answers, purpose, scope, at, rules);
};

/** The same without asking that every dimension be named: what holds for all that lies in `scope`, exceptions apart. */
export const statusOfScope = (
  answers: Answers,
  purpose: string,
  scope: Scope,
  at: number,
  rules: PurposeRules,
): ConsentStatus => {
  const byConsent = rules.legalBasis === 'consent';
  const own = answersFor(answers, purpose);
  const yeses: Answer[] = [];
  let yes: Answer | undefined;
  let informed: Answer | undefined;
  let pending: Answer | undefined;
  let defective: Answer | undefined;
  let defect: number = defects.length;
  let groundUntil = -Infinity;

  for (const answer of own) {
    const { act } = answer;
    if (act === 'no' || (act === 'informed' && byConsent) || !within(scope, answer.scope)) continue;
    const found = defectOf(answer, at, rules);
    if (act === 'pending') {
      if ((answer.until === undefined || answer.until > at) && decidesBefore(answer, pending)) pending = answer;
    } else if (found > 0) {
      if (found > defect || (found === defect && !decidesBefore(answer, defective))) continue;
      [defect, defective] = [found, answer];
    } else {
      groundUntil = Math.max(groundUntil, endOf(answer));
      if (act === 'informed') {
        if (decidesBefore(answer, informed)) informed = answer;
      } else {
        yeses.push(answer);
        if (decidesBefore(answer, yes)) yes = answer;
      }
    }
  }

  // A "no to everything" is no ground against what a contract or the law requires (Art. 7(3) and 21(1) do not reach it).
  const isExempt = rules.legalBasis === 'contract' || rules.legalBasis === 'legal-obligation';
  const toEverything = isExempt ? [] : answersFor(answers, everything);
  let no: Answer | undefined;
  let noFrom = purpose;
  let ask = true;
  for (let index = 0; index < own.length + toEverything.length; index++) {
    const answer = index < own.length ? own[index]! : toEverything[index - own.length]!;
    if (answer.act !== 'no' || !within(scope, answer.scope)) continue;
    let heldOffUntil = -Infinity;
    for (const given of yeses) if (overrides(given, answer)) heldOffUntil = Math.max(heldOffUntil, endOf(given));
    if (heldOffUntil > at) {
      groundUntil = Math.min(groundUntil, heldOffUntil);
      continue;
    }
    ask &&= yeses.some((given) => contradicts(given, answer));
    if (!decidesBefore(answer, no)) continue;
    no = answer;
    noFrom = index < own.length ? purpose : everything;
  }

  if (no) return because('deny', 'live-no', no, noFrom, scope, Infinity, ask);
  if (yes) return because('permit', 'valid-yes', yes, purpose, scope, groundUntil);
  if (informed) return because('permit', 'informed', informed, purpose, scope, groundUntil);
  if (pending) return because('deny', 'pending', pending, purpose, scope);
  if (defective) return because('deny', defects[defect as 1 | 2 | 3], defective, purpose, scope);
  return { result: 'deny', code: byConsent ? 'nothing-recorded' : 'not-informed' };
};

const because = (
  result: ConsentStatus['result'],
  code: ConsentCode,
  answer: Answer,
  from: string,
  asked: Scope,
  until = Infinity,
  ask = false,
): ConsentStatus => {
  const { id: reliedOn, scope, notice } = answer;
  const status: Mutable<ConsentStatus> = { result, code, reliedOn, scope, notice };
  if (from === everything) status.inheritedFrom = 'everything';
  else if (narrowness(scope) < narrowness(asked)) status.inheritedFrom = 'broader-scope';
  if (until !== Infinity) status.until = until;
  if (ask) status.ask = ask;
  return status;
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
