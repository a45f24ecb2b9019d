import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addAnswer, type Answers, type Scope } from '../src/consent/answers.ts';
import { consentStatus } from '../src/consent/consent-status.ts';
import { ActivationWidens, assertNotWider } from '../src/policies/assert-not-wider.ts';
import { purposeSchema, type Platform, type Purpose } from '../src/policies/schema.ts';
import { arbitraryHistory, questionsAbout } from './support/consent-arbitraries.ts';

/** Promise 4 for the activation of a policy set: what a person's answers deny before it, they deny after it. */

/** What may differ from one set to the next. */
type Variant = {
  legalBasis: 'consent' | 'legitimate-interests';
  newest: number;
  corrects: readonly number[];
  renewOnNewNotice: boolean;
  retired: boolean;
  actions: readonly string[];
  dimensions: readonly ('platform' | 'channel')[];
  channels: readonly string[];
  platforms: readonly string[];
};

const some = <T>(items: T[]) => fc.subarray(items, { minLength: 1 });
const variants = {
  legalBasis: fc.constantFrom('consent' as const, 'consent' as const, 'legitimate-interests' as const),
  newest: fc.integer({ min: 1, max: 3 }),
  corrects: fc.subarray([1, 2]),
  renewOnNewNotice: fc.boolean(),
  retired: fc.constantFrom(false, false, false, true),
  actions: some(['contact', 'reply', 'share']),
  dimensions: fc.constantFrom(['platform' as const, 'channel' as const], ['platform' as const], []),
  channels: some(['email', 'phone']),
  platforms: some(['x', 'y']),
} satisfies { [member in keyof Variant]: fc.Arbitrary<Variant[member]> };
const variant: fc.Arbitrary<Variant> = fc.record(variants);

/** The second differs from the first in some members only: of two that have nothing in common hardly any may follow the other. */
const pair = fc
  .tuple(variant, variant, fc.subarray(Object.keys(variants) as (keyof Variant)[], { maxLength: 4 }))
  .map(([before, other, changed]): [Variant, Variant] => {
    const differs = Object.fromEntries(changed.map((member) => [member, other[member]]));
    return [before, { ...before, ...differs }];
  });

const words = (text: string) => ({ de: text, fr: text, it: text, en: text });
const setOf = (is: Variant) => {
  const corrects = is.corrects.filter((version) => version < is.newest);
  const purpose = purposeSchema.parse({
    id: 'p',
    title: words('P'),
    legalBasis: is.legalBasis,
    balancingTest: words('Weighed.'),
    dimensions: is.dimensions,
    values: is.dimensions.includes('channel') ? { channel: is.channels } : {},
    notices: Array.from({ length: is.newest }, (_, index) => ({
      version: index + 1,
      since: '2026-01-01',
      text: words(`Words ${index + 1}.`),
      summary: words('Words.'),
      ...(index + 1 === is.newest && corrects.length > 0 && { corrects }),
    })),
    renewOnNewNotice: is.renewOnNewNotice,
    ...(is.retired && { retired: '2026-06-01' }),
    dataCategories: ['account-id'],
    actions: is.actions,
  });
  return {
    purposes: new Map([['p', purpose]]),
    platforms: new Map(is.platforms.map((id) => [id, { id } as Platform])),
  };
};
type Set = ReturnType<typeof setOf>;

const mayFollow = (before: Set, after: Set): boolean => {
  try {
    assertNotWider(before, after);
    return true;
  } catch (error) {
    if (!(error instanceof ActivationWidens)) throw error;
    return false;
  }
};

/** What the answers permit, as far as it hangs on the purpose: not on rules, grants or the state of the person. */
const statusOf = ({ purposes, platforms }: Set, answers: Answers, action: string, asked: Scope, at: number) => {
  const purpose: Purpose = purposes.get('p')!;
  const scope: Scope = Object.fromEntries(purpose.dimensions.map((dimension) => [dimension, asked[dimension]]));
  const exists =
    (scope.platform === undefined || platforms.has(scope.platform)) &&
    (scope.channel === undefined || purpose.values.channel!.includes(scope.channel));
  if (purpose.retired || !exists || !purpose.actions.includes(action as Purpose['actions'][number])) return undefined;
  const status = consentStatus(answers, 'p', scope, at, purpose);
  return status.result === 'permit' ? status : undefined;
};

