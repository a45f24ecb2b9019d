import { releaseLease, takeLease } from '../kernel/database/lease.ts';
import { readPermit, recheckPermit } from '../decisions/index.ts';
import type { Catalogue } from '../policies/index.ts';
import { markReviewed, subjectsToReview, type Caller, type SubjectState } from '../subjects/index.ts';
import { oblige } from '../systems/index.ts';
import { completeLink, type LinkageDeps } from './confirm-link.ts';
import { dropLink } from './drop-link.ts';
import { GroundEndedMeanwhile } from './errors.ts';
import { halfEvent, halvesOf, isSame, reviewAt, type Half } from './half.ts';

/** Acts of the service itself stand under this name in the audit. */
const sweeper: Caller = { system: 'askfirst', clientId: 'askfirst' };

/** Completes a pending half whose confirmation died on the way, if it is still permitted; drops it else. */
const completeOrDrop = async (deps: LinkageDeps, half: Half, subjectId: string): Promise<void> => {
  const permit = await readPermit(deps.database, half.permitSubjectId, half.leaseId);
  const decision = permit?.decisions.find(({ id }) => id === half.linkId);
  if (!permit || !decision) return dropLink(deps, sweeper, half, subjectId);
  try {
    await completeLink(deps, { caller: sweeper, permit, decision }, half, subjectId);
  } catch (error) {
    if (!(error instanceof GroundEndedMeanwhile)) throw error;
  }
};

/** The other half of a link that fell on this side turns red too. The obligation lies on the side that fell. */
const tellOther = async (deps: LinkageDeps, half: Half, subjectId: string): Promise<void> => {
  await deps.writer.change(half.otherSubjectId, { verb: 'unlink-other-side', caller: sweeper }, (state) => {
    const other = halvesOf(state.links).find(({ linkId, side }) => linkId === half.linkId && side !== half.side);
    if (!other || other.status === 'unlink-due') return undefined;
    const links = halvesOf(state.links).map((one) =>
      one === other ? { ...other, status: 'unlink-due' as const } : one,
    );
    return {
      links,
      // Leases granted before the fall are void by the side that fell; those granted since are not to be.
      reviewAt: reviewAt(links, deps.clock.now().epochMilliseconds),
      rows: [halfEvent(deps.ids.uuid(), other, 'unlink-due', 'other-side')],
      result: undefined,
    };
  });
  await deps.writer.change(subjectId, { verb: 'unlink-other-side', caller: sweeper }, (state) => {
    const links = halvesOf(state.links).map((one) => {
      const { tellOther: _told, ...told } = one;
      return isSame(one, half) ? told : one;
    });
    return { links, reviewAt: reviewAt(links, deps.clock.now().epochMilliseconds), rows: [], result: undefined };
  });
};

/**
 * Suspends a live link whose question would now be denied, because a yes ran out or the policy changed: denied at once, deleted by nobody, and its
 * system told to stop. Does nothing where the ground holds. Answers false
 * when the person changed meanwhile, so that it has to be looked at again.
 */
const suspendIfGroundless = async (deps: LinkageDeps, half: Half, subjectId: string): Promise<boolean> => {
  const permit = await readPermit(deps.database, half.permitSubjectId, half.leaseId);
  const decision = permit?.decisions.find(({ id }) => id === half.linkId);
  const checked = permit && decision && (await recheckPermit(deps, permit, decision));
  const now = deps.clock.now();
  let reviewed = true;
  await deps.writer.change(subjectId, { verb: 'review-link', caller: sweeper }, (state) => {
    const mine = halvesOf(state.links).find((one) => isSame(one, half));
    reviewed = !checked || state.version === checked.customer.version;
    if (mine?.status !== 'active' || !reviewed) return undefined;
    const put = (next: Half) => {
      const links = halvesOf(state.links).map((one) => (one === mine ? next : one));
      return { links, reviewAt: reviewAt(links, now.epochMilliseconds) };
    };
    if (checked?.verdict.permit) {
      // A renewed yes carries the link further.
      if (checked.groundEndsAt === mine.groundEndsAt) return undefined;
      const { groundEndsAt: _ended, ...lasting } = mine;
      const next = checked.groundEndsAt === undefined ? lasting : { ...lasting, groundEndsAt: checked.groundEndsAt };
      return { ...put(next), rows: [], result: undefined };
    }
    return {
      ...put({ ...mine, status: 'suspended' }),
      voidLeases: true,
      rows: [
        halfEvent(deps.ids.uuid(), mine, 'suspended', 'ground-ended'),
        oblige({
          id: deps.ids.uuid(),
          subjectId,
          system: mine.system,
          kind: 'stop',
          facts: { purpose: mine.purpose, scope: mine.scope as Record<string, string>, cause: 'ground-ended' },
          now,
        }),
      ],
      result: undefined,
    };
  });
  return reviewed;
};

/** Answers the state that was found in order, or undefined when it changed meanwhile and has to be looked at again. */
const reviewOne = async (deps: LinkageDeps, subjectId: string): Promise<SubjectState | undefined> => {
  const state = await deps.reader.state(subjectId);
  let reviewed = true;
  const now = deps.clock.now().epochMilliseconds;
  for (const half of halvesOf(state.links)) {
    if (half.tellOther) await tellOther(deps, half, state.subjectId);
    else if (half.status === 'pending') {
      if ((half.lapsesAt ?? 0) <= now) await completeOrDrop(deps, half, state.subjectId);
    } else if (half.status === 'active' && half.side === 'customer')
      reviewed = (await suspendIfGroundless(deps, half, state.subjectId)) && reviewed;
    else if (half.status === 'active') {
      const other = await deps.reader.state(half.otherSubjectId);
      if (!halvesOf(other.links).some(({ linkId, side }) => linkId === half.linkId && side === 'customer'))
        await dropLink(deps, sweeper, half, state.subjectId);
    }
  }
  // As it was read: whoever changed since, also by us, is at another version and comes again.
  return reviewed ? state : undefined;
};

/**
 * Looks at every subject whose links are due: pending halves that nobody completed, sides that fell, yeses that ran out, a changed policy. One
 * instance at a time; asks the database for all that is due, trusts no tick, and may be killed anywhere. Answers how many it looked at.
 */
export const sweepLinks = async (deps: LinkageDeps, catalogue: Catalogue, batch = 200): Promise<number> => {
  const token = await takeLease(deps.database, 'sweep-links', 60);
  if (token === undefined) return 0;
  let reviewed = 0;
  try {
    for (let round = 0; round < 50; round++) {
      const due = await subjectsToReview(deps.database, catalogue.digest, batch);
      if (due.length === 0) break;
      const results = await Promise.allSettled(due.map((id) => reviewOne(deps, id)));
      const now = deps.clock.now().epochMilliseconds;
      const inOrder = results.flatMap((result) =>
        result.status === 'fulfilled' && result.value ? [result.value] : [],
      );
      await markReviewed(
        deps.database,
        catalogue.digest,
        inOrder.map(({ subjectId, version, links }) => ({
          subjectId,
          version,
          reviewAt: reviewAt(halvesOf(links), now),
        })),
      );
      // One that cannot be reviewed must not hide: the others are done, and the job says that it failed.
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
      reviewed += due.length;
      if (due.length < batch) break;
    }
  } finally {
    await releaseLease(deps.database, 'sweep-links', token);
  }
  return reviewed;
};
