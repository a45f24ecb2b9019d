import type { Facts } from '../policies/index.ts';
import type { Question } from './prepare.ts';

/** A human review of a likely match, as a decision needs it: blind indexes (hexadecimal) of its two identifiers; times RFC 3339. */
export type Review = {
  id: string;
  customerRef: string;
  identityRef: string;
  purpose: string;
  system: string;
  answer: 'same-person' | 'not-same-person' | null;
  answeredAt: string | null;
};

/** The reviews of these ids; one that does not exist is absent. Linkage's. */
export type FindReviews = (ids: readonly string[]) => Promise<ReadonlyMap<string, Review>>;

/** How long what a colleague found may be relied on: accounts change hands. */
export const reviewCounts = { hours: 30 * 24 };

/**
 * What a review says about a question: only about exactly these two identifiers, for this purpose and this system, and for thirty days
 * after its answer. Anything else is as if nobody had looked. Pure; `at` is the moment of the decision, also where that decision is asked
 * again later: a link that a colleague found right does not become wrong by age.
 */
export const reviewOutcome = (
  review: Review | undefined,
  about: { customerRef: string | undefined; identityRef: string | undefined; purpose: string; system: string },
  at: Temporal.Instant,
): Facts['review'] => {
  const isAboutThis =
    review?.customerRef === about.customerRef &&
    review?.identityRef === about.identityRef &&
    review?.purpose === about.purpose &&
    review?.system === about.system;
  if (!review || !isAboutThis) return 'none';
  if (review.answer === null || review.answeredAt === null) return 'open';
  const endsAt = Temporal.Instant.from(review.answeredAt).add(reviewCounts);
  return Temporal.Instant.compare(at, endsAt) < 0 ? review.answer : 'none';
};

/** Reads the reviews that questions name, if any does, and answers what they say about each at a moment. */
export const reviewsOf = async (
  deps: { findReviews: FindReviews },
  questions: readonly Question[],
): Promise<(question: Question, system: string, at: Temporal.Instant) => Facts['review']> => {
  const ids = questions.flatMap(({ context }) => context.review ?? []);
  if (ids.length === 0) return () => 'none';
  const reviews = await deps.findReviews([...new Set(ids)]);
  return ({ context, customer, identity, purposeId }, system, at) =>
    reviewOutcome(
      context.review === undefined ? undefined : reviews.get(context.review.toLowerCase()),
      { customerRef: customer?.blindIndex, identityRef: identity?.blindIndex, purpose: purposeId, system },
      at,
    );
};
