import fc from 'fast-check';
import { expect } from 'vitest';
import {
  confirmConsent,
  mergeSubjects,
  objectToPurpose,
  recordBirthMonth,
  recordConsent,
  recordGpcSignal,
  withdrawConsent,
  type RecordedEvent,
} from '../../src/consent/index.ts';
import { evaluate } from '../../src/decisions/index.ts';
import { oneTimeCode } from '../../src/kernel/crypto/one-time-code.ts';
import { AppError } from '../../src/kernel/errors.ts';
import type { testClock } from '../../src/kernel/clock.ts';
import { dropLink, halvesOf } from '../../src/linkage/index.ts';
import type { Catalogue } from '../../src/policies/index.ts';
import { completeMerges, openChallenge, refer, registerSubject, reportCodeSeen } from '../../src/subjects/index.ts';
import { acknowledgeObligation, type Obligation } from '../../src/systems/index.ts';
import {
  askedFor,
  createModel,
  purposeOf,
  type Lease,
  type Model,
  type Question,
  type Waiting,
} from './promises-model.ts';
import type { Parts } from './promises-parts.ts';
import { refusal, settled, type World } from './promises-world.ts';

/**
 * Random histories of a world so small that everything meets everything: two customers who may turn out to be one, one account on each kind of
 * platform, five purposes, five policy sets, two instances. Each step is played on the real service and told to the model, and then every question
 * about everybody is asked of both.
 */

const day = 24 * 3_600_000;
const customers = ['crm0', 'crm1'] as const;
const accounts = ['facebook', 'youtube', 'x'] as const;
export const variants = ['base', 'nothing-on-facebook', 'new-notice', 'revised', 'retired'] as const;
export type Variant = (typeof variants)[number];
/** From which there is no way back: what was corrected, moved to another basis or retired stays so. */
const rankOf: Record<Variant, number> = { base: 0, 'nothing-on-facebook': 0, 'new-notice': 0, revised: 1, retired: 2 };

const purposes = [
  'profile-linking',
  'profile-enrichment',
  'newsletter',
  'customer-service',
  'automated-reply',
] as const;
type Purpose = (typeof purposes)[number];
const scopes: Record<Purpose | '*', readonly Record<string, string>[]> = {
  'profile-linking': [{}, { platform: 'facebook' }, { platform: 'youtube' }, { platform: 'x' }],
  'profile-enrichment': [{}],
  newsletter: [
    {},
    { channel: 'email' },
    { channel: 'email', topic: 'events' },
    { topic: 'events' },
    { channel: 'sms' },
  ],
  'customer-service': [{}, { channel: 'email' }],
  'automated-reply': [{}],
  '*': [{}],
};

const aboutWhat = fc
  .oneof(
    { weight: 8, arbitrary: fc.constant<Purpose>('profile-linking') },
    { weight: 6, arbitrary: fc.constantFrom<Purpose>(...purposes) },
  )
  .chain((purpose) => fc.constantFrom(...scopes[purpose]).map((scope) => ({ purpose, scope })));
/** Mostly now; else a letter on its way, or long ago: two years are the validity of most purposes. */
const late = fc.constantFrom(0, 0, 0, 0, 0, 1, 1_000, day, 2 * 365 * day, 3 * 365 * day);
const who = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...customers) },
  { weight: 2, arbitrary: fc.constantFrom(...accounts) },
);
const customer = fc.constantFrom(0, 0, 0, 0, 1);
const account = fc.constantFrom('facebook' as const, ...accounts);

const yes = fc.record({
  do: fc.constant('yes' as const),
  who,
  about: aboutWhat,
  late,
  method: fc.constantFrom('app' as const, 'app' as const, 'app' as const, 'import' as const),
  notice: fc.constantFrom(1, 1, 1, 2),
  /** How often the same call is sent: it has an Idempotency-Key. */
  times: fc.constantFrom(1, 1, 1, 2, 3),
});
const no = fc.record({
  do: fc.constant('no' as const),
  who,
  about: fc.oneof(
    { weight: 6, arbitrary: aboutWhat },
    { weight: 1, arbitrary: fc.constant({ purpose: '*' as const, scope: {} }) },
  ),
  action: fc.constantFrom('withdraw' as const, 'withdraw' as const, 'object' as const, 'refuse' as const),
  late,
  method: fc.constantFrom('app' as const, 'app' as const, 'import' as const),
  /** A no of a parent; the child's own word stands above it. */
  guardian: fc.constantFrom(false, false, false, true),
});
const link = fc.record({
  do: fc.constant('link' as const),
  customer,
  account,
  system: fc.constantFrom('community-desk' as const, 'community-desk' as const, 'crm' as const),
  chain: fc.constantFrom([], [], ['email'], ['x'], ['facebook', 'email']),
  /** Milliseconds between permit and confirmation. */
  wait: fc.constantFrom(0, 0, 0, 1, 5_000, 5_001),
  /** After how many of its commits the confirming instance dies. */
  diesAfter: fc.constantFrom(undefined, undefined, undefined, undefined, 0, 1, 2, 3),
});

