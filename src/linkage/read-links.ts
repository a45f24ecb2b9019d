import { SubjectNotFound, type SubjectReader } from '../subjects/index.ts';
import { linkOf, type Link } from './confirm-link.ts';
import { halvesOf } from './half.ts';

/**
 * The links of a subject that are not over, as `system` recorded them (all with `system` undefined). A link is only as good as its weaker half:
 * where the other side fell, it is shown as such here too. Throws SubjectNotFound.
 */
export const readLinks = async (reader: SubjectReader, subjectId: string, system?: string): Promise<Link[]> => {
  const state = await reader.state(subjectId);
  if (state.version === 0) throw new SubjectNotFound('subjectId');
  const halves = halvesOf(state.links).filter((half) => system === undefined || half.system === system);
  // Somebody's own account may be registered with them: then both halves lie here, and are still one link.
  const mine = halves.filter(
    (half) => half.side === 'customer' || !halves.some((one) => one.linkId === half.linkId && one.side === 'customer'),
  );
  return Promise.all(
    mine.map(async (half) => {
      if (half.status !== 'active') return linkOf(half, subjectId);
      const other = halvesOf((await reader.state(half.otherSubjectId)).links).find(
        ({ linkId, side }) => linkId === half.linkId && side !== half.side,
      );
      return linkOf({ ...half, status: other?.status ?? 'pending' }, subjectId);
    }),
  );
};
