import { AppError } from '../kernel/errors.ts';
import type { Ids } from '../kernel/ids.ts';
import {
  importedEventId,
  isSaidAlready,
  judgeImported,
  recordedIds,
  type Answers,
  type Judged,
} from '../consent/index.ts';
import type { Catalogue } from '../policies/index.ts';
import {
  namespacesOfMany,
  ownersOf,
  refer,
  statesOf,
  unrecorded,
  type Reference,
  type SubjectDeps,
  type SubjectState,
} from '../subjects/index.ts';
import type { Entry } from './open-source.ts';
import { countAnswer, countProblem, newTally, type Problem, type Tally } from './tally.ts';

export type PlanDeps = Pick<SubjectDeps, 'database' | 'ids' | 'secrets'>;

/** What a batch is read with; the same for all of a run. `source`: the hash of the file. */
export type Reading = { catalogue: Catalogue; system: string; source: string };

type PlannedEvent = { id: string; judged: Judged };

/** A line that names somebody and says something. */
export type Named = { line: number; references: Reference[]; events: PlannedEvent[] };

export type Batch = { named: Named[]; problems: Problem[]; silent: number; lines: number; bytes: number };

/** What is to become of one person. */
export type PlannedPerson = {
  state: SubjectState;
  isNew: boolean;
  claims: Reference[];
  events: PlannedEvent[];
  lines: number[];
};

export type Plan = { people: PlannedPerson[]; problems: Problem[]; tally: Tally };

/** People and events of the batch before, whose identifiers are there already while the rest is still being recorded. */
export type UnderWay = { subjectIds: ReadonlySet<string>; eventIds: ReadonlySet<string> };

/**
 * An identifier by which a person is told from others. A telephone is often a household's or a switchboard's: it leads to a person only where
 * nothing else is named.
 */
export const tellsApart = ({ namespace }: Reference): boolean => namespace !== 'phone';

const says = (error: unknown): string => {
  if (error instanceof AppError) return error.message;
  throw error;
};

/** Reads a batch of lines without the database: who is named, by normalised identifiers, and what it means. Pure. */
export const readBatch = (
  { secrets }: Pick<PlanDeps, 'secrets'>,
  { catalogue, system, source }: Reading,
  entries: readonly Entry[],
  now: Temporal.Instant,
): Batch => {
  const batch: Batch = { named: [], problems: [], silent: 0, lines: entries.length, bytes: entries.at(-1)?.bytes ?? 0 };
  for (const entry of entries) {
    const { line } = entry;
    const report = (problem: string, whole: boolean) => void batch.problems.push({ line, problem, whole });
    if ('problem' in entry) {
      report(entry.problem, true);
      continue;
    }
    if (entry.said.statements.length === 0) {
      batch.silent++;
      continue;
    }
    const references = new Map<string, Reference>();
    for (const text of entry.said.identifiers) {
      try {
        const reference = refer({ secrets }, catalogue, system, text, 'an identifier');
        if (reference.handle) report('a handle names nobody for good; an import takes account ids', false);
        else references.set(reference.blindIndex, reference);
      } catch (error) {
        report(says(error), false);
      }
    }
    if (references.size === 0) {
      report('names nobody by an identifier that can be used', true);
      continue;
    }
    const ordered = [...references.values()];
    const person = (ordered.find(tellsApart) ?? ordered[0]!).blindIndex;
    const events = new Map<string, PlannedEvent>();
    const unsayable = new Set<string>();
    for (const statement of entry.said.statements) {
      try {
        const judged = judgeImported(catalogue, system, statement, now);
        const id = importedEventId(source, person, judged, statement);
        events.set(id, { id, judged });
      } catch (error) {
        // It alone is left out: a no beside it must not be lost.
        unsayable.add(says(error));
      }
    }
    if (unsayable.size > 0) report([...unsayable].join('; '), events.size === 0);
    if (events.size > 0) batch.named.push({ line, references: ordered, events: [...events.values()] });
  }
  return batch;
};

type Assigned = Named & { subjectId: string; isNew: boolean; claims: Reference[] };

const isNo = ({ judged }: PlannedEvent): boolean => judged.answer === 'no' || judged.answer === 'request';

/**
 * Whose each line is. A line never joins two people, and a number of a system names one: where a mailbox is that of another number already (a
 * family's), the line is about two. Then nothing it says in favour is taken, and every no counts for both.
 */
