import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addAnswer, type Answers, type ConsentEvent, type Scope } from '../src/consent/answers.ts';
import { consentOverview } from '../src/consent/consent-overview.ts';
import { consentStatus, type ConsentStatus, type PurposeRules } from '../src/consent/consent-status.ts';
import {
  arbitraryEvent,
  arbitraryHistory,
  arbitraryLetter,
  arbitraryRules,
  questionsAbout,
  recorded,
} from './support/consent-arbitraries.ts';
import { referenceStatus, type ReferenceAnswer } from './support/consent-reference.ts';

const fold = (history: readonly ConsentEvent[]): Answers => history.reduce<Answers>(addAnswer, {});

/** What the service may answer where the reference says this; anything else is named. */
const disagreement = (
  history: readonly ConsentEvent[],
  status: ConsentStatus,
  expected: ReferenceAnswer,
  scope: Scope,
): string | undefined => {
  if (status.result !== expected.result || status.code !== expected.code) return 'another answer';
  if ((status.ask ?? false) !== expected.ask) return 'asks where it need not, or not where it should';
  const relied = history.find((event) => event.id === status.reliedOn);
  if (relied ? !expected.reliedOn.includes(relied.id) : expected.reliedOn.length > 0) return 'relies on another event';
  const isBroader = relied && Object.keys(relied.scope).length < Object.keys(scope).length;
  const inheritedFrom = relied?.purpose === '*' ? 'everything' : isBroader ? 'broader-scope' : undefined;
  if (status.inheritedFrom !== inheritedFrom || status.scope !== relied?.scope) return 'shows another origin';
  return undefined;
};

/** Asks the service and the reference, which must agree. */
const ask = (history: readonly ConsentEvent[], purpose: string, scope: Scope, at: number, rules: PurposeRules) => {
  const status = consentStatus(fold(history), purpose, scope, at, rules);
  const expected = referenceStatus(history, purpose, scope, at, rules);
  expect({ status, differs: disagreement(history, status, expected, scope) }).toEqual({ status, differs: undefined });
  return status;
};

/** Asks every question of that small world; returns the first on which service and reference differ. */
const firstDisagreement = (history: readonly ConsentEvent[], rules: PurposeRules): unknown => {
  const answers = fold(history);
  for (const { purpose, scope, at } of questionsAbout(history)) {
    const status = consentStatus(answers, purpose, scope, at, rules);
    const expected = referenceStatus(history, purpose, scope, at, rules);
    const differs = disagreement(history, status, expected, scope);
    if (differs) return { differs, purpose, scope, at, status, expected };
  }
  return undefined;
};

