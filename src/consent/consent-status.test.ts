import { describe, expect, test } from 'vitest';
import { addAnswer, type Answers, type ConsentEvent, type LegalBasis } from './answers.ts';
import { consentOverview } from './consent-overview.ts';
import { consentStatus, type PurposeRules } from './consent-status.ts';

const rules: PurposeRules = {
  legalBasis: 'consent',
  dimensions: ['platform'],
  notices: [{ version: 1 }, { version: 2 }],
  renewOnNewNotice: true,
};
const recordAll = (...events: (Pick<ConsentEvent, 'act'> & Partial<ConsentEvent>)[]): Answers =>
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
        notice: 2,
        ...event,
      }),
    {},
  );
const X = { platform: 'x' };
const statusUnder = (answers: Answers, changed: Partial<PurposeRules> = {}, at = 100) =>
  consentStatus(answers, 'p', X, at, { ...rules, ...changed });

describe('A status says why', () => {
  test('nothing was ever recorded', () => {
    expect(statusUnder({})).toEqual({ result: 'deny', code: 'nothing-recorded' });
  });

  test('a dimension of the purpose was not named', () => {
    const answers = recordAll({ act: 'yes' });
    expect(consentStatus(answers, 'p', {}, 100, rules)).toEqual({
      result: 'deny',
      code: 'scope-missing',
      missing: 'platform',
    });
  });

  test('a yes of its own scope, or one inherited from a broader scope', () => {
    const permit = { result: 'permit', code: 'valid-yes', reliedOn: 'event-0', notice: 2 };
    expect(statusUnder(recordAll({ act: 'yes', scope: X }))).toEqual({ ...permit, scope: X });
    expect(statusUnder(recordAll({ act: 'yes' }))).toEqual({ ...permit, scope: {}, inheritedFrom: 'broader-scope' });
  });

  test('the narrowest yes is the one relied on, so that a yes which names the platform is not hidden by a general one', () => {
    expect(statusUnder(recordAll({ act: 'yes', scope: X }, { act: 'yes' }))).toMatchObject({
      reliedOn: 'event-0',
      scope: X,
    });
  });

  test('a no, inherited from a "no to everything"', () => {
    const answers = recordAll({ act: 'yes' }, { act: 'no', purpose: '*' });
    expect(statusUnder(answers)).toMatchObject({
      result: 'deny',
      code: 'live-no',
      reliedOn: 'event-1',
      inheritedFrom: 'everything',
    });
    expect(statusUnder(answers).ask).toBeUndefined();
  });

  test('a yes to older words counts unless the purpose asks for renewal', () => {
    const answers = recordAll({ act: 'yes', notice: 1 });
    expect(statusUnder(answers)).toMatchObject({ result: 'deny', code: 'notice-outdated', reliedOn: 'event-0' });
    expect(statusUnder(answers, { renewOnNewNotice: false })).toMatchObject({ result: 'permit' });
  });

  test('a yes is valid up to the moment at which it expires, and that moment is told', () => {
    const answers = recordAll({ act: 'yes', until: 50 });
    expect(statusUnder(answers, {}, 49)).toMatchObject({ result: 'permit', until: 50 });
    expect(statusUnder(answers, {}, 50)).toMatchObject({ result: 'deny', code: 'expired' });
  });

  test('a permit ends when the yes that holds off a no expires, though the yes relied on lasts longer', () => {
    const answers = recordAll({ act: 'yes', scope: X }, { act: 'no' }, { act: 'yes', until: 50 });
    expect(statusUnder(answers, {}, 10)).toMatchObject({ result: 'permit', reliedOn: 'event-0', until: 50 });
    expect(statusUnder(answers, {}, 50)).toMatchObject({ result: 'deny', code: 'live-no' });
  });

  test('a guardian whose part is not in order, and a child who needed one', () => {
    const guardian = { act: 'yes', rank: 'guardian' } as const;
    const missing = { result: 'deny', code: 'guardian-missing' };
    expect(statusUnder(recordAll(guardian))).toMatchObject(missing);
    expect(statusUnder(recordAll({ ...guardian, guardianOk: false }))).toMatchObject(missing);
    expect(statusUnder(recordAll({ ...guardian, guardianOk: true }))).toMatchObject({ result: 'permit' });
    expect(statusUnder(recordAll({ act: 'yes', guardianOk: false }))).toMatchObject(missing);
  });

  test('a double opt-in waits for its second step, then lapses; a later answer settles it', () => {
    const answers = recordAll({ act: 'pending', until: 50 });
    expect(statusUnder(answers, {}, 49)).toMatchObject({ result: 'deny', code: 'pending', reliedOn: 'event-0' });
    expect(statusUnder(answers, {}, 50)).toEqual({ result: 'deny', code: 'nothing-recorded' });
    const settled = recordAll({ act: 'pending', until: 500 }, { act: 'yes', until: 50 });
    expect(statusUnder(settled)).toMatchObject({ result: 'deny', code: 'expired' });
  });

  test('a double opt-in disturbs nothing that was answered before it', () => {
    expect(statusUnder(recordAll({ act: 'yes' }, { act: 'pending', until: 500 }))).toMatchObject({ result: 'permit' });
    expect(statusUnder(recordAll({ act: 'no' }, { act: 'pending', until: 500 }))).toMatchObject({ code: 'live-no' });
  });

  test.for<[LegalBasis, string, string]>([
    ['consent', 'deny', 'nothing-recorded'],
    ['contract', 'permit', 'informed'],
    ['legal-obligation', 'permit', 'informed'],
    ['public-task', 'permit', 'informed'],
    ['legitimate-interests', 'permit', 'informed'],
  ])('a person who was informed and said nothing, on the basis %s -> %s', ([legalBasis, result, code]) => {
    const answers = recordAll({ act: 'informed' });
    expect(statusUnder(answers, { legalBasis })).toMatchObject({ result, code });
    const nothing = legalBasis === 'consent' ? 'nothing-recorded' : 'not-informed';
    expect(statusUnder({}, { legalBasis })).toEqual({ result: 'deny', code: nothing });
  });

  test('an objection ends what a public task or legitimate interests allowed, and informing again does not bring it back', () => {
    const answers = recordAll({ act: 'informed' }, { act: 'no', objection: true }, { act: 'informed' });
    for (const legalBasis of ['public-task', 'legitimate-interests'] as const) {
      expect(statusUnder(answers, { legalBasis })).toMatchObject({
        result: 'deny',
        code: 'live-no',
        reliedOn: 'event-1',
      });
    }
  });

  test('a no stays live when a policy later calls the purpose a contract', () => {
    expect(statusUnder(recordAll({ act: 'informed' }, { act: 'no' }), { legalBasis: 'contract' })).toMatchObject({
      result: 'deny',
      code: 'live-no',
    });
  });
});

