import { expect, test } from 'vitest';
import { momentOf } from './moments.ts';

const utc = { timeZone: 'UTC' };

test.each([
  ['2026-03-14T10:20:30Z', '2026-03-14T10:20:30Z'],
  ['2026-03-14 10:20:30', '2026-03-14T10:20:30Z'],
  ['2026-03-14T10:20:30+01:00', '2026-03-14T09:20:30Z'],
  ['2026-03-14', '2026-03-14T00:00:00Z'],
  ['14.03.2026', '2026-03-14T00:00:00Z'],
  ['14.3.2026 08:05', '2026-03-14T08:05:00Z'],
  ['14/03/2026', '2026-03-14T00:00:00Z'],
  ['03/14/2026 01:30 pm', '2026-03-14T13:30:00Z'],
  ['12:00', undefined],
  ['03/04/2026', undefined],
  ['2026-02-30', undefined],
  ['14.13.2026', undefined],
  ['14.03.26', undefined],
  ['', undefined],
  ['yes', undefined],
])('%s is read as %s', (cell, moment) => {
  expect(momentOf(cell, 'yes', utc)).toBe(moment);
});

test('a date that could be two is read as the mapping says, and a time without offset where it was taken down', () => {
  expect(momentOf('03/04/2026', 'yes', { ...utc, dates: 'day-first' })).toBe('2026-04-03T00:00:00Z');
  expect(momentOf('03/04/2026', 'yes', { ...utc, dates: 'month-first' })).toBe('2026-03-04T00:00:00Z');
  expect(momentOf('2026-07-01 12:00', 'yes', { timeZone: 'Europe/Zurich' })).toBe('2026-07-01T10:00:00Z');
});

test('of a mere day a yes counts from its first moment and a no to its last', () => {
  expect(momentOf('2026-03-14', 'no', utc)).toBe('2026-03-14T23:59:59.999Z');
  expect(momentOf('2026-03-14 10:00', 'no', utc)).toBe('2026-03-14T10:00:00Z');
});
