import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { SigningKey } from './key-store.ts';

/**
 * From the making of a key until it signs: whoever verifies must know it by then. An instance re-reads the keys after a minute, and the
 * set that it publishes may be kept for five (`max-age` of the JWKS); the rest is for clocks that differ and reads that fail.
 */
export const announcedMs = 600_000;

/** How old what an instance knows of the keys may be. */
const freshMs = 60_000;

/** How long whoever needs a key waits for a key store that does not answer, before making do with what is known. */
const patienceMs = 200;

/** The key that signs now, and all under which something still valid may have been signed, newest first. */
export type KeysInUse = { signing: SigningKey; verifying: readonly SigningKey[] };

/**
 * Which keys are in use. The first of all signs at once, as nobody waits for another; each later one when it was announced for long
 * enough. A key that was followed by another stays for as long as what it signed last: `lastsMs`, and the minute within which an instance notices.
 * @param keys newest first, at least one
 */
export const keysInUse = (keys: readonly SigningKey[], nowMs: number, lastsMs: number): KeysInUse => {
  const signsFromMs = (key: SigningKey): number => key.createdAt.epochMilliseconds + announcedMs;
  return {
    signing: keys.find((key) => signsFromMs(key) <= nowMs) ?? keys.at(-1)!,
    verifying: keys.filter((_, index) => index === 0 || nowMs < signsFromMs(keys[index - 1]!) + lastsMs + freshMs),
  };
};

/**
 * Keys that can be changed while the service runs. Reads them at once (and rejects if it cannot), and again when somebody needs one and a
 * minute has passed; if that fails, the known ones stay in use and `onFailure` is told.
 */
export const createKeyRing = async ({
  read,
  lastsMs,
  clock,
  onFailure,
}: {
  read(): Promise<SigningKey[]>;
  lastsMs: number;
  clock: Clock;
  onFailure(error: unknown): void;
}): Promise<() => Promise<KeysInUse>> => {
  const nowMs = () => clock.now().epochMilliseconds;
  let keys = await read();
  let readAtMs = nowMs();
  let reading: Promise<void> | undefined;
  const readAgain = (): Promise<void> =>
    (reading ??= read()
      .then((found) => void (keys = found), onFailure)
      .finally(() => {
        readAtMs = nowMs();
        reading = undefined;
      }));
  return async () => {
    // A clock that was set back must not keep us from reading.
    if (Math.abs(nowMs() - readAtMs) >= freshMs)
      await Promise.race([readAgain(), sleep(patienceMs, undefined, { ref: false })]);
    return keysInUse(keys, nowMs(), lastsMs);
  };
};
