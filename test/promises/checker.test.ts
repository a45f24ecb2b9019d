import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findViolations, type Seen, type Violation } from '../support/promises-checker.ts';

/** The judge of test/promises/no-stale-permit.test.ts has to find what is broken and to leave alone what some order explains. */

const nothing: Seen = { sayings: [], checks: [], confirmations: [], looks: [] };
const promisesBroken = (seen: Partial<Seen>): Violation['promise'][] =>
  findViolations({ ...nothing, ...seen }).map(({ promise }) => promise);

const yes = { side: 'customer', act: 'yes' } as const;
const no = { side: 'customer', act: 'no' } as const;
const permit = { permit: true } as const;

describe('a permit', () => {
  const broken = ['a check that started after an acknowledged no was permitted'];

  test('after an acknowledged no is broken', () => {
    const sayings = [{ ...no, start: 0, end: 10 }];
    expect(promisesBroken({ sayings, checks: [{ ...permit, start: 10, end: 12 }] })).toEqual(broken);
    expect(promisesBroken({ sayings, checks: [{ ...permit, start: 11, end: 12 }] })).toEqual(broken);
  });

  test('that was asked for before the acknowledgement may be answered later', () => {
    const sayings = [{ ...no, start: 0, end: 10 }];
    expect(promisesBroken({ sayings, checks: [{ ...permit, start: 9, end: 99 }] })).toEqual([]);
  });

  test('after a no whose answer never came proves nothing', () => {
    expect(promisesBroken({ sayings: [{ ...no, start: 0 }], checks: [{ ...permit, start: 50, end: 60 }] })).toEqual([]);
  });

  test('a denial never breaks anything', () => {
    expect(
      promisesBroken({ sayings: [{ ...no, start: 0, end: 10 }], checks: [{ permit: false, start: 20, end: 30 }] }),
    ).toEqual([]);
  });

  test('is explained by a yes that began before its answer, also by one that is unanswered', () => {
    const checks = [{ ...permit, start: 20, end: 30 }];
    const said = { ...no, start: 0, end: 10 };
    expect(promisesBroken({ sayings: [said, { ...yes, start: 12, end: 15 }], checks })).toEqual([]);
    expect(promisesBroken({ sayings: [said, { ...yes, start: 29, end: 40 }], checks })).toEqual([]);
    expect(promisesBroken({ sayings: [said, { ...yes, start: 29 }], checks })).toEqual([]);
  });

  test('is not explained by a yes that began after its answer, nor by one that was over before the no began', () => {
    const checks = [{ ...permit, start: 20, end: 30 }];
    const said = { ...no, start: 5, end: 10 };
    expect(promisesBroken({ sayings: [said, { ...yes, start: 31, end: 40 }], checks })).toEqual(broken);
    expect(promisesBroken({ sayings: [said, { ...yes, start: 0, end: 4 }], checks })).toEqual(broken);
  });

  test('a yes that overlapped the no explains it, unless the service itself put it before the no', () => {
    const checks = [{ ...permit, start: 20, end: 30 }];
    const overlap = (yesSeq: number, noSeq: number) => [
      { ...no, start: 5, end: 10, seq: noSeq },
      { ...yes, start: 6, end: 9, seq: yesSeq },
    ];
    expect(promisesBroken({ sayings: overlap(3, 2), checks })).toEqual([]);
    expect(promisesBroken({ sayings: overlap(2, 3), checks })).toEqual(broken);
  });

  test('every no needs a yes, and each side its own', () => {
    const checks = [{ ...permit, start: 50, end: 60 }];
    const both = [
      { ...no, start: 0, end: 10 },
      { ...yes, start: 20, end: 25 },
      { ...no, start: 30, end: 40 },
    ];
    expect(promisesBroken({ sayings: both, checks })).toEqual(broken);
    const sides = [
      { ...no, side: 'account' as const, start: 0, end: 10 },
      { ...yes, start: 20, end: 25 },
    ];
    expect(promisesBroken({ sayings: sides, checks })).toEqual(broken);
    expect(promisesBroken({ sayings: [...sides, { ...yes, side: 'account', start: 41, end: 42 }], checks })).toEqual(
      [],
    );
  });
});

