import { createBatcher } from '../kernel/database/batcher.ts';
import type { Database } from '../kernel/database/client.ts';

/** The row that every instance obeys: the active policy set, and a number that moves when a client is revoked. */
export type Deployment = { policyDigest: string | null; clientsEpoch: number };

/**
 * Reads the row from the primary for every caller; those who come while a read is under way share the next one. So each
 * caller sees what was committed before it asked, at a fraction of a query each.
 */
export const createDeploymentReader = (database: Database, deadlineMs: number): (() => Promise<Deployment>) => {
  const reads = createBatcher<null, Deployment>({
    maxItems: 1_000,
    maxInFlight: 1,
    deadlineMs,
    run: async (callers) => {
      const [value] = await database.read<Deployment>(
        'select policy_digest as "policyDigest", clients_epoch as "clientsEpoch" from deployment',
      );
      return callers.map(() => ({ status: 'fulfilled', value: value ?? { policyDigest: null, clientsEpoch: 0 } }));
    },
  });
  return () => reads.submit(null);
};
