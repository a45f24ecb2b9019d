/** Promise 4, without a database: whatever people, their guardians, their browsers and merges do, nobody is asked or used beyond what was said. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addAnswer, type Answers, type ConsentEvent, type Scope } from '../src/consent/answers.ts';
import { consentStatus, type PurposeRules } from '../src/consent/consent-status.ts';
import { dialogueStatus } from '../src/consent/dialogue-status.ts';
import { narrowByAge } from '../src/consent/birth-month.ts';
import { mayBeAsked } from '../src/consent/may-be-asked.ts';
import { mergeAnswers, takeOverNoes } from '../src/consent/merge-answers.ts';
import {
  arbitraryEvent,
  arbitraryHistory,
  arbitraryRules,
  questionsAbout,
  recorded,
  type Unrecorded,
} from './support/consent-arbitraries.ts';
import {
  mergedHistories,
  referenceStatus,
  withNoesOf,
  type ReferenceEvent,
  type ReferenceRules,
} from './support/consent-reference.ts';
import {
  arbitraryLife,
  judged,
  live,
  liveThrough,
  rulesOfAge,
  questionsTo,
  type PersonStep,
} from './support/consent-person.ts';

const fold = (history: readonly ConsentEvent[], onto: Answers = {}): Answers => history.reduce(addAnswer, onto);

/** Of a purpose with two dimensions that rests on consent. */
const byConsent: PurposeRules = {
  legalBasis: 'consent',
  dimensions: ['platform', 'channel'],
  notices: [{ version: 1 }],
  renewOnNewNotice: false,
};

type Asked = { purpose: string; scope: Scope; at: number };
/** The first of these questions on which service and reference differ. */
const firstDifference = (
  answers: Answers,
  history: readonly ReferenceEvent[],
  questions: readonly Asked[],
  rules: PurposeRules,
  compare: 'result' | 'code' = 'code',
): unknown => {
  for (const { purpose, scope, at } of questions) {
    const status = consentStatus(answers, purpose, scope, at, rules);
    const expected = referenceStatus(history, purpose, scope as Record<string, string>, at, rules);
    if (status[compare] !== expected[compare]) return { purpose, scope, at, status, expected };
  }
  return undefined;
};

/** How often something happened in all the histories of a property: one about nothing holds always. */
const tally = () => {
  const times = new Map<string, number>();
  return {
    count: (...names: string[]) => names.forEach((name) => times.set(name, (times.get(name) ?? 0) + 1)),
    atLeast: (least: number, ...names: string[]) => {
      for (const name of names) expect(times.get(name) ?? 0, name).toBeGreaterThanOrEqual(least);
    },
  };
};

