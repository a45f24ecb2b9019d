import { randomBytes } from 'node:crypto';
import { seal, unseal } from '../kernel/crypto/key-encryption.ts';

/** How long a replaced secret still signs beside the new one, so that a receiver can change over without a gap. */
export const previousSecretHours = 24;

/** Two retries of a change whose answer was lost must not end the secret that the receiver really uses. */
const previousSecretsKept = 4;

/** A secret that was replaced and signs until then (epoch milliseconds). */
type Previous = { secret: string; validUntil: number };

/** How an endpoint's secrets lie in its row. */
export type SealedSecrets = { sealedSecret: Buffer; sealedPreviousSecret: Buffer | null };

/** A new secret in the form of Standard Webhooks: `whsec_` and 32 random bytes in base64. */
export const newEndpointSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

const openPrevious = (key: Buffer, system: string, sealed: Buffer | null): Previous[] =>
  sealed === null ? [] : (JSON.parse(unseal(key, sealed, `endpoint-previous:${system}`).toString()) as Previous[]);

/** Seals a new secret and keeps those that it replaces for a day. `nowMs` is epoch milliseconds. */
export const replaceSecret = (
  key: Buffer,
  system: string,
  secret: string,
  replaced: SealedSecrets | undefined,
  nowMs: number,
): SealedSecrets => {
  const sealedSecret = seal(key, Buffer.from(secret), `endpoint:${system}`);
  if (!replaced) return { sealedSecret, sealedPreviousSecret: null };
  const previous = [
    {
      secret: unseal(key, replaced.sealedSecret, `endpoint:${system}`).toString(),
      validUntil: nowMs + previousSecretHours * 3_600_000,
    },
    ...openPrevious(key, system, replaced.sealedPreviousSecret).filter((old) => old.validUntil > nowMs),
  ].slice(0, previousSecretsKept);
  return {
    sealedSecret,
    sealedPreviousSecret: seal(key, Buffer.from(JSON.stringify(previous)), `endpoint-previous:${system}`),
  };
};

/** The secrets that sign now, newest first. Throws KeyUnusable. */
export const openSecrets = (key: Buffer, system: string, sealed: SealedSecrets, nowMs: number): string[] => [
  unseal(key, sealed.sealedSecret, `endpoint:${system}`).toString(),
  ...openPrevious(key, system, sealed.sealedPreviousSecret)
    .filter((old) => old.validUntil > nowMs)
    .map((old) => old.secret),
];