describe('Histories that must come out so', () => {
  const linking: PurposeRules = {
    legalBasis: 'consent',
    dimensions: ['platform'],
    notices: [{ version: 1 }],
    renewOnNewNotice: true,
  };
  const newsletter: PurposeRules = { ...linking, dimensions: ['channel', 'topic'] };
  const X = { platform: 'X' };
  const later = 100;

  /** The k-th event occurs at k unless told otherwise, and is recorded as the k-th. */
  const history = (...events: (Partial<ConsentEvent> & Pick<ConsentEvent, 'act' | 'scope'>)[]): ConsentEvent[] =>
    events.map((event, index) => ({
      purpose: 'p',
      at: index,
      seq: index + 1,
      id: `event-${index}`,
      rank: 'self',
      own: true,
      notice: 1,
      ...event,
    }));
  const answer = (events: ConsentEvent[], scope: Scope, rules = linking, at = later) =>
    ask(events, 'p', scope, at, rules).result;

  test('yes all, no X, yes all -> X deny, "except X" shown', () => {
    const events = history({ act: 'yes', scope: {} }, { act: 'no', scope: X }, { act: 'yes', scope: {} });
    expect(answer(events, X)).toBe('deny');
    expect(answer(events, { platform: 'Y' })).toBe('permit');
    const [all, onlyX] = consentOverview(fold(events), 'p', later, linking);
    expect(all).toMatchObject({ scope: {}, status: { result: 'permit' } });
    expect(all!.exceptions).toMatchObject([
      { scope: X, status: { result: 'deny', code: 'live-no', reliedOn: 'event-1' } },
    ]);
    expect(onlyX).toMatchObject({ scope: X, status: { result: 'deny' }, exceptions: [] });
  });

  test('yes X, no all, yes all -> X permit', () => {
    const events = history({ act: 'yes', scope: X }, { act: 'no', scope: {} }, { act: 'yes', scope: {} });
    expect(answer(events, X)).toBe('permit');
  });

  test('no all, yes X -> X permit', () => {
    const events = history({ act: 'no', scope: {} }, { act: 'yes', scope: X });
    expect(answer(events, X)).toBe('permit');
    expect(answer(events, { platform: 'Y' })).toBe('deny');
  });

  const email = { channel: 'email' };
  const emailEvents = { channel: 'email', topic: 'events' };

  test('yes for e-mail without topic, asked for e-mail + events -> permit (the yes covers); asked without the topic -> deny', () => {
    const events = history({ act: 'yes', scope: email });
    expect(answer(events, emailEvents, newsletter)).toBe('permit');
    expect(answer(events, email, newsletter)).toBe('deny');
    expect(ask(events, 'p', email, later, newsletter)).toEqual({
      result: 'deny',
      code: 'scope-missing',
      missing: 'topic',
    });
  });

  test('no to events, then yes to e-mail, asked for e-mail + events -> deny', () => {
    const events = history({ act: 'no', scope: { topic: 'events' } }, { act: 'yes', scope: email });
    expect(answer(events, emailEvents, newsletter)).toBe('deny');
    expect(answer(events, { channel: 'email', topic: 'offers' }, newsletter)).toBe('permit');
  });

  test('no e-mail, yes e-mail + events -> events permit', () => {
    const events = history({ act: 'no', scope: email }, { act: 'yes', scope: emailEvents });
    expect(answer(events, emailEvents, newsletter)).toBe('permit');
    expect(answer(events, { channel: 'email', topic: 'offers' }, newsletter)).toBe('deny');
  });

  test.for([{ purpose: '*' }, { purpose: 'p' }])(
    'objection to all, yes X that expires -> X deny (objection to $purpose)',
    ({ purpose }) => {
      const events = history({ act: 'no', objection: true, scope: {}, purpose }, { act: 'yes', scope: X, until: 10 });
      expect(answer(events, X, linking, 9)).toBe('permit');
      expect(answer(events, X, linking, 10)).toBe('deny');
    },
  );

  test('a letter of Monday with a no, recorded Wednesday, after a yes of Tuesday -> deny and ask', () => {
    const [monday, tuesday] = [1, 2];
    const events = history({ act: 'yes', scope: X, at: tuesday }, { act: 'no', scope: X, at: monday });
    expect(ask(events, 'p', X, later, linking)).toMatchObject({ result: 'deny', code: 'live-no', ask: true });
  });

  test('no, then an import dated later -> deny', () => {
    const events = history({ act: 'no', scope: X }, { act: 'yes', scope: X, at: 50, own: false });
    expect(answer(events, X)).toBe('deny');
  });

  test('guardian yes, child no, guardian yes -> deny', () => {
    const guardian = { rank: 'guardian', guardianOk: true } as const;
    const events = history(
      { act: 'yes', scope: X, ...guardian },
      { act: 'no', scope: X },
      { act: 'yes', scope: X, ...guardian },
    );
    expect(answer(events.slice(0, 1), X)).toBe('permit');
    expect(answer(events, X)).toBe('deny');
  });

  test.for(['the record with the no', 'the record with the yes'])(
    'merge of a no with a later yes of the other -> deny (merged into %s)',
    (into) => {
      // A merge records what the other record held: under its own time of occurrence, but as nobody's own act.
      const events =
        into === 'the record with the no'
          ? history({ act: 'no', scope: X }, { act: 'yes', scope: X, own: false })
          : history({ act: 'yes', scope: X, at: 1 }, { act: 'no', scope: X, at: 0, own: false });
      expect(answer(events, X)).toBe('deny');
    },
  );

  test('a yes at the very moment of a no -> deny: a tie is a no', () => {
    const events = history({ act: 'no', scope: X, at: 1 }, { act: 'yes', scope: X, at: 1 });
    expect(answer(events, X)).toBe('deny');
  });

  test('"no to everything" covers a purpose that comes later, except contract and legal obligation', () => {
    const events = history({ act: 'no', scope: {}, purpose: '*' }, { act: 'informed', scope: {}, purpose: 'p' });
    const resultUnder = (legalBasis: PurposeRules['legalBasis']) => answer(events, X, { ...linking, legalBasis });
    expect(resultUnder('consent')).toBe('deny');
    expect(resultUnder('public-task')).toBe('deny');
    expect(resultUnder('legitimate-interests')).toBe('deny');
    expect(resultUnder('contract')).toBe('permit');
    expect(resultUnder('legal-obligation')).toBe('permit');
  });
});

