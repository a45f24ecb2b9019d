import type { Database } from '../kernel/database/client.ts';
import { leaseForPull, releaseObligations } from './lease-obligations.ts';
import { obligationMessage, type Described, type Obligation } from './obligation.ts';

/** The identifiers of obligations by obligation id, opened for the system that must act; absent where they no longer can be. */
export type Describe = (obligations: readonly Obligation[]) => Promise<Map<string, Described>>;

/**
 * A system fetches what it must do. What it gets is leased to it for a minute and comes again until it is acknowledged: at least once.
 * `limit`: 1 to 100.
 */
export const pullObligations = async (
  deps: { database: Database; describe: Describe },
  system: string,
  limit: number,
): Promise<ReturnType<typeof obligationMessage>[]> => {
  const leased = await leaseForPull(deps.database, system, limit);
  if (leased.length === 0) return [];
  try {
    const described = await deps.describe(leased);
    return leased.map((obligation) => obligationMessage(obligation, described.get(obligation.id)));
  } catch (error) {
    await releaseObligations(deps.database, leased);
    throw error;
  }
};
