import type { Catalogue } from '../policies/index.ts';
import {
  moveIdentifiers,
  namespacesOf,
  refer,
  row,
  SubjectContended,
  SubjectErased,
  SubjectNotFound,
  type Caller,
  type SubjectState,
} from '../subjects/index.ts';
import type { Answers } from './answers.ts';
import { MergeNotForAccounts, MergeWithItself } from './errors.ts';
import { mergeAnswers } from './merge-answers.ts';
import { throughAliases, type ConsentDeps } from './record-event.ts';
import { consentRevision } from './table.ts';

/** Two records of one person were found to be one. */
export type Merged = { subjectId: string; mergedSubjectId: string };

const assertNoAccount = async (deps: ConsentDeps, catalogue: Catalogue, subjectId: string): Promise<void> => {
  const namespaces = await namespacesOf(deps.database, subjectId);
  if (namespaces.length > 0 && namespaces.every((namespace) => catalogue.platforms.has(namespace)))
    throw new MergeNotForAccounts();
};

/**
 * Makes the record known by `other` an alias of `subjectId` (DESIGN section 8): every no of either survives, a yes only where both gave it. First the
 * surviving record is narrowed to what both permit, then the other one becomes an alias on the very version that was taken over, and last its
 * identifiers move; whatever dies in between permits less, and the same call, or the sweep, completes it. Proofs of control are not
 * inherited, and links of the merged record are reviewed with it: they are suspended.
 * Errors: SubjectNotFound, MergeWithItself, MergeNotForAccounts, SubjectErased, SubjectContended, and those of `refer`.
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
  await Promise.all([subjectId, mergedSubjectId].map((one) => assertNoAccount(deps, catalogue, one)));

  for (let attempt = 0; attempt < 50; attempt++) {
    const other = await deps.reader.state(mergedSubjectId);
    const narrowed = await deps.writer.change(
      subjectId,
      { verb: 'merge-subjects', caller, actor: input.actor },
      (state, seq) => {
        if (state.erasedAt || other.erasedAt) throw new SubjectErased();
        if (state.mergedInto !== null || other.mergedInto !== null) return undefined;
        return takenOver(deps, state, seq, other);
      },
    );
    if (!narrowed) throw new SubjectContended();
    const alias = await deps.writer.change(
      mergedSubjectId,
      { verb: 'merge-subjects', caller, actor: input.actor },
      (state) =>
        state.version === other.version
          ? {
              mergedInto: subjectId,
              voidLeases: true,
              reviewAt: deps.clock.now().toString(),
              rows: [],
              result: undefined,
            }
          : undefined,
    );
    if (!alias) continue; // they answered something in between: that is taken over as well
    await moveIdentifiers(deps, mergedSubjectId, subjectId);
    return { subjectId, mergedSubjectId };
  }
  throw new SubjectContended();
};

const takenOver = (deps: ConsentDeps, state: SubjectState, seq: number, other: SubjectState) => {
  const answers = mergeAnswers(state.answers as Answers, other.answers as Answers, seq);
  return {
    answers,
    voidLeases: true,
    // Links that lost their ground are found by the sweep; checks deny at once.
    reviewAt: deps.clock.now().toString(),
    rows: [
      row(consentRevision, {
        id: deps.ids.uuid(),
        subjectSeq: seq,
        cause: 'merged' as const,
        otherSubjectId: other.subjectId,
        answers,
      }),
    ],
    result: undefined,
  };
};
