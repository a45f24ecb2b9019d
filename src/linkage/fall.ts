import { consentStatus, everything, type Consequence, type GroundEnded } from '../consent/index.ts';
import type { Ids } from '../kernel/ids.ts';
import type { Row } from '../subjects/index.ts';
import { oblige } from '../systems/index.ts';
import { halfEvent, halvesOf, reviewAt, type Cause, type Half } from './half.ts';

/** Turns one half red: its system is told to unlink, and it stays so until the system has said that it did. */
export const unlinkDue = (
  ids: Ids,
  half: Half,
  subjectId: string,
  cause: Cause,
  now: Temporal.Instant,
): { half: Half; rows: Row[] } => ({
  half: { ...half, status: 'unlink-due', tellOther: true },
  rows: [
    halfEvent(ids.uuid(), half, 'unlink-due', cause),
    oblige({
      id: ids.uuid(),
      subjectId,
      system: half.system,
      kind: 'unlink',
      facts: {
        linkId: half.linkId,
        purpose: half.purpose,
        cause,
        customerRef: half.customer.blindIndex,
        identityRef: half.identity.blindIndex,
      },
      now,
    }),
  ],
});

const speaksOf = (ended: GroundEnded, half: Half): boolean =>
  ended.purpose === half.purpose || ended.purpose === everything;

/** Whether a half has lost its ground: the customer's needs a yes, the identity's falls only by a no. */
const hasFallen = (ended: GroundEnded, half: Half): boolean => {
  const purpose = ended.catalogue.purposes.get(half.purpose);
  if (!purpose) return true;
  const { result, code } = consentStatus(ended.after, half.purpose, half.scope, ended.at, purpose);
  return half.side === 'customer' ? result === 'deny' : code === 'live-no';
};

/**
 * What a withdrawal or an objection does to links, in its own transaction (DESIGN section 8): each half that it leaves without a ground becomes
 * `unlink-due` with its obligation. The other half follows by the sweep, which is asked to look at once. It also looks at those that stand:
 * a no that is narrower than their own ground may have ended a hop of the chain that led to the account.
 */
export const unlinkWhatFell =
  (ids: Ids): Consequence =>
  (ended) => {
    const rows: Row[] = [];
    const now = Temporal.Instant.fromEpochMilliseconds(ended.at);
    const links = halvesOf(ended.state.links).map((half) => {
      if (half.status === 'unlink-due' || !speaksOf(ended, half) || !hasFallen(ended, half)) return half;
      const due = unlinkDue(ids, half, ended.state.subjectId, ended.cause, now);
      rows.push(...due.rows);
      return due.half;
    });
    if (!links.some((half) => speaksOf(ended, half))) return { rows };
    return { links, reviewAt: reviewAt(links, ended.at), rows };
  };