describe('One person, their guardian and their browser', () => {
  test('what is kept answers as all that ever was said and told of their age', { timeout: 120_000 }, () => {
    const seen = tally();
    fc.assert(
      fc.property(arbitraryLife(16), arbitraryRules, (steps, anyRules) => {
        const rules = { ...anyRules, legalBasis: 'consent' } as const;
        const person = liveThrough(steps);
        const history = judged(person);
        seen.count(...person.happened);
        const questions = questionsTo(person.steps);
        expect(firstDifference(person.answers, history, questions, rules)).toBeUndefined();
        for (const { purpose, scope, at } of questions) {
          const { code, reliedOn } = consentStatus(person.answers, purpose, scope, at, rules);
          if (code !== 'valid-yes') continue;
          const event = history.find(({ id }) => id === reliedOn)!;
          seen.count(`permit by ${event.rank}`);
          if (person.happened.includes('born') && event.rank === 'self') seen.count('permit of age');
          if (event.despiteGpc && history.some(({ signal }) => signal)) seen.count('permit despite gpc');
          if (event.id !== undefined && person.happened.includes('confirmed'))
            seen.count('permit after a confirmation');
        }
      }),
      { numRuns: 2_000 },
    );
    seen.atLeast(50, 'asked', 'confirmed', 'confirmation refused', 'guardian refused', 'born', 'gpc on', 'gpc off');
    seen.atLeast(50, 'yes despite gpc', 'permit by self', 'permit by guardian', 'permit of age', 'permit despite gpc');
    seen.atLeast(50, 'permit after a confirmation');
  });

  test('no step but a yes, a confirmation or the passing of time turns a deny into a permit, and time never does', () => {
    const widened = fc.property(arbitraryLife(14), (steps) => {
      let person = liveThrough([]);
      for (const step of steps) {
        const next = live(person, step);
        if (step.do !== 'confirm' && !(step.do === 'say' && step.event.act === 'yes'))
          for (const { purpose, scope, at } of questionsTo(steps.length))
            if (consentStatus(next.answers, purpose, scope, at, byConsent).result === 'permit')
              expect(consentStatus(person.answers, purpose, scope, at, byConsent).result).toBe('permit');
        person = next;
      }
    });
    fc.assert(widened, { numRuns: 500 });
  });

  const guardian = (event: Unrecorded): PersonStep => ({
    do: 'say',
    event: { ...event, purpose: event.purpose === '*' ? 'p' : event.purpose, act: 'yes', rank: 'guardian', late: 0 },
  });

  test('a guardian never overturns a child’s own no, whatever else is said', () => {
    let answered = 0;
    fc.assert(
      fc.property(arbitraryLife(8), arbitraryEvent, fc.array(arbitraryEvent, { maxLength: 6 }), (steps, no, later) => {
        const child: PersonStep[] = [{ do: 'born', month: '2013-02' }, ...steps.filter((step) => step.do !== 'born')];
        const own: PersonStep = { do: 'say', event: { ...no, act: 'no', rank: 'self', late: 0 } };
        const person = liveThrough([...child, own, ...later.map(guardian)]);
        const said = person.history.findLast(({ act, rank, signal }) => act === 'no' && rank === 'self' && !signal)!;
        for (const { purpose, scope, at } of questionsTo(person.steps)) {
          const covers = Object.entries(said.scope).every(([name, value]) => scope[name] === value);
          if (!covers || (said.purpose !== purpose && said.purpose !== '*')) continue;
          answered++;
          expect(consentStatus(person.answers, purpose, scope, at, byConsent).result).toBe('deny');
        }
      }),
      { numRuns: 1_000 },
    );
    expect(answered).toBeGreaterThan(1_000);
  });

  test('what a child says alone never counts, not after its birthday either; what a guardian says counts until then', () => {
    const event = {
      purpose: 'p',
      scope: {},
      own: true,
      notice: 1,
      late: 0,
      act: 'yes' as const,
      rank: 'self' as const,
    };
    const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds;
    const scope = { platform: 'x', channel: 'email' };
    const mayAt = (steps: PersonStep[], text: string) =>
      consentStatus(liveThrough(steps).answers, 'p', scope, at(text), byConsent).result;
    const early: PersonStep = { do: 'say', event };
    const born = (month: '2010-02' | '2010-03' | '1980-05'): PersonStep => ({ do: 'born', month });
    for (const steps of [
      [born('2010-02'), early],
      [early, born('2010-02')],
      [early, born('1980-05'), born('2010-02')],
      [early, born('2010-02'), born('1980-05')],
    ])
      expect(mayAt(steps, '2026-06-01T00:00:00Z'), JSON.stringify(steps)).toBe('deny');
    const guarded = [born('2010-03'), guardian(event)];
    expect(mayAt(guarded, '2026-02-28T23:59:59Z')).toBe('permit');
    expect(mayAt(guarded, '2026-03-01T00:00:00Z')).toBe('deny');
    // They were younger than was said at first.
    expect(mayAt([...guarded, born('2010-02')], '2026-02-01T00:00:00Z')).toBe('deny');
    // Asked anew at that age, they answer alone: twelve moments later it is May.
    const nothing: PersonStep = { do: 'confirm', which: 0 };
    const ofAge = [born('2010-02'), early, ...Array.from({ length: 24 }, () => nothing), early];
    expect(mayAt(ofAge, '2026-05-02T00:00:00Z')).toBe('permit');
    expect(mayAt(ofAge.slice(0, -1), '2026-05-02T00:00:00Z')).toBe('deny');
  });
});

