import { createHash } from 'node:crypto';
import type { Scope } from '../consent/index.ts';
import type { Catalogue, Language, Purpose } from '../policies/index.ts';
import { parseIdentifier } from '../subjects/index.ts';
import type { Campaign } from './campaign.ts';
import { valuesOf } from './scope-words.ts';
import type { PortalTexts } from './texts/en.ts';

type Dimension = keyof Scope;

/** How many choices of one person become events of their own at most. */
const mostChoices = 32;

/** What a person filled in on the hosted page, or the first thing that is wrong with it. */
export type Answered =
  | { decision: 'yes' | 'no'; email: string; scopes: readonly Scope[] }
  | { problem: keyof PortalTexts['ask']['problems'] };

/** The newest notice of a purpose in a language: what the page shows, and the proof that it is what is recorded. */
export const noticeOf = (purpose: Purpose, language: Language) => {
  const { version, text } = purpose.notices.at(-1)!;
  return { version, language, text: text[language], hash: createHash('sha256').update(text[language]).digest('hex') };
};

/** The dimensions that the campaign leaves to people, with their values. */
export const openDimensions = (catalogue: Catalogue, purpose: Purpose, { scope }: Campaign) =>
  purpose.dimensions
    .filter((dimension) => scope[dimension] === undefined)
    .map((dimension) => ({ dimension, values: valuesOf(catalogue, purpose, dimension) }));

/** Each combination of what was ticked, one value of each dimension. */
const combine = (fixed: Scope, ticked: readonly { dimension: Dimension; values: readonly string[] }[]): Scope[] =>
  ticked.reduce<Scope[]>(
    (scopes, { dimension, values }) =>
      scopes.flatMap((scope) => values.map((value) => ({ ...scope, [dimension]: value }))),
    [fixed],
  );

const isMailbox = (email: string, catalogue: Catalogue): boolean => {
  try {
    parseIdentifier(`email:${email}`, catalogue, 'email');
    return true;
  } catch {
    return false;
  }
};

/** Reads the form of the hosted page against what it asks. Pure. */
export const readAnswer = (
  form: URLSearchParams,
  { campaign, catalogue, purpose }: { campaign: Campaign; catalogue: Catalogue; purpose: Purpose },
  language: Language,
): Answered => {
  const decision = form.get('decision');
  if (decision !== 'yes' && decision !== 'no') return { problem: 'decision' };
  const email = (form.get('email') ?? '').trim();
  if (!isMailbox(email, catalogue)) return { problem: 'email' };
  const { version, hash } = noticeOf(purpose, language);
  if (form.get('version') !== String(version) || form.get('hash') !== hash) return { problem: 'changed' };
  // A no is one for all that the page asks: ticks before it were no promise.
  if (decision === 'no') return { decision, email, scopes: [campaign.scope] };
  const ticked = openDimensions(catalogue, purpose, campaign).map(({ dimension, values }) => ({
    dimension,
    values: values.filter((value) => form.getAll(dimension).includes(value)),
  }));
  if (ticked.some(({ values }) => values.length === 0)) return { problem: 'choice' };
  const scopes = combine(campaign.scope, ticked);
  return scopes.length > mostChoices ? { problem: 'many' } : { decision, email, scopes };
};
