import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testClock } from '../../src/kernel/clock.ts';
import { dropVersionComparison, rememberAnswers } from '../support/promises-faults.ts';
import { histories, play, type Stage } from '../support/promises-history.ts';
import { defaultPolicies, type Faults } from '../support/promises-parts.ts';
import { forbidLinksTo, withNewNotice } from '../support/promises-policies.ts';
import { createWorld } from '../support/promises-world.ts';

/** Promise 4. `PROMISE_RUNS` is the number of histories, and `PROMISE_SEED` repeats a run. */
const runs = Number(process.env['PROMISE_RUNS'] ?? 100);
const seed = Number(process.env['PROMISE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const setStage = async (faults: Faults = {}): Promise<Stage> => {
  const base = await defaultPolicies();
  const clock = testClock('2010-01-01T00:00:00Z');
  return {
    world: await createWorld(faults, clock),
    clock,
    sets: {
      base,
      'nothing-on-facebook': forbidLinksTo(base, 'facebook'),
      'new-notice': withNewNotice(base, 'profile-linking'),
    },
    tally: new Map(),
    played: 0,
  };
};

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.world.close());

test(
  'whatever happened, exactly that is permitted and linked which the whole history allows, and nothing widens it',
  async () => {
    console.log(`never widens: ${runs} histories, seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(histories, (steps) => play(stage, steps)),
      { numRuns: runs, seed },
    );
    console.log(`never widens: ${[...stage.tally].map(([name, times]) => `${times} ${name}`).join(', ')}`);
  },
  30 * 60_000,
);

test('a link behind a nickname ends with the yes that named the platform, though a broader one lasts', () => {
  const yes = { do: 'yes', who: 'crm0', method: 'app', notice: 1, times: 1 } as const;
  const linking = (scope: Record<string, string>) => ({ purpose: 'profile-linking' as const, scope });
  return play(stage, [
    { do: 'register', customer: 0, also: 'email' },
    { ...yes, about: linking({ platform: 'youtube' }), late: 365 * 24 * 3_600_000 },
    { ...yes, about: linking({}), late: 0 },
    { do: 'prove', customer: 0, account: 'youtube' },
    { do: 'link', customer: 0, account: 'youtube', system: 'crm', chain: [], wait: 0, diesAfter: undefined },
    { do: 'sweep' },
    { do: 'sweep' },
    { do: 'pass', ms: 400 * 24 * 3_600_000 },
    { do: 'sweep' },
  ]);
});

test('a link to an account that is registered with its customer is one link', () =>
  play(stage, [
    { do: 'register', customer: 0, also: 'youtube' },
    { do: 'ready', customer: 0, account: 'youtube', narrow: true },
    { do: 'link', customer: 0, account: 'youtube', system: 'crm', chain: [], wait: 0, diesAfter: undefined },
    { do: 'unlink', which: 0, side: 'account' },
    { do: 'sweep' },
    { do: 'acknowledge' },
  ]));

test('what a dying instance left behind is completed by a sweep, or given up after a no', async () => {
  const dies = { do: 'link', customer: 0, account: 'x', system: 'crm', chain: [], wait: 0, diesAfter: 1 } as const;
  const begins = [
    { do: 'register', customer: 0, also: 'x' },
    { do: 'ready', customer: 0, account: 'x', narrow: true },
    dies,
  ] as const;
  const later = [{ do: 'pass', ms: 61_000 }, { do: 'sweep' }, { do: 'sweep' }] as const;
  await play(stage, [...begins, ...later]);
  const no = { do: 'no', who: 'x', action: 'withdraw', late: 0, method: 'app' } as const;
  await play(stage, [...begins, { ...no, about: { purpose: 'profile-linking', scope: {} } }, ...later]);
});

test('these histories were about something', () => {
  // A property that was never asked about anything holds always.
  const times = (name: string) => stage.tally.get(name) ?? 0;
  for (const kind of ['link', 'enrich', 'newsletter', 'retain', 'answer-by-program'])
    for (const outcome of ['permitted', 'denied'])
      expect(times(`${kind} ${outcome}`), `${kind} ${outcome}`).toBeGreaterThan(runs / 10);
  for (const happened of ['confirmed', 'refused', 'left pending', 'suspended', 'against a no'])
    expect(times(`links ${happened}`), happened).toBeGreaterThan(0);
});

test.each<[string, Faults]>([
  ['commits no longer compare versions', { database: dropVersionComparison }],
  ['checks may be answered with what was read a moment ago', { reader: (reader) => rememberAnswers(reader, 2_000) }],
])('the histories notice when %s', async (_name, faults) => {
  const faulty = await setStage(faults);
  try {
    const { failed, numRuns, errorInstance } = await fc.check(
      fc.asyncProperty(histories, (steps) => play(faulty, steps)),
      { numRuns: 150, seed, endOnFailure: true },
    );
    expect(failed).toBe(true);
    // It fails on what was permitted or linked, not on something that broke with the fault.
    expect(String(errorInstance)).toMatch(/expected (true|false) to be|links after step|a confirmation/);
    console.log(`never widens: noticed in history ${numRuns}`);
  } finally {
    await faulty.world.close();
  }
});