describe('The overview', () => {
  const exceptionsOf = (answers: Answers, at = 100) =>
    consentOverview(answers, 'p', at, { ...rules, dimensions: ['channel', 'topic'] }).map(
      ({ scope, status, exceptions }) => [scope, status.result, exceptions.map((exception) => exception.scope)],
    );

  test('always says how the purpose as a whole stands', () => {
    expect(exceptionsOf({})).toEqual([[{}, 'deny', []]]);
  });

  test('shows an exception to each scope that it meets, also where neither lies in the other', () => {
    const answers = recordAll({ act: 'yes', scope: { channel: 'email' } }, { act: 'no', scope: { topic: 'events' } });
    expect(exceptionsOf(answers)).toEqual([
      [{}, 'deny', [{ channel: 'email' }]],
      [{ channel: 'email' }, 'permit', [{ channel: 'email', topic: 'events' }]],
      [{ topic: 'events' }, 'deny', []],
    ]);
  });

  test('shows a yes as an exception to a no to everything, until it expires', () => {
    const answers = recordAll({ act: 'no', purpose: '*' }, { act: 'yes', scope: { channel: 'email' }, until: 50 });
    expect(exceptionsOf(answers, 10)).toEqual([
      [{}, 'deny', [{ channel: 'email' }]],
      [{ channel: 'email' }, 'permit', []],
    ]);
    expect(exceptionsOf(answers, 50)[0]).toEqual([{}, 'deny', []]);
  });
});

test('a status of five answers costs less than two microseconds', () => {
  const answers: Answers = JSON.parse(
    JSON.stringify(
      recordAll(
        { act: 'no', purpose: '*' },
        { act: 'yes', scope: X, until: 1_000 },
        { act: 'no', scope: { platform: 'y' } },
        { act: 'yes', until: 1_000 },
        { act: 'no', scope: { platform: 'z' } },
      ),
    ),
  );
  const asked = [X, { platform: 'y' }, { platform: 'w' }];
  // The best of many rounds, since other work on the machine can only make a round slower.
  let best = Infinity;
  let permits = 0;
  for (let round = 0; round < 40; round++) {
    const began = performance.now();
    for (let index = 0; index < 3_000; index++) {
      if (consentStatus(answers, 'p', asked[index % 3]!, 100, rules).result === 'permit') permits++;
    }
    best = Math.min(best, (performance.now() - began) / 3_000);
  }
  expect(permits).toBe(80_000);
  expect(best * 1_000).toBeLessThan(2);
});
