import type { Expectation } from './request.ts';

/** Why: the rule's code, a text for those who run the component and one for the person. Either text may be empty. */
export type Reason = { code: string; admin: string; person: string };

/** One answered check. A permit covers one act, begun within seconds: ask again before the next. */
export type Decision = {
  /** Go ahead only on `true`. */
  permit: boolean;
  /** Names the service's record of this decision; absent where the service could not be asked. */
  decisionId?: string;
  /** On a permit to link: confirm with `confirmLink` before `expiresAt` (RFC 3339, UTC). */
  lease?: { id: string; expiresAt: string };
  reasons: Reason[];
  /** What has to be done along with the act, such as `pseudonymise` or `aggregate-only`. */
  obligations: string[];
  /** Only in mode `observe`, which always permits: what `enforce` would have answered. */
  observed?: { wouldDeny: boolean };
};

/** The languages in which the service gives reasons. */
export type Language = 'de' | 'fr' | 'it' | 'en';

const unchecked: Record<Language, string> = {
  de: 'Ihre Einstellungen konnten nicht geprüft werden, deshalb ist nichts geschehen.',
  fr: 'Vos choix n’ont pas pu être vérifiés, rien n’a donc été fait.',
  it: 'Le Sue scelte non hanno potuto essere verificate, quindi non è stato fatto nulla.',
  en: 'Your choices could not be checked, so nothing was done.',
};

/** A denial that this client speaks for itself, because the service's answer is missing or cannot be relied on. */
export const denial = (code: string, admin: string, language: Language): Decision => ({
  permit: false,
  reasons: [{ code, admin, person: unchecked[language] }],
  obligations: [],
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/**
 * Reads one AuthZEN decision (1.0 section 5.5). It permits only where everything that a permit stands on is there and
 * well-formed: `decision` is `true`, the record is named, every obligation can be read and is fulfilled by the component,
 * and a permit to link has its lease. Anything else denies.
 *
 * @param answer parsed JSON, trusted in nothing
 */
export const readDecision = (answer: unknown, expects: Expectation, language: Language): Decision => {
  const malformed = (what: string) => denial('askfirst.malformed', `malformed answer: ${what}`, language);
  if (!isObject(answer) || typeof answer['decision'] !== 'boolean') return malformed('decision is not a boolean');
  if (answer['context'] !== undefined && !isObject(answer['context'])) return malformed('context is not an object');
  const context = answer['context'] ?? {};
  const { decisionId, lease, obligations = [] } = context;
  const decision: Decision = {
    permit: false,
    ...(isText(decisionId) && { decisionId }),
    reasons: [
      // One question of a batch that the service could not read (section 7.2.1).
      ...(isObject(context['error'])
        ? denial('askfirst.refused', text(context['error']['message']), language).reasons
        : []),
      ...readReasons(context),
    ],
    obligations: Array.isArray(obligations) ? obligations.filter(isText) : [],
  };
  if (answer['decision'] === false) return decision;

  if (!isText(decisionId)) return malformed('a permit without decisionId');
  if (!Array.isArray(obligations) || !obligations.every(isText))
    return malformed('obligations are not a list of names');
  const unfulfilled = obligations.filter((obligation) => !expects.fulfils.includes(obligation));
  if (unfulfilled.length > 0) {
    const reason = `permitted only with ${unfulfilled.join(', ')}, which the request does not name in "fulfils"`;
    return { ...denial('askfirst.obligation-unfulfilled', reason, language), decisionId, obligations };
  }
  if (lease === undefined && !expects.lease) return { ...decision, permit: true };
  if (!isObject(lease) || !isText(lease['id']) || !isText(lease['expiresAt']))
    return malformed('a permit without its lease');
  return { ...decision, permit: true, lease: { id: lease['id'], expiresAt: lease['expiresAt'] } };
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** AuthZEN hands over reasons as two maps from the rule's code to a text; each rule becomes one reason. */
const readReasons = ({ reason_admin, reason_user }: Record<string, unknown>): Reason[] => {
  const admin = isObject(reason_admin) ? reason_admin : {};
  const person = isObject(reason_user) ? reason_user : {};
  const codes = [...new Set([...Object.keys(admin), ...Object.keys(person)])];
  return codes.map((code) => ({ code, admin: text(admin[code]), person: text(person[code]) }));
};