describe('Over random histories', () => {
  test('what is kept of a history answers every check as the whole history would', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(arbitraryHistory(0, 12), arbitraryRules, (history, rules) => {
        expect(firstDisagreement(history, rules)).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });

  test('what is kept answers as the whole history would in long histories too', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(arbitraryHistory(30, 60), arbitraryRules, (history, rules) => {
        expect(firstDisagreement(history, rules)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('what is kept answers as the whole history would when letters arrive in any order', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(arbitraryHistory(4, 12, arbitraryLetter), arbitraryRules, (history, rules) => {
        expect(firstDisagreement(history, rules)).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });

  test('the moment at which a permit will end is told exactly', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(arbitraryHistory(0, 12), arbitraryRules, (history, rules) => {
        const answers = fold(history);
        for (const { purpose, scope, at } of questionsAbout(history)) {
          const { result, until } = consentStatus(answers, purpose, scope, at, rules);
          if (result === 'deny') {
            expect(until).toBeUndefined();
            continue;
          }
          const resultAt = (moment: number) => referenceStatus(history, purpose, scope, moment, rules).result;
          const end = until ?? 1_000;
          expect(end).toBeGreaterThan(at);
          expect(resultAt(end - 0.5)).toBe('permit');
          if (until !== undefined) expect(resultAt(until)).toBe('deny');
        }
      }),
      { numRuns: 3_000 },
    );
  });

  /** Every check whose answer the one further event changes from deny to permit. */
  const widenedBy = (
    history: readonly ConsentEvent[],
    further: ConsentEvent,
    rules: PurposeRules,
  ): { before: string; after: string }[] => {
    const before = fold(history);
    const after = addAnswer(before, further);
    return questionsAbout(history)
      .map(({ purpose, scope, at }) => ({
        before: consentStatus(before, purpose, scope, at, rules),
        after: consentStatus(after, purpose, scope, at, rules),
      }))
      .filter(({ before, after }) => before.result === 'deny' && after.result === 'permit')
      .map(({ before, after }) => ({ before: before.code, after: after.code }));
  };

  test('no event but a yes turns a deny into a permit, except that informing permits where no consent is needed', () => {
    fc.assert(
      fc.property(arbitraryHistory(0, 10), arbitraryEvent, arbitraryRules, (history, event, rules) => {
        fc.pre(event.act !== 'yes');
        const widened = widenedBy(history, recorded(history, event), rules);
        if (event.act !== 'informed' || rules.legalBasis === 'consent') expect(widened).toEqual([]);
        for (const change of widened) {
          expect(change.before).not.toBe('live-no');
          expect(change.after).toBe('informed');
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('no import and no merge turns a deny by a live no into a permit', () => {
    fc.assert(
      fc.property(arbitraryHistory(0, 10), arbitraryEvent, arbitraryRules, (history, event, rules) => {
        fc.pre(event.act === 'yes');
        const widened = widenedBy(history, recorded(history, { ...event, own: false }), rules);
        expect(widened.filter(({ before }) => before === 'live-no')).toEqual([]);
      }),
      { numRuns: 3_000 },
    );
  });

  test('a pending yes and a request change no answer', () => {
    fc.assert(
      fc.property(
        arbitraryHistory(0, 10),
        arbitraryEvent,
        arbitraryRules,
        fc.constantFrom('pending' as const, 'request' as const),
        (history, event, rules, act) => {
          const before = fold(history);
          const after = addAnswer(before, recorded(history, { ...event, purpose: 'p', act }));
          for (const { purpose, scope, at } of questionsAbout(history)) {
            expect(consentStatus(after, purpose, scope, at, rules).result).toBe(
              consentStatus(before, purpose, scope, at, rules).result,
            );
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('the passing of time alone never turns a deny into a permit', () => {
    fc.assert(
      fc.property(arbitraryHistory(0, 10), arbitraryRules, (history, rules) => {
        const answers = fold(history);
        for (const { purpose, scope, at } of questionsAbout(history)) {
          if (consentStatus(answers, purpose, scope, at, rules).result === 'permit') continue;
          expect(consentStatus(answers, purpose, scope, at + 3, rules).result).toBe('deny');
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
