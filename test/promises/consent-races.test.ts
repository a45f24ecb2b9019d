import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  confirmConsent,
  mergeSubjects,
  recordBirthMonth,
  recordConsent,
  recordGpcSignal,
  withdrawConsent,
  type RecordedEvent,
} from '../../src/consent/index.ts';
import { evaluate } from '../../src/decisions/index.ts';
import { oneTimeCode } from '../../src/kernel/crypto/one-time-code.ts';
import { dropVersionComparison } from '../support/promises-faults.ts';
import type { Parts } from '../support/promises-parts.ts';
import { createWorld, refusal, settled, type World } from '../support/promises-world.ts';

/**
 * The races of what people say in other ways than by a plain answer, in both orders, forced as in `races.test.ts`: a typed code against a no, a
 * merge against whatever either record hears, a birth month against a yes, a browser's signal against a yes.
 */
type Race = (world: World) => Promise<void>;

const notice = { version: 1, language: 'en' } as const;
const policies = (by: Parts) => by.deps.policySets.current();

const say = async (by: Parts, subject: string, purpose: string, more: object = {}): Promise<RecordedEvent> =>
  recordConsent(by.deps, by.caller('crm'), await policies(by), {
    subject,
    purpose,
    scope: {},
    action: 'give',
    notice,
    method: 'app',
    ...more,
  });
const sayNo = async (by: Parts, subject: string, purpose: string): Promise<RecordedEvent> =>
  withdrawConsent(by.deps, by.caller('crm'), await policies(by), { subject, purpose, scope: {}, method: 'app' });
const codeOf = (by: Parts, { id }: RecordedEvent): string => oneTimeCode(by.deps.secrets.codes.key, `confirm:${id}`);
const confirm = async (by: Parts, question: RecordedEvent) =>
  confirmConsent(by.deps, by.caller('crm'), await policies(by), {
    subjectId: question.subjectId,
    eventId: question.id,
    code: codeOf(by, question),
  });
const merge = async (by: Parts, subjectId: string, other: string) =>
  mergeSubjects(by.deps, by.caller('crm'), await policies(by), { subjectId, other });
const signal = async (by: Parts, subjectId: string, on: boolean) =>
  recordGpcSignal(by.deps, by.caller('crm'), await policies(by), { subjectId, on });
const born = async (by: Parts, subjectId: string, years: number) =>
  recordBirthMonth(by.deps, by.caller('crm'), await policies(by), {
    subjectId,
    month: `${by.deps.clock.now().toZonedDateTimeISO('UTC').year - years}-01`,
  });

/** On both instances, which have to agree. */
const permits = async (
  { a, b }: World,
  system: string,
  action: string,
  customer: string,
  context: Record<string, unknown>,
) => {
  const decisions = await Promise.all(
    [a, b].map(async (by) => {
      const [answer] = await evaluate(by.deps, { system, language: 'en' }, [
        {
          subject: { type: 'system', id: system },
          action: { name: action },
          resource: { type: 'customer', id: customer },
          context,
        },
      ]);
      return answer!.decision;
    }),
  );
  expect(decisions[0]).toBe(decisions[1]);
  return decisions[0]!;
};
const mayKeep = (world: World, customer: string) =>
  permits(world, 'crm', 'retain', customer, { purpose: 'profile-enrichment', platform: 'facebook' });
const mayMail = (world: World, customer: string) =>
  permits(world, 'newsletter', 'contact', customer, {
    purpose: 'newsletter',
    channel: 'email',
    topic: 'events',
    form: 'newsletter',
    marketing: true,
  });
const mayShare = (world: World, customer: string, recipient = 'example-hotels') =>
  permits(world, 'crm', 'share', customer, { purpose: 'third-party-sharing', recipient, upload: 'hashed-list' });

let people = 0;
const newcomer = () => `crm:races-${++people}`;
const register = async (world: World, customer = newcomer()) => ({
  customer,
  // With a mailbox, so that a code has no other one to claim on its way.
  subjectId: await world.a.register(customer, `email:${customer.slice('crm:'.length)}@example.org`),
});
/** Two records of which each said yes to profile-enrichment. */
const twoRecords = async (world: World) => {
  const [one, other] = [await register(world), await register(world)];
  for (const { customer } of [one, other]) await say(world.a, customer, 'profile-enrichment');
  return { one, other };
};
const fulfilled = (...results: (PromiseSettledResult<unknown> | undefined)[]) =>
  expect(results.map((result) => (result?.status === 'rejected' ? String(result.reason) : result?.status))).toEqual(
    results.map(() => 'fulfilled'),
  );
