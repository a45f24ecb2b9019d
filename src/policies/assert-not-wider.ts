import { AppError } from '../kernel/errors.ts';
import type { Catalogue } from './catalogue.ts';
import type { Language } from './schema.ts';

/** The set would turn recorded answers into permits that nobody gave (promise 4). */
export class ActivationWidens extends AppError {
  constructor(problems: readonly string[]) {
    super(
      'policies.activation-widens',
      'unprocessable',
      `this policy set cannot follow the active one:\n  ${problems.join('\n  ')}`,
    );
  }
}

/**
 * Refuses a set under which answers recorded under the one before it would mean more. Pure. A purpose that keeps its id must
 * - keep its legal basis or go to consent: on another basis a "no to everything" may no longer reach it;
 * - keep its dimensions: a no to one platform says nothing to a purpose that no longer asks which;
 * - keep the words of each version of its notice: a yes to other words is no yes to these.
 * Such a change is a new purpose, with a new id, about which people are asked anew (Art. 5(1)(b), 13(3) GDPR). Throws ActivationWidens.
 */
export const assertNotWider = (before: Catalogue, after: Catalogue): void => {
  const problems = [...before.purposes.values()].flatMap((purpose) => {
    const next = after.purposes.get(purpose.id);
    if (!next) return [];
    const lost = purpose.dimensions.filter((dimension) => !next.dimensions.includes(dimension));
    const reworded = purpose.notices.flatMap(({ version, text }) => {
      const again = next.notices.find((notice) => notice.version === version);
      return again && Object.entries(text).some(([language, words]) => again.text[language as Language] !== words)
        ? [`purpose "${purpose.id}": the words of notice ${version} change; give the new words a new version`]
        : [];
    });
    const basis =
      next.legalBasis !== purpose.legalBasis && next.legalBasis !== 'consent'
        ? [
            `purpose "${purpose.id}": legalBasis goes from ${purpose.legalBasis} to ${next.legalBasis}; give it a new id`,
          ]
        : [];
    return lost.length > 0
      ? [
          ...reworded,
          ...basis,
          `purpose "${purpose.id}": dimensions lose ${lost.join(', ')}, and with it every no that was narrowed so; give it a new id`,
        ]
      : [...reworded, ...basis];
  });
  if (problems.length > 0) throw new ActivationWidens(problems);
};
