import type { Database } from '../kernel/database/client.ts';
import type { z } from 'zod';
import { NoticeMissing, ObligationUnknown } from './errors.ts';
import { obligationColumns } from './lease-obligations.ts';
import type { Obligation } from './obligation.ts';
import type { informedSchema } from './schema.ts';

/** Which notice a person was shown, and how. */
export type Informed = z.output<typeof informedSchema>;

/** Makes true elsewhere what a system has confirmed (a half of a link is unlinked, a person is informed). May run more than once for one obligation. */
export type OnAcknowledged = (obligation: Obligation, informed: Informed | undefined) => Promise<void>;

export type Acknowledgement = {
  obligationId: string;
  acknowledgedAt: string;
  /** From the withdrawal that caused the obligation to the system's first confirmation. */
  withdrawalToSilenceMs: number;
};

/**
 * A system confirms that it has done what it was told. Once acknowledged, an obligation is never delivered again; confirming it again
 * answers the same. `onAcknowledged` runs first: if we fail in between, the system is asked again rather than the rest forgotten.
 * Throws ObligationUnknown, also for obligations of others; NoticeMissing where it was to inform and nothing says with which words.
 */
export const acknowledgeObligation = async (
  deps: { database: Database; onAcknowledged: OnAcknowledged },
  system: string,
  obligationId: string,
  informed?: Informed,
): Promise<Acknowledgement> => {
  const [obligation] = await deps.database.query<Obligation & { acknowledged: boolean }>(
    `select ${obligationColumns}, o.acknowledged_at is not null as acknowledged from obligation o where o.system = $1 and o.id = $2`,
    [system, obligationId],
  );
  if (!obligation) throw new ObligationUnknown();
  const { acknowledged, ...confirmed } = obligation;
  if (!acknowledged && confirmed.kind === 'inform' && !informed) throw new NoticeMissing();
  if (!acknowledged) await deps.onAcknowledged(confirmed, informed);
  const [row] = await deps.database.query<{ acknowledgedAt: string; silenceMs: number }>(
    `update obligation
     set acknowledged_at = coalesce(acknowledged_at, now()), delivered_at = coalesce(delivered_at, now()), leased_until = null, last_problem = null
     where subject_id = $1 and id = $2
     returning acknowledged_at as "acknowledgedAt",
       round(extract(epoch from acknowledged_at - created_at) * 1000)::float8 as "silenceMs"`,
    [confirmed.subjectId, obligationId],
  );
  return {
    obligationId,
    acknowledgedAt: Temporal.Instant.from(row!.acknowledgedAt).toString(),
    withdrawalToSilenceMs: Math.max(0, row!.silenceMs),
  };
};
