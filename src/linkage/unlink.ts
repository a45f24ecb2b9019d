import type { Caller, SubjectDeps } from '../subjects/index.ts';
import { LinkNotFound } from './errors.ts';
import { linkOf, type Link } from './confirm-link.ts';
import { unlinkDue } from './fall.ts';
import { halvesOf, reviewAt } from './half.ts';

/**
 * Ends one link without touching consent: a wrong match, or a person who wants this one gone. The system that holds it is told, and it stays
 * `unlink-due` until acknowledged. Repeating it changes nothing. Throws LinkNotFound.
 */
export const unlink = async (
  deps: SubjectDeps,
  caller: Caller,
  input: { subjectId: string; linkId: string; actor?: string | undefined },
): Promise<Link> => {
  const find = (links: unknown) =>
    halvesOf(links).find(({ linkId, system }) => linkId === input.linkId && system === caller.system);
  const changed = await deps.writer.change(
    input.subjectId,
    { verb: 'unlink', caller, actor: input.actor, urgent: true },
    (state) => {
      const half = find(state.links);
      if (!half) throw new LinkNotFound();
      if (half.status === 'unlink-due') return undefined;
      const now = deps.clock.now();
      const due = unlinkDue(deps.ids, half, input.subjectId, 'unlink-asked', now);
      const links = halvesOf(state.links).map((other) => (other === half ? due.half : other));
      return {
        links,
        voidLeases: true,
        reviewAt: reviewAt(links, now.epochMilliseconds),
        rows: due.rows,
        result: due.half,
      };
    },
  );
  const half = changed?.result ?? find((await deps.reader.state(input.subjectId)).links);
  if (!half) throw new LinkNotFound();
  return linkOf(half, input.subjectId);
};
