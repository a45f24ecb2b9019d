import { expect, test } from 'vitest';
import { reviewOutcome, type Review } from './review-outcome.ts';

const about = { customerRef: 'aa', identityRef: 'bb', purpose: 'profile-linking', system: 'crm' };
const review: Review = { id: 'r1', ...about, answer: 'same-person', answeredAt: '2026-03-01T00:00:00Z' };
const soon = Temporal.Instant.from('2026-03-02T00:00:00Z');

test('a review says what a colleague found, and that it is open until then', () => {
  expect(reviewOutcome(review, about, soon)).toBe('same-person');
  expect(reviewOutcome({ ...review, answer: 'not-same-person' }, about, soon)).toBe('not-same-person');
  expect(reviewOutcome({ ...review, answer: null, answeredAt: null }, about, soon)).toBe('open');
  expect(reviewOutcome(undefined, about, soon)).toBe('none');
});

test.each(Object.keys(about) as (keyof typeof about)[])('a review with another %s says nothing', (member) => {
  expect(reviewOutcome(review, { ...about, [member]: 'other' }, soon)).toBe('none');
});

test('a review says nothing about a question that names only one side, or none', () => {
  expect(reviewOutcome(review, { ...about, identityRef: undefined }, soon)).toBe('none');
  expect(reviewOutcome(undefined, { ...about, customerRef: undefined, identityRef: undefined }, soon)).toBe('none');
});

test('an answer counts for thirty days', () => {
  const at = (text: string) => reviewOutcome(review, about, Temporal.Instant.from(text));
  expect(at('2026-03-30T23:59:59.999Z')).toBe('same-person');
  expect(at('2026-03-31T00:00:00Z')).toBe('none');
});
