import type { RecordedEvent } from '../../src/consent/index.ts';
import type { Catalogue } from '../../src/policies/index.ts';
import {
  judgedByAge,
  mayConfirm,
  mayGuard,
  mergedHistories,
  referenceStatus,
  type ReferenceEvent,
  type Told,
} from './consent-reference.ts';

/**
 * What must be permitted, and which links must live, told slowly from the whole history of a small world (DESIGN sections 6, 7, 8).
 * It shares nothing with the service but the words of the purposes (legal basis, dimensions, notices, naming of platforms), which are
 * data. What this says is right; where the service differs, the service is wrong.
 */

/** What a system may ask in this world, one kind for each way in which permits come about. */
export type Question =
  | {
      kind: 'link';
      system: 'community-desk' | 'crm';
      customer: string;
      account: string;
      chain?: readonly string[];
      nickname?: boolean;
      match?: { method: 'declared' | 'probabilistic'; confidence?: number };
    }
  | { kind: 'enrich'; customer: string; account?: string }
  | { kind: 'newsletter'; customer: string; scope: { channel: string; topic: string; form: string } }
  | { kind: 'retain'; customer: string; channel: string }
  | { kind: 'answer-by-program'; customer: string }
  /** A newsletter that asks for something else. */
  | { kind: 'ask'; customer: string; scope: { channel: string; topic: string; form: string } };

type LinkQuestion = Extract<Question, { kind: 'link' }>;

/** The purpose that each kind of question is asked for. */
export const purposeOf = {
  link: 'profile-linking',
  enrich: 'profile-enrichment',
  newsletter: 'newsletter',
  retain: 'customer-service',
  'answer-by-program': 'automated-reply',
  ask: 'newsletter',
} as const;

/** The purpose that a message asks for, and for how long nobody who refused it is asked again. */
export const askedFor = { purpose: 'profile-enrichment', again: { years: 2 } } as const;

/** Every purpose of this world that rests on consent, or comes to, wants this age. */
const ageYears = 16;

export type Lease = {
  id: string;
  linkId: string;
  question: LinkQuestion;
  endsAt: number;
  order: number;
  /** Who was behind the account when the permit was granted; undefined: nobody was known. */
  accountPerson: string | undefined;
};

type Link = {
  linkId: string;
  lease: Lease;
  customerPerson: string;
  accountPerson: string;
  status: 'pending' | 'active' | 'suspended' | 'over';
  /** When a sweep takes up what a dead instance left behind. */
  lapsesAt: number;
};

/** `until`: where it is not what the purpose says. */
export type Recorded = ReferenceEvent & { subject: string };

/** A question to a mailbox that waits for its code. */
export type Waiting = {
  id: string;
  /** By whose identifier it was asked, and in whose record it lies. */
  subject: string;
  subjectId: string;
  attemptsLeft: number;
  until: number;
  event: RecordedEvent;
  confirmedBy?: string;
};

const platformOf = (identifier: string): string => identifier.slice(0, identifier.indexOf(':'));

