import { row, type Row } from '../subjects/index.ts';
import type { Scope } from '../consent/index.ts';
import type { StoredName } from '../decisions/index.ts';
import { linkEvent } from './table.ts';

/**
 * One side of a link, in the state of its own subject. `pending`: the other side is not recorded yet. `active`: live while the other half is
 * too. `suspended`: nobody may use it, nothing is deleted (Art. 18 GDPR). `unlink-due`: the system has been told to forget it.
 */
export type Half = {
  linkId: string;
  side: 'customer' | 'identity';
  status: 'pending' | 'active' | 'suspended' | 'unlink-due';
  system: string;
  purpose: string;
  scope: Scope;
  customer: StoredName;
  identity: StoredName;
  identityRef: string;
  otherSubjectId: string;
  /** The permit it came from: subject of the customer and id of the record. */
  leaseId: string;
  permitSubjectId: string;
  confirmedAt: string;
  /** The other side has not been told yet that this one fell. */
  tellOther?: true;
  /** Until when a pending half may become active; epoch milliseconds. */
  lapsesAt?: number;
  /** It came over a chain of accounts: a no of whoever owns one of them changes no side of this link, so it is looked at every hour. */
  chained?: true;
  /** When the yes it rests on ends; epoch milliseconds. */
  groundEndsAt?: number;
};

export type Cause =
  | 'confirmed'
  | 'withdrawn'
  | 'objected'
  | 'merged'
  | 'unlink-asked'
  | 'other-side'
  | 'ground-ended'
  | 'lapsed'
  | 'acknowledged';

export const halvesOf = (links: unknown): readonly Half[] => links as readonly Half[];

/** The event that tells what became of a half. */
export const halfEvent = (id: string, half: Half, status: Half['status'] | 'unlinked' | 'lapsed', cause: Cause): Row =>
  row(linkEvent, {
    id,
    linkId: half.linkId,
    side: half.side,
    status,
    cause,
    system: half.system,
    facts: {
      purpose: half.purpose,
      scope: half.scope,
      customer: half.customer,
      identity: half.identity,
      leaseId: half.leaseId,
    },
  });

const chainReviewMs = 3_600_000;

/** The earliest moment at which a sweep has to look at these halves again; null for never. RFC 3339. */
export const reviewAt = (halves: readonly Half[], now: number): string | null => {
  const moments = halves.flatMap((half) => {
    if (half.tellOther) return [now];
    if (half.status === 'pending') return [half.lapsesAt ?? now];
    if (half.status !== 'active') return [];
    const ends = half.groundEndsAt === undefined ? [] : [half.groundEndsAt];
    return half.chained && half.side === 'customer' ? [...ends, now + chainReviewMs] : ends;
  });
  return moments.length === 0 ? null : Temporal.Instant.fromEpochMilliseconds(Math.min(...moments)).toString();
};

/** Halves of one person may both belong to one link, where somebody's own account was registered with them. */
export const isSame = (one: Half, other: Half): boolean => one.linkId === other.linkId && one.side === other.side;
