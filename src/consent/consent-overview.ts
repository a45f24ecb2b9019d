import { answersFor, everything, within, type Answers, type Dimension, type Scope } from './answers.ts';
import { statusOfScope, type ConsentStatus, type PurposeRules } from './consent-status.ts';

/** What holds for all that lies in `scope`, except where something narrower was said. */
export type ScopeOverview = {
  readonly scope: Scope;
  readonly status: ConsentStatus;
  readonly exceptions: readonly { readonly scope: Scope; readonly status: ConsentStatus }[];
};

/**
 * A person's standing on one purpose, to be shown to them: one entry for the purpose as a whole (scope `{}`) and one for each
 * scope they ever spoke about, with the exceptions to each ("yes, except on Facebook"). No basis for a decision: that is
 * `consentStatus`, which wants every dimension named.
 */
export const consentOverview = (
  answers: Answers,
  purpose: string,
  at: number,
  rules: PurposeRules,
): readonly ScopeOverview[] => {
  const statusOf = (scope: Scope) => statusOfScope(answers, purpose, scope, at, rules);
  const spoken = distinct([
    {},
    ...[...answersFor(answers, purpose), ...answersFor(answers, everything)].map((answer) => answer.scope),
  ]);
  return spoken.map((scope) => {
    const status = statusOf(scope);
    const narrower = distinct(
      spoken
        .filter((other) => areCompatible(scope, other) && !within(scope, other))
        .map((other) => ({ ...scope, ...other })),
    );
    const exceptions = narrower.map((exception) => ({ scope: exception, status: statusOf(exception) }));
    return { scope, status, exceptions: exceptions.filter((exception) => exception.status.result !== status.result) };
  });
};

/** Whether something can lie in both scopes. */
const areCompatible = (one: Scope, other: Scope): boolean =>
  (Object.keys(one) as Dimension[]).every((name) => other[name] === undefined || other[name] === one[name]);

const distinct = (scopes: readonly Scope[]): readonly Scope[] =>
  scopes.filter((scope, index) => scopes.findIndex((other) => within(scope, other) && within(other, scope)) === index);
