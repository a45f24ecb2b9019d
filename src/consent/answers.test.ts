import { describe, expect, test } from 'vitest';
import { addAnswer, answersFor, recordedAct, type Answers, type ConsentEvent } from './answers.ts';
import { consentStatus, type PurposeRules } from './consent-status.ts';

type Told = Pick<ConsentEvent, 'act'> & Partial<ConsentEvent>;

/** The k-th event occurs at k unless told otherwise, and is recorded as the k-th. */
const recordAll = (events: readonly Told[]): Answers =>
  events.reduce<Answers>(
    (answers, event, index) =>
      addAnswer(answers, {
        purpose: 'p',
        scope: {},
        at: index,
        seq: index + 1,
        id: `event-${index}`,
        rank: 'self',
        own: true,
        notice: 1,
        ...event,
      }),
    {},
  );
const kept = (answers: Answers, purpose = 'p'): string[] => answersFor(answers, purpose).map((answer) => answer.id);
const rules: PurposeRules = {
  legalBasis: 'consent',
  dimensions: ['platform'],
  notices: [{ version: 1 }],
  renewOnNewNotice: true,
};
const resultOf = (answers: Answers, purpose = 'p', platform = 'x') =>
  consentStatus(answers, purpose, { platform }, 10_000_000, rules).result;

describe('What is kept of a history stays small', () => {
  const many = 10_000;

  test('a yes and a no in turn, ten thousand times, leave the last of each', () => {
    const turns = Array.from({ length: many }, (_, index): Told => ({ act: index % 2 === 0 ? 'yes' : 'no' }));
    expect(kept(recordAll(turns))).toEqual([`event-${many - 2}`, `event-${many - 1}`]);
    expect(resultOf(recordAll(turns))).toBe('deny');
    expect(resultOf(recordAll(turns.slice(1)))).toBe('deny');
    expect(resultOf(recordAll(turns.slice(0, -1)))).toBe('permit');
  });

  test('the same with a validity, for everything and for one platform, leaves at most two per scope and purpose', () => {
    const turns = Array.from({ length: many }, (_, index): Told => {
      const act = index % 3 === 0 ? 'no' : 'yes';
      return {
        act,
        purpose: act === 'no' && index % 2 === 0 ? '*' : 'p',
        scope: index % 5 < 2 ? { platform: 'x' } : {},
        ...(act === 'yes' && { until: index + 100 }),
      };
    });
    const answers = recordAll(turns);
    expect(kept(answers).length).toBeLessThanOrEqual(4);
    expect(kept(answers, '*').length).toBeLessThanOrEqual(2);
  });

  test('letters with a no that arrive last first leave one', () => {
    expect(kept(recordAll(Array.from({ length: many }, (_, index) => ({ act: 'no', at: -index }))))).toEqual([
      'event-0',
    ]);
  });

  test('an import of a whole history, newest first, leaves one of each', () => {
    const turns = Array.from({ length: 2_000 }, (_, index): Told => ({
      act: index % 2 === 0 ? 'yes' : 'no',
      at: -index,
      own: false,
    }));
    expect(kept(recordAll(turns))).toEqual(['event-0', 'event-1']);
  });

  test('being asked and being informed again and again leaves one of each', () => {
    const turns = Array.from({ length: 2_000 }, (_, index): Told =>
      index % 2 === 0 ? { act: 'pending', until: index + 50 } : { act: 'informed' },
    );
    expect(kept(recordAll(turns))).toEqual(['event-1998', 'event-1999']);
  });

  test('a yes that would have to be forgotten is refused; a no never is', () => {
    // Each yes outlives the ones before, occurred before them, and holds off a no that they do not.
    const letters = (pairs: number) =>
      Array.from({ length: 2 * pairs }, (_, index): Told => {
        const at = -2 * index;
        return index % 2 === 0 ? { act: 'no', at } : { act: 'yes', at: at + 3, until: 20_000_000 - index };
      });
    const full = recordAll(letters(32));
    expect(kept(full)).toHaveLength(64);
    expect(() => recordAll(letters(33))).toThrow(
      expect.objectContaining({ code: 'consent.too-many-answers', member: 'occurredAt' }) as Error,
    );
    expect(resultOf(recordAll([...letters(32), { act: 'no', at: 1_000 }]))).toBe('deny');
  });
});

