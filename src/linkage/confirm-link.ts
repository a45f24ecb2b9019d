import { setTimeout as sleep } from 'node:timers/promises';
import {
  readPermit,
  recheckPermit,
  type FindReviews,
  type PermittedDecision,
  type Rechecked,
  type StoredPermit,
} from '../decisions/index.ts';
import type { Catalogue, PolicySets } from '../policies/index.ts';
import {
  refer,
  registerSubject,
  SubjectContended,
  SubjectNotFound,
  type Caller,
  type Change,
  type SubjectDeps,
  type SubjectState,
} from '../subjects/index.ts';
import { GroundEndedMeanwhile, LeaseExpired, LeaseUnknown } from './errors.ts';
import { dropLink } from './drop-link.ts';
import { halfEvent, halvesOf, isSame, reviewAt, type Half } from './half.ts';

export type LinkageDeps = SubjectDeps & {
  policySets: PolicySets;
  findReviews: FindReviews;
};

export type Link = {
  linkId: string;
  subjectId: string;
  status: Half['status'];
  system: string;
  purpose: string;
  platform: string;
  confirmedAt: string;
};

export const linkOf = (half: Half, subjectId: string): Link => ({
  linkId: half.linkId,
  subjectId,
  status: half.status,
  system: half.system,
  purpose: half.purpose,
  platform: half.identity.namespace,
  confirmedAt: half.confirmedAt,
});

/** How long a half waits for the other side before the sweep completes or drops it. */
const pendingMs = 60_000;

/** Ids of the rules that forbid. */
const forbidding = ({ fired }: Rechecked['verdict']): string[] =>
  fired.filter(({ effect }) => effect === 'forbid').map(({ id }) => id);

type Confirmation = { caller: Caller; permit: StoredPermit; decision: PermittedDecision };

/**
 * Changes one side only if, at the very version that is committed, the question would still be permitted: the recheck read that version,
 * and the statement commits on it. Whoever changed the person in between makes us ask again. Throws GroundEndedMeanwhile.
 */
const changeWhilePermitted = async (
  deps: LinkageDeps,
  confirmation: Confirmation,
  side: 'customer' | 'identity',
  subjectId: string,
  decide: (state: SubjectState, checked: Rechecked) => ReturnType<typeof placeHalf>,
): Promise<ReturnType<typeof placeHalf>['result']> => {
  const { caller, permit, decision } = confirmation;
  for (let attempt = 0; attempt < 50; attempt++) {
    const checked = await recheckPermit(deps, permit, decision);
    if (!checked.verdict.permit) throw new GroundEndedMeanwhile(forbidding(checked.verdict));
    const changed = await deps.writer.change(subjectId, { verb: 'confirm-link', caller }, (state) =>
      state.version === checked[side].version || (state.version === 0 && checked[side].subjectId === null)
        ? decide(state, checked)
        : undefined,
    );
    if (changed) return changed.result;
    await sleep(Math.random() * 5);
  }
  throw new SubjectContended();
};

/** Puts a half into a state, in the place of an earlier one of the same link. `over`: halves that give way to it. */
const placeHalf = (
  deps: LinkageDeps,
  state: SubjectState,
  half: Half,
  over: readonly Half[] = [],
): Change<{ half: Half; over: readonly Half[] }> => {
  const links = [...halvesOf(state.links).filter((other) => !isSame(other, half) && !over.includes(other)), half];
  return {
    links,
    reviewAt: reviewAt(links, deps.clock.now().epochMilliseconds),
    rows: [
      halfEvent(deps.ids.uuid(), half, half.status, 'confirmed'),
      ...over.map((other) => halfEvent(deps.ids.uuid(), other, 'lapsed', 'confirmed')),
    ],
    result: { half, over },
  };
};

/**
 * What the same system linked between the same two before gives way to a link that becomes live, and not before that; only what it still
 * has to undo stays. Links of other systems stay too, or those would never hear of a withdrawal.
 */
const givesWay = (other: Half, half: Half): boolean =>
  other.linkId !== half.linkId &&
  other.status !== 'unlink-due' &&
  other.side === half.side &&
  other.system === half.system &&
  other.identityRef === half.identityRef &&
  other.otherSubjectId === half.otherSubjectId;

/** A repeated confirmation answers the link, but only while it lives on both sides and would still be permitted. */
const confirmAgain = async (
  deps: LinkageDeps,
  { permit, decision }: Confirmation,
  half: Half,
  customerSubjectId: string,
): Promise<Link> => {
  const { verdict, identity } = await recheckPermit(deps, permit, decision);
  if (!verdict.permit) throw new GroundEndedMeanwhile(forbidding(verdict));
  const other = halvesOf(identity.links ?? []).find(
    ({ linkId, side }) => linkId === half.linkId && side === 'identity',
  );
  if (other?.status !== 'active') throw new GroundEndedMeanwhile([]);
  return linkOf(half, customerSubjectId);
};

