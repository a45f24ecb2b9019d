import type { Database } from '../database/client.ts';
import { releaseLease, takeLease } from '../database/lease.ts';
import { expireKeyBackups, listKeyBackups, writeKeyBackup } from './key-backup.ts';

const leaseName = 'key-backup';
const leaseSeconds = 600;

/**
 * Makes the backup of the key store of this day (UTC) unless its folder has one, and removes those that are too old. Of many instances one
 * does it, by lease. Safe to ask at any time and as often as one likes. Answers whether it made one.
 */
export const backUpKeysOfToday = async (
  { data, keys }: { data: Database; keys: Database },
  { folder, days }: { folder: string; days: number },
  now: Temporal.Instant,
): Promise<boolean> => {
  const today = now.toString().slice(0, 10);
  const isDone = async () =>
    (await listKeyBackups(folder)).some(({ at, unfinished }) => !unfinished && at.toString().startsWith(today));
  if (await isDone()) return false;
  const token = await takeLease(data, leaseName, leaseSeconds);
  if (token === undefined) return false;
  try {
    // Another instance may have made it between our look and our lease.
    if (await isDone()) return false;
    await writeKeyBackup(keys, folder, now);
    await expireKeyBackups(folder, days, now);
    return true;
  } finally {
    await releaseLease(data, leaseName, token);
  }
};
