import { expect, test } from 'vitest';
import type { Question } from './prepare.ts';
import { reviewOutcome, reviewsOf, type Review } from './review-outcome.ts';

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

test('that they are one person counts for thirty days, that they are not does not age', () => {
  const at = (text: string) => reviewOutcome(review, about, Temporal.Instant.from(text));
  expect(at('2026-03-30T23:59:59.999Z')).toBe('same-person');
  expect(at('2026-03-31T00:00:00Z')).toBe('none');
  const refusal: Review = { ...review, answer: 'not-same-person' };
  expect(reviewOutcome(refusal, about, Temporal.Instant.from('2027-03-31T00:00:00Z'))).toBe('not-same-person');
});

const question = (more: object = {}, context: object = {}) =>
  ({
    action: 'link',
    context,
    purposeId: about.purpose,
    customer: { blindIndex: 'aa' },
    identity: { blindIndex: 'bb' },
    ...more,
  }) as Question;
/** What is said of a question when these reviews lie in the database; `read` counts how often it was asked. */
const said = async (reviews: readonly Review[], asked: Question) => {
  let read = 0;
  const findReviews = () => {
    read++;
    return Promise.resolve(reviews);
  };
  return { outcome: (await reviewsOf({ findReviews }, [asked]))(asked, 'crm', soon), read };
};
const refusal: Review = { ...review, id: 'r0', answer: 'not-same-person' };

test('that they are not one person holds whether the review is named or not, for whichever system it was found', async () => {
  expect(await said([refusal], question())).toEqual({ outcome: 'not-same-person', read: 1 });
  expect(await said([{ ...refusal, system: 'community-desk' }], question())).toMatchObject({
    outcome: 'not-same-person',
  });
  expect(await said([review], question())).toMatchObject({ outcome: 'none' });
  for (const other of [
    { purposeId: 'newsletter' },
    { customer: { blindIndex: 'cc' } },
    { identity: { blindIndex: 'cc' } },
  ])
    expect(await said([refusal], question(other))).toMatchObject({ outcome: 'none' });
});

test('only what a colleague found later ends it', async () => {
  const named = question({}, { review: 'r1' });
  const later: Review = { ...review, answeredAt: '2026-03-01T00:00:00.000001Z' };
  expect(await said([refusal, review], named)).toMatchObject({ outcome: 'not-same-person' });
  expect(await said([refusal, later], named)).toMatchObject({ outcome: 'same-person' });
  expect(await said([refusal, later], question())).toMatchObject({ outcome: 'none' });
  expect(await said([refusal, { ...later, answer: null, answeredAt: null }], named)).toMatchObject({
    outcome: 'not-same-person',
  });
});

test('nothing is read for a question that links nothing and names no review', async () => {
  for (const other of [{ action: 'contact' }, { customer: undefined }, { identity: undefined }])
    expect(await said([refusal], question(other))).toEqual({ outcome: 'none', read: 0 });
});
