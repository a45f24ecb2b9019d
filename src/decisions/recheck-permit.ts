import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../kernel/database/client.ts';
import {
  expandFacts,
  isGranted,
  type Action,
  type Catalogue,
  type PolicySets,
  type Verdict,
} from '../policies/index.ts';
import type { Answers } from '../consent/index.ts';
import type { Side, SubjectReader } from '../subjects/index.ts';
import { assembleFacts, type Assembled } from './assemble-facts.ts';
import { keysOf, type Named, type Question } from './prepare.ts';
import type { PermittedDecision, StoredName } from './record-permits.ts';
import { reviewsOf, type FindReviews } from './review-outcome.ts';

/** A permit as it lies in the database. */
export type StoredPermit = {
  subjectId: string;
  id: string;
  system: string;
  version: number;
  leaseEndsAt: string;
  decidedAt: string;
  decisions: PermittedDecision[];
};

/** The permit `id` of a subject, or undefined. */
export const readPermit = async (
  database: Database,
  subjectId: string,
  id: string,
): Promise<StoredPermit | undefined> => {
  const [row] = await database.query<StoredPermit>(
    `select subject_id as "subjectId", id, system, version, lease_ends_at as "leaseEndsAt", decided_at as "decidedAt", decisions from permit where subject_id = $1 and id = $2`,
    [subjectId, id],
  );
  return row;
};

const named = ({ namespace, blindIndex }: StoredName): Named => ({ namespace, blindIndex, value: '', handle: false });

/** The question of a recorded decision, to be asked again. Pure. */
export const questionOf = (decision: PermittedDecision, system: string, catalogue: Catalogue): Question => {
  const facts = expandFacts(decision.facts);
  const { role: _role, ...stated } = facts.request;
  const names = [decision.customer, decision.identity, ...decision.chain].filter((name) => name !== undefined);
  const namespaces = catalogue.systems.get(system)?.identifiers ?? [];
  return {
    action: decision.action as Action,
    context: {
      purpose: decision.purpose,
      ...decision.scope,
      ...stated,
      ...(decision.review === undefined ? {} : { review: decision.review }),
    },
    resource: facts.resource,
    purposeId: decision.purpose,
    purpose: catalogue.purposes.get(decision.purpose),
    customer: decision.customer && named(decision.customer),
    identity: decision.identity && named(decision.identity),
    chain: decision.chain.map(named),
    granted:
      isGranted(catalogue, system, decision.action as Action, decision.purpose) &&
      names.every((name) => namespaces.includes(name.namespace)),
  };
};

/**
 * When the passing of time alone may end what is permitted now; epoch milliseconds. That is also when the very answer that is relied on ends: a
 * broader one may go on, but it names no platform, and that unmasks nobody.
 */
const earliestEnd = ({ grounds, consent, customer }: Assembled): number | undefined => {
  const answers = (customer?.answers ?? []) as Answers[string];
  const reliedOn = answers.find(({ id }) => id === consent?.reliedOn);
  const ends = [...grounds, reliedOn].flatMap((ground) => (ground?.until === undefined ? [] : [ground.until]));
  return ends.length === 0 ? undefined : Math.min(...ends);
};

export type Rechecked = {
  verdict: Verdict;
  customer: Side;
  identity: Side;
  groundEndsAt: number | undefined;
  policyDigest: string;
};

/**
 * Asks a recorded question again, against the state and the policy set of this moment. Answers the verdict with the versions of
 * both sides that it saw: whoever acts on it must find them unchanged. Records nothing: the act that follows is the record.
 */
export const recheckPermit = async (
  deps: { reader: SubjectReader; policySets: PolicySets; clock: Clock; findReviews: FindReviews },
  { system, decidedAt }: Pick<StoredPermit, 'system' | 'decidedAt'>,
  decision: PermittedDecision,
): Promise<Rechecked> => {
  let catalogue = deps.policySets.latest() ?? (await deps.policySets.current());
  for (;;) {
    const question = questionOf(decision, system, catalogue);
    const read = await deps.reader.sides(keysOf(question));
    const active = await deps.policySets.byDigest(read.policyDigest);
    if (active !== catalogue) {
      catalogue = active;
      continue;
    }
    const review = await reviewsOf(deps, [question]);
    const assembled = assembleFacts(
      question,
      read.sides,
      catalogue,
      deps.clock.now().epochMilliseconds,
      review(question, system, Temporal.Instant.from(decidedAt)),
    );
    return {
      verdict: catalogue.decide(assembled.facts),
      customer: assembled.customer!,
      identity: assembled.identity!,
      groundEndsAt: earliestEnd(assembled),
      policyDigest: catalogue.digest,
    };
  }
};
