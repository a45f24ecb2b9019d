import type { Scope } from '../consent/index.ts';
import type { Catalogue, Language, Purpose } from '../policies/index.ts';
import { texts } from './texts.ts';

type Dimension = keyof Scope;

/** The values that a dimension of a purpose can take, in the order of the policies. */
export const valuesOf = (catalogue: Catalogue, purpose: Purpose, dimension: Dimension): readonly string[] => {
  if (dimension === 'platform') return [...catalogue.platforms.keys()];
  return purpose.values[dimension]!.map((value) => (typeof value === 'string' ? value : value.id));
};

/** How a value reads: as the policies call it, in our words where the default policies name it, else as it is written. */
export const wordFor = (
  catalogue: Catalogue,
  purpose: Purpose | undefined,
  dimension: string,
  value: string,
  language: Language,
): string => {
  if (dimension === 'platform') return catalogue.platforms.get(value)?.name ?? value;
  const recipient = purpose?.values.recipient?.find(({ id }) => dimension === 'recipient' && id === value);
  const known = texts[language].values;
  return recipient?.name[language] ?? (Object.hasOwn(known, value) ? known[value]! : value.replaceAll('-', ' '));
};

/** `E-mail, Events`; empty where the scope names nothing. */
export const scopeWords = (
  catalogue: Catalogue,
  purpose: Purpose | undefined,
  scope: Scope,
  language: Language,
): string =>
  Object.entries(scope)
    .map(([dimension, value]) => wordFor(catalogue, purpose, dimension, value, language))
    .join(', ');

/** Why a scope is none of this purpose, `scope.topic is not a value of it`; undefined when it is one. */
export const scopeProblem = (
  catalogue: Catalogue,
  purpose: Purpose,
  scope: Scope,
): { dimension: string; rule: string } | undefined => {
  for (const [dimension, value] of Object.entries(scope) as [Dimension, string][]) {
    const rule = `of purpose "${purpose.id}"`;
    if (!purpose.dimensions.includes(dimension)) return { dimension, rule: `is not a dimension ${rule}` };
    if (!valuesOf(catalogue, purpose, dimension).includes(value)) return { dimension, rule: `is not a value ${rule}` };
  }
  return undefined;
};
