import { seal } from '../kernel/crypto/key-encryption.ts';
import type { KeyStore } from '../kernel/crypto/key-store.ts';
import { AppError } from '../kernel/errors.ts';
import { commitImported, type Consequence, type NewEvent } from '../consent/index.ts';
import {
  claimMany,
  moveIdentifiers,
  ownersOf,
  SubjectErased,
  type Caller,
  type SubjectWriter,
} from '../subjects/index.ts';
import { tellsApart, type Plan, type PlanDeps, type PlannedPerson, type Reading } from './plan-batch.ts';
import type { Problem } from './tally.ts';

export type ApplyDeps = PlanDeps & {
  keys: KeyStore;
  writer: SubjectWriter;
  consequences: readonly Consequence[];
};

const eventsOf = ({ events }: PlannedPerson, key: Buffer): NewEvent[] =>
  events.map(({ id, judged: { because: _because, undated: _undated, words, ...event } }) => ({
    ...event,
    id,
    evidence: words === undefined ? undefined : seal(key, Buffer.from(words), `evidence:${id}`),
  }));

/**
 * Somebody registered these people while they were planned: what we had of theirs goes to whom they are now, so that nobody is two people for
 * having come at the same moment.
 */
const giveBack = async (
  deps: ApplyDeps,
  newcomers: readonly PlannedPerson[],
  lost: ReadonlySet<string>,
): Promise<void> => {
  const owners = await ownersOf(deps.database, [...lost]);
  for (const { state, claims } of newcomers) {
    const others = new Set(
      claims.filter(tellsApart).flatMap(({ blindIndex }) => (lost.has(blindIndex) ? owners.get(blindIndex)! : [])),
    );
    const [owner] = others;
    if (others.size === 1) await moveIdentifiers(deps, state.subjectId, owner!);
  }
};

/**
 * Does what a plan says: keys of the new, identifiers, then each person's events in one change with all that follows from the noes. Every step may
 * be repeated. Answers `retry` where somebody else took an identifier meanwhile and it must be planned anew, else what could not be done.
 */
export const applyPlan = async (
  deps: ApplyDeps,
  { catalogue, system }: Reading,
  plan: Plan,
  now: Temporal.Instant,
): Promise<Problem[] | 'retry'> => {
  const caller: Caller = { system, clientId: 'import' };
  const [newcomers, others] = [plan.people.filter(({ isNew }) => isNew), plan.people.filter(({ isNew }) => !isNew)];
  const needing = others.filter(
    ({ claims, events }) => claims.length > 0 || events.some(({ judged }) => judged.words !== undefined),
  );
  const [made, found] = await Promise.all([
    newcomers.length === 0 ? undefined : deps.keys.createSubjectKeys(newcomers.map(({ state }) => state.subjectId)),
    needing.length === 0 ? undefined : deps.keys.subjectKeys(needing.map(({ state }) => state.subjectId)),
  ]);
  const keyOf = ({ state }: PlannedPerson) => made?.get(state.subjectId) ?? found?.get(state.subjectId);
  const problems: Problem[] = [];
  const fail = ({ lines }: PlannedPerson, problem: string) =>
    void problems.push(...lines.map((line) => ({ line, problem, whole: true })));
  // Whose key is gone was erased: a new one would bring the person back.
  const gone = new Set(needing.filter((person) => !keyOf(person)));
  for (const person of gone) fail(person, new SubjectErased().message);
  const people = plan.people.filter((person) => !gone.has(person));

  const claims = people.flatMap((person) =>
    person.claims.map((reference) => ({ subjectId: person.state.subjectId, key: keyOf(person)!, reference })),
  );
  const lost = new Set(await claimMany(deps, system, claims));
  if (lost.size > 0) {
    await giveBack(deps, newcomers, lost);
    return 'retry';
  }

  await Promise.all(
    people
      .filter(({ events, isNew }) => events.length > 0 || isNew)
      .map(async (person) => {
        const events = eventsOf(person, keyOf(person) ?? Buffer.alloc(0));
        try {
          await deps.writer.change(
            person.state.subjectId,
            { verb: 'import', caller },
            (state, seq) => {
              if (state.erasedAt) throw new SubjectErased();
              return commitImported(deps.consequences, catalogue, state, seq, events, now);
            },
            person.state,
          );
        } catch (error) {
          // A person who cannot take this is told; a database that is gone ends the run, which goes on from here.
          if (!(error instanceof AppError) || error.kind === 'unavailable') throw error;
          fail(person, error.message);
        }
      }),
  );
  return problems;
};
