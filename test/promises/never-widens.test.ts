import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testClock } from '../../src/kernel/clock.ts';
import { dropVersionComparison, rememberAnswers, widerAnswers } from '../support/promises-faults.ts';
import { answersOnly, histories, play, type Stage } from '../support/promises-history.ts';
import { defaultPolicies, type Faults } from '../support/promises-parts.ts';
import {
  endedByGpc,
  forbidLinksTo,
  onConsent,
  withCorrectedNotice,
  withNewNotice,
  withRetired,
} from '../support/promises-policies.ts';
import { createWorld } from '../support/promises-world.ts';

/** Promise 4. `PROMISE_RUNS` is the number of histories, and `PROMISE_SEED` repeats a run. */
const runs = Number(process.env['PROMISE_RUNS'] ?? 50);
const seed = Number(process.env['PROMISE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const setStage = async (faults: Faults = {}): Promise<Stage> => {
  const base = endedByGpc(endedByGpc(await defaultPolicies(), 'newsletter'), 'profile-enrichment');
  // A notice was wrong, and what rested on legitimate interests is asked for.
  const revised = withCorrectedNotice(
    withCorrectedNotice(onConsent(base, 'automated-reply'), 'automated-reply'),
    'newsletter',
  );
  const clock = testClock('2010-01-01T00:00:00Z');
  return {
    world: await createWorld(faults, clock),
    clock,
    sets: {
      base,
      'nothing-on-facebook': forbidLinksTo(base, 'facebook'),
      'new-notice': withNewNotice(base, 'profile-linking'),
      revised,
      retired: withRetired(revised, 'profile-enrichment'),
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
    await fc.assert(
      fc.asyncProperty(answersOnly, (steps) => play(stage, steps)),
      { numRuns: runs / 2, seed },
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

test('what was corrected, asked for since or retired stays so, and old answers to it count no more', () => {
  const news = { do: 'alike', about: { purpose: 'newsletter', scope: {} } } as const;
  const profile = { do: 'alike', about: { purpose: 'profile-enrichment', scope: {} } } as const;
  const activate = (variant: 'base' | 'revised' | 'retired') => ({ do: 'activate', variant }) as const;
  const automated = { purpose: 'automated-reply', scope: {} } as const;
  const later = { do: 'pass', ms: 1 } as const;
  return play(stage, [
    news,
    profile,
    { do: 'yes', who: 'crm0', about: automated, late: 0, method: 'app', notice: 1, times: 1 } as const,
    activate('revised'),
    activate('base'),
    later,
    news,
    activate('retired'),
    activate('revised'),
    profile,
  ]);
});

test('a merge that dies on its way permits no more, whatever is said meanwhile, and can be completed', async () => {
  const alike = { do: 'alike', about: { purpose: 'newsletter', scope: {} } } as const;
  const only = { do: 'yes', who: 'crm1', about: { purpose: 'profile-enrichment', scope: {} }, late: 0 } as const;
  const later = { do: 'pass', ms: 1 } as const;
  for (const diesAfter of [undefined, 0, 1, 2] as const)
    await play(stage, [
      alike,
      { ...only, method: 'app', notice: 1, times: 1 } as const,
      { do: 'signal', customer: 1, on: true } as const,
      later,
      alike,
      { do: 'merge', into: 0, diesAfter },
      later,
      { do: 'no', who: 'crm1', action: 'withdraw', late: 0, method: 'app', about: alike.about } as const,
      { do: 'merge', into: 0, diesAfter: undefined },
      later,
      alike,
    ]);
});

test('these histories were about something', () => {
  // A property that was never asked about anything holds always.
  const times = (name: string) => stage.tally.get(name) ?? 0;
  for (const kind of ['link', 'enrich', 'newsletter', 'retain', 'answer-by-program'])
    for (const outcome of ['permitted', 'denied'])
      expect(times(`${kind} ${outcome}`), `${kind} ${outcome}`).toBeGreaterThan(runs / 10);
  for (const happened of ['confirmed', 'refused', 'left pending', 'suspended', 'against a no'])
    expect(times(`links ${happened}`), happened).toBeGreaterThan(0);
  for (const happened of [
    'codes confirmed',
    'codes refused',
    'permits by opt-in',
    'guardians heard',
    'permits by child',
    'signal on',
    'permitted despite a signal',
    'merges moved',
    'permitted after a merge',
    'ask permitted',
    'policy sets revised',
    'policy sets retired',
    'policy sets refused',
  ])
    expect(times(happened), happened).toBeGreaterThan(0);
});

test.each<[string, typeof histories, Faults]>([
  ['commits no longer compare versions', histories, { database: dropVersionComparison }],
  [
    'checks may be answered with what was read a moment ago',
    histories,
    { reader: (reader) => rememberAnswers(reader, 2_000) },
  ],
  ...Object.entries(widerAnswers).map(
    ([name, database]) => [name, answersOnly, { database }] as [string, typeof histories, Faults],
  ),
])('the histories notice when %s', async (_name, about, faults) => {
  const faulty = await setStage(faults);
  try {
    const { failed, numRuns, errorInstance } = await fc.check(
      fc.asyncProperty(about, (steps) => play(faulty, steps)),
      { numRuns: 400, seed, endOnFailure: true },
    );
    expect(failed).toBe(true);
    // It fails on what was permitted or linked, not on something that broke with the fault.
    expect(String(errorInstance)).toMatch(
      /expected (true|false) to be|links after step|a confirmation|widened by|to be 'consent|to include/,
    );
    console.log(`never widens: noticed in history ${numRuns}`);
  } finally {
    await faulty.world.close();
  }
});
