import fc from 'fast-check';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { loadCatalogue, type Catalogue } from '../policies/index.ts';
import { unrecorded } from '../subjects/index.ts';
import { addAnswer, everything, within, type Answers, type ConsentEvent, type Scope } from './answers.ts';
import { consentStatus } from './consent-status.ts';
import { commitImported, importedEventId, judgeImported, type ImportedStatement } from './import-statements.ts';

const now = Temporal.Instant.from('2026-06-01T12:00:00Z');
let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue(join(import.meta.dirname, '../../policies'));
});

const newsletterScopes: Scope[] = [
  {},
  { channel: 'email' },
  { channel: 'sms' },
  { channel: 'email', topic: 'events' },
  { topic: 'offers' },
];
const channelScopes: Scope[] = [{ channel: 'email' }, { channel: 'phone' }];

/** What somebody of the default policies may answer to. */
const about = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ purpose: fc.constant('newsletter'), scope: fc.constantFrom(...newsletterScopes) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ purpose: fc.constant('customer-service'), scope: fc.constantFrom(...channelScopes) }),
  },
  { weight: 1, arbitrary: fc.constant({ purpose: everything, scope: {} as Scope }) },
);
const day = fc.integer({ min: 0, max: 140 });
const dayOf = (days: number): string =>
  Temporal.Instant.from('2026-01-10T10:00:00Z')
    .add({ hours: 24 * days })
    .toString();

/** What a person did here before, by their own act or by an earlier import. */
const arbitraryHistory = fc
  .array(fc.record({ about, yes: fc.boolean(), days: day, own: fc.constantFrom(true, true, false) }), { maxLength: 5 })
  .map((acts) =>
    acts.map(({ about: { purpose, scope }, yes, days, own }, index): ConsentEvent => {
      const isYes = yes && purpose !== everything;
      const at = Temporal.Instant.from(dayOf(days)).epochMilliseconds;
      return {
        purpose,
        scope,
        act: isYes ? 'yes' : 'no',
        at,
        seq: index + 1,
        id: `h${index}`,
        rank: 'self',
        own,
        notice: 1,
      };
    }),
  );

const arbitraryStatement: fc.Arbitrary<ImportedStatement> = fc
  .record({
    about,
    decision: fc.constantFrom('given', 'given', 'given', 'refused', 'withdrawn', 'objected', 'informed'),
    occurredAt: fc.oneof(
      { weight: 6, arbitrary: day.map(dayOf) },
      { weight: 1, arbitrary: fc.constantFrom(undefined, '2025-06-01T00:00:00Z', '2027-01-01T00:00:00Z') },
    ),
    evidence: fc.constantFrom('a card', 'a card', 'a card', undefined),
    notice: fc.constantFrom(
      { version: 1, language: 'de' as const },
      { version: 1, language: 'de' as const },
      { version: 7, language: 'de' as const },
      undefined,
    ),
  })
  .map(({ about: { purpose, scope }, ...rest }) => ({ ...rest, purpose, scope }) as ImportedStatement);

const checks = [
  ...['email', 'sms', 'letter'].flatMap((channel) =>
    ['events', 'offers'].map((topic) => ({
      purpose: 'newsletter',
      scope: { channel, topic, form: 'newsletter' } as Scope,
    })),
  ),
  ...['email', 'phone'].map((channel) => ({ purpose: 'customer-service', scope: { channel } as Scope })),
];

const isNo = ({ decision }: ImportedStatement): boolean => decision !== 'given' && decision !== 'informed';

const covers = (of: { purpose: string; scope: Scope }, check: { purpose: string; scope: Scope }): boolean =>
  (of.purpose === check.purpose || of.purpose === everything) && within(check.scope, of.scope);

/** What an import of these makes of the answers of a person; a statement that is refused is left out, as a bad line is. */
const imported = (answers: Answers, version: number, statements: readonly ImportedStatement[]) => {
  const events = statements.flatMap((statement) => {
    try {
      const judged = judgeImported(catalogue, 'crm', statement, now);
      return [
        {
          statement,
          event: { ...judged, id: importedEventId('file', 'person', judged, statement), evidence: undefined },
        },
      ];
    } catch {
      return [];
    }
  });
  const state = { ...unrecorded('00000000-0000-7000-8000-000000000001'), version, answers };
  const change = commitImported(
    [],
    catalogue,
    state,
    version + 1,
    events.map(({ event }) => event),
    now,
  );
  return { after: (change.answers ?? answers) as Answers, change, events };
};

