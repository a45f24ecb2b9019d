import { isIP } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import type { KeyStore } from '../kernel/crypto/key-store.ts';
import type { Database } from '../kernel/database/client.ts';
import { isPublicAddress } from './address-guard.ts';
import { newEndpointSecret, previousSecretHours, replaceSecret, type SealedSecrets } from './endpoint-secret.ts';
import { bringForward } from './record-delivery.ts';
import { EndpointContended, EndpointRefused, SystemPulls, SystemUnknown } from './errors.ts';

/** Throws EndpointRefused unless deliveries may go to this URL. A name is judged again, by its addresses, at each delivery. */
const assertDeliverable = (text: string, allowPrivateTargets: boolean): void => {
  const url = URL.parse(text);
  if (!url || text.length > 2_000) throw new EndpointRefused('is not an absolute URL of at most 2000 characters');
  if (url.protocol !== 'https:' && !(allowPrivateTargets && url.protocol === 'http:'))
    throw new EndpointRefused('must begin with https://');
  if (url.username !== '' || url.password !== '')
    throw new EndpointRefused('must hold no user name or password: deliveries are signed');
  if (url.hash !== '') throw new EndpointRefused('must hold no fragment');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!allowPrivateTargets && isIP(host) !== 0 && !isPublicAddress(host))
    throw new EndpointRefused('must not point to a private address');
};

/**
 * Registers where a system takes its obligations. Each call makes a new secret, answered once; the one before signs beside it for a day.
 * What waits for this system becomes due at once. Throws SystemUnknown, SystemPulls, EndpointRefused, EndpointContended.
 */
export const setEndpoint = async (
  deps: {
    database: Database;
    keys: Pick<KeyStore, 'secret'>;
    clock: Clock;
    systems: ReadonlyMap<string, { kind: 'webhook' | 'pull' | 'manual' }>;
    allowPrivateTargets: boolean;
  },
  system: string,
  input: { url: string },
): Promise<{ url: string; secret: string; previousSecretEndsAt: string | null }> => {
  const declared = deps.systems.get(system);
  if (!declared) throw new SystemUnknown(system);
  if (declared.kind !== 'webhook') throw new SystemPulls(system, declared.kind);
  assertDeliverable(input.url, deps.allowPrivateTargets);
  const { key } = await deps.keys.secret('endpoints');
  const secret = newEndpointSecret();
  for (let attempt = 0; attempt < 5; attempt++) {
    const [current] = await deps.database.query<SealedSecrets>(
      'select sealed_secret as "sealedSecret", sealed_previous_secret as "sealedPreviousSecret" from endpoint where system = $1',
      [system],
    );
    const now = deps.clock.now();
    const sealed = replaceSecret(key, system, secret, current, now.epochMilliseconds);
    // The new row keeps the secrets of the row that was read: only if that row still stands may it be replaced.
    const written = await deps.database.query(
      `insert into endpoint (system, url, sealed_secret, sealed_previous_secret) values ($1, $2, decode($3, 'hex'), decode($4, 'hex'))
       on conflict (system) do update set url = excluded.url, sealed_secret = excluded.sealed_secret,
         sealed_previous_secret = excluded.sealed_previous_secret, changed_at = now()
         where endpoint.sealed_secret = decode($5, 'hex')
       returning system`,
      [
        system,
        input.url,
        sealed.sealedSecret.toString('hex'),
        sealed.sealedPreviousSecret?.toString('hex') ?? null,
        current?.sealedSecret.toString('hex') ?? null,
      ],
    );
    if (written.length === 0) continue;
    await bringForward(deps.database, system);
    const previousSecretEndsAt = current ? now.add({ hours: previousSecretHours }).toString() : null;
    return { url: input.url, secret, previousSecretEndsAt };
  }
  throw new EndpointContended();
};