/** What the policies ask consent for, of which anybody may say yes. */
const aboutConsent = fc.constantFrom(
  { purpose: 'newsletter' as const, scope: {} },
  { purpose: 'newsletter' as const, scope: { channel: 'email' } },
  { purpose: 'profile-enrichment' as const, scope: {} },
  { purpose: 'profile-linking' as const, scope: {} },
  { purpose: 'profile-linking' as const, scope: { platform: 'facebook' } },
);
/** Somebody who is 16 by and by, or was long ago; told to the month. */
const birth = fc.record({
  do: fc.constant('born' as const),
  customer,
  yearsAgo: fc.constantFrom(12, 15, 16, 40),
});
const guardian = fc.record({ do: fc.constant('guardian' as const), customer, about: aboutConsent });
const merge = fc.record({
  do: fc.constant('merge' as const),
  into: fc.constantFrom(0, 1),
  /** After how many of its steps the merging instance dies. */
  diesAfter: fc.constantFrom(undefined, undefined, undefined, 0, 1, 2),
});
/** Answers in other ways than by a plain one. */
const otherways = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('question' as const),
      customer,
      about: aboutConsent,
      guardian: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('code' as const),
      which: fc.nat(2),
      right: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('signal' as const), customer, on: fc.constantFrom(true, true, false) }),
  },
  { weight: 2, arbitrary: birth },
  { weight: 2, arbitrary: guardian },
  { weight: 3, arbitrary: merge },
  /** Asked and, if nothing comes between, confirmed. */
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('opt-in' as const),
      customer,
      about: aboutConsent,
      between: fc.constantFrom('nothing', 'nothing', 'a no', 'two days'),
    }),
  },
  /** A parent answers for a child, and years go by or not. */
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('child' as const), customer, about: aboutConsent, later: fc.boolean() }),
  },
  /** Both records say the same. */
  { weight: 4, arbitrary: fc.record({ do: fc.constant('alike' as const), about: aboutConsent }) },
);

/** Whatever a link needs, in one step. */
const ready = fc.record({ do: fc.constant('ready' as const), customer, account, narrow: fc.boolean() });

const step = fc.oneof(
  { weight: 5, arbitrary: ready },
  { weight: 22, arbitrary: otherways },
  { weight: 12, arbitrary: yes },
  { weight: 7, arbitrary: no },
  { weight: 7, arbitrary: link },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('register' as const),
      customer,
      also: fc.constantFrom('email', 'email', ...accounts),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('prove' as const), customer, account }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('confirm-again' as const), which: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('unlink' as const),
      which: fc.nat(9),
      side: fc.constantFrom('customer' as const, 'account' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('acknowledge' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('activate' as const),
      variant: fc.constantFrom<Variant>('base', 'base', ...variants),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restrict' as const), customer, on: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 1, 1_000, 1_000, 61_000, 61_000, 2 * day, 365 * day, 731 * day),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('both' as const), one: yes, other: no, same: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('link-and-no' as const),
      link,
      no,
      who: fc.constantFrom('customer' as const, 'account' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Yes = Extract<Step, { do: 'yes' }>;
type No = Omit<Extract<Step, { do: 'no' }>, 'guardian'> & { guardian?: boolean };
/** A test that writes its steps out need not say that a no is nobody's guardian's. */
export type Told = Exclude<Step, { do: 'no' }> | No;
type LinkStep = Extract<Step, { do: 'link' }>;

/** What most histories begin with, so that there is something to lose. */
const beginning: readonly Step[] = [
  { do: 'register', customer: 0, also: 'email' },
  { do: 'ready', customer: 0, account: 'facebook', narrow: true },
  {
    do: 'yes',
    who: 'crm0',
    about: { purpose: 'profile-enrichment', scope: {} },
    late: 0,
    method: 'app',
    notice: 1,
    times: 1,
  },
  { do: 'link', customer: 0, account: 'facebook', system: 'community-desk', chain: [], wait: 0, diesAfter: undefined },
];

export const histories: fc.Arbitrary<Step[]> = fc
  .tuple(fc.constantFrom(0, 2, 3, 4, 4, 4, 4), fc.array(step, { minLength: 6, maxLength: 30, size: 'max' }))
  .map(([first, steps]) => [...beginning.slice(0, first), ...steps]);

/** Histories of what people say alone: shorter, and quick to play. */
export const answersOnly: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: otherways },
    { weight: 2, arbitrary: yes },
    { weight: 2, arbitrary: no },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 1_000, 365 * day) }) },
  ),
  { minLength: 4, maxLength: 16, size: 'max' },
);

/** How often what was asked, permitted, linked: a property about nothing would hold too. */
export type Tally = Map<string, number>;
const count = (tally: Tally, name: string, by = 1): void => void tally.set(name, (tally.get(name) ?? 0) + by);

export type Stage = {
  world: World;
  clock: ReturnType<typeof testClock>;
  sets: Record<Variant, Catalogue>;
  tally: Tally;
  played: number;
};

/** Steps that never may turn a deny into a permit, whatever a person said before. */
const neverWidens = new Set<Step['do']>([
  'question',
  'signal',
  'born',
  'merge',
  'confirm-again',
  'unlink',
  'acknowledge',
  'sweep',
  'link',
  'no',
  'link-and-no',
]);

