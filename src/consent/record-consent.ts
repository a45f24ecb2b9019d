import type { Catalogue } from '../policies/index.ts';
import type { Caller } from '../subjects/index.ts';
import { ConsentNotTheBasis, PurposeUnknown } from './errors.ts';
import type { RecordedEvent } from './commit-events.ts';
import { recordEvent, type ConsentDeps, type EventInput } from './record-event.ts';

/**
 * Records that a person said yes (`give`), said no when asked (`refuse`), or was told (`inform`, for purposes that rest on another basis).
 * Errors: those of `recordEvent`; ConsentNotTheBasis for the telling of what needs a yes.
 */
export const recordConsent = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: EventInput & { action: 'give' | 'refuse' | 'inform' },
): Promise<RecordedEvent> => {
  const purpose = catalogue.purposes.get(input.purpose);
  if (!purpose) throw new PurposeUnknown();
  if (input.action === 'inform' && purpose.legalBasis === 'consent') throw new ConsentNotTheBasis(purpose.id);
  return recordEvent(deps, caller, catalogue, input);
};