const assign = (
  batch: Batch,
  owners: ReadonlyMap<string, string>,
  numbered: ReadonlyMap<string, ReadonlySet<string>>,
  { systems }: Pick<Catalogue, 'systems'>,
  ids: Ids,
  report: (problem: Problem) => void,
): Assigned[] => {
  const known = new Map(owners);
  const numbersOf = new Map([...numbered].map(([id, namespaces]) => [id, new Set(namespaces)]));
  const born = new Set<string>();
  const isNumber = ({ namespace }: Reference) => systems.has(namespace);
  const to = (subjectId: string, named: Named, claims: Reference[], events = named.events): Assigned => {
    for (const claim of claims) {
      known.set(claim.blindIndex, subjectId);
      if (isNumber(claim))
        numbersOf.set(subjectId, (numbersOf.get(subjectId) ?? new Set<string>()).add(claim.namespace));
    }
    return { ...named, subjectId, isNew: born.has(subjectId), claims, events };
  };
  const newborn = (): string => {
    const subjectId = ids.uuid();
    born.add(subjectId);
    return subjectId;
  };

  return batch.named.flatMap((named) => {
    const telling = named.references.filter(tellsApart);
    const naming = telling.length > 0 ? telling : named.references;
    const theirs = new Set(naming.flatMap(({ blindIndex }) => known.get(blindIndex) ?? []));
    const [owner] = theirs;
    const unknown = named.references.filter(({ blindIndex }) => !known.has(blindIndex));
    const rivals = unknown.filter((one) => isNumber(one) && numbersOf.get(owner ?? '')?.has(one.namespace));
    if (theirs.size > 1 || rivals.length > 0) {
      const problem = 'belongs to two people: its identifiers are those of different ones; only a no counts, for both';
      report({ line: named.line, problem, whole: true });
      const noes = named.events.filter(isNo);
      if (noes.length === 0) return [];
      const both = [...theirs].map((subjectId) => to(subjectId, named, [], noes));
      return rivals.length > 0 ? [...both, to(newborn(), named, rivals, noes)] : both;
    }
    const subjectId = owner ?? newborn();
    const taken = named.references.filter(({ blindIndex }) => (known.get(blindIndex) ?? subjectId) !== subjectId);
    for (const _ of taken)
      report({ line: named.line, problem: 'a telephone number that somebody else has already', whole: false });
    return [to(subjectId, named, unknown)];
  });
};

/** Looks up who is known and what is recorded, and says what would become of each person. Changes nothing. */
export const planBatch = async (
  deps: PlanDeps,
  { catalogue }: Pick<Reading, 'catalogue'>,
  batch: Batch,
  underWay?: UnderWay,
): Promise<Plan> => {
  const tally = newTally();
  const problems: Problem[] = [];
  const report = (problem: Problem) => {
    problems.push(problem);
    countProblem(tally, problem);
  };
  batch.problems.forEach(report);
  tally.lines = batch.lines;
  tally.silent = batch.silent;
  const owners = await ownersOf(deps.database, [
    ...new Set(batch.named.flatMap(({ references }) => references.map(({ blindIndex }) => blindIndex))),
  ]);
  const numbered = await namespacesOfMany(deps.database, [...new Set(owners.values())]);
  const assigned = assign(batch, owners, numbered, catalogue, deps.ids, report);
  const knownIds = [...new Set(assigned.filter(({ isNew }) => !isNew).map(({ subjectId }) => subjectId))];
  const [states, recorded] = await Promise.all([
    knownIds.length === 0 ? new Map<string, SubjectState>() : statesOf(deps.database, knownIds),
    recordedIds(
      deps.database,
      assigned.flatMap(({ subjectId, isNew, events }) => (isNew ? [] : events.map(({ id }) => ({ subjectId, id })))),
    ),
  ]);
  const people = new Map<string, PlannedPerson>();
  for (const { line, subjectId, isNew, claims, events } of assigned) {
    const state = states.get(subjectId) ?? unrecorded(subjectId);
    if (state.erasedAt) {
      report({ line, problem: 'this person was erased', whole: true });
      continue;
    }
    const person = people.get(subjectId) ?? { state, isNew, claims: [], events: [], lines: [] };
    people.set(subjectId, person);
    if (state.version === 0 && person.lines.length === 0 && !underWay?.subjectIds.has(subjectId)) tally.unknown++;
    else tally.known++;
    person.claims.push(...claims);
    person.lines.push(line);
    for (const event of events) {
      const isKnown =
        recorded.has(event.id) ||
        underWay?.eventIds.has(event.id) ||
        person.events.some(({ id }) => id === event.id) ||
        isSaidAlready(state.answers as Answers, event.judged);
      if (isKnown) tally.already++;
      else {
        person.events.push(event);
        countAnswer(tally, event.judged);
      }
    }
  }
  return { people: [...people.values()], problems, tally };
};