/** Plays one history with new people. Throws where service and model differ, or where a step widens what it must not. */
export const play = async (stage: Stage, steps: readonly Told[]): Promise<void> => {
  const { world, clock, sets, tally } = stage;
  const { a, b } = world;
  const id = String(100_000 + ++stage.played).padEnd(8, '0');
  const names: Record<string, string> = {
    crm0: `crm:${id}0`,
    crm1: `crm:${id}1`,
    email0: `email:eva${id}@example.org`,
    email1: `email:max${id}@example.org`,
    facebook: `facebook:${id}`,
    youtube: `youtube:UC${id.padEnd(22, 'a')}`,
    x: `x:${id}`,
  };
  const at = (): number => clock.now().epochMilliseconds;
  let variant: Variant = 'base';
  await forgetPolicies(world, sets.base);
  const model = createModel({
    now: at,
    catalogue: () => sets[variant],
    forbidden: () => (variant === 'nothing-on-facebook' ? 'facebook' : undefined),
  });
  const leases: Lease[] = [];
  const asked: Waiting[] = [];
  /** The farthest of the policy sets from which there is no way back. */
  let reached = 0;
  const questions = questionsAbout(names);
  let before = questions.map(() => false);
  let variantBefore: Variant = 'base';

  const subjectOf = async (identifier: string) =>
    (await a.deps.reader.stateOf((await a.reference(identifier)).blindIndex))?.subjectId;
  /** Learns who is behind an identifier; nobody ever becomes somebody else. */
  const learn = async (...keys: string[]) => {
    for (const key of keys) {
      const identifier = names[key]!;
      const subjectId = await subjectOf(identifier);
      if (subjectId === undefined) continue;
      if (model.known(identifier)) expect(model.personOf(identifier)).toBe(subjectId);
      else model.belong(identifier, subjectId);
    }
  };

  const moment = (late: number) => clock.now().subtract({ milliseconds: late }).toString();
  const tell = (
    step: Pick<Yes | No, 'late' | 'method' | 'about'> & { guardian?: boolean },
    subject: string,
    event: RecordedEvent,
    act: 'yes' | 'informed' | 'no' | 'request',
    notice: number,
  ) =>
    model.record({
      subject,
      id: event.id,
      purpose: step.about.purpose,
      scope: step.about.scope,
      act,
      at: at() - step.late,
      seq: event.subjectSeq,
      rank: step.guardian ? 'guardian' : 'self',
      own: step.method !== 'import',
      notice,
    });
  const basisOf = (purpose: string) => sets[variant].purposes.get(purpose)?.legalBasis;
  const isRetired = (purpose: string) => sets[variant].purposes.get(purpose)?.retired !== undefined;
  const newestNotice = (purpose: string) => sets[variant].purposes.get(purpose)!.notices.at(-1)!.version;

  /** Says yes (or is informed, where a yes is not asked for), as often as the step says. */
  const sayYes = async (by: Parts, { who: key, about, late: ago, method, notice, times }: Yes) => {
    const isConsent = basisOf(about.purpose) === 'consent';
    const known = sets[variant].purposes.get(about.purpose)!.notices.some(({ version }) => version === notice);
    const version = known ? notice : 1;
    const body = {
      subject: names[key]!,
      purpose: about.purpose,
      scope: about.scope,
      decision: isConsent ? 'given' : 'informed',
      notice: { version, language: 'de' },
      method,
      occurredAt: moment(ago),
    };
    const act = isConsent ? ('yes' as const) : ('informed' as const);
    if (isRetired(about.purpose) || method === 'import') {
      const { decision: _given, ...rest } = body;
      const set = await by.deps.policySets.current();
      const action = isConsent ? ('give' as const) : ('inform' as const);
      const notice = { version, language: 'de' as const };
      const recorded = recordConsent(by.deps, by.caller('crm'), set, { ...rest, notice, action });
      // An import: no system may state one over HTTP.
      if (!isRetired(about.purpose)) return { event: await recorded, act, version };
      expect(refusal(await settled(recorded))).toBe('consent.purpose-retired');
      return undefined;
    }
    const idempotencyKey = crypto.randomUUID();
    const first = await by.post(idempotencyKey, body);
    for (let time = 1; time < times; time++)
      expect((await (time % 2 ? b : a).post(idempotencyKey, body)).event).toEqual(first.event);
    if (times > 1) count(tally, 'repeated calls');
    return { event: first.event, act, version };
  };
  const sayNo = async (by: Parts, { who: key, about, action, late: ago, method, guardian: byGuardian }: No) => {
    const input = {
      subject: names[key]!,
      purpose: about.purpose,
      scope: about.scope,
      method,
      occurredAt: moment(ago),
      ...(byGuardian && { guardian: {} }),
    };
    const set = await by.deps.policySets.current();
    const event =
      action === 'refuse' && about.purpose !== '*'
        ? await recordConsent(by.deps, by.caller('crm'), set, { ...input, action })
        : await (action === 'object' ? objectToPurpose : withdrawConsent)(by.deps, by.caller('crm'), set, input);
    const basis = basisOf(about.purpose);
    return {
      event,
      act: basis === 'contract' || basis === 'legal-obligation' ? ('request' as const) : ('no' as const),
    };
  };

  const askForLease = async (
    by: Parts,
    { customer: index, account: platform, system, chain }: LinkStep,
  ): Promise<Lease | undefined> => {
    const question = {
      kind: 'link' as const,
      system,
      customer: names[`crm${index}`]!,
      account: names[platform]!,
      chain: chain.filter((hop) => hop !== platform).map((hop) => names[hop === 'email' ? `email${index}` : hop]!),
    };
    const [decision] = await ask(by, system, [question]);
    expect(decision!.decision).toBe(model.mayDo(question));
    if (!decision!.decision) return undefined;
    const { lease, decisionId } = decision!.context as { lease: { id: string }; decisionId: string };
    const granted = model.grant({ id: lease.id, linkId: decisionId, question });
    leases.push(granted);
    return granted;
  };
  const confirm = (by: Parts, { id: leaseId, question: { system, customer: of, account: identity } }: Lease) =>
    settled(by.confirm(system, { leaseId, customer: of, identity }));
  const platformKey = (lease: Lease) => lease.question.account.split(':')[0]!;

  /** Tells the model how a confirmation ended that was refused or not, and died or not. */
  const conclude = async (lease: Lease, expected: boolean, result: PromiseSettledResult<{ linkId: string }>) => {
    await learn(platformKey(lease));
    if (result.status === 'fulfilled') {
      expect(expected, 'a confirmation succeeded').toBe(true);
      expect(result.value.linkId).toBe(lease.linkId);
      count(tally, 'links confirmed');
      model.confirm(lease, 'active');
      return;
    }
    if (result.reason instanceof AppError) {
      expect(expected, `a confirmation was refused: ${result.reason.message}`).toBe(false);
      // A lease of a record that was merged since is nobody's any more.
      const gone = model.hasMerged() ? ['linkage.lease-unknown'] : [];
      expect(['linkage.ground-ended', 'linkage.lease-expired', ...gone]).toContain(refusal(result));
      model.giveUp(lease.linkId);
      count(tally, 'links refused');
      return;
    }
    // The instance died: how far it came is not to be known without looking.
    const state = await b.deps.reader.state(model.personOf(lease.question.customer));
    const left = halvesOf(state.links).find((half) => half.linkId === lease.linkId && half.side === 'customer');
    if (left?.status === 'active') expect(expected, 'a dying instance made a link that lives').toBe(true);
    if (left?.status !== 'pending' && left?.status !== 'active') return;
    model.confirm(lease, left.status);
    count(tally, 'links left pending');
  };

  const act = async (step: Told): Promise<void> => {
    switch (step.do) {
      case 'yes': {
        const given = await sayYes(a, step);
        if (!given) return;
        await learn(step.who);
        tell(step, names[step.who]!, given.event, given.act, given.version);
        return;
      }
      case 'no': {
        const { event, act: said } = await sayNo(b, step);
        await learn(step.who);
        tell(step, names[step.who]!, event, said, 0);
        return;
      }
      case 'both': {
        // Two people at two instances at once about the same person: the order is the one that they were recorded in.
        const other = { ...step.other, who: step.one.who, ...(step.same ? { about: step.one.about } : {}) };
        const [one, two] = await Promise.all([sayYes(a, { ...step.one, times: 1 }), sayNo(b, other)]);
        await learn(step.one.who);
        const told = [
          ...(one
            ? [
                {
                  seq: one.event.subjectSeq,
                  run: () => tell(step.one, names[step.one.who]!, one.event, one.act, one.version),
                },
              ]
            : []),
          { seq: two.event.subjectSeq, run: () => tell(other, names[step.one.who]!, two.event, two.act, 0) },
        ];
        for (const { run } of told.toSorted((left, right) => left.seq - right.seq)) run();
        count(tally, 'said at once');
        return;
      }
      case 'register': {
        const key = `crm${step.customer}`;
        const also = step.also === 'email' ? `email${step.customer}` : step.also;
        const set = await a.deps.policySets.current();
        const references = [names[key]!, names[also]!].map((text) => refer(a.deps, set, 'crm', text, 'identifiers'));
        const result = await settled(registerSubject(a.deps, a.caller('crm'), { references }));
        const isTaken =
          model.known(names[key]!) &&
          model.known(names[also]!) &&
          model.personOf(names[key]!) !== model.personOf(names[also]!);
        expect(refusal(result)).toBe(isTaken ? 'subjects.identifiers-of-two-subjects' : undefined);
        await learn(key, also);
        if (!isTaken) expect(model.personOf(names[key]!)).toBe(model.personOf(names[also]!));
        return;
      }
      case 'prove': {
        const set = await a.deps.policySets.current();
        const [of, on] = [`crm${step.customer}`, step.account].map((key) =>
          refer(a.deps, set, 'crm', names[key]!, 'account'),
        );
        const opened = await settled(openChallenge(a.deps, a.caller('crm'), { customer: of!, account: on! }));
        if (opened.status === 'rejected') {
          expect(model.known(names[`crm${step.customer}`]!)).toBe(false);
          return;
        }
        await reportCodeSeen(b.deps, b.caller('community-desk'), {
          account: on!,
          code: opened.value.code,
          observedAt: clock.now().toString(),
        });
        await learn(step.account);
        model.prove(names[`crm${step.customer}`]!, names[step.account]!);
        return;
      }
      case 'ready': {
        const who = `crm${step.customer}` as 'crm0' | 'crm1';
        const scope = step.narrow ? { platform: step.account } : {};
        const about = { purpose: 'profile-linking' as const, scope };
        await act({
          do: 'yes',
          who,
          about,
          late: 0,
          method: 'app',
          notice: variant === 'new-notice' ? 2 : 1,
          times: 1,
        });
        return act({ do: 'prove', customer: step.customer, account: step.account });
      }
      case 'link': {
        const lease = await askForLease(a, step);
        if (!lease) return;
        clock.advance({ milliseconds: step.wait });
        const expected = model.mayConfirm(lease);
        world.gate.dieAfter(step.diesAfter);
        const result = await confirm(a, lease);
        world.gate.dieAfter(undefined);
        await conclude(lease, expected, result);
        return;
      }
      case 'link-and-no': {
        const lease = await askForLease(a, step.link);
        if (!lease) return;
        const key = step.who === 'customer' ? `crm${step.link.customer}` : step.link.account;
        const said = {
          ...step.no,
          who: key as No['who'],
          about: { purpose: 'profile-linking' as const, scope: {} },
          late: 0,
        };
        const [result, { event, act: meant }] = await Promise.all([confirm(a, lease), sayNo(b, said)]);
        await learn(key, platformKey(lease));
        // In either order nothing may be left that lives: a link that came first falls, one that came second is refused.
        if (result.status === 'fulfilled') model.confirm(lease, 'active');
        else expect(refusal(result)).toBe('linkage.ground-ended');
        tell(said, names[key]!, event, meant, 0);
        model.giveUp(lease.linkId);
        count(tally, 'links against a no');
        return;
      }
      case 'confirm-again': {
        const lease = leases[step.which % Math.max(leases.length, 1)];
        if (!lease) return;
        await conclude(lease, model.mayConfirm(lease), await confirm(b, lease));
        return;
      }
      case 'unlink': {
        const chosen = model.links[step.which % Math.max(model.links.length, 1)];
        if (!chosen) return;
        const { linkId, lease } = chosen;
        const subjectId = step.side === 'customer' ? chosen.customerPerson : chosen.accountPerson;
        const result = await settled(b.unlink(lease.question.system, subjectId, linkId));
        if (result.status === 'fulfilled') model.unlink(linkId, step.side);
        else expect(refusal(result)).toBe('linkage.not-found');
        if (chosen.status === 'active') expect(result.status).toBe('fulfilled');
        return;
      }
      case 'acknowledge': {
        const open = await world.locks.sql<{ id: string; system: string }[]>`
          select id, system from obligation where acknowledged_at is null and subject_id = any(${model.links.flatMap((one) => [one.customerPerson, one.accountPerson])}::uuid[])`;
        for (const { id: obligationId, system } of open)
          await acknowledgeObligation(
            { database: b.deps.database, onAcknowledged: (obligation) => forget(b, obligation) },
            system,
            obligationId,
          );
        count(tally, 'obligations acknowledged', open.length);
        return;
      }
      case 'activate': {
        const activated = await settled(b.activate(sets[step.variant]));
        const isBack = rankOf[step.variant] < reached;
        expect(refusal(activated)).toBe(isBack ? 'policies.activation-widens' : undefined);
        count(tally, isBack ? 'policy sets refused' : `policy sets ${step.variant}`);
        if (isBack) return;
        variant = step.variant;
        reached = rankOf[variant];
        return;
      }
      case 'sweep':
        await a.sweep();
        model.sweep();
        count(tally, 'links suspended', model.links.filter(({ status }) => status === 'suspended').length);
        return;
      case 'restrict': {
        const subject = names[`crm${step.customer}`]!;
        if (!model.known(subject)) return;
        await world.locks.sql`
          update subject_state set restricted_at = ${step.on ? clock.now().toString() : null}::timestamptz, version = version + 1, reviewed_policy = null
          where subject_id = ${model.personOf(subject)}`;
        model.restrict(subject, step.on);
        return;
      }
      case 'opt-in': {
        const key = customers[step.customer]!;
        await act({ do: 'question', customer: step.customer, about: step.about, guardian: false });
        if (step.between === 'two days') clock.advance({ milliseconds: 2 * day });
        if (step.between === 'a no')
          await act({ do: 'no', who: key, about: step.about, action: 'withdraw', late: 0, method: 'app' });
        // A tie is a no.
        clock.advance({ milliseconds: 1 });
        return act({ do: 'code', which: 0, right: true });
      }
      case 'child':
        await act({ do: 'born', customer: step.customer, yearsAgo: 15 });
        await act({ do: 'guardian', customer: step.customer, about: step.about });
        if (step.later) clock.advance({ milliseconds: 366 * day });
        return;
      case 'alike':
        for (const each of customers)
          await act({
            do: 'yes',
            who: each,
            about: step.about,
            late: 0,
            method: 'app',
            notice: newestNotice(step.about.purpose) as 1 | 2,
            times: 1,
          });
        return;
      case 'question': {
        const key = customers[step.customer]!;
        const mailbox = `email:question${stage.played}-${asked.length}@example.org`;
        const { purpose, scope } = step.about;
        const set = await a.deps.policySets.current();
        const version = newestNotice(purpose);
        const result = await settled(
          recordConsent(a.deps, a.caller('crm'), set, {
            subject: names[key]!,
            purpose,
            scope,
            action: 'give',
            notice: { version, language: 'de' },
            method: 'web-form',
            ...(step.guardian ? { guardian: { confirmAt: mailbox } } : { confirmAt: mailbox }),
          }),
        );
        await learn(key);
        if (isRetired(purpose)) return expect(refusal(result)).toBe('consent.purpose-retired');
        if (step.guardian && !model.mayGuard(names[key]!))
          return expect(refusal(result)).toBe('consent.guardian-not-needed');
        expect(refusal(result)).toBe(undefined);
        const event = (result as PromiseFulfilledResult<RecordedEvent>).value;
        const until = at() + 2 * day;
        model.record({
          subject: names[key]!,
          id: event.id,
          purpose,
          scope,
          act: 'pending',
          at: at(),
          until,
          seq: event.subjectSeq,
          rank: step.guardian ? 'guardian' : 'self',
          own: true,
          notice: version,
        });
        asked.push({ id: event.id, subject: names[key]!, subjectId: event.subjectId, attemptsLeft: 5, until, event });
        count(tally, 'questions asked');
        return;
      }
      case 'code': {
        const question = asked.at(-1 - (step.which % Math.max(asked.length, 1)));
        if (!question) return;
        const { id: eventId, subjectId, event: question0, subject } = question;
        const right = oneTimeCode(a.deps.secrets.codes.key, `confirm:${eventId}`);
        const code = step.right ? right : right.replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A'));
        const mayTry = question.attemptsLeft > 0 && at() < question.until;
        if (mayTry) question.attemptsLeft--;
        const isOpen = model.mayBecomeYes(question);
        const set = await b.deps.policySets.current();
        const result = await settled(confirmConsent(b.deps, b.caller('crm'), set, { subjectId, eventId, code }));
        if (mayTry && step.right && question.confirmedBy) {
          expect((result as PromiseFulfilledResult<RecordedEvent>).value?.id).toBe(question.confirmedBy);
          return;
        }
        if (!mayTry || !step.right || !isOpen) {
          count(tally, 'codes refused');
          return expect(['consent.confirmation-refused', 'consent.guardian-not-needed']).toContain(refusal(result));
        }
        if (question0.by === 'guardian' && !model.mayGuard(subject))
          return expect(refusal(result)).toBe('consent.guardian-not-needed');
        expect(refusal(result)).toBe(undefined);
        const confirmed = (result as PromiseFulfilledResult<RecordedEvent>).value;
        question.confirmedBy = confirmed.id;
        model.record({
          subject,
          id: confirmed.id,
          purpose: question0.purpose,
          scope: question0.scope as Record<string, string>,
          act: 'yes',
          at: at(),
          seq: confirmed.subjectSeq,
          rank: question0.by,
          own: true,
          notice: question0.notice!.version,
          ...(question0.by === 'guardian' && { guardianOk: true }),
        });
        count(tally, 'codes confirmed');
        return;
      }
      case 'signal': {
        const subject = names[customers[step.customer]!]!;
        if (!model.known(subject)) return;
        const subjectId = model.personOf(subject);
        const set = await a.deps.policySets.current();
        const { version } = await b.deps.reader.state(subjectId);
        const changed = await recordGpcSignal(a.deps, a.caller('crm'), set, { subjectId, on: step.on });
        expect(model.signal(subject, step.on, version + 1)).toBe(changed);
        if (changed) count(tally, `signal ${step.on ? 'on' : 'off'}`);
        return;
      }
      case 'born': {
        const subject = names[customers[step.customer]!]!;
        if (!model.known(subject)) return;
        const month = clock
          .now()
          .toZonedDateTimeISO('UTC')
          .toPlainDate()
          .toPlainYearMonth()
          .subtract({ years: step.yearsAgo });
        const set = await a.deps.policySets.current();
        await recordBirthMonth(a.deps, a.caller('crm'), set, {
          subjectId: model.personOf(subject),
          month: month.toString(),
        });
        model.born(subject, month.toString());
        return;
      }
      case 'guardian': {
        const key = customers[step.customer]!;
        const { purpose, scope } = step.about;
        const set = await a.deps.policySets.current();
        const version = newestNotice(purpose);
        const result = await settled(
          recordConsent(a.deps, a.caller('crm'), set, {
            subject: names[key]!,
            purpose,
            scope,
            action: 'give',
            notice: { version, language: 'de' },
            method: 'in-person',
            evidence: 'seen at the counter',
            guardian: {},
          }),
        );
        await learn(key);
        if (isRetired(purpose)) return expect(refusal(result)).toBe('consent.purpose-retired');
        expect(refusal(result)).toBe(model.mayGuard(names[key]!) ? undefined : 'consent.guardian-not-needed');
        if (result.status === 'rejected') return;
        model.record({
          subject: names[key]!,
          id: result.value.id,
          purpose,
          scope,
          act: 'yes',
          at: at(),
          seq: result.value.subjectSeq,
          rank: 'guardian',
          own: true,
          notice: version,
          guardianOk: true,
        });
        count(tally, 'guardians heard');
        return;
      }
      case 'merge': {
        const [survivor, other] = [customers[step.into]!, customers[1 - step.into]!].map((key) => names[key]!);
        if (!model.known(survivor!) || !model.known(other!)) return;
        const subjectId = model.personOf(survivor!);
        const isSame = subjectId === model.personOf(other!);
        const set = await a.deps.policySets.current();
        world.gate.dieAfter(step.diesAfter);
        const result = await settled(mergeSubjects(a.deps, a.caller('crm'), set, { subjectId, other: other! }));
        world.gate.dieAfter(undefined);
        if (isSame) return expect(refusal(result)).toBe('subjects.merge-with-itself');
        if (model.isRestricted(survivor!) || model.isRestricted(other!))
          return expect(refusal(result)).toBe('subjects.merge-of-restricted');
        const { version } = await b.deps.reader.state(subjectId);
        if (step.diesAfter === 0) return;
        const done = step.diesAfter === undefined ? 'moved' : step.diesAfter === 1 ? 'narrowed' : 'alias';
        model.merge(survivor!, other!, version, done);
        count(tally, `merges ${done}`);
        return;
      }
      case 'pass':
        clock.advance({ milliseconds: step.ms });
        return;
    }
  };

  for (const [index, step] of steps.entries()) {
    const noesBefore = questions.map((question) => liveNo(model, question));
    const passed = at();
    // What a dying instance left of a merge is completed by the others.
    await completeMerges(b.deps);
    // What comes back with the identifiers is not by the step that follows.
    if (model.completeMerges()) before = await askAll(b, questions);
    await act(step);
    count(tally, 'steps');

    const answers = await askAll(index % 2 === 0 ? a : b, questions);
    questions.forEach((question, number) => {
      const expected = model.mayDo(question);
      const said = `step ${index} (${JSON.stringify(step)}): ${JSON.stringify(question)}`;
      expect(answers[number], said).toBe(expected);
      count(tally, `${question.kind} ${expected ? 'permitted' : 'denied'}`);
      if (expected && step.do === 'merge' && model.hasMerged()) count(tally, 'permitted after a merge');
      if (expected && model.signalIsOn(question.customer)) count(tally, 'permitted despite a signal');
      if (before[number] || !answers[number]) return;
      count(tally, `permits by ${step.do}`);
      // A deny has become a permit.
      const narrows =
        (neverWidens.has(step.do) && at() === passed) ||
        (step.do === 'activate' && variantBefore === 'base' && step.variant !== 'new-notice') ||
        (step.do === 'activate' && rankOf[variantBefore] > 0);
      // A link joins what the person allowed to be joined; it gives no ground by itself. After a merge whoever both records were may have proved
      // an account, or linked it.
      const joins =
        question.kind === 'ask' || // Who has no valid yes any more may be asked for one.
        (question.kind === 'enrich' && question.account !== undefined) ||
        (step.do === 'merge' && question.kind === 'link');
      if (narrows && !joins) throw new Error(`widened by ${said}`);
      if (step.do === 'yes' && step.method === 'import')
        expect(noesBefore[number], `an import ended a no: ${said}`).toBe(false);
    });
    for (const key of customers) {
      const identifier = names[key]!;
      const subjectId = model.known(identifier) ? model.personOf(identifier) : undefined;
      if (subjectId === undefined) continue;
      const shown = (await b.links(subjectId)).filter(
        ({ linkId, status }) => status === 'active' && isOfCustomer(model, linkId, subjectId),
      );
      expect(
        shown.map(({ linkId }) => linkId).toSorted(),
        `links after step ${index} (${JSON.stringify(step)})`,
      ).toEqual(model.activeLinks(identifier));
    }
    before = answers;
    variantBefore = variant;
  }
};

