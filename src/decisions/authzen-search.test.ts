import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputInvalid } from '../http/errors.ts';
import type { ResourceSearchRequest } from './schema.ts';
import { answerResourceSearch, readResourceSearch, type FindResources } from './authzen-search.ts';

const query = {
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'reply' },
  resource: { type: 'social_identity' },
  context: { purpose: 'customer-service', customer: 'crm:4711' },
};

/** `count` resources, of which page after page is found by the id of the last one. */
const shelf = (count: number): FindResources => {
  const all = Array.from({ length: count }, (_, index) => ({ type: 'social_identity', id: `x:${index}` }));
  return ({ after, limit }) => {
    const from = after === undefined ? 0 : Number(after) + 1;
    const results = all.slice(from, from + limit);
    return Promise.resolve({ results, next: from + limit < count ? String(from + limit - 1) : undefined });
  };
};

const search = (body: ResourceSearchRequest, find: FindResources) =>
  answerResourceSearch(readResourceSearch(body), find);

const firstToken = async () => (await search({ ...query, page: { limit: 2 } }, shelf(5))).page.next_token;

const refusal = (body: ResourceSearchRequest): InputInvalid | undefined => {
  try {
    readResourceSearch(body);
  } catch (error) {
    if (error instanceof InputInvalid) return error;
    throw error;
  }
  return undefined;
};

test('going from page to page finds each result once, whatever the limit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(30), fc.integer({ min: 1, max: 12 }), async (count, limit) => {
      const found: string[] = [];
      let page: { limit?: number; token?: string } = { limit };
      for (let pages = 0; pages <= count; pages++) {
        const answer = await search({ ...query, page }, shelf(count));
        expect(answer.results.length).toBeLessThanOrEqual(limit);
        expect(answer.page.count).toBe(answer.results.length);
        found.push(...answer.results.map(({ id }) => id));
        if (answer.page.next_token === '') break;
        page = { token: answer.page.next_token };
      }
      expect(found).toEqual(Array.from({ length: count }, (_, index) => `x:${index}`));
    }),
  );
});

test('a limit of 0 returns nothing and keeps the place', async () => {
  const nothing = await search({ ...query, page: { limit: 0 } }, shelf(3));
  expect(nothing.results).toEqual([]);
  expect(nothing.page.next_token).not.toBe('');
  expect(readResourceSearch({ ...query, page: { token: nothing.page.next_token } })).toEqual({
    query,
    after: undefined,
    limit: 0,
  });
  expect((await search({ ...query, page: { limit: 0 } }, shelf(0))).page.next_token).toBe('');
});

test('a page has 100 results unless told, and never more than 1,000', async () => {
  expect(readResourceSearch(query).limit).toBe(100);
  const most = { ...query, page: { limit: 1_000_000 } };
  const { page, results } = await search(most, shelf(1_500));
  expect(results).toHaveLength(1_000);
  expect(
    (await search({ ...most, page: { ...most.page, token: page.next_token } }, shelf(1_500))).results,
  ).toHaveLength(500);
});

test('a token serves the query it was given for, its members in any order', async () => {
  const token = await firstToken();
  const { subject, action, resource } = query;
  const context = { customer: 'crm:4711', purpose: 'customer-service' };
  expect(refusal({ page: { limit: 2, token }, context, resource, action, subject })).toBeUndefined();
});

test.each([
  ['subject', { ...query, subject: { type: 'system', id: 'crm' } }],
  ['action', { ...query, action: { name: 'link' } }],
  ['resource', { ...query, resource: { type: 'customer' } }],
  ['context', { ...query, context: { ...query.context, customer: 'crm:4712' } }],
  ['absence of context', { subject: query.subject, action: query.action, resource: query.resource }],
])('a token does not serve another %s', async (_, other) => {
  expect(refusal({ ...other, page: { token: await firstToken() } })?.member).toBe('page.token');
});

test('a token does not serve another limit', async () => {
  expect(refusal({ ...query, page: { token: await firstToken(), limit: 3 } })?.member).toBe('page.limit');
});

test('what is no token of ours is refused by name, the empty one of a last page too', () => {
  const invented = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
    fc.constantFrom('', 'WzEsMiwzXQ', Buffer.from('["x",-1,"y"]').toString('base64url')),
  );
  fc.assert(
    fc.property(invented, (token) => {
      expect(refusal({ ...query, page: { token } })?.member).toBe('page.token');
    }),
  );
});
