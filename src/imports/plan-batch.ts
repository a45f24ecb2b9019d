import { AppError } from '../kernel/errors.ts';
import type { Ids } from '../kernel/ids.ts';
import { importedEventId, judgeImported, recordedIds, type Judged } from '../consent/index.ts';
import type { Catalogue } from '../policies/index.ts';
import {
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

/** What a batch is read with; the same for all of a run. */
export type Reading = { catalogue: Catalogue; system: string };

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
  { catalogue, system }: Reading,
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
    try {
      const events = new Map<string, PlannedEvent>();
      for (const statement of entry.said.statements) {
        const judged = judgeImported(catalogue, system, statement, now);
        const id = importedEventId(person, judged, statement);
        events.set(id, { id, judged });
      }
      batch.named.push({ line, references: ordered, events: [...events.values()] });
    } catch (error) {
      report(says(error), true);
    }
  }
  return batch;
};

type Assigned = Named & { subjectId: string; isNew: boolean; claims: Reference[] };

/** Whose each line is. A line never joins two people: one that names two is not taken. */
const assign = (
  batch: Batch,
  owners: ReadonlyMap<string, string>,
  ids: Ids,
  report: (problem: Problem) => void,
): Assigned[] => {
  const known = new Map(owners);
  const born = new Set<string>();
  return batch.named.flatMap((named) => {
    const telling = named.references.filter(tellsApart);
    const naming = telling.length > 0 ? telling : named.references;
    const theirs = new Set(naming.flatMap(({ blindIndex }) => known.get(blindIndex) ?? []));
    if (theirs.size > 1) {
      report({
        line: named.line,
        problem: 'belongs to two people: its identifiers are those of different ones',
        whole: true,
      });
      return [];
    }
    const [owner] = theirs;
    const subjectId = owner ?? ids.uuid();
    if (owner === undefined) born.add(subjectId);
    const claims = named.references.filter((reference) => {
      const has = known.get(reference.blindIndex);
      if (has === undefined) known.set(reference.blindIndex, subjectId);
      else if (has !== subjectId)
        report({ line: named.line, problem: 'a telephone number that somebody else has already', whole: false });
      return has === undefined;
    });
    return [{ ...named, subjectId, isNew: born.has(subjectId), claims }];
  });
};

/** Looks up who is known and what is recorded, and says what would become of each person. Changes nothing. */
export const planBatch = async (deps: PlanDeps, batch: Batch, underWay?: UnderWay): Promise<Plan> => {
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
  const assigned = assign(batch, owners, deps.ids, report);
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
      if (recorded.has(event.id) || underWay?.eventIds.has(event.id) || person.events.some(({ id }) => id === event.id))
        tally.already++;
      else {
        person.events.push(event);
        countAnswer(tally, event.judged);
      }
    }
  }
  return { people: [...people.values()], problems, tally };
};