/**
 * Confirms a link that a permit allowed: within its lease, for the same two identifiers, and only if it would be permitted anew at this
 * moment. First the customer's half (pending), then the identity's half (its subject is created, pseudonymous, when unknown), then both
 * are active. A repeated call answers the same link. What a crash leaves behind is completed or dropped by the sweep.
 * Errors: SubjectNotFound, LeaseUnknown, LeaseExpired, GroundEndedMeanwhile.
 */
export const confirmLink = async (
  deps: LinkageDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: { leaseId: string; customer: string; identity: string },
): Promise<Link> => {
  const customer = refer(deps, catalogue, caller.system, input.customer, 'customer');
  const identity = refer(deps, catalogue, caller.system, input.identity, 'identity');
  const state = await deps.reader.stateOf(customer.blindIndex);
  if (!state) throw new SubjectNotFound('customer');
  const permit = await readPermit(deps.database, state.subjectId, input.leaseId);
  const decision = permit?.decisions.find(
    (one) =>
      one.action === 'link' &&
      one.customer?.blindIndex === customer.blindIndex &&
      one.identity?.blindIndex === identity.blindIndex,
  );
  if (!permit || !decision || permit.system !== caller.system) throw new LeaseUnknown();
  // The link is named after its decision: repeated and concurrent confirmations are about the same one.
  const linkId = decision.id;
  const earlier = halvesOf(state.links).find((half) => half.linkId === linkId && half.side === 'customer');
  if (earlier?.status === 'active') return confirmAgain(deps, { caller, permit, decision }, earlier, state.subjectId);
  if (earlier && earlier.status !== 'pending') throw new GroundEndedMeanwhile([]);
  const now = deps.clock.now();
  if (!earlier && Temporal.Instant.compare(now, Temporal.Instant.from(permit.leaseEndsAt)) > 0)
    throw new LeaseExpired();

  const { subjectId: identitySubjectId } = await registerSubject(deps, caller, { references: [identity] });
  const confirmation: Confirmation = { caller, permit, decision };
  const half: Half = {
    linkId,
    side: 'customer',
    status: 'pending',
    system: permit.system,
    purpose: decision.purpose,
    scope: decision.scope,
    customer: decision.customer!,
    identity: decision.identity!,
    identityRef: identity.blindIndex,
    otherSubjectId: identitySubjectId,
    leaseId: permit.id,
    permitSubjectId: state.subjectId,
    confirmedAt: now.toString(),
    lapsesAt: now.epochMilliseconds + pendingMs,
    ...(decision.chain.length > 0 ? { chained: true as const } : {}),
  };
  if (!earlier)
    await changeWhilePermitted(deps, confirmation, 'customer', state.subjectId, (current) => {
      // A no in between voided every lease granted before it, also where a new yes followed.
      if (current.leaseFloor > permit.version) throw new GroundEndedMeanwhile([]);
      const mine = halvesOf(current.links).find((other) => isSame(other, half));
      return placeHalf(deps, current, mine?.status === 'active' ? mine : half);
    });
  return completeLink(deps, confirmation, half, state.subjectId);
};

/**
 * The second and third step of a confirmation: the identity's half, then the customer's half becomes active. When the ground ends meanwhile, both
 * are dropped, and the system learns it from the refusal.
 */
export const completeLink = async (
  deps: LinkageDeps,
  confirmation: Confirmation,
  half: Half,
  customerSubjectId: string,
): Promise<Link> => {
  const { lapsesAt: _lapsesAt, ...lasting } = half;
  try {
    await changeWhilePermitted(deps, confirmation, 'identity', half.otherSubjectId, (current) => {
      // As on the customer's side: a no of the account's owner since the permit voided it for good.
      if (current.leaseFloor > (confirmation.decision.identityVersion ?? 0)) throw new GroundEndedMeanwhile([]);
      return placeHalf(deps, current, {
        ...lasting,
        side: 'identity',
        status: 'active',
        otherSubjectId: customerSubjectId,
      });
    });
    const { half: active, over } = await changeWhilePermitted(
      deps,
      confirmation,
      'customer',
      customerSubjectId,
      (current, checked) => {
        const mine = halvesOf(current.links).find((other) => isSame(other, half));
        if (mine?.status !== 'pending' && mine?.status !== 'active') throw new GroundEndedMeanwhile([]);
        const ground = checked.groundEndsAt === undefined ? {} : { groundEndsAt: checked.groundEndsAt };
        const live: Half = { ...lasting, status: 'active', ...ground };
        return placeHalf(
          deps,
          current,
          live,
          halvesOf(current.links).filter((other) => givesWay(other, live)),
        );
      },
    );
    for (const other of over) await dropLink(deps, confirmation.caller, other, customerSubjectId);
    return linkOf(active, customerSubjectId);
  } catch (error) {
    if (error instanceof GroundEndedMeanwhile) await dropLink(deps, confirmation.caller, half, customerSubjectId);
    throw error;
  }
};
