import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A client's secret is 256 random bits that we draw ourselves, never words that a person chose. So one SHA-256 is enough
 * to store it: there is no dictionary to try, and a slow hash (argon2, scrypt) would only let anybody burn our processor
 * at the token endpoint (NIST SP 800-63B section 5.1.2.2: look-up secrets of at least 112 bits may be hashed once).
 */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** A new secret, to be shown once, and the hash to be stored. */
export const newSecret = (): { secret: string; hash: Buffer } => {
  const secret = randomBytes(32).toString('base64url');
  return { secret, hash: hashSecret(secret) };
};

/** Compares in constant time, so that answers do not tell how much of a guess was right. */
export const secretMatches = (secret: string, hash: Uint8Array): boolean => {
  const given = hashSecret(secret);
  return hash.length === given.length && timingSafeEqual(given, hash);
};
