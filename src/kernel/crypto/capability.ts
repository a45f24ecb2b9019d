import { seal, unseal } from './key-encryption.ts';

/**
 * A capability for a link in a mail: whoever holds it may do this one thing, without signing in. Sealed, so that it names nobody to whoever
 * sees the link, and cannot be forged or widened. `key`: the service's secret `capabilities`; `grant`: what it allows, small and JSON.
 */
export const sealCapability = (key: Buffer, grant: object): string =>
  seal(key, Buffer.from(JSON.stringify(grant)), 'capability').toString('base64url');

/** What a capability allows, for the caller's schema to read; undefined when it is not one of ours. */
export const openCapability = (key: Buffer, token: string): unknown => {
  try {
    return JSON.parse(unseal(key, Buffer.from(token, 'base64url'), 'capability').toString());
  } catch {
    return undefined;
  }
};
