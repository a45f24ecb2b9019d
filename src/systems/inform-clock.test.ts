import { expect, test } from 'vitest';
import { informBy } from './inform-clock.ts';

test.each([
  ['2026-01-31T09:30:00Z', '2026-02-28T09:30:00Z'],
  ['2028-01-31T09:30:00Z', '2028-02-29T09:30:00Z'],
  ['2028-01-29T23:59:59.999Z', '2028-02-29T23:59:59.999Z'],
  ['2026-03-31T00:00:00Z', '2026-04-30T00:00:00Z'],
  ['2026-12-31T12:00:00Z', '2027-01-31T12:00:00Z'],
  // A month has the days it has, also where summer time begins within it.
  ['2026-03-15T22:30:00Z', '2026-04-15T22:30:00Z'],
])('what was collected at %s has to be told by %s', (collectedAt, dueAt) => {
  expect(informBy(Temporal.Instant.from(collectedAt)).toString()).toBe(dueAt);
});
