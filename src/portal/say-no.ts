import { objectToPurpose, recordGpcSignal, withdrawConsent, type RecordedEvent, type Scope } from '../consent/index.ts';
import { AppError } from '../kernel/errors.ts';
import { SubjectErased } from '../subjects/index.ts';
import { pages, type PortalDeps } from './deps.ts';

/** Where the legal basis gives a right to object rather than to withdraw (Art. 21 GDPR). */
const objected = new Set(['legitimate-interests', 'public-task']);

/**
 * Records a no by somebody who holds a capability for it: as withdrawal or as objection, by the purpose's legal basis. Answers undefined
 * where nothing was recorded: the person was erased, or the purpose is none that the policies know or the person ever answered about.
 * `purposeWasOurs`: it stands in a sealed link, hence was a purpose when that was made. The no must be there should the purpose come back.
 *
 * A scope that the policies retired meanwhile is widened by what they no longer know: whoever presses the button of an old mail must not be
 * turned away, and a no that reaches further than meant harms less than one that is lost.
 */
export const sayNo = async (
  deps: PortalDeps,
  input: { subjectId: string; purpose: string; scope: Scope; purposeWasOurs: boolean },
): Promise<RecordedEvent | undefined> => {
  const catalogue = await deps.catalogue();
  const basis = catalogue.purposes.get(input.purpose)?.legalBasis ?? 'consent';
  const record = objected.has(basis) ? objectToPurpose : withdrawConsent;
  try {
    const event = await record(deps, pages, catalogue, { ...input, method: 'one-click' });
    deps.wake();
    return event;
  } catch (error) {
    if (error instanceof SubjectErased) return undefined;
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'consent.purpose-unknown') return undefined;
    const dimension = error.code === 'consent.scope-unknown' && error.member?.replace('scope.', '');
    if (!dimension) throw error;
    const { [dimension as keyof Scope]: _retired, ...scope } = input.scope;
    return sayNo(deps, { ...input, scope });
  }
};

/** Sec-GPC (w3c.github.io/gpc): the one value it has. */
export const saysNo = (header: string | undefined): boolean => header?.trim() === '1';

/**
 * Notes that the browser which opened a person's own page says Sec-GPC: 1; answers whether it does. A browser without the header says
 * nothing at all, so its absence never turns the signal off: the next one may be a scanner of mail, or a borrowed phone.
 */
export const noteSignal = async (deps: PortalDeps, subjectId: string, header: string | undefined): Promise<boolean> => {
  if (!saysNo(header)) return false;
  try {
    if (await recordGpcSignal(deps, pages, await deps.catalogue(), { subjectId, on: true })) deps.wake();
    return true;
  } catch (error) {
    if (error instanceof SubjectErased) return false;
    throw error;
  }
};
