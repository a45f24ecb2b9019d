import { createHmac, timingSafeEqual } from 'node:crypto';

// Crockford's base 32: no letters that people mistake for digits. Eight of them are 40 bits; five attempts each.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A code that a person types, `7K3M-Q9TX`: derived from what it is about, so that it lies in no table and can be said again. */
export const oneTimeCode = (secret: Buffer, about: string): string => {
  const digest = createHmac('sha256', secret).update(about).digest();
  const letters = Array.from(digest.subarray(0, 8), (byte) => alphabet[byte % 32]).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
};

/** Whether somebody typed that code; case, blanks and hyphens do not matter. Takes the same time for every wrong one. */
export const isCode = (typed: string, code: string): boolean => {
  const plain = (text: string) =>
    Buffer.from(
      text
        .toUpperCase()
        .replaceAll(/[^0-9A-Z]/g, '')
        .padEnd(16)
        .slice(0, 16),
    );
  return timingSafeEqual(plain(typed), plain(code));
};