test('an old letter that a birth month ends leaves the no that it answered', () => {
  const history: ConsentEvent[] = (
    [
      ['no', '2026-05-05'],
      ['yes', '2026-05-06'],
      // Letters from when they were a child still.
      ['no', '2026-01-01'],
      ['yes', '2026-01-02'],
    ] as const
  ).map(([act, day], place) => ({
    act,
    purpose: 'p',
    scope: {},
    at: Temporal.Instant.from(`${day}T00:00:00Z`).epochMilliseconds,
    seq: place + 1,
    id: `event-${place}`,
    rank: 'self',
    own: true,
    notice: 1,
  }));
  const scope = { platform: 'x', channel: 'email' };
  const at = Temporal.Instant.from('2026-06-01T00:00:00Z').epochMilliseconds;
  const answers = fold(history);
  expect(consentStatus(answers, 'p', scope, at, byConsent).result).toBe('permit');
  const told = narrowByAge(answers, '2010-01', rulesOfAge);
  expect(consentStatus(told, 'p', scope, at, byConsent)).toMatchObject({ code: 'live-no', reliedOn: 'event-2' });
});

/** Two histories and what is said after they were merged. */
const arbitraryMerge = fc.record({
  one: arbitraryHistory(0, 8),
  other: arbitraryHistory(0, 8).map((events) => events.map((event) => ({ ...event, id: `other-${event.id}` }))),
  later: fc.array(arbitraryEvent, { maxLength: 6 }),
});
const afterBoth = (one: readonly ConsentEvent[], other: readonly ConsentEvent[]): number =>
  Math.max(...[...one, ...other].map(({ seq }) => seq), 0) + 1;
/** Questions from the moment of the merge on. */
const since = (length: number) => questionsAbout(Array.from({ length })).filter(({ at }) => at >= length / 2 - 1);
/** What is said after a merge: later than everything before it. */
const saidLater = (events: readonly Unrecorded[], seq: number, from: number): ConsentEvent[] =>
  events.map((event, place) => {
    const at = from + Math.floor(place / 2) - event.late;
    const { late: _late, lifetime, ...said } = event;
    return {
      ...said,
      at,
      seq: seq + 1 + 2 * place,
      id: `later-${place}`,
      ...(lifetime !== undefined && { until: at + lifetime }),
    };
  });

