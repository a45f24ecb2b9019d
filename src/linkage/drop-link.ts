import type { Caller, SubjectDeps } from '../subjects/index.ts';
import { halfEvent, halvesOf, reviewAt, type Half } from './half.ts';

/** Takes both halves of a link that never became live, or no longer is on one side, out of the state. Runs as often as it likes. */
export const dropLink = async (
  deps: Pick<SubjectDeps, 'writer' | 'clock' | 'ids'>,
  caller: Caller,
  half: Pick<Half, 'linkId' | 'otherSubjectId'>,
  subjectId: string,
  cause: 'lapsed' | 'acknowledged' = 'lapsed',
): Promise<void> => {
  for (const id of new Set([subjectId, half.otherSubjectId]))
    await deps.writer.change(id, { verb: 'drop-link', caller }, (state) => {
      const halves = halvesOf(state.links);
      const gone = halves.filter(
        ({ linkId, status }) => linkId === half.linkId && (cause === 'acknowledged' || status !== 'unlink-due'),
      );
      if (gone.length === 0) return undefined;
      const links = halves.filter((other) => !gone.includes(other));
      return {
        links,
        reviewAt: reviewAt(links, deps.clock.now().epochMilliseconds),
        rows: gone.map((fallen) =>
          halfEvent(deps.ids.uuid(), fallen, cause === 'lapsed' ? 'lapsed' : 'unlinked', cause),
        ),
        result: undefined,
      };
    });
};
