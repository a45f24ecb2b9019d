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

/** Two identifiers of which somebody asks whether they are of one person: their blind indexes (hexadecimal). */
export type Pair = Pick<Review, 'customerRef' | 'identityRef'>;

/** The reviews of these ids, and those of these pairs that were answered; some may come twice. Linkage's. */
export type FindReviews = (ids: readonly string[], pairs: readonly Pair[]) => Promise<readonly Review[]>;

/** How long it may be relied on that a colleague found them to be one person: accounts change hands. */
export const reviewCounts = { hours: 30 * 24 };

/**
 * What a review says about a question: only about exactly these two identifiers, for this purpose and this system, and for thirty days
 * after its answer where that was yes. Anything else is as if nobody had looked. Pure; `at` is the moment of the decision, also where that decision is asked
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
  if (review.answer === 'not-same-person') return review.answer;
  const endsAt = Temporal.Instant.from(review.answeredAt).add(reviewCounts);
  return Temporal.Instant.compare(at, endsAt) < 0 ? review.answer : 'none';
};

/** RFC 3339 with a fraction of whatever length. */
const isLater = (one: string, other: string): boolean =>
  Temporal.Instant.compare(Temporal.Instant.from(one), Temporal.Instant.from(other)) > 0;

/**
 * Whether a colleague found that two identifiers are not of one person, and none found later that they are: whatever became of the account, only a
 * human can know (Art. 22(3) GDPR), so neither time, nor another system, nor leaving the review unnamed undoes it. Pure.
 */
const isRefused = (reviews: readonly Review[], { customerRef, identityRef }: Pair, purpose: string): boolean => {
  const about = reviews.filter(
    (one) => one.customerRef === customerRef && one.identityRef === identityRef && one.purpose === purpose,
  );
  return about.some(
    (no) =>
      no.answer === 'not-same-person' &&
      !about.some((yes) => yes.answer === 'same-person' && isLater(yes.answeredAt!, no.answeredAt!)),
  );
};

/** The two sides that a question would link; undefined where it links nothing. */
const pairOf = ({ action, customer, identity }: Question): Pair | undefined =>
  action === 'link' && customer && identity
    ? { customerRef: customer.blindIndex, identityRef: identity.blindIndex }
    : undefined;

/**
 * Reads the reviews that questions name, and what was found of those whom they would link, and answers what is said about each at a moment. Other
 * questions cost nothing.
 */
export const reviewsOf = async (
  deps: { findReviews: FindReviews },
  questions: readonly Question[],
): Promise<(question: Question, system: string, at: Temporal.Instant) => Facts['review']> => {
  const ids = questions.flatMap(({ context }) => context.review ?? []);
  const pairs = questions.flatMap((question) => pairOf(question) ?? []);
  if (ids.length === 0 && pairs.length === 0) return () => 'none';
  const reviews = await deps.findReviews([...new Set(ids)], pairs);
  return (question, system, at) => {
    const { context, customer, identity, purposeId: purpose } = question;
    const pair = pairOf(question);
    if (pair && isRefused(reviews, pair, purpose)) return 'not-same-person';
    const named = context.review?.toLowerCase();
    return reviewOutcome(
      named === undefined ? undefined : reviews.find(({ id }) => id === named),
      { customerRef: customer?.blindIndex, identityRef: identity?.blindIndex, purpose, system },
      at,
    );
  };
};
