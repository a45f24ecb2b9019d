import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDecision } from './decision.ts';
import { permit, refusal } from './test-service.ts';

const link = { fulfils: [], lease: true };
const use = { fulfils: ['pseudonymise'], lease: false };

describe('reading a decision', () => {
  it('permits a link with its lease, and tells why to staff and to the person', () => {
    expect(readDecision(permit(), link, 'en')).toEqual({
      permit: true,
      decisionId: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e11',
      lease: { id: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e12', expiresAt: '2026-07-15T09:30:05Z' },
      reasons: [
        {
          code: 'link-with-consent-and-proof',
          admin: 'Valid consent, and the account is proved.',
          person: 'You agreed to this link.',
        },
      ],
      obligations: [],
    });
  });

  it('denies with the reasons and obligations of the service', () => {
    expect(readDecision(refusal(), link, 'en')).toMatchObject({
      permit: false,
      reasons: [{ code: 'consent-missing', admin: 'No valid consent.', person: 'You have not agreed to this.' }],
      obligations: ['human-review'],
    });
  });

  it('denies a question of a batch that the service could not read, and says which member broke which rule', () => {
    const answer = { decision: false, context: { error: { status: 400, message: 'resource.id is required' } } };
    expect(readDecision(answer, use, 'it').reasons).toMatchObject([
      { code: 'askfirst.refused', admin: 'resource.id is required', person: expect.stringContaining('scelte') },
    ]);
  });

  it('denies a permit whose obligations the component does not say it fulfils', () => {
    const answer = { decision: true, context: { decisionId: 'd', obligations: ['pseudonymise', 'aggregate-only'] } };
    const decision = readDecision(answer, use, 'it');
    expect(decision.permit).toBe(false);
    expect(decision.reasons).toMatchObject([
      { code: 'askfirst.obligation-unfulfilled', admin: expect.stringContaining('aggregate-only') },
    ]);
    expect(readDecision(answer, { ...use, fulfils: ['aggregate-only', 'pseudonymise'] }, 'en')).toMatchObject({
      permit: true,
      obligations: ['pseudonymise', 'aggregate-only'],
    });
  });
});

describe('a permit is never read out of', () => {
  const withContext = (context: object) => ({ decision: true, context: { ...permit().context, ...context } });
  it.each([
    ['a missing decision', { context: permit().context }],
    ['the text "true"', { ...permit(), decision: 'true' }],
    ['the number 1', { ...permit(), decision: 1 }],
    ['an array', [permit()]],
    ['a permit without context', { decision: true }],
    ['a permit whose context is a list', { decision: true, context: [] }],
    ['a permit without decisionId', withContext({ decisionId: undefined })],
    ['a permit to link without lease', withContext({ lease: undefined })],
    ['a lease without end', withContext({ lease: { id: 'l' } })],
    ['obligations that are not a list', withContext({ obligations: 'pseudonymise' })],
    ['obligations that are null', withContext({ obligations: null })],
    ['an obligation without name', withContext({ obligations: [{ id: 'aggregate-only' }] })],
  ])('%s', (_, answer) => {
    expect(readDecision(answer, link, 'de')).toMatchObject({
      permit: false,
      reasons: [{ code: 'askfirst.malformed' }],
    });
  });

  it('anything but a whole permit, over arbitrary JSON and permits broken in one place', () => {
    const text = (value: unknown) => typeof value === 'string' && value.length > 0;
    /** The same rule, written the long way round. */
    const isWholePermit = (answer: any): boolean => {
      if (answer === null || typeof answer !== 'object' || answer.decision !== true) return false;
      const { context } = answer;
      if (context === null || typeof context !== 'object' || Array.isArray(context) || !text(context.decisionId))
        return false;
      if (context.obligations !== undefined && !Array.isArray(context.obligations)) return false;
      for (const name of context.obligations ?? []) if (name !== 'pseudonymise') return false;
      if (context.lease === null || typeof context.lease !== 'object' || Array.isArray(context.lease)) return false;
      return text(context.lease.id) && text(context.lease.expiresAt);
    };
    const places = [
      'decision',
      'context',
      'decisionId',
      'obligations',
      'lease',
      'lease.id',
      'lease.expiresAt',
    ] as const;
    const broken = fc.tuple(fc.constantFrom(...places), fc.jsonValue()).map(([place, value]): unknown => {
      const answer: any = { decision: true, context: { ...permit().context, obligations: ['pseudonymise'] } };
      if (place === 'decision' || place === 'context') answer[place] = value;
      else if (place.startsWith('lease.')) answer.context.lease[place.slice(6)] = value;
      else answer.context[place] = value;
      return answer;
    });
    let permits = 0;
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), broken), (answer) => {
        const { permit: permitted } = readDecision(answer, { fulfils: ['pseudonymise'], lease: true }, 'fr');
        expect(permitted).toBe(isWholePermit(answer));
        permits += Number(permitted);
      }),
      { numRuns: 20_000 },
    );
    expect(permits).toBeGreaterThan(100);
  });
});
