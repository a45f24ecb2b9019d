import { everything, type Scope } from '../consent/index.ts';
import { refer, SubjectNotFound, type Caller } from '../subjects/index.ts';
import type { PortalDeps } from './deps.ts';
import { PeopleUnknown, PurposeUnknown, ScopeUnknown } from './errors.ts';
import { scopeProblem } from './scope-words.ts';

type Mail = { subject: string; purpose: string; scope: Scope };

/** The ids of people who are known by these identifiers, in their order; undefined for those who are not, or were erased. */
const idsOf = async (
  deps: PortalDeps,
  caller: Caller,
  people: readonly { subject: string; member: string }[],
): Promise<(string | undefined)[]> => {
  const catalogue = await deps.catalogue();
  const { sides } = await deps.reader.sides(
    people.map(({ subject, member }) => ({
      blindIndex: refer(deps, catalogue, caller.system, subject, member).blindIndex,
      purpose: everything,
    })),
  );
  return sides.map(({ subjectId, erased }) => (erased ? undefined : (subjectId ?? undefined)));
};

/**
 * The headers of mails that are about to be sent (RFC 2369, RFC 8058): each with an address that says no to what that mail is sent for.
 * Nobody is created by it. Errors: PurposeUnknown, ScopeUnknown, PeopleUnknown naming every one, those of `refer`.
 */
export const mintUnsubscribeHeaders = async (deps: PortalDeps, caller: Caller, mails: readonly Mail[]) => {
  const catalogue = await deps.catalogue();
  mails.forEach(({ purpose: id, scope }, index) => {
    const purpose = catalogue.purposes.get(id);
    if (!purpose) throw new PurposeUnknown(`mails.${index}.purpose`);
    const problem = scopeProblem(catalogue, purpose, scope);
    if (problem) throw new ScopeUnknown(`mails.${index}.scope.${problem.dimension}`, problem.rule);
  });
  const ids = await idsOf(
    deps,
    caller,
    mails.map(({ subject }, index) => ({ subject, member: `mails.${index}.subject` })),
  );
  const unknown = ids.flatMap((id, index) => (id === undefined ? [`mails.${index}.subject`] : []));
  if (unknown.length > 0) throw new PeopleUnknown(unknown);
  return mails.map(({ purpose, scope }, index) => {
    const link = `${deps.baseUrl}/u/${deps.capabilities.sealNo({ subjectId: ids[index]!, purpose, scope })}`;
    return {
      headers: { 'List-Unsubscribe': `<${link}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
      link,
    };
  });
};

/** The address of the page on which this person can say no to anything. Errors: SubjectNotFound, those of `refer`. */
export const mintNoLink = async (deps: PortalDeps, caller: Caller, subject: string): Promise<string> => {
  const [subjectId] = await idsOf(deps, caller, [{ subject, member: 'subject' }]);
  if (subjectId === undefined) throw new SubjectNotFound('subject');
  return noLink(deps, subjectId);
};

export const noLink = (deps: Pick<PortalDeps, 'baseUrl' | 'capabilities'>, subjectId: string): string =>
  `${deps.baseUrl}/no/${deps.capabilities.sealNo({ subjectId, purpose: everything, scope: {} })}`;
