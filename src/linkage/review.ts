import { seal, unseal } from '../kernel/crypto/key-encryption.ts';
import type { Context } from '../policies/index.ts';

/** What a colleague needs to judge a likely match: who is meant, and what speaks for it. */
export type Details = {
  customer: string;
  identity: string;
  match: NonNullable<Context['match']>;
  chain: string[];
  note?: string | undefined;
};

/** A review as it lies in the queue. `answeredBy` is the colleague's pseudonymous id; times RFC 3339. */
export type QueuedReview = {
  reviewId: string;
  subjectId: string;
  system: string;
  purpose: string;
  requestedAt: string;
  answer: 'same-person' | 'not-same-person' | null;
  answeredBy: string | null;
  answeredAt: string | null;
};

/** The members of a `QueuedReview` from `match_review`. */
export const queuedColumns = `id as "reviewId", subject_id as "subjectId", system, purpose, requested_at as "requestedAt",
  answer, answered_by as "answeredBy", answered_at as "answeredAt"`;

const moment = (text: string): string => Temporal.Instant.from(text).toString();

/** A row as the service says it, with times as everywhere. */
export const queued = <R extends QueuedReview>(row: R): R => ({
  ...row,
  requestedAt: moment(row.requestedAt),
  answeredAt: row.answeredAt && moment(row.answeredAt),
});

export const sealDetails = (key: Buffer, reviewId: string, details: Details): Buffer =>
  seal(key, Buffer.from(JSON.stringify(details)), `review:${reviewId}`);

export const openDetails = (key: Buffer, reviewId: string, sealed: Buffer): Details =>
  JSON.parse(unseal(key, sealed, `review:${reviewId}`).toString()) as Details;

export const sealReason = (key: Buffer, reviewId: string, reason: string): Buffer =>
  seal(key, Buffer.from(reason), `review-reason:${reviewId}`);

export const openReason = (key: Buffer, reviewId: string, sealed: Buffer): string =>
  unseal(key, sealed, `review-reason:${reviewId}`).toString();
