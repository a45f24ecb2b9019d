import type { Catalogue } from '../policies/index.ts';
import type { Caller } from '../subjects/index.ts';
import type { RecordedEvent } from './commit-events.ts';
import { recordEvent, type ConsentDeps, type EventInput } from './record-event.ts';

type No = Omit<EventInput, 'action' | 'idempotency' | 'notice' | 'confirmAt' | 'campaign'>;

/**
 * Records that a person takes consent back (Art. 7(3) GDPR), for a purpose and scope or for everything (`*`). Always possible: also for
 * somebody unknown, also twice. What it ended is unlinked and stopped in the same transaction.
 */
export const withdrawConsent = (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: No,
): Promise<RecordedEvent> => recordEvent(deps, caller, catalogue, { ...input, action: 'withdraw' });

/** Records an objection (Art. 21 GDPR), which ends what rests on public task or legitimate interests. Same rules as a withdrawal. */
export const objectToPurpose = (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: No,
): Promise<RecordedEvent> => recordEvent(deps, caller, catalogue, { ...input, action: 'object' });
