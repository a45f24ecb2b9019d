import { seal } from '../kernel/crypto/key-encryption.ts';
import type { KeyStore } from '../kernel/crypto/key-store.ts';
import { AppError } from '../kernel/errors.ts';
import { commitImported, type Consequence, type NewEvent } from '../consent/index.ts';
import type { Catalogue } from '../policies/index.ts';
import {
  claimMany,
  moveIdentifiers,
  ownersOf,
  statesOf,
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

const eventsOf = ({ events }: PlannedPerson, key: Buffer | undefined): NewEvent[] =>
  events.map(({ id, judged: { because: _because, undated: _undated, words, ...event } }) => ({
    ...event,
    id,
    evidence: words === undefined ? undefined : seal(key!, Buffer.from(words), `evidence:${id}`),
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

/** A plan whose people have their identifiers: what is left is to record their events. `keyOf` by subject. */
export type Claimed = {
  plan: Plan;
  people: PlannedPerson[];
  keyOf(subjectId: string): Buffer | undefined;
  problems: Problem[];
};

const failed = ({ lines }: PlannedPerson, problem: string): Problem[] =>
  lines.map((line) => ({ line, problem, whole: true }));

/**
 * Makes the keys of the new and gives everybody the identifiers that are theirs. May be repeated. Answers `retry` where somebody else took one
 * meanwhile, and it must be planned anew.
 */
export const claimPlan = async (deps: ApplyDeps, { system }: Reading, plan: Plan): Promise<Claimed | 'retry'> => {
  const [newcomers, others] = [plan.people.filter(({ isNew }) => isNew), plan.people.filter(({ isNew }) => !isNew)];
  const needing = others.filter(
    ({ claims, events }) => claims.length > 0 || events.some(({ judged }) => judged.words !== undefined),
  );
  const [made, found] = await Promise.all([
    newcomers.length === 0 ? undefined : deps.keys.createSubjectKeys(newcomers.map(({ state }) => state.subjectId)),
    needing.length === 0 ? undefined : deps.keys.subjectKeys(needing.map(({ state }) => state.subjectId)),
  ]);
  const keyOf = (subjectId: string) => made?.get(subjectId) ?? found?.get(subjectId);
  // Whose key is gone was erased: a new one would bring the person back.
  const gone = new Set(needing.filter(({ state }) => !keyOf(state.subjectId)));
  const people = plan.people.filter((person) => !gone.has(person));
  const claims = people.flatMap(({ state: { subjectId }, claims: references }) =>
    references.map((reference) => ({ subjectId, key: keyOf(subjectId)!, reference })),
  );
  const lost = new Set(await claimMany(deps, system, claims));
  if (lost.size > 0) {
    await giveBack(deps, newcomers, lost);
    return 'retry';
  }
  return { plan, people, keyOf, problems: [...gone].flatMap((person) => failed(person, new SubjectErased().message)) };
};

/** In one change. A person whose record became an alias since it was planned is the one it was merged into: a no must not be lost on the way. */
const recordPerson = async (
  deps: ApplyDeps,
  { catalogue, caller }: { catalogue: Catalogue; caller: Caller },
  person: PlannedPerson,
  key: Buffer | undefined,
  now: Temporal.Instant,
): Promise<void> => {
  const events = eventsOf(person, key);
  const recorded = await deps.writer.change(
    person.state.subjectId,
    { verb: 'import', caller },
    (state, seq) => {
      if (state.erasedAt) throw new SubjectErased();
      if (state.mergedInto !== null) return undefined;
      return commitImported(deps.consequences, catalogue, state, seq, events, now);
    },
    person.state,
  );
  if (recorded) return;
  const { mergedInto } = (await statesOf(deps.database, [person.state.subjectId])).get(person.state.subjectId)!;
  const survivor = (await statesOf(deps.database, [mergedInto!])).get(mergedInto!)!;
  const survivorKey = (await deps.keys.subjectKeys([mergedInto!])).get(mergedInto!);
  if (!survivorKey) throw new SubjectErased();
  await recordPerson(deps, { catalogue, caller }, { ...person, state: survivor }, survivorKey, now);
};

/**
 * Records each person's events in one change with all that follows from the noes. Answers what could not be done; throws where the database
 * cannot be reached.
 */
export const recordPlan = async (
  deps: ApplyDeps,
  { catalogue, system }: Reading,
  { people, keyOf, problems }: Claimed,
  now: Temporal.Instant,
): Promise<Problem[]> => {
  const caller: Caller = { system, clientId: 'import' };
  const found = await Promise.all(
    people
      .filter(({ events }) => events.length > 0)
      .map(async (person): Promise<Problem[]> => {
        try {
          await recordPerson(deps, { catalogue, caller }, person, keyOf(person.state.subjectId), now);
          return [];
        } catch (error) {
          // A person who cannot take this is told; a database that is gone ends the run, which goes on from here.
          if (!(error instanceof AppError) || error.kind === 'unavailable') throw error;
          return failed(person, error.message);
        }
      }),
  );
  return [...problems, ...found.flat()];
};
