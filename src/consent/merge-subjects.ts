import type { Catalogue } from '../policies/index.ts';
import {
  birthMonth,
  moveIdentifiers,
  namespacesOfMany,
  refer,
  row,
  SubjectContended,
  SubjectErased,
  SubjectNotFound,
  throughAliases,
  type Caller,
  type Change,
  type SubjectState,
} from '../subjects/index.ts';
import { everything, type Answer, type Answers } from './answers.ts';
import { narrowByAge, readBirthMonth, sealBirthMonth } from './birth-month.ts';
import { MergeNotForAccounts, MergeOfRestricted, MergeWithItself } from './errors.ts';
import { mergeAnswers } from './merge-answers.ts';
import type { ConsentDeps } from './record-event.ts';
import { consentRevision } from './table.ts';

/** Two records of one person were found to be one. */
export type Merged = { subjectId: string; mergedSubjectId: string };

const assertNoAccount = async (deps: ConsentDeps, catalogue: Catalogue, subjectIds: string[]): Promise<void> => {
  for (const namespaces of (await namespacesOfMany(deps.database, subjectIds)).values())
    if ([...namespaces].every((namespace) => catalogue.platforms.has(namespace))) throw new MergeNotForAccounts();
};

/**
 * Makes the record known by `other` an alias of `subjectId` (DESIGN section 8): every no of either survives, a yes only where both gave it. First the
 * surviving record is narrowed to what both permit, then the other one becomes an alias on the very version that was taken over, and last its
 * identifiers move; whatever dies in between permits less, and the sweep completes it. Proofs of control are not
 * inherited, and links of the merged record end.
 * Errors: SubjectNotFound, MergeWithItself, MergeNotForAccounts, MergeOfRestricted, SubjectErased, SubjectContended, and those of `refer`.
 */
export const mergeSubjects = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: { subjectId: string; other: string; actor?: string | undefined },
): Promise<Merged> => {
  const reference = refer(deps, catalogue, caller.system, input.other, 'subject');
  const [first, second] = await Promise.all([
    deps.reader.state(input.subjectId),
    deps.reader.stateOf(reference.blindIndex),
  ]);
  if (first.version === 0) throw new SubjectNotFound('subjectId');
  if (!second) throw new SubjectNotFound('subject');
  const { subjectId } = await throughAliases(deps, first);
  const { subjectId: mergedSubjectId } = await throughAliases(deps, second);
  if (subjectId === mergedSubjectId) throw new MergeWithItself();
  await assertNoAccount(deps, catalogue, [subjectId, mergedSubjectId]);

  for (let attempt = 0; attempt < 50; attempt++) {
    const [state, other] = await Promise.all([deps.reader.state(subjectId), deps.reader.state(mergedSubjectId)]);
    for (const one of [state, other]) {
      if (one.erasedAt) throw new SubjectErased();
      if (one.restrictedAt) throw new MergeOfRestricted();
    }
    // Somebody merged one of them in between: who they are now is found anew.
    if (state.mergedInto !== null || other.mergedInto !== null) return mergeSubjects(deps, caller, catalogue, input);
    const born = await youngerBirthMonth(deps, state, other);
    const narrowed = await deps.writer.change(
      subjectId,
      { verb: 'merge-subjects', caller, actor: input.actor },
      (current, seq) =>
        current.version === state.version ? takenOver(deps, caller, catalogue, { state, seq, other, born }) : undefined,
      state,
    );
    if (!narrowed) continue;
    const alias = await deps.writer.change(
      mergedSubjectId,
      { verb: 'merge-subjects', caller, actor: input.actor },
      (current) => (current.version === other.version ? aliasOf(deps, catalogue, current, subjectId) : undefined),
      other,
    );
    if (!alias) continue; // they answered something in between: that is taken over as well
    await moveIdentifiers(deps, mergedSubjectId, subjectId);
    return { subjectId, mergedSubjectId };
  }
  throw new SubjectContended();
};

type Born = { month: string; toAdd?: { id: string; sealed: Buffer } };

/** The later of the birth months of both, sealed for the survivor where it is new there; undefined where neither knows one. */
const youngerBirthMonth = async (
  deps: ConsentDeps,
  state: SubjectState,
  other: SubjectState,
): Promise<Born | undefined> => {
  const [mine, theirs] = await Promise.all([readBirthMonth(deps, state), readBirthMonth(deps, other)]);
  if (theirs === undefined || (mine !== undefined && mine >= theirs))
    return mine === undefined ? mine : { month: mine };
  const id = deps.ids.uuid();
  return { month: theirs, toAdd: { id, sealed: await sealBirthMonth(deps, state.subjectId, id, theirs) } };
};

/** What becomes of the surviving record: no more than both permit. */
const takenOver = (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  about: {
    state: SubjectState;
    seq: number;
    other: SubjectState;
    born: Born | undefined;
  },
): Change<undefined> => {
  const { state, seq, other, born } = about;
  const merged = mergeAnswers(state.answers as Answers, other.answers as Answers, seq);
  // What either record knows of their age counts for what the other one holds too.
  const answers = born ? narrowByAge(merged, born.month, catalogue) : merged;
  return {
    answers,
    signals: {
      ...(other.signals as object),
      ...(state.signals as object),
      ...(born?.toAdd && { birthMonth: born.toAdd.id }),
    },
    voidLeases: true,
    // Links that lost their ground are found by the sweep; checks deny at once.
    reviewAt: deps.clock.now().toString(),
    rows: [
      row(consentRevision, {
        id: deps.ids.uuid(),
        subjectSeq: seq,
        cause: 'merged',
        otherSubjectId: other.subjectId,
        answers,
      }),
      ...(born?.toAdd ? [row(birthMonth, { ...born.toAdd, system: caller.system })] : []),
    ],
    result: undefined,
  };
};

/** What becomes of the other one: an alias without a ground of its own. Its links end, because nobody could withdraw from them any more. */
const aliasOf = (
  deps: ConsentDeps,
  catalogue: Catalogue,
  state: SubjectState,
  mergedInto: string,
): Change<undefined> => {
  const change: Change<undefined> = { mergedInto, voidLeases: true, rows: [], result: undefined };
  const now = deps.clock.now();
  const no: Answer = {
    act: 'no',
    scope: {},
    at: now.epochMilliseconds,
    seq: state.version + 1,
    id: mergedInto,
    rank: 'self',
    own: false,
    notice: 0,
  };
  for (const consequence of deps.onMerged) {
    const { rows, ...rest } = consequence({
      state,
      before: state.answers as Answers,
      after: { [everything]: [no] },
      purpose: everything,
      scope: {},
      cause: 'merged',
      at: now.epochMilliseconds,
      catalogue,
    });
    Object.assign(change, rest);
    change.rows.push(...rows);
  }
  return change;
};
