/** What the systems of a withdrawal are told. Pure: rows are written by the change that caused them, in its statement. */

/** Undo a link. The references are blind indexes (hexadecimal) of the two identifiers; they are opened only at delivery. */
export type UnlinkFacts = {
  linkId: string;
  purpose: string;
  cause: string;
  customerRef: string;
  identityRef: string;
};

/** Stop using data for a purpose within a scope (dimension -> value; empty: everywhere). */
export type StopFacts = { purpose: string; scope: Record<string, string>; cause: string };

/** Tell a person whose data were collected elsewhere than from them (Art. 14 GDPR). `source`: where from, in a word. */
export type InformFacts = { purpose: string; cause: 'collected'; collectedAt: string; source?: string | undefined };

export type Duty =
  { kind: 'unlink'; facts: UnlinkFacts } | { kind: 'stop'; facts: StopFacts } | { kind: 'inform'; facts: InformFacts };

/** An obligation as it waits in the queue; times RFC 3339. */
export type Obligation = Duty & {
  id: string;
  subjectId: string;
  system: string;
  createdAt: string;
  dueAt: string;
};

/** The identifiers by which a system knows whom an obligation is about, as `namespace:value`. */
export type Described = { customer?: string; identity?: string };

/** "Without undue delay" (GDPR Art. 17(1), 19) in hours: after that an open obligation is overdue. */
const dueWithinHours = 24;

/**
 * The row of a new obligation, due for delivery at once; `created_at` is the database's. `now` is the moment of its cause; `dueAt` is given where the
 * law sets another date.
 */
export const newObligation = (
  about: Duty & { id: string; subjectId: string; system: string; now: Temporal.Instant; dueAt?: Temporal.Instant },
) => ({
  subjectId: about.subjectId,
  id: about.id,
  system: about.system,
  kind: about.kind,
  facts: about.facts,
  dueAt: (about.dueAt ?? about.now.add({ hours: dueWithinHours })).toString(),
  nextAttemptAt: about.now.toString(),
  attempts: 0,
  leaseToken: 0,
});

/**
 * The systems that must hear of the end of a purpose: those that may use data for it otherwise than by a link, which ends by its own
 * `unlink`. A "no to everything" asks once for each purpose that it ends.
 */
export const systemsToTell = (
  systems: Iterable<{ id: string; may: readonly { actions: readonly string[]; purposes: readonly string[] }[] }>,
  purpose: string,
): string[] =>
  [...systems]
    .filter(({ may }) =>
      may.some((use) => use.purposes.includes(purpose) && use.actions.some((action) => action !== 'link')),
    )
    .map(({ id }) => id);

/** The message that carries an obligation, the same by webhook and by pull (Standard Webhooks: `type`, `timestamp`, `data`). */
export const obligationMessage = (
  { id, subjectId, createdAt, dueAt, ...duty }: Obligation,
  described: Described = {},
) => {
  const { customer, identity } = described;
  const common = {
    obligationId: id,
    subjectId,
    createdAt,
    dueAt,
    purpose: duty.facts.purpose,
    cause: duty.facts.cause,
  };
  switch (duty.kind) {
    case 'unlink':
      return {
        type: 'obligation.unlink' as const,
        timestamp: createdAt,
        data: { ...common, linkId: duty.facts.linkId, customer, identity },
      };
    case 'stop':
      return {
        type: 'obligation.stop' as const,
        timestamp: createdAt,
        data: { ...common, scope: duty.facts.scope, customer, identity },
      };
    case 'inform':
      return {
        type: 'obligation.inform' as const,
        timestamp: createdAt,
        data: { ...common, collectedAt: duty.facts.collectedAt, source: duty.facts.source, customer, identity },
      };
  }
};
