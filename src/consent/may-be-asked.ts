import { answersFor, everything, within, type Answers, type Scope } from './answers.ts';
import { statusOfScope, type PurposeRules } from './consent-status.ts';
import { expiryOf } from './expiry.ts';

/** What asking for consent needs to know of a purpose. */
type AskingRules = PurposeRules & { readonly askAgainAfter?: string | undefined };

/**
 * Whether a person may be asked for this consent now, and else from when (epoch milliseconds; absent: only they themselves can come back to it). Whoever said
 * no is left in peace for as long as the purpose says; whoever said yes, or has a question open, has nothing to be asked. Pure.
 */
export const mayBeAsked = (
  answers: Answers,
  purpose: string,
  scope: Scope,
  at: number,
  rules: AskingRules,
): { may: boolean; from?: number } => {
  const { code, until } = statusOfScope(answers, purpose, scope, at, rules);
  if (code === 'valid-yes') {
    if (until === undefined) return { may: false };
    // A no that the yes held off may be live again then.
    const then = mayBeAsked(answers, purpose, scope, until, rules);
    return then.may ? { may: false, from: until } : then;
  }
  if (code === 'pending') return { may: false };
  if (code !== 'live-no') return { may: true };
  // A no to everything is an answer to every question.
  const noes = [...answersFor(answers, purpose), ...answersFor(answers, everything)].filter(
    (answer) => answer.act === 'no' && within(scope, answer.scope),
  );
  if (rules.askAgainAfter === undefined) return { may: false };
  const from = expiryOf(
    Temporal.Instant.fromEpochMilliseconds(Math.max(...noes.map((no) => no.at))),
    rules.askAgainAfter,
  )!;
  return from <= at ? { may: true } : { may: false, from };
};
