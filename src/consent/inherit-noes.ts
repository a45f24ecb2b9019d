import { row, throughAliases, type Caller, type SubjectDeps } from '../subjects/index.ts';
import type { Answers } from './answers.ts';
import { takeOverNoes } from './merge-answers.ts';
import { consentRevision } from './table.ts';

/**
 * Gives a person every no that was said under a handle of theirs when nobody knew yet whose it was (`from`). Yeses stay behind: whoever said
 * them may have been somebody else. Does nothing where there is no no that is not known already.
 */
export const inheritNoes =
  (deps: Pick<SubjectDeps, 'reader' | 'writer' | 'ids' | 'clock'>) =>
  async (caller: Caller, from: string, to: string): Promise<void> => {
    const theirs = (await deps.reader.state(from)).answers as Answers;
    const isKnown = (answers: Answers) =>
      Object.entries(theirs).every(([purpose, all]) =>
        all.every(({ act, id }) => act !== 'no' || answers[purpose]?.some((answer) => answer.id === id)),
      );
    if (isKnown({})) return;
    let isAlias = false;
    await deps.writer.change(to, { verb: 'inherit-noes', caller, urgent: true }, (state, seq) => {
      isAlias = state.mergedInto !== null;
      if (isAlias || state.erasedAt) return undefined;
      const mine = state.answers as Answers;
      const answers = takeOverNoes(mine, theirs, seq);
      // What says no more than what is known already is pruned, and would come again at each call.
      if (isKnown(mine) || JSON.stringify(answers) === JSON.stringify(mine)) return undefined;
      return {
        answers,
        voidLeases: true,
        reviewAt: deps.clock.now().toString(),
        rows: [
          row(consentRevision, {
            id: deps.ids.uuid(),
            subjectSeq: seq,
            cause: 'merged',
            otherSubjectId: from,
            answers,
          }),
        ],
        result: undefined,
      };
    });
    // The record was merged meanwhile: the noes are of whoever the person is now.
    if (isAlias)
      await inheritNoes(deps)(caller, from, (await throughAliases(deps, await deps.reader.state(to))).subjectId);
  };
