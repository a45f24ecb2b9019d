import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from 'jose';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { IssuerUnavailable, TokenInvalid } from './auth-errors.ts';

/** How often at most an issuer is asked for its keys because of tokens that name an unknown one: anybody can send those. */
const cooldownMs = 10_000;

/** After this, keys are read again, so that one that the issuer has withdrawn is not trusted for ever. */
const refreshMs = 300_000;

/** How long the issuer may take, all told: less than a request of ours. */
const timeoutMs = 3_000;

/** How long a token under a known key waits for that, before it is judged by what is known. */
const patienceMs = 1_000;

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** Where an issuer tells about itself: OpenID Connect Discovery 1.0 section 4, then RFC 8414 section 3. */
const wellKnown = (issuer: string): string[] => {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
};

const fetchJson = async (url: string, signal: AbortSignal): Promise<unknown> => {
  const answer = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal,
  });
  if (answer.ok) return answer.json();
  await answer.body?.cancel();
  throw new Error(`${url} answers ${answer.status}`);
};

/** The keys that an issuer publishes now. Rejects when it cannot be reached, or says that it is somebody else. */
const readKeys = async (issuer: string): Promise<JSONWebKeySet> => {
  const [openid, oauth] = wellKnown(issuer) as [string, string];
  const signal = AbortSignal.timeout(timeoutMs);
  const metadata = metadataSchema.parse(await fetchJson(openid, signal).catch(() => fetchJson(oauth, signal)));
  // RFC 8414 section 3.3: to the letter, else one tenant of a provider could speak for another.
  if (metadata.issuer !== issuer) throw new Error(`the issuer ${issuer} calls itself otherwise`);
  const { protocol, origin } = new URL(metadata.jwks_uri);
  if (protocol !== 'https:' && origin !== new URL(issuer).origin)
    throw new Error(`the keys of ${issuer} are not https`);
  return jwksSchema.parse(await fetchJson(metadata.jwks_uri, signal)) as JSONWebKeySet;
};

/**
 * Finds the key that a token names among those that its issuer publishes. Known keys go on working while the issuer is down; an unknown
 * one makes us ask it, at most once in ten seconds. Throws TokenInvalid, IssuerUnavailable.
 */
export const createIssuerKeys = ({
  issuer,
  clock,
  onFailure,
}: {
  issuer: string;
  clock: Clock;
  /** Told each time that the keys could not be read. */
  onFailure(error: unknown): void;
}) => {
  let known: ReturnType<typeof createLocalJWKSet> | undefined;
  let askedAtMs = -Infinity;
  let lastFailed = false;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    askedAtMs = clock.now().epochMilliseconds;
    try {
      known = createLocalJWKSet(await readKeys(issuer));
      lastFailed = false;
    } catch (error) {
      lastFailed = true;
      onFailure(error);
    }
    asking = undefined;
  };
  const find = async (header: JWTHeaderParameters) => {
    try {
      return await known?.(header);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  };

  return async (header: JWTHeaderParameters) => {
    // Without a name, any key of the set that fits would do.
    if (header.kid === undefined) throw new TokenInvalid('signed without naming its key');
    // A clock that was set back must not keep us from asking.
    const ageMs = Math.abs(clock.now().epochMilliseconds - askedAtMs);
    const found = await find(header);
    if (found !== undefined && ageMs < refreshMs) return found;
    if (ageMs >= cooldownMs) asking ??= ask();
    await (found === undefined ? asking : Promise.race([asking, sleep(patienceMs, undefined, { ref: false })]));
    const fresh = await find(header);
    if (fresh !== undefined) return fresh;
    throw lastFailed ? new IssuerUnavailable() : new TokenInvalid('signed with an unknown key');
  };
};
