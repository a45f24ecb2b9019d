import { setTimeout as sleep } from 'node:timers/promises';
import { isInformedOf, type Answers } from '../consent/index.ts';
import type { Purpose } from '../policies/index.ts';
import {
  SubjectContended,
  SubjectErased,
  throughAliases,
  type Caller,
  type IdempotencyMark,
  type SubjectDeps,
} from '../subjects/index.ts';
import { bringInformForward, openInform } from './open-informs.ts';
import { oblige } from './stop-what-ended.ts';

/**
 * Until when a person is to be told of what was collected elsewhere than from them: one month (Art. 14(3)(a) GDPR), by the calendar of UTC. What was
 * collected on the 31st is due on the last day of a shorter month.
 */
export const informBy = (collectedAt: Temporal.Instant): Temporal.Instant =>
  collectedAt.toZonedDateTimeISO('UTC').add({ months: 1 }, { overflow: 'constrain' }).toInstant();

/** An obligation to inform, and whose it is; `dueAt` RFC 3339. */
export type InformDue = { obligationId: string; system: string; dueAt: string };

/**
 * Obliges a system to inform a person, unless they know of the purpose already (Art. 14(5)(a) GDPR). There is one clock per person and purpose: a
 * second report keeps the earlier one, whoever made it. Answers the open obligation, or undefined where there is none to be.
 * Errors: SubjectErased, SubjectContended.
 */
export const startInformClock = async (
  deps: Pick<SubjectDeps, 'database' | 'reader' | 'writer' | 'clock' | 'ids'>,
  caller: Caller,
  about: {
    subjectId: string;
    /** Who collected, and has to tell. */
    system: string;
    purpose: Purpose;
    collectedAt: Temporal.Instant;
    source?: string | undefined;
    idempotency?: IdempotencyMark | undefined;
  },
): Promise<InformDue | undefined> => {
  const { system, purpose, collectedAt, source, idempotency } = about;
  const dueAt = informBy(collectedAt);
  const id = idempotency?.resourceId ?? deps.ids.uuid();
  for (let attempt = 0; attempt < 50; attempt++) {
    const state = await throughAliases(deps, await deps.reader.state(about.subjectId));
    const { subjectId } = state;
    if (state.erasedAt) throw new SubjectErased();
    const now = deps.clock.now();
    // Read after the state: whoever adds one meanwhile moves the version, and we look again.
    const open = await openInform(deps.database, subjectId, purpose.id);
    const owes = !open && !isInformedOf(state.answers as Answers, purpose, now.epochMilliseconds);
    if (open) await bringInformForward(deps.database, [{ subjectId, id: open.obligationId, at: dueAt.toString() }]);
    const result = owes ? { obligationId: id, system, dueAt: dueAt.toString() } : open;
    if (!owes && !idempotency) return open && sooner(open, dueAt);
    const facts = { purpose: purpose.id, cause: 'collected' as const, collectedAt: collectedAt.toString(), source };
    const changed = await deps.writer.change(
      subjectId,
      {
        verb: 'report-collection',
        caller,
        idempotency: idempotency && { ...idempotency, resourceId: result?.obligationId ?? id },
      },
      (current) =>
        current.version === state.version
          ? {
              rows: owes ? [oblige({ id, subjectId, system, kind: 'inform', facts, now, dueAt })] : [],
              result: undefined,
            }
          : undefined,
      state,
    );
    if (changed) return result && sooner(result, dueAt);
    await sleep(Math.random() * 5);
  }
  throw new SubjectContended();
};

const sooner = (due: InformDue, dueAt: Temporal.Instant): InformDue =>
  Temporal.Instant.compare(dueAt, Temporal.Instant.from(due.dueAt)) < 0 ? { ...due, dueAt: dueAt.toString() } : due;