describe('a confirmation', () => {
  const check = { ...permit, start: 0, end: 5 };
  const linked = { linkId: 'l', check, linked: true } as const;

  test('after an acknowledged no is broken twice: it had no ground, and its lease was void', () => {
    expect(
      promisesBroken({ sayings: [{ ...no, start: 6, end: 10 }], confirmations: [{ ...linked, start: 11, end: 20 }] }),
    ).toEqual([
      'a confirmation that started after an acknowledged no succeeded',
      'a lease from before an acknowledged no was confirmed after it',
    ]);
  });

  test('of a lease from before a no is broken also where a new yes followed', () => {
    const sayings = [
      { ...no, start: 6, end: 10 },
      { ...yes, start: 11, end: 12 },
    ];
    expect(promisesBroken({ sayings, confirmations: [{ ...linked, start: 13, end: 20 }] })).toEqual([
      'a lease from before an acknowledged no was confirmed after it',
    ]);
  });

  test('is right where the no may have come before the permit, or was not acknowledged when it began', () => {
    const renewed = { ...yes, start: 3, end: 4 };
    expect(
      promisesBroken({
        sayings: [{ ...no, start: 1, end: 6 }, renewed],
        confirmations: [{ ...linked, start: 7, end: 9 }],
      }),
    ).toEqual([]);
    expect(
      promisesBroken({ sayings: [{ ...no, start: 6, end: 10 }], confirmations: [{ ...linked, start: 9, end: 30 }] }),
    ).toEqual([]);
  });

  test('that was refused breaks nothing', () => {
    expect(
      promisesBroken({
        sayings: [{ ...no, start: 6, end: 10 }],
        confirmations: [{ ...linked, linked: false, start: 11, end: 20 }],
      }),
    ).toEqual([]);
  });
});

describe('a link', () => {
  const check = { ...permit, start: 0, end: 5 };
  const confirmed = { linkId: 'l', check, linked: true, start: 6, end: 8 } as const;

  test('that is shown as active after an acknowledged no is broken', () => {
    expect(
      promisesBroken({
        sayings: [{ ...no, start: 10, end: 20 }],
        confirmations: [confirmed],
        looks: [{ start: 21, end: 22, active: ['l'] }],
      }),
    ).toEqual([
      'a link was active after an acknowledged no',
      'a link from before an acknowledged no was active after it',
    ]);
  });

  test('does not come to life again by a new yes', () => {
    expect(
      promisesBroken({
        sayings: [
          { ...no, start: 10, end: 20 },
          { ...yes, start: 21, end: 22 },
        ],
        confirmations: [confirmed],
        looks: [{ start: 30, end: 31, active: ['l'] }],
      }),
    ).toEqual(['a link from before an acknowledged no was active after it']);
  });

  test('may be active where its confirmation overlapped the no or was never answered', () => {
    const sayings = [
      { ...no, start: 7, end: 20 },
      { ...yes, start: 8, end: 22 },
    ];
    const looks = [{ start: 30, end: 31, active: ['l'] }];
    expect(promisesBroken({ sayings, confirmations: [confirmed], looks })).toEqual([]);
    expect(promisesBroken({ sayings, confirmations: [{ ...confirmed, end: undefined, start: 1 }], looks })).toEqual([]);
  });
});