const mergedInto = async (world: World, subjectId: string) => (await world.b.deps.reader.state(subjectId)).mergedInto;

const races: Record<string, Race> = {
  'a code that is typed before a no falls with it, and one behind it confirms nothing': async (world) => {
    for (const purpose of ['newsletter', '*'])
      for (const noFirst of [true, false]) {
        const { customer, subjectId } = await register(world);
        const asked = { scope: { channel: 'email' }, confirmAt: `email:races-${people}@example.org` };
        const question = await say(world.a, customer, 'newsletter', asked);
        expect(question.answer).toBe('pending');
        const no = () => sayNo(world.b, customer, purpose);
        const code = () => confirm(world.a, question);
        const ended = await world.inOrder(subjectId, ...(noFirst ? [no, code] : [code, no]));
        fulfilled(ended[noFirst ? 0 : 1]);
        if (noFirst) expect(refusal(ended[1])).toBe('consent.confirmation-refused');
        else fulfilled(ended[0]);
        expect(await mayMail(world, customer)).toBe(false);
        await world.expectWhole(subjectId);
      }
  },

  'the same code typed twice at once confirms once': async (world) => {
    const { customer, subjectId } = await register(world);
    const asked = { scope: { channel: 'email' }, confirmAt: `email:races-${people}@example.org` };
    const question = await say(world.a, customer, 'newsletter', asked);
    const both = await world.inOrder(
      subjectId,
      () => confirm(world.a, question),
      () => confirm(world.b, question),
    );
    fulfilled(...both);
    const [one, two] = both.map((result) => (result as PromiseFulfilledResult<RecordedEvent>).value);
    expect(two).toEqual(one);
    expect(await mayMail(world, customer)).toBe(true);
    await world.expectWhole(subjectId);
  },

  'a no at the record that becomes an alias is heard, before the merge and behind it': async (world) => {
    for (const noFirst of [true, false]) {
      const { one, other } = await twoRecords(world);
      const no = () => sayNo(world.b, other.customer, 'profile-enrichment');
      const become = () => merge(world.a, one.subjectId, other.customer);
      const ended = await world.inOrder(other.subjectId, ...(noFirst ? [no, become] : [become, no]));
      fulfilled(...ended);
      for (const { customer } of [one, other]) expect(await mayKeep(world, customer)).toBe(false);
      expect(await mergedInto(world, other.subjectId)).toBe(one.subjectId);
      await world.expectWhole(one.subjectId);
      await world.expectWhole(other.subjectId);
    }
  },

  'a no at the record that survives is heard, before the merge and behind it': async (world) => {
    for (const noFirst of [true, false]) {
      const { one, other } = await twoRecords(world);
      for (const { customer } of [one, other])
        await say(world.a, customer, 'newsletter', { scope: { channel: 'email' } });
      const no = () => sayNo(world.b, one.customer, 'profile-enrichment');
      const become = () => merge(world.a, one.subjectId, other.customer);
      const ended = await world.inOrder(one.subjectId, ...(noFirst ? [no, become] : [become, no]));
      fulfilled(...ended);
      for (const { customer } of [one, other]) {
        expect(await mayKeep(world, customer)).toBe(false);
        // What both gave and nobody took back is still there.
        expect(await mayMail(world, customer)).toBe(true);
      }
      await world.expectWhole(one.subjectId);
    }
  },

  'a yes at the record that becomes an alias counts only where both gave it, or as a later word': async (world) => {
    for (const yesFirst of [true, false]) {
      const { one, other } = await twoRecords(world);
      const yes = () => say(world.b, other.customer, 'newsletter', { scope: { channel: 'email' } });
      const become = () => merge(world.a, one.subjectId, other.customer);
      const ended = await world.inOrder(other.subjectId, ...(yesFirst ? [yes, become] : [become, yes]));
      fulfilled(...ended);
      for (const { customer } of [one, other]) {
        expect(await mayMail(world, customer)).toBe(!yesFirst);
        expect(await mayKeep(world, customer)).toBe(true);
      }
      await world.expectWhole(one.subjectId);
    }
  },

  'two records that are merged into each other at once become one': async (world) => {
    for (let time = 0; time < 3; time++) {
      const { one, other } = await twoRecords(world);
      const both = await Promise.all([
        settled(merge(world.a, one.subjectId, other.customer)),
        settled(merge(world.b, other.subjectId, one.customer)),
      ]);
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const aliases = await Promise.all([one, other].map(({ subjectId }) => mergedInto(world, subjectId)));
      expect(aliases.filter((alias) => alias !== null)).toHaveLength(1);
      for (const { customer } of [one, other]) expect(await mayKeep(world, customer)).toBe(true);
    }
  },

  'a code for a question of a record that becomes an alias confirms nothing': async (world) => {
    for (const codeFirst of [true, false]) {
      const { one, other } = await twoRecords(world);
      const asked = { scope: { channel: 'email' }, confirmAt: `email:races-${people}@example.org` };
      const question = await say(world.a, other.customer, 'newsletter', asked);
      const code = () => confirm(world.b, question);
      const become = () => merge(world.a, one.subjectId, other.customer);
      const ended = await world.inOrder(other.subjectId, ...(codeFirst ? [code, become] : [become, code]));
      fulfilled(ended[codeFirst ? 1 : 0]);
      if (!codeFirst) expect(refusal(ended[1])).toBe('consent.confirmation-refused');
      for (const { customer } of [one, other]) expect(await mayMail(world, customer)).toBe(false);
    }
  },

  'a child’s own yes does not count, whether the birth month is told before it or behind it': async (world) => {
    for (const yesFirst of [true, false]) {
      const { customer, subjectId } = await register(world);
      const yes = () => say(world.b, customer, 'profile-enrichment');
      const month = () => born(world.a, subjectId, 12);
      fulfilled(...(await world.inOrder(subjectId, ...(yesFirst ? [yes, month] : [month, yes]))));
      expect(await mayKeep(world, customer)).toBe(false);
      await world.expectWhole(subjectId);
    }
  },

  'a birth month that is told while two records become one counts for the one': async (world) => {
    for (const monthFirst of [true, false]) {
      const { one, other } = await twoRecords(world);
      const month = () => born(world.b, other.subjectId, 12);
      const become = () => merge(world.a, one.subjectId, other.customer);
      fulfilled(...(await world.inOrder(other.subjectId, ...(monthFirst ? [month, become] : [become, month]))));
      for (const { customer } of [one, other]) expect(await mayKeep(world, customer)).toBe(false);
      await say(world.b, one.customer, 'profile-enrichment');
      expect(await mayKeep(world, one.customer)).toBe(false);
    }
  },

  'a browser’s signal ends the yes before it, and not the one behind it': async (world) => {
    for (const signalFirst of [true, false]) {
      const { customer, subjectId } = await register(world);
      const yes = () => say(world.b, customer, 'third-party-sharing');
      const on = () => signal(world.a, subjectId, true);
      fulfilled(...(await world.inOrder(subjectId, ...(signalFirst ? [on, yes] : [yes, on]))));
      expect(await mayShare(world, customer)).toBe(signalFirst);
      await world.expectWhole(subjectId);
    }
  },

  'a browser’s signal is heard while two records become one': async (world) => {
    for (const signalFirst of [true, false]) {
      const [one, other] = [await register(world), await register(world)];
      for (const { customer } of [one, other]) await say(world.a, customer, 'third-party-sharing');
      const on = () => signal(world.b, other.subjectId, true);
      const become = () => merge(world.a, one.subjectId, other.customer);
      fulfilled(...(await world.inOrder(other.subjectId, ...(signalFirst ? [on, become] : [become, on]))));
      for (const { customer } of [one, other]) expect(await mayShare(world, customer)).toBe(false);
    }
  },
};

describe('races of every other way to answer, in every order', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world.close());

  test.each(Object.entries(races))('%s', (_name, race) => race(world));
});

/** These races on instances whose commits no longer compare versions: each that is named has to notice it. */
test('a planted fault is noticed', async () => {
  const world = await createWorld({ database: dropVersionComparison });
  try {
    // One after the other nothing is wrong.
    const { customer } = await register(world);
    await say(world.a, customer, 'profile-enrichment');
    expect(await mayKeep(world, customer)).toBe(true);
    await sayNo(world.b, customer, '*');
    expect(await mayKeep(world, customer)).toBe(false);
    const silent: string[] = [];
    for (const name of [
      'a code that is typed before a no falls with it, and one behind it confirms nothing',
      'a no at the record that becomes an alias is heard, before the merge and behind it',
      'a no at the record that survives is heard, before the merge and behind it',
      'a child’s own yes does not count, whether the birth month is told before it or behind it',
      'a birth month that is told while two records become one counts for the one',
      'a browser’s signal is heard while two records become one',
    ])
      await races[name]!(world).then(
        () => silent.push(name),
        () => {},
      );
    expect(silent).toEqual([]);
  } finally {
    await world.close();
  }
});
