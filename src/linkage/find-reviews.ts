import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import type { FindReviews, Review } from '../decisions/index.ts';

/** The members of a `Review` from the row `r`. */
export const reviewColumns = `r.id, r.customer_ref as "customerRef", r.identity_ref as "identityRef", r.purpose, r.system, r.answer, r.answered_at as "answeredAt"`;

/** Reviews for the check, read anew from the primary, in one statement; none is asked for, nothing is read. */
export const findReviews =
  (database: Pick<Database, 'read'>): FindReviews =>
  async (ids) => {
    if (ids.length === 0) return new Map();
    const found = await database.read<Review>(
      `select ${reviewColumns} from match_review r where r.id = any($1::uuid[])`,
      [arrayLiteral(ids)],
    );
    return new Map(found.map((review) => [review.id, review]));
  };