describe('the order', () => {
  test('two answers in one place are broken', () => {
    const sayings = [
      { ...no, start: 0, end: 10, seq: 4 },
      { ...yes, start: 5, end: 12, seq: 4 },
    ];
    expect(promisesBroken({ sayings })).toEqual(['two acknowledged answers have the same place']);
    expect(promisesBroken({ sayings: [sayings[0]!, { ...sayings[1]!, side: 'account' }] })).toEqual([]);
  });

  test('an answer before one that was acknowledged before it began is broken', () => {
    const sayings = [
      { ...no, start: 0, end: 10, seq: 4 },
      { ...yes, start: 11, end: 12, seq: 3 },
    ];
    expect(promisesBroken({ sayings })).toEqual([
      'an answer has a place before one that was acknowledged before it began',
    ]);
    expect(promisesBroken({ sayings: [sayings[0]!, { ...sayings[1]!, start: 9 }] })).toEqual([]);
  });
});

/** A service that is right by construction: each call takes effect at one moment within its interval, in one order. */
const honest = fc
  .array(
    fc.record({
      kind: fc.constantFrom('yes', 'no', 'check', 'link', 'look'),
      side: fc.constantFrom('customer' as const, 'account' as const),
      at: fc.integer({ min: 0, max: 200 }),
      before: fc.nat(15),
      after: fc.nat(15),
      lost: fc.boolean(),
      wait: fc.nat(20),
    }),
    { maxLength: 60 },
  )
  .map((calls): Seen => {
    const seen = { sayings: [], checks: [], confirmations: [], looks: [] } as {
      -readonly [K in keyof Seen]: Seen[K][number][];
    };
    const isNo = { customer: false, account: false };
    let noes = 0;
    let active: string[] = [];
    const acts: { at: number; run(): void }[] = calls.map(({ kind, side, at, before, after, lost, wait }, index) => ({
      at,
      run: () => {
        const start = at - before;
        const end = at + after + 1;
        const permitted = !isNo.customer && !isNo.account;
        if (kind === 'yes' || kind === 'no') {
          isNo[side] = kind === 'no';
          if (kind === 'no') {
            noes++;
            active = [];
          }
          const place = seen.sayings.length + 1;
          seen.sayings.push({ side, act: kind, start, ...(lost ? {} : { end, seq: place }) });
        } else if (kind === 'look') seen.looks.push({ start, end, active });
        else {
          const check = { start, end, permit: permitted };
          seen.checks.push(check);
          if (kind === 'check' || !permitted) return;
          const granted = noes;
          const confirmedAt = end + wait;
          later.push({
            at: confirmedAt,
            run: () => {
              const linked = noes === granted && !isNo.customer && !isNo.account;
              if (linked) active = [...active, `l${index}`];
              const answered = lost ? {} : { end: confirmedAt + after };
              seen.confirmations.push({ start: end, ...answered, linkId: `l${index}`, check, linked: linked && !lost });
            },
          });
        }
      },
    }));
    const later: typeof acts = [];
    const queue = acts.toSorted((one, other) => one.at - other.at);
    while (queue.length > 0 || later.length > 0) {
      later.sort((one, other) => one.at - other.at);
      const next = later.length > 0 && (queue.length === 0 || later[0]!.at < queue[0]!.at) ? later : queue;
      next.shift()!.run();
    }
    return seen;
  });

test('an honest service is never accused, whatever overlapped and whatever answer was lost', () => {
  fc.assert(
    fc.property(honest, (seen) => {
      expect(findViolations(seen)).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});

test('of an honest history one permit made up after an acknowledged no is found', () => {
  fc.assert(
    fc.property(honest, (seen) => {
      const acknowledged = seen.sayings.filter(({ act, end }) => act === 'no' && end !== undefined);
      const last = acknowledged.at(-1);
      fc.pre(last !== undefined);
      const answeredBy = last!.end!;
      fc.pre(
        !seen.sayings.some(
          ({ act, side, end }) => act === 'yes' && side === last!.side && (end ?? Infinity) >= last!.start,
        ),
      );
      const check = { start: answeredBy, end: answeredBy + 1, permit: true };
      expect(findViolations({ ...seen, checks: [...seen.checks, check] })).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});
