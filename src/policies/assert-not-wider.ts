import { AppError } from '../kernel/errors.ts';
import { asksAnew, counts, isCorrected } from './asks-anew.ts';
import type { Catalogue } from './catalogue.ts';
import { dimensions, type Language, type Purpose } from './schema.ts';

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

type PolicySet = Pick<Catalogue, 'purposes' | 'platforms'>;

/**
 * Refuses a set under which answers recorded under the one before it would mean more. Pure. A purpose that keeps its id must
 * - keep its legal basis or go to consent (from a contract or a legal obligation only by asking anew): on another basis a "no to everything" may
 *   no longer reach it;
 * - keep its dimensions: a no to one platform says nothing to a purpose that no longer asks which;
 * - keep the words of each version of its notice: a yes to other words is no yes to these;
 * - not let answers count again that had ceased to: a notice renewed or corrected stays so, and what is retired is not revived;
 * - gain nothing that an earlier answer would then cover, unless its newest notice asks anew: no earlier answer counts under it.
 * Such a change is a new purpose, with a new id, about which people are asked anew (Art. 5(1)(b), 13(3) GDPR). Throws ActivationWidens.
 *
 * What may change: `doubleOptIn` (a yes that waits for its confirmation goes on waiting), `validity` (an answer carries its own end),
 * `askAgainAfter` (it permits no use). Rules and grants are the controller's own judgement, which `policies diff` shows beforehand.
 */
export const assertNotWider = (before: PolicySet, after: PolicySet): void => {
  const problems = widenings(before, after);
  if (problems.length > 0) throw new ActivationWidens(problems);
};

/** The same as a list of what is wrong. */
export const widenings = (before: PolicySet, after: PolicySet): string[] =>
  [...before.purposes.values()].flatMap((purpose) => {
    const next = after.purposes.get(purpose.id);
    if (!next) return [];
    return [
      ...reworded(purpose, next),
      ...otherBasis(purpose, next),
      ...lostDimensions(purpose, next),
      ...(asksAnew(purpose, next) ? [] : [...revived(purpose, next), ...gained(purpose, next, before, after)]),
    ].map((problem) => `purpose "${purpose.id}": ${problem}`);
  });

const reworded = (purpose: Purpose, next: Purpose): string[] =>
  purpose.notices.flatMap(({ version, text }) => {
    const again = next.notices.find((notice) => notice.version === version);
    return again && Object.entries(text).some(([language, words]) => again.text[language as Language] !== words)
      ? [`the words of notice ${version} change; give the new words a new version`]
      : [];
  });

const otherBasis = (purpose: Purpose, next: Purpose): string[] => {
  if (next.legalBasis === purpose.legalBasis) return [];
  const change = `legalBasis goes from ${purpose.legalBasis} to ${next.legalBasis}`;
  if (next.legalBasis !== 'consent') return [`${change}; give it a new id`];
  // A no to a contract was kept as a request and ended nothing: it would be forgotten beside an older choice that now counts as a yes.
  const keptRequests = purpose.legalBasis === 'contract' || purpose.legalBasis === 'legal-obligation';
  return keptRequests && !asksAnew(purpose, next)
    ? [`${change}, and what people asked for would not count; add a notice with renewOnNewNotice or "corrects"`]
    : [];
};

const lostDimensions = (purpose: Purpose, next: Purpose): string[] => {
  const lost = purpose.dimensions.filter((dimension) => !next.dimensions.includes(dimension));
  return lost.length > 0
    ? [`dimensions lose ${lost.join(', ')}, and with it every no that was narrowed so; give it a new id`]
    : [];
};

/**
 * Answers that did not count and would. Going back to an earlier notice under which people are asked anew revives none that it should not:
 * those who said yes to its words said it to these.
 */
const revived = (purpose: Purpose, next: Purpose): string[] => [
  ...(purpose.retired !== undefined && next.retired === undefined
    ? ['it is no longer retired, and what people said before would count again; give it a new id']
    : []),
  ...(purpose.renewOnNewNotice && !next.renewOnNewNotice
    ? ['answers to earlier notices were to be renewed and would count again; keep renewOnNewNotice']
    : []),
  ...purpose.notices
    .filter(({ version }) => isCorrected(purpose, version) && counts(next, version))
    .map(
      ({ version }) =>
        `notice ${version} was corrected, and answers to it would count again; keep it among those that "corrects" names`,
    ),
];

/** What an answer of before would come to cover. Where a yes names no value of a dimension, it covers each that there is. */
const gained = (purpose: Purpose, next: Purpose, before: PolicySet, after: PolicySet): string[] => {
  const lists = ['actions', 'dataCategories', 'recipients', 'compatiblePurposes', 'dimensions'] as const;
  const flags = ['specialCategories', 'automatedDecisions'] as const;
  const gains = [
    ...lists.map((member) => ({ member, more: beyond<string>(purpose[member], next[member]) })),
    ...flags.map((member) => ({ member, more: next[member] && !purpose[member] ? ['true'] : [] })),
    ...dimensions
      .filter((dimension) => purpose.dimensions.includes(dimension) && next.dimensions.includes(dimension))
      .map((dimension) => ({
        member: `values of ${dimension}`,
        more: beyond(valuesOf(purpose, dimension, before), valuesOf(next, dimension, after)),
      })),
  ];
  return gains
    .filter(({ more }) => more.length > 0)
    .map(
      ({ member, more }) =>
        `${member} gain ${more.join(', ')}, which people were not told of; add a notice with renewOnNewNotice or "corrects"`,
    );
};

const beyond = <T>(fewer: readonly T[], more: readonly T[]): T[] => more.filter((item) => !fewer.includes(item));

/** A recipient is who it is called: another name under the same id is somebody else. */
const valuesOf = (purpose: Purpose, dimension: (typeof dimensions)[number], { platforms }: PolicySet): string[] => {
  if (dimension === 'platform') return [...platforms.keys()];
  return (purpose.values[dimension] ?? []).map((value) =>
    typeof value === 'string' ? value : `${value.id} (${Object.values(value.name).join(' / ')})`,
  );
};
