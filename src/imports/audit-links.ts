import { factsOf, type DecisionDeps } from '../decisions/index.ts';
import { reasonsOf, type Catalogue, type Facts, type Language } from '../policies/index.ts';
import { parseIdentifier } from '../subjects/index.ts';
import { AppError } from '../kernel/errors.ts';
import type { StatedLink } from './read-links.ts';

/** A stated link as it would be decided now. `rules` are those that decide; on a deny, why it has no ground. */
export type AuditedLink = { line: number } & (
  { permitted: boolean; platform: string; rules: { code: string; because: string }[] } | { problem: string }
);

type AuditDeps = Omit<DecisionDeps, 'permits' | 'denials'>;

/** Look-ups of so many links share a few statements; more would only fill the memory. */
const windowSize = 512;

/** The namespace of the numbers by which a system knows its customers: the first system that its `identifiers` name. */
const customerNamespace = (catalogue: Catalogue, system: string): string =>
  catalogue.systems.get(system)!.identifiers.find((name) => catalogue.systems.has(name)) ?? system;

/** The purposes for which a system may link at all. */
export const linkingPurposes = (catalogue: Catalogue, system: string): string[] =>
  (catalogue.systems.get(system)?.may ?? [])
    .filter(({ actions }) => actions.includes('link'))
    .flatMap(({ purposes }) => purposes);

/**
 * Asks for each stated link whether `system` might make it now. Records nothing, gives no permit, changes nothing. A bare customer number
 * is taken to be in the system's own namespace. Answers in the order of the file, a window at a time.
 */
export async function* auditLinks(
  deps: AuditDeps,
  { system, purpose, language }: { system: string; purpose: string; language: Language },
  links: AsyncIterable<StatedLink>,
): AsyncGenerator<AuditedLink> {
  const judge = async (link: StatedLink): Promise<AuditedLink> => {
    if ('problem' in link) return link;
    const { line } = link;
    const catalogue = await deps.policySets.current();
    const [namespace = ''] = link.customer.split(':', 1);
    const isWhole =
      link.customer.includes(':') && (catalogue.systems.has(namespace) || ['email', 'phone'].includes(namespace));
    const customer = isWhole ? link.customer : `${customerNamespace(catalogue, system)}:${link.customer}`;
    const problem = problemOf(customer, catalogue, 'customer') ?? problemOf(link.identity, catalogue, 'identity');
    if (problem !== undefined) return { line, problem };
    const { policyDigest, facts } = await factsOf(
      deps,
      { system, language },
      {
        subject: { type: 'system', id: system },
        action: { name: 'link' },
        resource: { type: 'social_identity', id: link.identity },
        context: { purpose: link.purpose ?? purpose, customer },
      },
    );
    const platform = link.identity.split(':', 1)[0]!;
    const { refused } = facts as { refused?: string };
    if (refused !== undefined) return { line, problem: refused };
    const under = await deps.policySets.byDigest(policyDigest);
    const verdict = under.decide(facts as Facts);
    const reasons = reasonsOf(under, facts as Facts, verdict, language);
    return {
      line,
      permitted: verdict.permit,
      platform,
      rules: reasons.map(({ code, admin }) => ({ code, because: admin })),
    };
  };
  let waiting: StatedLink[] = [];
  for await (const link of links) {
    waiting.push(link);
    if (waiting.length < windowSize) continue;
    yield* await Promise.all(waiting.map(judge));
    waiting = [];
  }
  yield* await Promise.all(waiting.map(judge));
}

/** What is wrong with an identifier, without its value. */
const problemOf = (text: string, catalogue: Catalogue, member: string): string | undefined => {
  try {
    parseIdentifier(text, catalogue, member);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
};