describe('Two records of one person', () => {
  test(
    'a merge permits only what both permitted, at every moment and under every notice since',
    { timeout: 120_000 },
    () => {
      const seen = tally();
      fc.assert(
        fc.property(arbitraryMerge, arbitraryRules, ({ one, other }, rules) => {
          const [a, b] = [fold(one), fold(other)];
          const merged = mergeAnswers(a, b, afterBoth(one, other));
          for (const { purpose, scope, at } of since(Math.max(one.length, other.length))) {
            const results = [merged, a, b].map((answers) => consentStatus(answers, purpose, scope, at, rules).result);
            seen.count(results.join());
            if (results[0] === 'permit') expect(results).toEqual(['permit', 'permit', 'permit']);
          }
        }),
        { numRuns: 1_500 },
      );
      seen.atLeast(100, 'permit,permit,permit', 'deny,permit,deny', 'deny,deny,permit');
    },
  );

  test(
    'every no of either is live until the person takes it back; a yes lasts where both gave it, and later words count as always',
    { timeout: 120_000 },
    () => {
      const seen = tally();
      fc.assert(
        fc.property(arbitraryMerge, arbitraryRules, ({ one, other, later }, rules) => {
          const seq = afterBoth(one, other);
          const length = Math.max(one.length, other.length);
          const said = saidLater(later, seq, Math.ceil(length / 2));
          const answers = fold(said, mergeAnswers(fold(one), fold(other), seq));
          const history = [...mergedHistories(one, other, seq), ...said];
          const questions = since(length + later.length);
          // Of several that both gave, any may be named: what has to agree is what is decided and why a no stands.
          expect(firstDifference(answers, history, questions, rules, 'result')).toBeUndefined();
          for (const { purpose, scope, at } of questions) {
            const { code, reliedOn } = consentStatus(answers, purpose, scope, at, rules);
            const expected = referenceStatus(history, purpose, scope as Record<string, string>, at, rules);
            expect(code === 'live-no').toBe(expected.code === 'live-no');
            if (code === 'valid-yes')
              seen.count(reliedOn!.startsWith('later') ? 'permit by a later yes' : 'permit by both');
            if (code === 'live-no') seen.count('live no');
          }
        }),
        { numRuns: 1_200 },
      );
      seen.atLeast(25, 'permit by a later yes', 'permit by both', 'live no');
    },
  );

  test(
    'a second merge with the same record changes no answer, and the order of two merges does not either',
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(arbitraryMerge, arbitraryHistory(0, 6), arbitraryRules, ({ one, other }, third, rules) => {
          const [a, b, c] = [fold(one), fold(other), fold(third)];
          const seq = afterBoth([...one, ...third], other);
          const once = mergeAnswers(a, b, seq);
          const orders = [
            [once, mergeAnswers(once, b, seq + 1), mergeAnswers(b, a, seq)],
            [
              mergeAnswers(once, c, seq + 1),
              mergeAnswers(a, mergeAnswers(b, c, seq), seq + 1),
              mergeAnswers(mergeAnswers(c, a, seq), b, seq + 1),
            ],
          ];
          for (const { purpose, scope, at } of since(Math.max(one.length, other.length, third.length)))
            for (const same of orders) {
              const results = same.map((answers) => consentStatus(answers, purpose, scope, at, rules).result);
              expect(new Set(results).size, JSON.stringify({ purpose, scope, at, results })).toBe(1);
            }
        }),
        { numRuns: 600 },
      );
    },
  );

  test(
    'noes that are taken over deny until the person takes them back, and nothing else changes',
    { timeout: 120_000 },
    () => {
      const seen = tally();
      fc.assert(
        fc.property(arbitraryMerge, arbitraryRules, ({ one, other, later }, rules) => {
          const seq = afterBoth(one, other);
          const length = Math.max(one.length, other.length);
          const before = fold(one);
          const taken = takeOverNoes(before, fold(other), seq);
          for (const { purpose, scope, at } of since(length)) {
            const after = consentStatus(taken, purpose, scope, at, rules).result;
            if (after === 'permit') expect(consentStatus(before, purpose, scope, at, rules).result).toBe('permit');
            seen.count(after);
          }
          const said = saidLater(later, seq, Math.ceil(length / 2));
          const history = [...withNoesOf(one, other, seq), ...said];
          expect(firstDifference(fold(said, taken), history, since(length + later.length), rules)).toBeUndefined();
        }),
        { numRuns: 1_200 },
      );
      seen.atLeast(100, 'permit', 'deny');
    },
  );
});

