import { hash, randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

/** A source of UUIDv7: time-ordered, so that an index grows at its right edge. */
export type Ids = { uuid(): string };

/**
 * UUIDv7 (RFC 9562 section 5.7) of the given clock's milliseconds and 74 random bits.
 * Node has only version 4; randomness comes in blocks because one call per id costs more than the id.
 */
export const uuidV7s = (clock: Clock): Ids => {
  let pool = randomBytes(1600);
  let used = 0;
  return {
    uuid: () => {
      if (used === pool.length) {
        pool = randomBytes(1600);
        used = 0;
      }
      const random = pool.subarray(used, (used += 10)).toString('hex');
      const time = clock.now().epochMilliseconds.toString(16).padStart(12, '0');
      const variant = ((Number.parseInt(random[3]!, 16) & 0x3) | 0x8).toString(16);
      return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
    },
  };
};

/** The same id for the same content: UUIDv8 (RFC 9562 section 5.8) of its SHA-256. Whoever can guess the content can compute it. */
export const derivedUuid = (content: string): string => {
  const hex = hash('sha256', content, 'hex');
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};
