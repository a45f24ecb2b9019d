import fc from 'fast-check';
import type { ConsentEvent, LegalBasis, Scope } from '../../src/consent/answers.ts';
import type { PurposeRules } from '../../src/consent/consent-status.ts';

/**
 * Random consent histories from a world so small that events meet: two purposes and `*`, two dimensions of two values, three
 * notices, and so few moments that ties and letters recorded late are common.
 */

/** An event before it is recorded: `late` moments after it occurred, valid for `lifetime` moments. */
export type Unrecorded = Omit<ConsentEvent, 'seq' | 'id' | 'at' | 'until'> & { late: number; lifetime?: number };

export const arbitraryEvent: fc.Arbitrary<Unrecorded> = fc
  .record({
    act: fc.oneof(
      { weight: 10, arbitrary: fc.constant('yes' as const) },
      { weight: 6, arbitrary: fc.constant('no' as const) },
      { weight: 3, arbitrary: fc.constantFrom('informed' as const, 'pending' as const, 'request' as const) },
    ),
    purpose: fc.constantFrom('p', 'p', 'p', 'p', 'q', '*'),
    platform: fc.constantFrom(undefined, undefined, 'x', 'y'),
    channel: fc.constantFrom(undefined, undefined, 'email', 'phone'),
    late: fc.constantFrom(0, 0, 0, 1, 2, 4),
    lifetime: fc.constantFrom(undefined, undefined, 1, 3, 5, 8),
    rank: fc.constantFrom('self' as const, 'self' as const, 'guardian' as const),
    own: fc.constantFrom(true, true, true, false),
    notice: fc.constantFrom(1, 1, 2, 3),
    guardianOk: fc.constantFrom(undefined, true, true, false),
    /** The browser sends Sec-GPC: it says no, or the yes is given all the same. */
    gpc: fc.constantFrom(false, false, true),
  })
  .map(({ platform, channel, lifetime, guardianOk, purpose, gpc, ...event }) => ({
    ...event,
    // Nobody can say yes to everything.
    purpose: purpose === '*' && event.act !== 'no' ? 'p' : purpose,
    scope: { ...(platform && { platform }), ...(channel && { channel }) },
    ...(lifetime !== undefined && { lifetime }),
    ...(guardianOk !== undefined && { guardianOk }),
    ...(gpc && event.act === 'yes' && { despiteGpc: true as const }),
    ...(gpc && event.act === 'no' && purpose !== '*' && { signal: true as const }),
  }));

/** The same world with hardly any scopes but a slow post: what was recorded last seldom happened last. */
export const arbitraryLetter: fc.Arbitrary<Unrecorded> = fc
  .record({
    act: fc.constantFrom('yes' as const, 'no' as const),
    purpose: fc.constantFrom('p', 'q'),
    toEverything: fc.constantFrom(true, true, false),
    scope: fc.constantFrom<Scope>({}, {}, {}, { platform: 'x' }),
    late: fc.integer({ min: 0, max: 4 }),
    lifetime: fc.constantFrom(undefined, undefined, 4, 8),
    rank: fc.constantFrom('self' as const, 'self' as const, 'self' as const, 'guardian' as const),
  })
  .map(({ lifetime, purpose, toEverything, ...event }) => ({
    ...event,
    purpose: toEverything && event.act === 'no' ? '*' : purpose,
    own: true,
    notice: 1,
    guardianOk: true,
    ...(lifetime !== undefined && { lifetime }),
  }));

/** The event as the next of this history. Two events share a moment; other writes leave gaps between the numbers. */
export const recorded = (history: readonly ConsentEvent[], { late, lifetime, ...event }: Unrecorded): ConsentEvent => {
  const place = history.length;
  const at = Math.floor(place / 2) - late;
  return {
    ...event,
    at,
    seq: 2 * place + 1,
    id: `event-${place}`,
    ...(lifetime !== undefined && { until: at + lifetime }),
  };
};

export const arbitraryHistory = (
  minLength: number,
  maxLength: number,
  event: fc.Arbitrary<Unrecorded> = arbitraryEvent,
): fc.Arbitrary<ConsentEvent[]> =>
  fc
    .array(event, { minLength, maxLength, size: 'max' })
    .map((events) => events.reduce<ConsentEvent[]>((history, event) => [...history, recorded(history, event)], []));

export const legalBases: readonly LegalBasis[] = [
  'consent',
  'contract',
  'legal-obligation',
  'public-task',
  'legitimate-interests',
];

export const arbitraryRules: fc.Arbitrary<PurposeRules> = fc.record({
  legalBasis: fc.constantFrom<LegalBasis>('consent', 'consent', ...legalBases),
  dimensions: fc.constant(['platform', 'channel'] as const),
  notices: fc
    .array(fc.subarray([1, 2]), { minLength: 1, maxLength: 3 })
    .map((all) =>
      all.map((wrong, index) => ({ version: index + 1, corrects: wrong.filter((version) => version <= index) })),
    ),
  renewOnNewNotice: fc.constantFrom(false, false, true),
});

const scopes: readonly Scope[] = [
  { platform: 'x', channel: 'email' },
  { platform: 'x', channel: 'phone' },
  { platform: 'y', channel: 'email' },
  { platform: 'y', channel: 'phone' },
  { platform: 'x' },
];

/** Every question about this world (one of them names a dimension too few), at moments during the history and after it. */
export const questionsAbout = (
  history: readonly ConsentEvent[],
): readonly { purpose: string; scope: Scope; at: number }[] => {
  const end = history.length / 2;
  return ['p', 'q'].flatMap((purpose) =>
    scopes.flatMap((scope) => [end / 2, end - 1, end, end + 2, end + 6].map((at) => ({ purpose, scope, at }))),
  );
};
