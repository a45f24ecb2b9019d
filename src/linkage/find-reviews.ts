import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import type { FindReviews, Review } from '../decisions/index.ts';

/** The members of a `Review` from the row `r`. */
export const reviewColumns = `r.id, r.customer_ref as "customerRef", r.identity_ref as "identityRef", r.purpose, r.system, r.answer, r.answered_at as "answeredAt"`;

/** Reviews for the check, read anew from the primary, in one statement; none is asked for, nothing is read. */
export const findReviews =
  (database: Pick<Database, 'read'>): FindReviews =>
  async (ids, pairs) => {
    if (ids.length === 0 && pairs.length === 0) return [];
    return database.read<Review>(
      `select ${reviewColumns} from match_review r where r.id = any($1::uuid[])
       union all
       select ${reviewColumns} from unnest($2::text[], $3::text[]) pair (customer_ref, identity_ref)
       join match_review r using (customer_ref, identity_ref) where r.answer is not null`,
      [
        arrayLiteral(ids),
        arrayLiteral(pairs.map(({ customerRef }) => customerRef)),
        arrayLiteral(pairs.map(({ identityRef }) => identityRef)),
      ],
    );
  };
