import type { WireAnswer, WireRequest } from './openapi-client.ts';
import { resolve, type Operation, type Schema } from './openapi-operations.ts';
import { canaries } from './openapi-requests.ts';

/** What every answer of the service must be, whatever was sent. One sentence a breach; none for a proper answer. */
export type Judge = (
  operation: Operation,
  exact: boolean,
  sent: Pick<WireRequest, 'method' | 'headers' | 'body'>,
  answer: WireAnswer,
) => string[];

/** Traces, paths, SQL, and the words of somebody who forgot a value. */
const insides =
  /\bat (?:\S+ )?\(?(?:file:|node:|\/)|node_modules|file:\/\/|\/(?:src|work|home|usr|tmp)\/|\.[jt]s\b|\b(?:select|insert|update|delete)\b.*\b(?:from|into|set|values)\b|SQLSTATE|postgres|constraint|relation "|ECONN|\bundefined\b|\[object|\bNaN\b|zod|TypeError|RangeError/i;

/** Where the answer to a system that may see a person names that person by what was sent. */
const mayName = new Set(['pullObligations', 'searchResources', 'setEndpoint']);

/** What may be wrong without being a member of the operation. */
const wholes = ['body', 'path', 'query', 'Content-Type', 'Idempotency-Key', 'Host'];

const planted = [canaries.word, canaries.phone, canaries.account, canaries.evidence, canaries.actor];
/** These go nowhere: nobody who asks the API ever gets them back. */
const plantedForNobody = [canaries.evidence, canaries.actor];

const namesIn = (document: object, unresolved: Schema, into: Set<string>, seen = new Set<unknown>()): Set<string> => {
  const schema = resolve(document, unresolved);
  if (seen.has(schema)) return into;
  seen.add(schema);
  for (const [name, inner] of Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)) {
    into.add(name);
    namesIn(document, inner, into, seen);
  }
  for (const inner of [schema['items'], ...(schema['anyOf'] ?? []), ...(schema['oneOf'] ?? [])])
    if (inner !== undefined) namesIn(document, inner as Schema, into, seen);
  return into;
};

/** Not deeper than any body that is read. */
const keysIn = (value: unknown, into: Set<string>, depth = 0): Set<string> => {
  if (typeof value !== 'object' || value === null || depth > 40) return into;
  for (const [key, inner] of Object.entries(value)) {
    into.add(key);
    keysIn(inner, into, depth + 1);
  }
  return into;
};

const parsed = (text: string): any => {
  try {
    // A service may ignore a byte order mark (RFC 8259 section 8.1).
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch {
    return undefined;
  }
};

export const createJudge = (document: object, operations: readonly Operation[]): Judge => {
  // One segment more, and a request is another operation's: /v1/reviews/x names a review.
  const inPaths = operations.flatMap(({ parameters }) =>
    parameters.filter((one) => one.in === 'path').map(({ name }) => name),
  );
  const known = new Map(
    operations.map((operation) => {
      const names = new Set([...wholes, ...inPaths, ...operation.parameters.map(({ name }) => name)]);
      if (operation.body) namesIn(document, operation.body.schema, names);
      return [operation.id, names] as const;
    }),
  );

  const refusalProblems = (
    operation: Operation,
    sent: Pick<WireRequest, 'method' | 'body'>,
    { status, headers, text }: WireAnswer,
  ): string[] => {
    if (sent.method === 'HEAD') return text === '' ? [] : ['HEAD was answered with a body'];
    const body = parsed(text);
    if (operation.id === 'issueToken' && typeof body?.error === 'string') {
      return typeof body.error_description === 'string' && (status === 400 || status === 401)
        ? []
        : ['an OAuth error is not of the form of RFC 6749 section 5.2'];
    }
    const found: string[] = [];
    if (headers['content-type'] !== 'application/problem+json') found.push('a refusal is not problem+json');
    if (body?.status !== status) found.push('status of the problem is not that of the answer');
    for (const member of ['type', 'title', 'detail', 'code'])
      if (typeof body?.[member] !== 'string' || body[member] === '') found.push(`the problem has no ${member}`);
    if (body?.code?.startsWith?.('database.')) found.push('the database speaks to the caller');
    if (status === 400 && body?.code !== 'http.refused') {
      const errors = body?.errors as { member?: unknown; rule?: unknown; detail?: unknown }[] | undefined;
      if (!Array.isArray(errors) || errors.length === 0) found.push('a 400 does not say which member is wrong');
      const names = keysIn(parsed(sent.body?.toString() ?? ''), new Set(known.get(operation.id)));
      for (const { member, rule, detail } of Array.isArray(errors) ? errors : []) {
        const segments = typeof member === 'string' ? member.split('.') : [];
        const named = segments.length > 0 && segments.every((one) => names.has(one) || /^(\d+|\*)$/.test(one));
        if (!named) found.push(`errors names ${JSON.stringify(member)}, which is no member`);
        if (typeof rule !== 'string' || typeof detail !== 'string') found.push('errors has no rule or detail');
      }
    }
    if (status === 401 && headers['www-authenticate'] === undefined) found.push('401 without WWW-Authenticate');
    if (status === 405 && headers['allow'] === undefined) found.push('405 without Allow');
    if (insides.test(text)) found.push(`a refusal shows the inside of the service (${insides.exec(text)![0]})`);
    const { 'x-request-id': _, ...others } = headers;
    const seen = `${text} ${JSON.stringify(others)}`.toLowerCase();
    for (const canary of planted) if (seen.includes(canary)) found.push(`a refusal repeats ${canary}`);
    return found;
  };

  return (operation, exact, sent, answer) => {
    const { status, headers, text } = answer;
    const found: string[] = [];
    // Whether this instance is ready is the one answer that says by 503 what was asked; on a busy machine it may be late.
    if (operation.id === 'isReady' && exact && status === 503 && text.startsWith('{"status":"not-ready"')) return [];
    if (status >= 500) found.push(`answered ${status}`);
    if (status >= 300 && status < 400) found.push(`redirected (${status})`);
    if (exact && !operation.statuses.includes(status)) found.push(`${status} is not a documented status`);
    if (headers['x-content-type-options'] !== 'nosniff') found.push('no X-Content-Type-Options: nosniff');
    for (const name of ['cache-control', 'content-security-policy', 'x-request-id'])
      if (headers[name] === undefined) found.push(`no ${name}`);
    for (const name of Object.keys(headers))
      if (/^(access-control-|server$|x-powered-by$|set-cookie$)/.test(name)) found.push(`has ${name}`);
    const id = sent.headers['x-request-id'];
    // Nothing of a request without a URL is read, its headers neither.
    const unread = status === 400 && (sent.method === 'HEAD' || text.includes('http.request-unreadable'));
    // Node writes other than ASCII as UTF-8 and reads it as Latin-1.
    if (id !== undefined && /^[\x20-\x7e]*$/.test(id) && headers['x-request-id'] !== id && !unread)
      found.push(`X-Request-ID ${JSON.stringify(id)} comes back as ${JSON.stringify(headers['x-request-id'])}`);
    if (status >= 400) return [...found, ...refusalProblems(operation, sent, answer)];
    const seen = text.toLowerCase();
    for (const canary of exact && mayName.has(operation.id) ? plantedForNobody : planted)
      if (seen.includes(canary)) found.push(`an answer repeats ${canary}`);
    return found;
  };
};