/** The whole batch as one call of one system, as `POST /access/v1/evaluations` does it. */
const ask = (by: Parts, system: string, questions: readonly Question[]) =>
  evaluate(by.deps, { system, language: 'en' }, questions.map(requestOf(system)));

const systemOf = (question: Question): string => {
  if (question.kind === 'link') return question.system;
  if (question.kind === 'newsletter' || question.kind === 'ask') return 'newsletter';
  return question.kind === 'answer-by-program' ? 'community-desk' : 'crm';
};

const askAll = async (by: Parts, questions: readonly Question[]): Promise<boolean[]> => {
  const answers: boolean[] = [];
  await Promise.all(
    ['community-desk', 'crm', 'newsletter'].map(async (system) => {
      const mine = questions.flatMap((question, index) => (systemOf(question) === system ? [{ question, index }] : []));
      const decisions = await ask(
        by,
        system,
        mine.map(({ question }) => question),
      );
      mine.forEach(({ index }, place) => (answers[index] = decisions[place]!.decision));
    }),
  );
  return answers;
};

const requestOf =
  (system: string) =>
  (question: Question): Parameters<typeof evaluate>[2][number] => {
    const purpose = purposeOf[question.kind];
    const of = (action: string, type: string, id: string, context: object) => ({
      subject: { type: 'system', id: system },
      action: { name: action },
      resource: { type, id },
      context: { purpose, ...context },
    });
    const { customer } = question;
    switch (question.kind) {
      case 'link': {
        const { account, chain = [], nickname, match } = question;
        return of('link', 'social_identity', account, {
          customer,
          ...(chain.length > 0 ? { chain } : {}),
          ...(nickname === undefined ? {} : { nickname }),
          ...(match === undefined ? {} : { match }),
        });
      }
      case 'enrich': {
        const context = { visibility: 'public', sources: ['profile-page'] };
        return question.account === undefined
          ? of('enrich', 'customer', customer, context)
          : of('enrich', 'social_identity', question.account, { ...context, customer });
      }
      case 'newsletter':
        return of('contact', 'customer', customer, question.scope);
      case 'ask':
        return of('contact', 'customer', customer, { ...question.scope, asksFor: askedFor.purpose });
      case 'retain':
        return of('retain', 'customer', customer, { channel: question.channel });
      case 'answer-by-program':
        return of('reply_automatically', 'customer', customer, {
          marketing: false,
          botDisclosed: true,
          inReplyTo: { openedBySubject: true, days: 1 },
        });
    }
  };

