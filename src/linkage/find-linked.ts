import { advise, type DecisionDeps, type FindResources } from '../decisions/index.ts';
import type { Language } from '../policies/index.ts';
import { openIdentifiers, refer, type SubjectDeps } from '../subjects/index.ts';
import { halvesOf } from './half.ts';

/**
 * The linked social identities of one customer that the asking system itself confirmed and might use now. Advice: each use still needs a
 * check. Answers nothing for a system that may not ask, and for a customer nobody knows, alike.
 */
export const findLinked =
  (deps: SubjectDeps & DecisionDeps) =>
  (caller: { system: string; language: Language }): FindResources =>
  async ({ query, after, limit }) => {
    const customer = query.context?.['customer'];
    // Without a customer there is nothing that one could search (AuthZEN section 8.5.1 leaves the context optional).
    if (typeof customer !== 'string') return { results: [], next: undefined };
    const reference = refer(deps, await deps.policySets.current(), caller.system, customer, 'context.customer');
    const state = await deps.reader.stateOf(reference.blindIndex);
    if (!state || query.resource.type !== 'social_identity') return { results: [], next: undefined };
    const mine = halvesOf(state.links)
      .filter((half) => half.side === 'customer' && half.status === 'active' && half.system === caller.system)
      .sort((one, other) => (one.linkId < other.linkId ? -1 : 1));
    const opened = await openIdentifiers(
      deps,
      mine.map((half) => half.identityRef),
    );
    const candidates = mine.flatMap((half) => {
      const id = opened.get(half.identityRef);
      return id === undefined ? [] : [{ linkId: half.linkId, resource: { ...query.resource, id } }];
    });
    const permitted = await advise(
      deps,
      caller,
      candidates.map(({ resource }) => ({ ...query, resource })),
    );
    const found = candidates.filter((one, index) => permitted[index] && (after === undefined || one.linkId > after));
    const page = found.slice(0, limit);
    return {
      results: page.map(({ resource: { type, id } }) => ({ type, id })),
      next: found.length > limit ? page.at(-1)!.linkId : undefined,
    };
  };
