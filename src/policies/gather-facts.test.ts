import { beforeAll, describe, expect, test } from 'vitest';
import { smallPolicies, withPolicies } from '../../test/support/small-policies.ts';
import type { Catalogue } from './catalogue.ts';
import { contextSchema } from './context.ts';
import { gatherFacts, isGranted } from './gather-facts.ts';
import { loadCatalogue } from './load.ts';

let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await withPolicies(smallPolicies, loadCatalogue);
});

const example = {
  purpose: 'profile-linking',
  customer: 'crm:4711',
  actor: { id: 'u17', role: 'agent' },
  match: { method: 'declared' },
  chain: ['email:eva@example.org', 'x:44196397'],
};

describe('the context of a request', () => {
  test('is understood as the design gives it', () => {
    expect(contextSchema.parse(example)).toEqual(example);
  });

  test.each([
    ['a misspelt member', { ...example, purpos: 'profile-linking' }],
    ['a misspelt member further in', { ...example, match: { method: 'declared', confidance: 1 } }],
    ['a state that only the service knows', { ...example, consent: 'valid-yes' }],
    ['a section of the facts', { ...example, identity: { controlProved: true } }],
    ['a proof of control', { ...example, match: { method: 'declared', controlProved: true } }],
    ['an unknown method', { ...example, match: { method: 'certain' } }],
    ['more than certainty', { ...example, match: { method: 'proved', confidence: 1.01 } }],
    ['an identifier without a namespace', { ...example, customer: '4711' }],
    ['an identifier with a NUL', { ...example, customer: 'crm:47\u000011' }],
    ['an empty chain', { ...example, chain: [] }],
    ['a chain without end', { ...example, chain: Array.from({ length: 9 }, (_, index) => `x:${index}`) }],
    ['a thread from the future', { ...example, inReplyTo: { openedBySubject: true, days: -1 } }],
    ['a cell of minus one', { ...example, cellSize: -1 }],
    ['a review that is no id', { ...example, review: 'the one of Tuesday' }],
    ['a claim about what the message asks for', { ...example, asksForConsent: false }],
    ['no purpose', { customer: 'crm:4711' }],
  ])('with %s is refused', (_name, context) => {
    expect(contextSchema.safeParse(context).success).toBe(false);
  });

  test('marks what is personal: the customer, the colleague and the chain', () => {
    const { customer, actor, chain } = contextSchema.shape;
    const marks = [customer.unwrap(), actor.unwrap().shape.id, chain.unwrap().element].map((schema) => schema.meta());
    for (const mark of marks) expect(mark).toMatchObject({ 'x-personal-data': true });
  });
});

describe('the facts gathered from a context', () => {
  test('hold no identifier, no colleague and no word that the caller made up', () => {
    const context = contextSchema.parse({
      ...example,
      purpose: 'newsletter',
      channel: 'eva-muster',
      topic: 'eva-muster',
      recipient: 'eva-muster',
      forward: { department: 'eva-muster', purpose: 'eva-muster' },
    });
    const { request, purpose } = gatherFacts(catalogue, context, 'contact');
    expect(JSON.stringify({ request, purpose })).not.toMatch(/eva|4711|44196397|u17/);
    expect(request).toEqual({ match: { method: 'declared' }, role: 'agent' });
    expect(purpose.unknownValues).toEqual(['channel', 'recipient']);
  });

  test('say that a message asks for consent, not to what nor which review the caller means', () => {
    const review = '0197a1b2-0000-7000-8000-000000000001';
    const context = contextSchema.parse({ ...example, asksFor: 'newsletter', review });
    expect(gatherFacts(catalogue, context, 'reply').request).toEqual({
      match: { method: 'declared' },
      role: 'agent',
      asksForConsent: true,
    });
  });

  test('do not repeat a purpose that does not exist', () => {
    const { purpose } = gatherFacts(catalogue, contextSchema.parse({ purpose: 'eva-muster' }), 'contact');
    expect(purpose).toMatchObject({ known: false, actionServed: false });
    expect(JSON.stringify(purpose)).not.toContain('eva');
  });

  test('name every declared dimension that the request leaves out', () => {
    const { purpose, scope } = gatherFacts(catalogue, contextSchema.parse({ purpose: 'newsletter' }), 'contact');
    expect(purpose.missingDimensions).toEqual(['channel', 'recipient']);
    expect(scope).toEqual({});
  });

  test('ask for what was named, in the dimensions of the purpose', () => {
    const context = contextSchema.parse({
      purpose: 'newsletter',
      channel: 'email',
      recipient: 'hotels',
      topic: 'snow',
    });
    const { purpose, scope, request } = gatherFacts(catalogue, context, 'contact');
    expect(scope).toEqual({ channel: 'email', recipient: 'hotels' });
    expect(request).toEqual({ channel: 'email', recipient: 'hotels' });
    expect(purpose).toMatchObject({ missingDimensions: [], unknownValues: [], actionServed: true });
  });

  test('take the platform from the account, and a contradiction as a fault', () => {
    const context = contextSchema.parse({ ...example, platform: 'forum' });
    const { purpose, scope } = gatherFacts(catalogue, context, 'link', 'facebook');
    expect(scope).toEqual({ platform: 'facebook' });
    expect(purpose.unknownValues).toEqual(['platform']);
  });

  test('call a platform unknown that is none', () => {
    const { purpose } = gatherFacts(catalogue, contextSchema.parse(example), 'link', 'email');
    expect(purpose.unknownValues).toEqual(['platform']);
  });

  test.each([
    ['the same purpose', 'newsletter', true],
    ['a compatible purpose', 'profile-linking', true],
    ['another purpose', 'sales', false],
    ['nobody says what', undefined, false],
  ])('forwarding for %s', (_name, forPurpose, compatible) => {
    const forward = forPurpose && { department: 'sales', purpose: forPurpose };
    const context = contextSchema.parse({ purpose: 'newsletter', ...(forward && { forward }) });
    expect(gatherFacts(catalogue, context, 'forward').purpose.forwardCompatible).toBe(compatible);
  });
});

test('a system is granted an action only together with the purpose beside it', () => {
  expect(isGranted(catalogue, 'crm', 'link', 'profile-linking')).toBe(true);
  expect(isGranted(catalogue, 'crm', 'link', 'newsletter')).toBe(false);
  expect(isGranted(catalogue, 'crm', 'share', 'newsletter')).toBe(false);
  expect(isGranted(catalogue, 'mailer', 'contact', 'newsletter')).toBe(false);
});
