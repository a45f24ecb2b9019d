import { AskfirstRefused, AskfirstUnreachable } from './errors.ts';
import { tokenSource, type Token } from './token.ts';

/** Where the service is and who asks. */
export type Access = { baseUrl: string; clientId: string; clientSecret: string; fetch: typeof globalThis.fetch };

/** One authenticated call. `timeoutMs` bounds everything: the token if one is needed, the answer, its last byte. */
type Call = {
  method: 'GET' | 'POST';
  path: string;
  timeoutMs: number;
  body?: unknown;
  headers?: Record<string, string>;
};

/** A 2xx; `body` is undefined where there was none or it was not JSON. */
type Answer = { status: number; body: unknown };

/**
 * Sends a call with a valid access token (RFC 6749 section 4.4), once more with a new one where it was answered 401.
 *
 * @throws AskfirstUnreachable, AskfirstRefused and nothing else
 */
export type Transport = (call: Call) => Promise<Answer>;

/** A token is fetched for all who wait, so no single caller's patience bounds it. */
const tokenTimeoutMs = 5_000;

export const createTransport = ({ baseUrl, clientId, clientSecret, fetch }: Access): Transport => {
  const base = baseUrl.replace(/\/+$/, '');

  const request = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      // A redirect would carry identifiers to somebody who was not configured.
      return await fetch(base + path, { ...init, redirect: 'error' });
    } catch (error) {
      throw new AskfirstUnreachable('askfirst.unreachable', `no connection${systemCode(error)}`);
    }
  };

  const tokens = tokenSource(() =>
    within(tokenTimeoutMs, async (signal) => {
      const response = await request('/oauth/token', {
        method: 'POST',
        signal,
        headers: {
          accept: 'application/json',
          authorization: `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: 'grant_type=client_credentials',
      });
      return readToken(await readAnswer(response));
    }),
  );

  return (call) =>
    within(call.timeoutMs, async (signal) => {
      const body = call.body === undefined ? null : JSON.stringify(call.body);
      const send = (token: string): Promise<Response> =>
        request(call.path, {
          method: call.method,
          signal,
          headers: {
            accept: 'application/json',
            authorization: `Bearer ${token}`,
            ...(body !== null && { 'content-type': 'application/json' }),
            ...call.headers,
          },
          body,
        });
      const token = await tokens.get();
      const response = await send(token);
      if (response.status !== 401) return readAnswer(response);
      await response.body?.cancel();
      tokens.drop(token);
      return readAnswer(await send(await tokens.get()));
    });
};

/** Bounds work by the clock even where it ignores the signal, as a `fetch` handed in by the caller may. */
const within = async <T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const signal = AbortSignal.timeout(timeoutMs);
  const late = new Promise<never>((_, reject) => {
    const expire = () => reject(new AskfirstUnreachable('askfirst.timeout', `no answer within ${timeoutMs} ms`));
    signal.addEventListener('abort', expire, { once: true });
  });
  return Promise.race([work(signal), late]);
};

const readAnswer = async (response: Response): Promise<Answer> => {
  const { status } = response;
  const body = parse(await response.text().catch(() => ''));
  if (response.ok) return { status, body };
  const { code, member } = problemOf(body);
  const message = `answered ${status}${code ? ` ${code}` : ''}${member ? ` at ${member}` : ''}`;
  if (status === 429 || status >= 500) throw new AskfirstUnreachable(code ?? 'askfirst.unreachable', message);
  throw new AskfirstRefused(code ?? 'askfirst.refused', message, status);
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Code and member of a problem document (RFC 9457), if they look like such: whatever else stands there is not repeated. */
const problemOf = (body: unknown): { code?: string | undefined; member?: string | undefined } => {
  const { code, error, errors } = (body ?? {}) as { code?: unknown; error?: unknown; errors?: [{ member?: unknown }?] };
  const name = (value: unknown): string | undefined =>
    typeof value === 'string' && /^[\w./[\]-]{1,80}$/.test(value) ? value : undefined;
  return { code: name(code) ?? name(error), member: name(errors?.[0]?.member) };
};

const readToken = ({ body }: Answer): Token => {
  const { access_token, token_type, expires_in } = (body ?? {}) as Record<string, unknown>;
  if (
    typeof access_token !== 'string' ||
    !/^[\w.~+/-]+=*$/.test(access_token) ||
    typeof token_type !== 'string' ||
    token_type.toLowerCase() !== 'bearer' ||
    typeof expires_in !== 'number'
  )
    throw new AskfirstUnreachable('askfirst.malformed', 'malformed answer of the token endpoint');
  return { value: access_token, lifetimeSeconds: expires_in };
};

/** `ECONNREFUSED` and its like, without the rest of an error that may hold what was sent. */
const systemCode = (error: unknown): string => {
  const code = (error as { cause?: { code?: unknown } } | null)?.cause?.code;
  return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? ` (${code})` : '';
};
