import { isCode, oneTimeCode } from '../kernel/crypto/one-time-code.ts';
import type { Caller, IdempotencyMark } from './change-subject.ts';
import type { Reference, SubjectDeps } from './deps.ts';
import { ChallengeRefused, IdentifierMalformed, IdentifierUnprovable, SubjectNotFound } from './errors.ts';
import { registerSubject } from './register-subject.ts';

const lifetime = Temporal.Duration.from({ minutes: 30 });
const attempts = 5;
/** Longer than what is left of a report after its first note can take. */
const reviewAfter = Temporal.Duration.from({ minutes: 1 });
export type Challenge = { challengeId: string; subjectId: string; code: string; expiresAt: string };

/** What a challenge was answered with, again: for a repeated call with the same Idempotency-Key. */
export const readChallenge = async (deps: SubjectDeps, challengeId: string): Promise<Challenge> => {
  const [row] = await deps.database.query<{ subjectId: string; expiresAt: string }>(
    `select subject_id as "subjectId", expires_at as "expiresAt" from control_challenge where id = $1`,
    [challengeId],
  );
  if (!row) throw new ChallengeRefused();
  return {
    challengeId,
    subjectId: row.subjectId,
    code: oneTimeCode(deps.secrets.codes.key, challengeId),
    expiresAt: Temporal.Instant.from(row.expiresAt).toString(),
  };
};

/**
 * Opens a challenge: the person behind `customer` shall show the code from the account that they claim. Answers the code, for that
 * person's eyes only. Errors: SubjectNotFound; IdentifierUnprovable for a handle (it can change hands) or a shared identifier.
 */
export const openChallenge = async (
  deps: SubjectDeps,
  caller: Caller,
  input: { customer: Reference; account: Reference; idempotency?: IdempotencyMark | undefined },
): Promise<Challenge> => {
  const { customer, account } = input;
  if (account.handle) throw new IdentifierUnprovable('a handle can change hands: give the immutable account id');
  const { sides } = await deps.reader.sides([
    { blindIndex: customer.blindIndex, purpose: '*' },
    { blindIndex: account.blindIndex, purpose: '*' },
  ]);
  const [person, claimed] = sides;
  if (!person?.subjectId) throw new SubjectNotFound('customer');
  if (claimed?.shared) throw new IdentifierUnprovable('an identifier that several people share cannot prove control');
  const challengeId = input.idempotency?.resourceId ?? deps.ids.uuid();
  // PostgreSQL keeps microseconds: what is answered now must be what a repeated call is answered.
  const now = deps.clock.now().round({ smallestUnit: 'microsecond', roundingMode: 'floor' });
  const expiresAt = now.add(lifetime).toString();
  await deps.database.query(
    `insert into control_challenge (blind_index, id, subject_id, requested_by, attempts_left, expires_at)
     values (decode($1, 'hex'), $2, $3, $4, $5, $6) on conflict do nothing`,
    [account.blindIndex, challengeId, person.subjectId, caller.system, attempts, expiresAt],
  );
  await deps.writer.change(
    person.subjectId,
    { verb: 'open-challenge', caller, idempotency: input.idempotency },
    () => ({ rows: [], result: undefined }),
  );
  return {
    challengeId,
    subjectId: person.subjectId,
    code: oneTimeCode(deps.secrets.codes.key, challengeId),
    expiresAt,
  };
};

/**
 * A system reports that it saw a code on an account. Only the account itself counts, not what is written there. Every open challenge of
 * the account loses an attempt by the very statement that reads it, so guesses cannot race. Answers the subject that is proved to control
 * the account; a later proof by somebody else replaces it. Errors: ChallengeRefused, the same for every reason.
 */
export const reportCodeSeen = async (
  deps: SubjectDeps,
  caller: Caller,
  input: { account: Reference; code: string; handle?: Reference | undefined; observedAt: string },
): Promise<{ subjectId: string; provedAt: string }> => {
  const { account } = input;
  if (account.handle) throw new IdentifierUnprovable('a handle can change hands: give the immutable account id');
  // Anything else would become an identifier of whoever has the account.
  if (input.handle && !(input.handle.handle && input.handle.namespace === account.namespace))
    throw new IdentifierMalformed('handle', 'must be a handle of the account\'s own platform, such as "x:@eva"');
  const open = await deps.database.query<{ id: string; subjectId: string }>(
    `update control_challenge set attempts_left = attempts_left - 1
     where blind_index = decode($1, 'hex') and attempts_left > 0 and seen_at is null and expires_at > $2
     returning id, subject_id as "subjectId"`,
    [account.blindIndex, deps.clock.now().toString()],
  );
  const match = open.find(({ id }) => isCode(input.code, oneTimeCode(deps.secrets.codes.key, id)));
  if (!match) throw new ChallengeRefused();
  // The account gets a pseudonymous subject of its own when it is unknown: proving control never merges two people.
  await registerSubject(deps, caller, {
    references: input.handle ? [account, { ...input.handle, observedAt: input.observedAt }] : [account],
  });
  // Whoever has proved it so far may be linked with it, or be about to: their links are looked at again, also if we die after the next statement.
  const [earlier] = await deps.database.query<{ subjectId: string | null }>(
    `select proved_subject_id as "subjectId" from identifier where blind_index = decode($1, 'hex')`,
    [account.blindIndex],
  );
  const loses = (subjectId: string, reviewAt: Temporal.Instant) =>
    deps.writer.change(subjectId, { verb: 'lose-control', caller }, () => ({
      reviewAt: reviewAt.toString(),
      rows: [],
      result: undefined,
    }));
  if (earlier?.subjectId && earlier.subjectId !== match.subjectId)
    await loses(earlier.subjectId, deps.clock.now().add(reviewAfter));
  const [proved] = await deps.database.query<{ provedAt: string; before: string | null }>(
    `with seen as (
       update control_challenge set seen_at = now(), seen_by = $4 where blind_index = decode($1, 'hex') and id = $2 and seen_at is null returning 1
     ), earlier as (
       select proved_subject_id from identifier where blind_index = decode($1, 'hex') for update
     )
     update identifier set proved_subject_id = $3, proved_at = now(), proved_via = $4 from earlier
     where blind_index = decode($1, 'hex') and not shared and exists (select from seen)
     returning proved_at as "provedAt", earlier.proved_subject_id as before`,
    [account.blindIndex, match.id, match.subjectId, caller.system],
  );
  if (!proved) throw new ChallengeRefused();
  await deps.writer.change(match.subjectId, { verb: 'prove-control', caller }, () => ({ rows: [], result: undefined }));
  // The version moves: a confirmation that still saw the earlier proof asks again.
  if (proved.before !== null && proved.before !== match.subjectId) await loses(proved.before, deps.clock.now());
  return { subjectId: match.subjectId, provedAt: Temporal.Instant.from(proved.provedAt).toString() };
};
