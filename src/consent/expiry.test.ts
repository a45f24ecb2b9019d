import { expect, test } from 'vitest';
import { expiryOf } from './expiry.ts';

const end = (occurredAt: string, validity: string): string =>
  Temporal.Instant.fromEpochMilliseconds(expiryOf(Temporal.Instant.from(occurredAt), validity)!).toString();

test('validity is counted by the calendar from the moment the answer was given', () => {
  expect(end('2026-01-31T10:00:00Z', 'P1M')).toBe('2026-02-28T10:00:00Z');
  expect(end('2028-02-29T10:00:00Z', 'P1Y')).toBe('2029-02-28T10:00:00Z');
  expect(end('2026-03-28T23:30:00Z', 'P2Y')).toBe('2028-03-28T23:30:00Z');
  expect(end('2026-03-28T23:30:00Z', 'PT48H')).toBe('2026-03-30T23:30:00Z');
});

test('a purpose without a validity has answers that do not expire', () => {
  expect(expiryOf(Temporal.Instant.from('2026-01-31T10:00:00Z'), undefined)).toBeUndefined();
});
