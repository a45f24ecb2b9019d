import type { Described } from './obligation.ts';
import type { Describe } from './pull-obligations.ts';

/**
 * By which identifiers a system knows whom an obligation is about, opened only when it is handed over. An unlink names its two sides; all
 * others name the person by each system's own kind of identifier: its own namespace before others that it may use.
 */
export const describeObligations =
  (deps: {
    open(blindIndexes: readonly string[]): Promise<Map<string, string>>;
    openOf(subjectIds: readonly string[]): Promise<Map<string, string[]>>;
    namespaces(system: string): Promise<readonly string[]>;
  }): Describe =>
  async (obligations) => {
    const unlinks = obligations.filter((one) => one.kind === 'unlink');
    const others = obligations.filter((one) => one.kind !== 'unlink');
    const [byIndex, bySubject] = await Promise.all([
      deps.open([...new Set(unlinks.flatMap(({ facts }) => [facts.customerRef, facts.identityRef]))]),
      deps.openOf([...new Set(others.map(({ subjectId }) => subjectId))]),
    ]);
    const described = new Map<string, Described>();
    for (const { id, facts } of unlinks) {
      const customer = byIndex.get(facts.customerRef);
      const identity = byIndex.get(facts.identityRef);
      described.set(id, { ...(customer && { customer }), ...(identity && { identity }) });
    }
    for (const { id, system, subjectId } of others) {
      const customer = chosen(bySubject.get(subjectId) ?? [], system, await deps.namespaces(system));
      described.set(id, customer ? { customer } : {});
    }
    return described;
  };

const chosen = (identifiers: readonly string[], system: string, namespaces: readonly string[]): string | undefined => {
  const usable = identifiers.filter((identifier) => namespaces.includes(identifier.split(':', 1)[0]!));
  return usable.find((identifier) => identifier.startsWith(`${system}:`)) ?? usable.sort()[0];
};
