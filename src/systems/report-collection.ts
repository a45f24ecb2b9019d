import { liesAhead } from '../kernel/clock.ts';
import { isGranted, type Catalogue } from '../policies/index.ts';
import { refer, registerSubject, type Caller, type IdempotencyMark, type SubjectDeps } from '../subjects/index.ts';
import { CollectedInFuture, CollectionNotGranted } from './errors.ts';
import { startInformClock } from './inform-clock.ts';

/** What a system owes after it collected; times RFC 3339. */
export type ReportedCollection = { subjectId: string; inform: { obligationId: string; dueAt: string } | null };

/**
 * A system says that it collected data about somebody that are no aggregate: finds or creates the pseudonymous person and starts the clock of Art. 14
 * GDPR, where the person does not know yet. Errors: CollectionNotGranted, CollectedInFuture, SubjectErased, those of `refer`.
 */
export const reportCollection = async (
  deps: SubjectDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: {
    subject: string;
    purpose: string;
    collectedAt?: string | undefined;
    source?: string | undefined;
    idempotency?: IdempotencyMark | undefined;
  },
): Promise<ReportedCollection> => {
  const purpose = catalogue.purposes.get(input.purpose);
  if (!purpose || !isGranted(catalogue, caller.system, 'collect', input.purpose)) throw new CollectionNotGranted();
  const reference = refer(deps, catalogue, caller.system, input.subject, 'subject');
  const now = deps.clock.now();
  // PostgreSQL keeps microseconds: what is answered now must be what a repeated call is answered.
  const collectedAt = (input.collectedAt === undefined ? now : Temporal.Instant.from(input.collectedAt)).round({
    smallestUnit: 'millisecond',
    roundingMode: 'floor',
  });
  if (liesAhead(collectedAt, now)) throw new CollectedInFuture();
  const { subjectId } = await registerSubject(deps, caller, { references: [reference] });
  const { source, idempotency } = input;
  const due = await startInformClock(deps, caller, {
    subjectId,
    system: caller.system,
    purpose,
    collectedAt,
    source,
    idempotency,
  });
  // Whom another system has to tell is nothing to this one.
  const inform = due?.system === caller.system ? { obligationId: due.obligationId, dueAt: due.dueAt } : null;
  return { subjectId, inform };
};

/** What a report was answered with, again: for a repeated call with the same Idempotency-Key. */
export const readReported = async (
  deps: Pick<SubjectDeps, 'database'>,
  system: string,
  { subjectId, resourceId }: { subjectId: string; resourceId: string },
): Promise<ReportedCollection> => {
  const [row] = await deps.database.query<{ dueAt: string }>(
    `select due_at as "dueAt" from obligation where subject_id = $1 and id = $2 and system = $3`,
    [subjectId, resourceId, system],
  );
  const inform = row ? { obligationId: resourceId, dueAt: Temporal.Instant.from(row.dueAt).toString() } : null;
  return { subjectId, inform };
};