describe('What is left out can never matter', () => {
  test('a no for everything stays beside a later one that only a yes to another purpose holds off', () => {
    const answers = recordAll([
      { act: 'no', purpose: '*', at: 5 },
      { act: 'yes', purpose: 'p', at: 6 },
      // These two occurred earlier, but were recorded after the yes for p.
      { act: 'no', purpose: '*', at: 4 },
      { act: 'yes', purpose: 'q', at: 6 },
      { act: 'no', purpose: '*', scope: { platform: 'z' }, at: 0 },
    ]);
    expect(resultOf(answers, 'p')).toBe('deny');
    expect(resultOf(answers, 'q')).toBe('permit');
  });

  test('a no stays beside an earlier one that only a yes for another platform holds off', () => {
    const answers = recordAll([
      { act: 'no', at: 5 },
      { act: 'yes', scope: { platform: 'x' }, at: 6 },
      { act: 'no', at: 4 },
      { act: 'yes', scope: { platform: 'y' }, at: 6 },
      { act: 'no', scope: { platform: 'z' }, at: 0 },
    ]);
    expect(resultOf(answers, 'p', 'x')).toBe('deny');
    expect(resultOf(answers, 'p', 'y')).toBe('permit');
  });

  test('a yes for the older words stays, because an older policy set may become active again', () => {
    const answers = recordAll([
      { act: 'yes', notice: 1 },
      { act: 'yes', notice: 2 },
    ]);
    const under = (...versions: number[]) =>
      consentStatus(answers, 'p', { platform: 'x' }, 10, {
        ...rules,
        notices: versions.map((version) => ({ version })),
      });
    expect(under(1).reliedOn).toBe('event-0');
    expect(under(1, 2).reliedOn).toBe('event-1');
    expect(under(1, 2, 3)).toMatchObject({ result: 'deny', code: 'notice-outdated' });
  });
});

describe('Recording', () => {
  test('nobody can say yes to everything', () => {
    expect(() => recordAll([{ act: 'yes', purpose: '*' }])).toThrow(RangeError);
  });

  test('an event that is not newer than the last is refused, since what was left out might have mattered', () => {
    expect(() =>
      recordAll([
        { act: 'no', seq: 7 },
        { act: 'yes', seq: 7 },
      ]),
    ).toThrow(RangeError);
  });

  test('a no where the basis gives no right to one is a request, and changes nothing', () => {
    expect(recordedAct('no', 'contract')).toBe('request');
    expect(recordedAct('no', 'legal-obligation')).toBe('request');
    for (const basis of ['consent', 'public-task', 'legitimate-interests'] as const) {
      expect(recordedAct('no', basis)).toBe('no');
    }
    expect(recordedAct('yes', 'contract')).toBe('yes');
    const before = recordAll([{ act: 'yes' }]);
    expect(addAnswer(before, { ...answersFor(before, 'p')[0]!, purpose: 'p', act: 'request', seq: 2 })).toBe(before);
  });

  test('the answers given are not changed in place', () => {
    const before = recordAll([{ act: 'yes' }]);
    const copy = structuredClone(before);
    addAnswer(before, { ...answersFor(before, 'p')[0]!, purpose: 'p', act: 'no', seq: 2, at: 5 });
    expect(before).toEqual(copy);
  });

  test('a purpose named like a member of every object has no answers until it is given some', () => {
    expect(answersFor({}, 'constructor')).toEqual([]);
    expect(resultOf({}, 'constructor')).toBe('deny');
    expect(resultOf(recordAll([{ act: 'yes', purpose: 'constructor' }]), 'constructor')).toBe('permit');
  });
});
