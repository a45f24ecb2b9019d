import type { Database } from '../../src/kernel/database/client.ts';
import type { createPermitRecorder } from '../../src/decisions/index.ts';
import { DatabaseUnavailable } from '../../src/kernel/database/errors.ts';
import type { Side, SubjectReader } from '../../src/subjects/index.ts';

/** The one statement by which a person's record changes. */
const isCommit = (text: string): boolean => /\bupdate subject_state s set version\b/.test(text);

/** The statement by which the identifiers of a merged record move to the one that it became part of. */
const isMove = (text: string): boolean => /\bupdate identifier i set subject_id\b/.test(text);

/**
 * A reader that remembers what it was told for 50 ms, as somebody would write it who wants to save the database a question.
 * Breaks promise 1.
 */
export const rememberAnswers = (reader: SubjectReader, forMs = 50): SubjectReader => {
  const known = new Map<string, { side: Side; policyDigest: string | null; until: number }>();
  return {
    ...reader,
    sides: async (keys) => {
      const now = performance.now();
      const names = keys.map(({ blindIndex, purpose }) => `${blindIndex} ${purpose}`);
      const found = names.map((name) => known.get(name));
      if (found.length > 0 && found.every((one) => one !== undefined && one.until > now))
        return { policyDigest: found[0]!.policyDigest, sides: found.map((one) => one!.side) };
      const read = await reader.sides(keys);
      names.forEach((name, index) =>
        known.set(name, { side: read.sides[index]!, policyDigest: read.policyDigest, until: now + forMs }),
      );
      return read;
    },
  };
};

/** A database whose commits no longer ask whether the person is still as they were read. Breaks promises 1, 2 and 4. */
export const dropVersionComparison = (database: Database): Database => ({
  ...database,
  query: (text, parameters) => {
    if (!isCommit(text)) return database.query(text, parameters);
    const without = text.replace(/and\s+l\.version\s*=\s*c\.expected/, '');
    if (without === text) throw new Error('the comparison of versions is not where this fault takes it out');
    return database.query(without, parameters);
  },
});

type Kept = Record<string, { act: string; rank: string; until?: number; seq: number; scope: object }[]>;
type Changed = { subject_id: string; answers: Kept };

/** A database to which something else is written than was decided. `also` holds the rows of the commit as JSON. */
const writeOtherwise =
  (change: (before: Kept, after: Kept, also: string) => Kept) =>
  (database: Database): Database => ({
    ...database,
    query: async (text, parameters) => {
      if (!isCommit(text)) return database.query(text, parameters);
      const [changes, ...rows] = parameters as [string, ...string[]];
      const altered = await Promise.all(
        (JSON.parse(changes) as Changed[]).map(async (one) => {
          const [state] = await database.query<{ answers: Kept }>(
            'select answers from subject_state where subject_id = $1',
            [one.subject_id],
          );
          return { ...one, answers: change(state?.answers ?? {}, one.answers, rows.join('\n')) };
        }),
      );
      return database.query(text, [JSON.stringify(altered), ...rows]);
    },
  });

const withAnswersOf = (after: Kept, before: Kept, act: string): Kept =>
  Object.fromEntries(
    [...new Set([...Object.keys(after), ...Object.keys(before)])].map((purpose) => [
      purpose,
      [...(after[purpose] ?? []), ...(before[purpose] ?? []).filter((answer) => answer.act === act)],
    ]),
  );

/** Faults in what people say otherwise than by a plain answer. Each breaks promise 4. */
export const widerAnswers = {
  'a merge keeps the yeses of one record': writeOtherwise((before, after, also) =>
    also.includes('"cause":"merged"') ? withAnswersOf(after, before, 'yes') : after,
  ),
  'a code is taken although a no came in between': writeOtherwise((before, after, also) =>
    also.includes('"answer":"no"') ? withAnswersOf(after, before, 'pending') : after,
  ),
  'a guardian’s yes never ends': writeOtherwise(
    (_before, after) =>
      Object.fromEntries(
        Object.entries(after).map(([purpose, all]) => [
          purpose,
          all.map((answer) => (answer.rank === 'guardian' ? { ...answer, until: undefined } : answer)),
        ]),
      ) as Kept,
  ),
};

type PermitRecorder = ReturnType<typeof createPermitRecorder>;

/** A recorder of permits that says "durable" a moment before it is true. Breaks promise 2. */
export const answerEarly = (recorder: PermitRecorder): PermitRecorder => ({
  ...recorder,
  record: (records) => {
    setTimeout(() => void recorder.record(records), 100);
    return Promise.resolve();
  },
});

/** What happens to the statements of one instance on their way: for a test that has to be between a decision and its commit. */
export const createGate = () => {
  let closed = false;
  let arrived: (() => void)[] = [];
  let blocked: (() => void)[] = [];
  let loseAnswers = 0;
  let dieAfter: number | undefined;
  /** How many subjects each commit that was sent is about. */
  const commits: number[] = [];
  const gate = {
    commits,
    /** Commits that are decided from now on wait here, before they reach the server. */
    close: () => {
      closed = true;
    },
    /** Resolves when one waits here. */
    arrival: () => (blocked.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => arrived.push(resolve))),
    open: () => {
      closed = false;
      blocked.splice(0).forEach((resume) => resume());
    },
    /** The server commits the next `count` changes, and its answers are lost. */
    loseAnswers: (count: number) => {
      loseAnswers = count;
    },
    /** After `count` more commits the instance reaches the server no more, as if it had been killed; undefined ends that. */
    dieAfter: (count: number | undefined) => {
      dieAfter = count;
    },
    database: (database: Database): Database => ({
      ...database,
      query: async (text, parameters) => {
        if (dieAfter === 0 && isMove(text)) throw new Error('this instance is dead');
        if (!isCommit(text)) return database.query(text, parameters);
        if (closed)
          await new Promise<void>((resolve) => {
            blocked.push(resolve);
            arrived.splice(0).forEach((tell) => tell());
          });
        if (dieAfter !== undefined && dieAfter-- <= 0) {
          dieAfter = 0;
          throw new Error('this instance is dead');
        }
        commits.push((JSON.parse(parameters![0] as string) as unknown[]).length);
        const rows = await database.query<never>(text, parameters);
        if (loseAnswers > 0) {
          loseAnswers--;
          throw new DatabaseUnavailable();
        }
        return rows;
      },
    }),
  };
  return gate;
};