describe('Who may be asked, and how they may be spoken to', () => {
  test('nobody is asked while a no of theirs is live and young, and everybody else may be', () => {
    const seen = tally();
    const again = { undefined: undefined, 'PT0.002S': 2, 'PT0.006S': 6 } as const;
    fc.assert(
      fc.property(
        arbitraryHistory(0, 10),
        arbitraryRules,
        fc.constantFrom(...(Object.keys(again) as (keyof typeof again)[])),
        (history, rules, after) => {
          const answers = fold(history);
          const asking = { ...rules, askAgainAfter: after === 'undefined' ? undefined : after };
          for (const { purpose, scope, at } of questionsAbout(history)) {
            if (Object.keys(scope).length < 2) continue;
            const moment = Math.ceil(at);
            const said = { ...mayBeAsked(answers, purpose, scope, moment, asking) };
            const stands = (when: number) =>
              referenceStatus(history, purpose, scope as Record<string, string>, when, rules);
            const { code } = stands(moment);
            seen.count(`${code} ${said.may}`);
            if (said.may) {
              expect(['valid-yes', 'pending']).not.toContain(code);
              if (code === 'live-no')
                expect(
                  youngestLiveNo(history, purpose, scope, moment, rules) + (again[after] ?? Infinity),
                ).toBeLessThanOrEqual(moment);
            } else expect(['valid-yes', 'pending', 'live-no']).toContain(code);
            if (said.from === undefined || rules.legalBasis !== 'consent') continue;
            // Told exactly: at that moment they may be asked, and not a moment before.
            expect(said.from).toBeGreaterThan(moment);
            expect(mayBeAsked(answers, purpose, scope, said.from, asking).may, 'at the moment that was told').toBe(
              true,
            );
            expect(mayBeAsked(answers, purpose, scope, said.from - 1, asking).may).toBe(false);
          }
        },
      ),
      { numRuns: 500 },
    );
    seen.atLeast(50, 'live-no true', 'live-no false', 'valid-yes false', 'pending false', 'nothing-recorded true');
  });

  /** When the youngest of the noes that are live against a question occurred. */
  const youngestLiveNo = (
    history: readonly ReferenceEvent[],
    purpose: string,
    scope: Scope,
    at: number,
    rules: ReferenceRules,
  ): number => {
    const isLive = (no: ReferenceEvent) =>
      referenceStatus(
        history.filter((event) => event.act !== 'no' || event === no),
        purpose,
        scope as Record<string, string>,
        at,
        rules,
      ).code === 'live-no';
    return Math.max(...history.filter((event) => event.act === 'no' && isLive(event)).map((no) => no.at));
  };

  /** Values of each dimension, one of which nobody ever spoke about. */
  const values = {
    topic: ['offers', 'events', 'unspoken'],
    channel: ['email', 'phone', 'unspoken'],
    form: ['bot', 'person', 'public'],
  };
  const wished = arbitraryEvent.map((event): Unrecorded => {
    const { platform, channel } = event.scope;
    const topic = event.notice === 2 ? { topic: 'offers' } : event.notice === 3 ? { topic: 'events' } : {};
    const form = platform === 'x' ? { form: 'bot' } : platform === 'y' ? { form: 'public' } : {};
    return {
      ...event,
      purpose: event.purpose === 'q' ? 'dialogue' : event.purpose === '*' ? '*' : 'dialogue',
      scope: { ...(channel && { channel }), ...topic, ...form },
    };
  });
  const dialogueRules: PurposeRules = {
    legalBasis: 'legitimate-interests',
    dimensions: ['channel', 'topic', 'form'],
    notices: [1, 2, 3].map((version) => ({ version })),
    renewOnNewNotice: false,
  };

  test('a message is refused exactly where a live wish could be meant, whatever it does not say of itself', () => {
    const seen = tally();
    const history = fc
      .array(wished, { maxLength: 8 })
      .map((events) => events.reduce<ConsentEvent[]>((all, event) => [...all, recorded(all, event)], []));
    const message = fc.record({
      topic: fc.constantFrom(undefined, ...values.topic),
      channel: fc.constantFrom(undefined, ...values.channel),
      forms: fc.constantFrom(['person'], ['bot'], ['person', 'public'], ['bot', 'public']),
    });
    fc.assert(
      fc.property(history, message, (all, { topic, channel, forms }) => {
        const at = all.length / 2 + 1;
        const scope = { ...(channel && { channel }), ...(topic && { topic }) };
        const own = all.filter(({ purpose }) => purpose === 'dialogue');
        // Everything that the message may turn out to be.
        const meant = forms.flatMap((form) =>
          (topic ? [topic] : values.topic).flatMap((about) =>
            (channel ? [channel] : values.channel).map((by) => ({ topic: about, channel: by, form })),
          ),
        );
        const refused = meant.some(
          (one) => referenceStatus(own, 'dialogue', one, at, dialogueRules).code === 'live-no',
        );
        const status = dialogueStatus(fold(all), scope, forms, at, dialogueRules);
        expect(status).toBe(refused ? 'refused' : 'open');
        const reopened = status === 'open' && own.some(({ act }) => act === 'no');
        seen.count(reopened ? 'open beside a no' : status);
      }),
      { numRuns: 1_200 },
    );
    seen.atLeast(100, 'open', 'refused', 'open beside a no');
  });
});