/** Every question about everybody in this world. */
const questionsAbout = (names: Record<string, string>): Question[] =>
  customers.flatMap((key, index): Question[] => {
    const one = names[key]!;
    const perAccount = accounts.flatMap((account): Question[] => {
      const link = { kind: 'link' as const, customer: one, account: names[account]! };
      const others = accounts.filter((other) => other !== account).map((other) => names[other]!);
      return [
        { ...link, system: 'community-desk' },
        { ...link, system: 'crm', match: { method: 'declared' } },
        { ...link, system: 'community-desk', chain: [names[`email${index}`]!] },
        { ...link, system: 'crm', chain: others },
        { kind: 'enrich', customer: one, account: names[account]! },
      ];
    });
    const [facebook, x] = [names['facebook']!, names['x']!];
    return [
      ...perAccount,
      { kind: 'link', system: 'crm', customer: one, account: 'x:@eva' },
      { kind: 'link', system: 'crm', customer: one, account: x, nickname: true },
      {
        kind: 'link',
        system: 'crm',
        customer: one,
        account: facebook,
        match: { method: 'probabilistic', confidence: 0.99 },
      },
      { kind: 'link', system: 'crm', customer: one, account: facebook, chain: [x, names[`email${1 - index}`]!] },
      { kind: 'enrich', customer: one },
      { kind: 'newsletter', customer: one, scope: { channel: 'email', topic: 'events', form: 'newsletter' } },
      { kind: 'newsletter', customer: one, scope: { channel: 'sms', topic: 'offers', form: 'survey' } },
      { kind: 'retain', customer: one, channel: 'email' },
      { kind: 'answer-by-program', customer: one },
      { kind: 'ask', customer: one, scope: { channel: 'email', topic: 'events', form: 'newsletter' } },
    ];
  });