/** `catalogue` is the policy set that is active now, `forbidden` a platform with which it links nothing; `now` epoch milliseconds. */
export const createModel = (world: { now(): number; catalogue(): Catalogue; forbidden(): string | undefined }) => {
  /** Every fact in the order in which it came about. */
  let order = 0;
  const belongsTo = new Map<string, string>();
  let events: (ReferenceEvent & { person: string })[] = [];
  const told = new Map<string, readonly Told[]>();
  /** Since when a browser says no, and to what it has objected since; `false`: no longer. */
  const signals = new Map<string, { since: number; objected: readonly string[] } | false>();
  /** Identifiers of a merged record that have not moved yet: they permit nothing. */
  const adrift = new Set<string>();
  let merges = 0;
  const proofs: { account: string; person: string }[] = [];
  const restricted = new Set<string>();
  /** When a person last said something that voids what was permitted before. */
  const voided = new Map<string, number>();
  const links: Link[] = [];

  const personOf = (identifier: string): string => belongsTo.get(identifier) ?? `nobody behind ${identifier}`;

  /** All that a person ever said, as it counts since it is known when they were born. */
  const historyOf = (person: string): ReferenceEvent[] =>
    judgedByAge(
      events.filter((event) => event.person === person),
      told.get(person) ?? [],
      ageYears,
    );

  const status = (person: string, purposeId: string, scope: Record<string, string>) => {
    const purpose = world.catalogue().purposes.get(purposeId)!;
    return referenceStatus(historyOf(person), purposeId, scope, world.now(), purpose);
  };

  const isRetired = (purposeId: string): boolean => world.catalogue().purposes.get(purposeId)!.retired !== undefined;

  /** Who refused is left in peace; who agreed, or has the question before them, has nothing to be asked. */
  const mayBeAsked = (person: string): boolean => {
    const { code } = status(person, askedFor.purpose, {});
    if (code === 'valid-yes' || code === 'pending') return false;
    const again = (at: number) =>
      Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO('UTC').add(askedFor.again).epochMilliseconds;
    const young = historyOf(person).some(
      ({ act, purpose, scope, at }) =>
        act === 'no' &&
        (purpose === askedFor.purpose || purpose === '*') &&
        Object.keys(scope).length === 0 &&
        again(at) > world.now(),
    );
    return code !== 'live-no' || !young;
  };

  /** Of the answers that may be named as the ground, whether those say the platform themselves. */
  const yesNames = (person: string, dimension: string, reliedOn: readonly string[]): boolean =>
    reliedOn.some((id) => events.some((event) => event.person === person && event.id === id && event.scope[dimension]));

  const provedBy = (account: string): string | undefined =>
    proofs.findLast((proof) => proof.account === account)?.person;

  /** A hop of a chain: on a platform the customer's yes for that platform covers it; elsewhere the yes of whoever it belongs to. */
  const hopIsCovered = (hop: string, customerPerson: string, asked: Record<string, string>): boolean => {
    const namespace = platformOf(hop);
    const person = personOf(hop);
    if (restricted.has(person)) return false;
    if (!world.catalogue().platforms.has(namespace))
      return status(person, 'profile-linking', asked).code === 'valid-yes';
    const scope = { ...asked, platform: namespace };
    return (
      status(person, 'profile-linking', scope).code !== 'live-no' &&
      status(customerPerson, 'profile-linking', scope).code === 'valid-yes'
    );
  };

  const mayLink = (question: LinkQuestion, hopsCount = true): boolean => {
    const { account, customer, chain = [], match, nickname } = question;
    const platform = platformOf(account);
    const scope = { platform };
    const [customerPerson, accountPerson] = [personOf(customer), personOf(account)];
    const consent = status(customerPerson, 'profile-linking', scope);
    const naming = world.catalogue().platforms.get(platform)!.naming;
    const masked = naming === 'pseudonymous' || (naming === 'mixed' && nickname === true);
    return (
      world.forbidden() !== platform &&
      !account.includes('@') &&
      consent.code === 'valid-yes' &&
      (!masked || yesNames(customerPerson, 'platform', consent.reliedOn)) &&
      status(accountPerson, 'profile-linking', scope).code !== 'live-no' &&
      provedBy(account) === customerPerson &&
      !restricted.has(customerPerson) &&
      !restricted.has(accountPerson) &&
      match?.method !== 'probabilistic' &&
      (match?.confidence ?? 1) === 1 &&
      (!hopsCount || chain.every((hop) => hopIsCovered(hop, customerPerson, scope)))
    );
  };

  const isLinked = (customerPerson: string, account: string): boolean =>
    links.some(
      (link) =>
        link.status === 'active' && link.customerPerson === customerPerson && link.lease.question.account === account,
    );

  const names = (question: Question): string[] => {
    if (question.kind === 'link') return [question.customer, question.account, ...(question.chain ?? [])];
    return [question.customer, ...(question.kind === 'enrich' && question.account ? [question.account] : [])];
  };

  const mayDo = (question: Question): boolean => {
    if (names(question).some((identifier) => adrift.has(identifier))) return false;
    if (question.kind === 'link') return mayLink(question);
    const person = personOf(question.customer);
    switch (question.kind) {
      case 'enrich': {
        const { account } = question;
        if (isRetired('profile-enrichment')) return false;
        if (restricted.has(person) || status(person, 'profile-enrichment', {}).code !== 'valid-yes') return false;
        if (account === undefined) return true;
        const owner = personOf(account);
        return (
          isLinked(person, account) &&
          !restricted.has(owner) &&
          status(owner, 'profile-enrichment', {}).code !== 'live-no'
        );
      }
      case 'newsletter':
        return !restricted.has(person) && status(person, 'newsletter', question.scope).code === 'valid-yes';
      case 'retain':
        // A restriction preserves the data (Art. 18(2) GDPR).
        return status(person, 'customer-service', { channel: question.channel }).result === 'permit';
      case 'answer-by-program':
        return !restricted.has(person) && status(person, 'automated-reply', {}).result === 'permit';
      case 'ask':
        return (
          !restricted.has(person) &&
          !isRetired(askedFor.purpose) &&
          status(person, 'newsletter', question.scope).code === 'valid-yes' &&
          mayBeAsked(person)
        );
    }
  };

  const isVoid = ({ order: granted }: Lease, person: string): boolean => (voided.get(person) ?? -1) > granted;

  /** Whoever came to be behind the account only since the permit must never have voided anything. */
  const isVoidForAccount = (lease: Lease): boolean => {
    const person = personOf(lease.question.account);
    return lease.accountPerson === person ? isVoid(lease, person) : voided.has(person);
  };

  /** What a no does to links: the customer's side needs a yes, the account's side falls only by a no. */
  const letFall = (person: string): void => {
    for (const link of links) {
      if (link.status === 'over') continue;
      const scope = { platform: platformOf(link.lease.question.account) };
      const consent = status(person, 'profile-linking', scope);
      if (link.customerPerson === person && consent.result === 'deny') link.status = 'over';
      if (link.accountPerson === person && consent.code === 'live-no') link.status = 'over';
    }
  };

  /** One system holds one link between the same two: an older one gives way. */
  const goLive = (link: Link): void => {
    const { account, system } = link.lease.question;
    for (const other of links) {
      const { question } = other.lease;
      if (question.account === account && question.system === system && other.customerPerson === link.customerPerson)
        other.status = 'over';
    }
    link.status = 'active';
  };

  return {
    links,
    personOf,
    mayDo,
    mayLink,
    statusCode: (identifier: string, purpose: string, scope: Record<string, string>): string =>
      status(personOf(identifier), purpose, scope).code,
    known: (identifier: string): boolean => belongsTo.has(identifier),
    /** Two identifiers that the service says are of one person. */
    belong: (identifier: string, subjectId: string): void => {
      belongsTo.set(identifier, subjectId);
    },
    record: ({ subject, ...event }: Recorded): void => {
      order++;
      const person = personOf(subject);
      const signal = signals.get(person);
      const despiteGpc = event.act === 'yes' && signal !== undefined && signal !== false && event.at >= signal.since;
      const validity = event.act === 'yes' ? world.catalogue().purposes.get(event.purpose)!.validity : undefined;
      const until =
        validity === undefined
          ? {}
          : {
              until: Temporal.Instant.fromEpochMilliseconds(event.at).toZonedDateTimeISO('UTC').add(validity)
                .epochMilliseconds,
            };
      events.push({ ...event, ...until, ...(despiteGpc && { despiteGpc }), person });
      if (event.act !== 'no') return;
      voided.set(person, order);
      if (event.purpose === 'profile-linking' || event.purpose === '*') letFall(person);
    },
    /** Whether a guardian may answer now for the child behind an identifier. */
    mayGuard: (identifier: string): boolean =>
      mayGuard(told.get(personOf(identifier))?.at(-1)?.month, ageYears, world.now()),
    born: (identifier: string, month: string): void => {
      const person = personOf(identifier);
      voided.set(person, ++order);
      const after = events.filter((event) => event.person === person).length;
      told.set(person, [...(told.get(person) ?? []), { month, after }]);
    },
    /** Answers whether the signal changed. `seq`: the place of the objections that it is. */
    signal: (identifier: string, on: boolean, seq: number): boolean => {
      const person = personOf(identifier);
      const before = signals.get(person) ?? false;
      if (!on) {
        signals.set(person, false);
        return before !== false;
      }
      const { since, objected } = before === false ? { since: world.now(), objected: [] } : before;
      const ended = [...world.catalogue().purposes.values()].flatMap(({ id, endedByGpc }) =>
        endedByGpc && !objected.includes(id) ? [id] : [],
      );
      if (before !== false && ended.length === 0) return false;
      signals.set(person, { since, objected: [...objected, ...ended] });
      voided.set(person, ++order);
      for (const purpose of ended)
        events.push({
          id: `signal-${order}`,
          purpose,
          act: 'no',
          scope: {},
          at: world.now(),
          seq,
          rank: 'self',
          own: true,
          notice: 0,
          signal: true,
          person,
        });
      return true;
    },
    signalIsOn: (identifier: string): boolean => Boolean(signals.get(personOf(identifier))),
    /** Whether the code of a question makes it a yes now. */
    mayBecomeYes: (question: Waiting): boolean => {
      const history = historyOf(question.subjectId);
      const asked = history.find(({ id }) => id === question.id);
      return asked !== undefined && !isRetired(asked.purpose) && mayConfirm(history, asked, world.now());
    },
    isRestricted: (identifier: string): boolean => restricted.has(personOf(identifier)),
    /**
     * The record behind `other` is merged into that behind `survivor`: the survivor is narrowed, and unless it all ended there, the other one is an
     * alias, whose identifiers have moved or not.
     */
    merge: (survivor: string, other: string, seq: number, done: 'narrowed' | 'alias' | 'moved'): void => {
      const [one, two] = [personOf(survivor), personOf(other)];
      const merged = mergedHistories(historyOf(one), historyOf(two), seq);
      const isAlias = done !== 'narrowed';
      events = events.filter(({ person }) => person !== one && !(isAlias && person === two));
      events.push(...merged.map((event) => ({ ...event, person: one })));
      const months = [one, two].flatMap((person) => told.get(person)?.at(-1)?.month ?? []);
      const younger = months.toSorted().at(-1);
      told.set(one, younger === undefined ? [] : [{ month: younger, after: 0 }]);
      if (!signals.has(one) && signals.has(two)) signals.set(one, signals.get(two)!);
      voided.set(one, ++order);
      if (!isAlias) return;
      merges++;
      voided.set(two, order);
      for (const [identifier, person] of belongsTo) {
        if (person !== two) continue;
        belongsTo.set(identifier, one);
        if (done === 'alias') adrift.add(identifier);
      }
      for (const link of links) if (link.customerPerson === two || link.accountPerson === two) link.status = 'over';
    },
    hasMerged: (): boolean => merges > 0,
    /** What a merge left behind is completed; answers whether there was anything. */
    completeMerges: (): boolean => {
      const were = adrift.size > 0;
      adrift.clear();
      return were;
    },
    prove: (customer: string, account: string): void => {
      order++;
      proofs.push({ account, person: personOf(customer) });
    },
    restrict: (customer: string, on: boolean): void => {
      order++;
      if (on) restricted.add(personOf(customer));
      else restricted.delete(personOf(customer));
    },
    /** A permit to link that was granted just now. */
    grant: (lease: Pick<Lease, 'id' | 'linkId' | 'question'>): Lease => ({
      ...lease,
      endsAt: world.now() + 5_000,
      order: ++order,
      accountPerson: belongsTo.get(lease.question.account),
    }),
    /** Whether a confirmation has to succeed now. */
    mayConfirm: (lease: Lease): boolean => {
      const { customer } = lease.question;
      const earlier = links.findLast(({ linkId, status }) => linkId === lease.linkId && status !== 'over');
      if (earlier?.status === 'suspended') return false;
      if (earlier?.status === 'active') return mayLink(lease.question);
      const isOpen =
        earlier?.status === 'pending' || (world.now() <= lease.endsAt && !isVoid(lease, personOf(customer)));
      return isOpen && !isVoidForAccount(lease) && mayLink(lease.question);
    },
    /** A confirmation succeeded (`active`), or its instance died after the first half was recorded (`pending`). */
    confirm: (lease: Lease, status: 'active' | 'pending'): void => {
      order++;
      const { customer, account } = lease.question;
      for (const link of links) if (link.linkId === lease.linkId) link.status = 'over';
      const link: Link = {
        linkId: lease.linkId,
        lease,
        customerPerson: personOf(customer),
        accountPerson: personOf(account),
        status: 'pending',
        lapsesAt: world.now() + 60_000,
      };
      links.push(link);
      if (status === 'active') goLive(link);
    },
    /** What was pending is given up, because its confirmation was tried again and refused. */
    giveUp: (linkId: string): void => {
      for (const link of links) if (link.linkId === linkId && link.status === 'pending') link.status = 'over';
    },
    unlink: (linkId: string, side: 'customer' | 'account'): void => {
      order++;
      for (const link of links) {
        if (link.linkId !== linkId || link.status === 'over') continue;
        link.status = 'over';
        voided.set(side === 'customer' ? link.customerPerson : link.accountPerson, order);
      }
    },
    /** What a sweep has to do: suspend what lost its ground, complete or give up what a dead instance left. */
    sweep: (): void => {
      order++;
      for (const link of links) {
        const { question } = link.lease;
        if (link.status === 'active' && !mayLink(question)) {
          link.status = 'suspended';
          voided.set(link.customerPerson, order);
        } else if (link.status === 'pending' && link.lapsesAt <= world.now()) {
          if (mayLink(question) && !isVoidForAccount(link.lease)) goLive(link);
          else link.status = 'over';
        }
      }
    },
    activeLinks: (customer: string): string[] =>
      links
        .filter((link) => link.status === 'active' && link.customerPerson === personOf(customer))
        .map(({ linkId }) => linkId)
        .toSorted(),
  };
};

export type Model = ReturnType<typeof createModel>;