test(
  'no policy set that may follow another permits what the answers recorded under the other denied, to nobody, for no act',
  { timeout: 60_000 },
  () => {
    const seen = { accepted: 0, refused: 0, permitted: 0, ended: 0 };
    fc.assert(
      fc.property(pair, arbitraryHistory(1, 8), ([first, second], events) => {
        const [before, after] = [setOf(first), setOf(second)];
        if (!mayFollow(before, after)) return void (seen.refused += 1);
        seen.accepted += 1;
        // Whoever said something was shown words that the set before had.
        const history = events.map((event) => ({ ...event, notice: Math.min(event.notice, first.newest) }));
        const answers = history.reduce<Answers>(addAnswer, {});
        for (const { purpose, scope, at } of questionsAbout(history)) {
          if (purpose !== 'p' || scope.channel === undefined) continue;
          for (const action of ['contact', 'reply', 'share']) {
            const allowed = statusOf(after, answers, action, scope, at);
            const was = statusOf(before, answers, action, scope, at);
            if (was) seen[allowed ? 'permitted' : 'ended'] += 1;
            // Going back to an earlier notice: those who said yes to its words said it to these.
            const saidToThese =
              first.renewOnNewNotice && second.newest < first.newest && allowed?.notice === second.newest;
            if (allowed && !was && !saidToThese) throw new Error(`widened: ${action} ${JSON.stringify(scope)}`);
          }
        }
      }),
      { numRuns: 5_000 },
    );
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(200);
  },
);

describe('a set cannot follow another where', () => {
  const base: Variant = {
    legalBasis: 'consent',
    newest: 2,
    corrects: [],
    renewOnNewNotice: false,
    retired: false,
    actions: ['contact'],
    dimensions: ['platform', 'channel'],
    channels: ['email'],
    platforms: ['x'],
  };
  const following = (from: Partial<Variant>, to: Partial<Variant>) =>
    assertNotWider(setOf({ ...base, ...from }), setOf({ ...base, ...to }));

  test.each<[string, Partial<Variant>, Partial<Variant>, string]>([
    ['a yes would cover another act', {}, { actions: ['contact', 'share'] }, 'actions gain share'],
    ['a yes would cover another channel', {}, { channels: ['email', 'phone'] }, 'values of channel gain phone'],
    ['a yes would cover another platform', {}, { platforms: ['x', 'y'] }, 'values of platform gain y'],
    ['a yes would count as a choice that nobody had', { dimensions: ['platform'] }, {}, 'dimensions gain channel'],
    ['renewal is given up', { renewOnNewNotice: true }, {}, 'keep renewOnNewNotice'],
    ['a correction is taken back', { corrects: [1] }, {}, 'notice 1 was corrected'],
    ['a purpose comes back to life', { retired: true }, {}, 'no longer retired'],
    [
      'a new notice asks nobody anew',
      {},
      { newest: 3, actions: ['contact', 'share'] },
      'add a notice with renewOnNewNotice',
    ],
    ['a new notice corrects but one of two', {}, { newest: 3, corrects: [1], actions: ['contact', 'share'] }, 'share'],
  ])('%s', (_name, from, to, message) => {
    expect(() => following(from, to)).toThrow(message);
  });

  test.each<[string, Partial<Variant>, Partial<Variant>]>([
    ['less is done', { actions: ['contact', 'share'] }, {}],
    ['everybody is asked anew by a new notice', {}, { newest: 3, renewOnNewNotice: true, actions: ['share'] }],
    ['everybody is asked anew by a correction', {}, { newest: 3, corrects: [1, 2], channels: ['email', 'phone'] }],
    ['a purpose is given up', {}, { retired: true, actions: ['contact', 'share'] }],
    ['what was given up comes back and asks anew', { retired: true }, { newest: 3, corrects: [1, 2] }],
    [
      'a new notice is taken back under which people were asked anew',
      { newest: 3, renewOnNewNotice: true },
      { renewOnNewNotice: true },
    ],
  ])('but it can where %s', (_name, from, to) => {
    expect(() => following(from, to)).not.toThrow();
  });
});