/** Whether a live no of the customer stands against a question. */
const liveNo = (model: Model, question: Question): boolean => {
  const scope =
    question.kind === 'link'
      ? { platform: question.account.split(':')[0]! }
      : question.kind === 'newsletter' || question.kind === 'ask'
        ? question.scope
        : {};
  return model.statusCode(question.customer, purposeOf[question.kind], scope as Record<string, string>) === 'live-no';
};

const isOfCustomer = (model: Model, linkId: string, person: string): boolean =>
  model.links.some((link) => link.linkId === linkId && link.customerPerson === person);

/** Lets the next people find the policies as they were at the beginning: only their own histories count. */
const forgetPolicies = async ({ locks: { sql } }: World, base: Catalogue): Promise<void> => {
  await sql`insert into policy_set (digest, content) values (${base.digest}, ${base.json}) on conflict do nothing`;
  await sql`update deployment set policy_digest = ${base.digest}, policy_activated_at = now()`;
  await sql`delete from policy_set where digest <> ${base.digest}`;
};

/** What the service does when a system has undone a link. */
const forget = async (by: Parts, { kind, facts, subjectId }: Obligation): Promise<void> => {
  if (kind !== 'unlink') return;
  const { links } = await by.deps.reader.state(subjectId);
  const half = halvesOf(links).find(({ linkId }) => linkId === (facts as { linkId: string }).linkId);
  if (half) await dropLink(by.deps, by.caller('askfirst'), half, subjectId, 'acknowledged');
};
