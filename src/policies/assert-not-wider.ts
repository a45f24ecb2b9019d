import { AppError } from '../kernel/errors.ts';
import type { Catalogue } from './catalogue.ts';

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
 * - keep its dimensions: a no to one platform says nothing to a purpose that no longer asks which.
 * Such a change is a new purpose, with a new id, about which people are asked anew (Art. 5(1)(b), 13(3) GDPR). Throws ActivationWidens.
 */
export const assertNotWider = (before: Catalogue, after: Catalogue): void => {
  const problems = [...before.purposes.values()].flatMap((purpose) => {
    const next = after.purposes.get(purpose.id);
    if (!next) return [];
    const lost = purpose.dimensions.filter((dimension) => !next.dimensions.includes(dimension));
    const basis =
      next.legalBasis !== purpose.legalBasis && next.legalBasis !== 'consent'
        ? [
            `purpose "${purpose.id}": legalBasis goes from ${purpose.legalBasis} to ${next.legalBasis}; give it a new id`,
          ]
        : [];
    return lost.length > 0
      ? [
          ...basis,
          `purpose "${purpose.id}": dimensions lose ${lost.join(', ')}, and with it every no that was narrowed so; give it a new id`,
        ]
      : basis;
  });
  if (problems.length > 0) throw new ActivationWidens(problems);
};
