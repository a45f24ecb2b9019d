import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './address-guard.ts';

export type ResolvedAddress = { address: string; family: number };
export type ResolveHost = (host: string) => Promise<ResolvedAddress[]>;

/** What came of one POST: an answer (`body` empty when it was longer than a receipt can be), or why there was none, without the URL. */
export type SendOutcome = { status: number; body: string } | { status: null; problem: string };

export type SendWebhook = (message: {
  url: string;
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
}) => Promise<SendOutcome>;

const maxAnswerBytes = 16_384;

class Undeliverable extends Error {}

/** The system's own resolver (files, search domains), whose threads are few: one unanswered name holds one of them, not one per delivery. */
const sharing = (resolve: ResolveHost): ResolveHost => {
  const asked = new Map<string, Promise<ResolvedAddress[]>>();
  return (host) => {
    const known = asked.get(host);
    if (known) return known;
    const answer = resolve(host).finally(() => asked.delete(host));
    asked.set(host, answer);
    return answer;
  };
};

/**
 * Sends to addresses that others chose without becoming their tool (server-side request forgery): the host is resolved here, once; every
 * address must be public; the connection goes to exactly those addresses, whatever the name says a moment later. Redirects are
 * not followed, no proxy, no cookies, one connection per delivery. `allowPrivateTargets` lets private addresses pass.
 */
export const createWebhookSender = (options: { allowPrivateTargets: boolean; resolve?: ResolveHost }): SendWebhook => {
  const resolve = sharing(options.resolve ?? ((host) => lookup(host, { all: true })));

  const addressesOf = async (url: URL): Promise<ResolvedAddress[]> => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const family = isIP(host);
    const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
    if (addresses.length === 0) throw new Undeliverable('the host has no address');
    if (!options.allowPrivateTargets && !addresses.every(({ address }) => isPublicAddress(address)))
      throw new Undeliverable('the host has a private address');
    return addresses;
  };

  return async (message) => {
    const signal = AbortSignal.timeout(message.timeoutMs);
    const timedOut = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
    timedOut.catch(() => {}); // it also fires when the answer came in time
    try {
      const url = new URL(message.url);
      const addresses = await Promise.race([addressesOf(url), timedOut]);
      const response = await Promise.race([post(url, addresses, message, signal), timedOut]);
      return { status: response.statusCode!, body: await Promise.race([readBody(response), timedOut]) };
    } catch (error) {
      if (error instanceof Undeliverable) return { status: null, problem: error.message };
      if (signal.aborted) return { status: null, problem: `no answer within ${message.timeoutMs} ms` };
      return { status: null, problem: `no connection (${(error as NodeJS.ErrnoException).code ?? 'unknown'})` };
    }
  };
};

const post = (
  url: URL,
  addresses: ResolvedAddress[],
  message: { headers: Record<string, string>; body: string },
  signal: AbortSignal,
): Promise<IncomingMessage> => {
  const pinned: LookupFunction = (_host, { all }, done) =>
    all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family);
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { ...message.headers, 'content-length': Buffer.byteLength(message.body) };
    // `agent: false`: the global agent may go through a proxy, and would keep a connection to an address judged earlier.
    send(url, { method: 'POST', agent: false, lookup: pinned, rejectUnauthorized: true, signal, headers })
      .on('response', resolve)
      .on('error', reject)
      .end(message.body);
  });
};

const readBody = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) return ''; // leaving the loop ends the connection
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};