test('an import never turns a deny into a permit, unless by a proven yes where nobody said no', () => {
  let widened = 0;
  let stayed = 0;
  fc.assert(
    fc.property(
      arbitraryHistory,
      fc.array(arbitraryStatement, { minLength: 1, maxLength: 4 }),
      (history, statements) => {
        const before = history.reduce<Answers>(addAnswer, {});
        const { after, events } = imported(before, history.length, statements);
        for (const check of checks) {
          const purpose = catalogue.purposes.get(check.purpose)!;
          const rules = { ...purpose, dimensions: purpose.dimensions };
          const at = now.epochMilliseconds;
          const was = consentStatus(before, check.purpose, check.scope, at, rules);
          const is = consentStatus(after, check.purpose, check.scope, at, rules);
          if (was.result === 'permit' || is.result === 'deny') {
            if (was.result === 'deny') stayed++;
            continue;
          }
          widened++;
          expect(was.code).not.toBe('live-no');
          const stands = purpose.legalBasis !== 'contract' && purpose.legalBasis !== 'legal-obligation';
          expect(stands && events.some(({ statement }) => isNo(statement) && covers(statement, check))).toBe(false);
          const proof = events.find(({ event }) => event.id === is.reliedOn);
          expect(proof, 'relies on what was imported').toBeDefined();
          expect(isNo(proof!.statement)).toBe(false);
          expect(proof!.statement.evidence).toBeDefined();
          expect(proof!.statement.notice?.version).toBe(1);
          expect(proof!.statement.occurredAt! >= '2026-01-01').toBe(true);
          expect(proof!.statement.occurredAt! <= now.toString()).toBe(true);
          expect(covers(proof!.statement, check)).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  // Neither side of it is empty talk.
  expect(widened).toBeGreaterThan(50);
  expect(stayed).toBeGreaterThan(1_000);
});

test('every no of an import denies at once what it covers, whatever was said before or is said in the same file', () => {
  fc.assert(
    fc.property(arbitraryHistory, fc.array(arbitraryStatement, { maxLength: 3 }), about, (history, others, said) => {
      // Nothing that the person does here themselves comes after it.
      const before = history.reduce<Answers>(addAnswer, {});
      const no: ImportedStatement = { ...said, decision: 'withdrawn' };
      const { after } = imported(before, history.length, [...others, no]);
      for (const check of checks.filter((one) => one.purpose === 'newsletter' && covers(no, one))) {
        const rules = catalogue.purposes.get(check.purpose)!;
        expect(consentStatus(after, check.purpose, check.scope, now.epochMilliseconds, rules).result).toBe('deny');
      }
    }),
    { numRuns: 500 },
  );
});

test('each event of one change has a place of its own in the history', () => {
  const statement: ImportedStatement = { purpose: 'newsletter', scope: {}, decision: 'refused' };
  const { change } = imported({}, 4, [statement, { ...statement, scope: { channel: 'email' } }]);
  expect(change.rows.map(({ values }) => values['subjectSeq'])).toEqual([5, 6]);
  expect(change.advances).toBe(2);
  expect(change.voidLeases).toBe(true);
});

test('the id of a statement is that of its content: an undated no keeps it, and any other word makes another', () => {
  const statement: ImportedStatement = { purpose: 'newsletter', scope: { channel: 'email' }, decision: 'refused' };
  const idOf = (one: ImportedStatement, person = 'a', at = now, system = 'crm') =>
    importedEventId('file', person, judgeImported(catalogue, system, one, at), one);
  const id = idOf(statement);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(idOf(statement, 'a', now.add({ hours: 1 }))).toBe(id);
  const others = [
    idOf(statement, 'b'),
    idOf(statement, 'a', now, 'newsletter'),
    idOf({ ...statement, scope: {} }),
    idOf({ ...statement, decision: 'withdrawn' }),
    idOf({ ...statement, occurredAt: '2026-03-01T00:00:00Z' }),
  ];
  expect(new Set([id, ...others]).size).toBe(6);
});
