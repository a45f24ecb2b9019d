import { expect, test } from 'vitest';
import { hashSecret, newSecret, secretMatches } from './client-secret.ts';

test('a secret has 256 random bits and matches its own hash only', () => {
  const { secret, hash } = newSecret();
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  expect(newSecret().secret).not.toBe(secret);
  expect(secretMatches(secret, hash)).toBe(true);
  expect(secretMatches(`${secret}x`, hash)).toBe(false);
  expect(secretMatches(secret, hashSecret('other'))).toBe(false);
  expect(secretMatches(secret, hash.subarray(1))).toBe(false);
});

test('what is stored is not the secret', () => {
  const { secret, hash } = newSecret();
  expect(hash.toString('base64url')).not.toBe(secret);
  expect(hash.includes(Buffer.from(secret, 'base64url'))).toBe(false);
});
