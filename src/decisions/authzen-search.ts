import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { InputInvalid } from '../http/errors.ts';
import type { ResourceSearchRequest, ResourceSearchResponse } from './schema.ts';

/** What is searched for: the entities of the request without paging (AuthZEN §8.5.1). */
export type ResourceQuery = Omit<ResourceSearchRequest, 'page'>;

/** A query with the place to go on from (`after` of the page before; undefined: the beginning) and the page's size. */
export type ResourceSearch = { query: ResourceQuery; after: string | undefined; limit: number };

/**
 * Finds at most `limit` resources of exactly the type asked for, after `after`. `next` is where the following page begins,
 * undefined at the end; it goes to the caller inside the token, so it names a row (a link's id), never a person.
 */
export type FindResources = (
  search: ResourceSearch,
) => Promise<{ results: ResourceSearchResponse['results']; next: string | undefined }>;

const pageSize = { usual: 100, largest: 1_000 };

const tokenSchema = z.tuple([z.string().nullable(), z.int().min(0).max(pageSize.largest), z.string()]);

/** Ties a token to its query: members in any order are the same query (AuthZEN §10.1.1). */
const fingerprint = (query: ResourceQuery): string =>
  createHash('sha256').update(canonicalize(query)!).digest('base64url').slice(0, 22);

const writeToken = ({ query, limit }: ResourceSearch, after: string | undefined): string =>
  Buffer.from(JSON.stringify([after ?? null, limit, fingerprint(query)])).toString('base64url');

const unfit = (member: string, must: string): InputInvalid =>
  new InputInvalid([{ member, rule: 'value', detail: `${member} ${must}` }]);

const readToken = (token: string): z.output<typeof tokenSchema> => {
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64url').toString()));
  } catch {
    throw unfit('page.token', 'must be the next_token of a preceding response');
  }
};

/**
 * Reads the paging of a Resource Search request (AuthZEN §8.2).
 *
 * With a token everything else has to be as in the request before; a `limit` left out is the one of the token, as in the
 * specification's own example. A token is not secret and gives no access: it holds a place in what its bearer may see
 * anyway.
 *
 * @throws InputInvalid for a token that is not ours, or members that were changed between pages
 */
export const readResourceSearch = ({ page = {}, ...query }: ResourceSearchRequest): ResourceSearch => {
  const limit = page.limit === undefined ? undefined : Math.min(page.limit, pageSize.largest);
  // An empty token is what the last page carries: nothing comes after it, and it must not start the search anew.
  if (page.token === undefined) return { query, after: undefined, limit: limit ?? pageSize.usual };
  const [after, limitBefore, queryBefore] = readToken(page.token);
  if (queryBefore !== fingerprint(query)) {
    throw unfit('page.token', 'belongs to another query: repeat the entities of the first request');
  }
  if (limit !== undefined && limit !== limitBefore) {
    throw unfit('page.limit', 'must be that of the first request while paging');
  }
  return { query, after: after ?? undefined, limit: limitBefore };
};

/** Executes a search and returns one page of its answer (AuthZEN §8.3). */
export const answerResourceSearch = async (
  search: ResourceSearch,
  find: FindResources,
): Promise<ResourceSearchResponse> => {
  // A limit of 0 is allowed (§8.2.1) and asks whether there is anything: the page is empty, the place stays.
  if (search.limit === 0) {
    const { results } = await find({ ...search, limit: 1 });
    return {
      page: { next_token: results.length === 0 ? '' : writeToken(search, search.after), count: 0 },
      results: [],
    };
  }
  const { results, next } = await find(search);
  return { page: { next_token: next === undefined ? '' : writeToken(search, next), count: results.length }, results };
};
