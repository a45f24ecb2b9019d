import { errors, jwtVerify } from 'jose';
import type { Clock } from '../kernel/clock.ts';
import { ClientUnregistered, TokenInvalid } from './auth-errors.ts';
import type { Caller } from './env.ts';
import { createIssuerKeys } from './issuer-keys.ts';
import { isScope, type Scope } from './scopes.ts';

/** What is registered here for a client of an outside issuer. */
export type OutsideClient = { clientId: string; system: string; scopes: readonly Scope[]; createdAt: Temporal.Instant };

/** No issuer tells us whom it has locked out, so the end of a token must not be far. */
const longestLifeSeconds = 3_600;

/** By how much two servers' clocks may differ. */
const toleranceSeconds = 60;

const rules: Readonly<Record<string, string>> = {
  typ: 'no access token: its typ is not at+jwt (RFC 9068)',
  aud: 'meant for somebody else: its aud is not this service',
  nbf: 'not valid yet',
};

const refusalOf = (error: unknown): unknown => {
  if (error instanceof errors.JWTExpired) return new TokenInvalid('expired');
  if (error instanceof errors.JOSEAlgNotAllowed) return new TokenInvalid('signed with an algorithm that is not taken');
  if (error instanceof errors.JWTClaimValidationFailed)
    return new TokenInvalid(rules[error.claim] ?? `without a usable ${error.claim}`);
  return error instanceof errors.JOSEError ? new TokenInvalid('malformed, foreign or forged') : error;
};

/**
 * Verifies access tokens (RFC 9068 section 4) of one issuer that is not ours. The issuer vouches for who the client is; which system that
 * is, and what it may do at most, is registered here: a token gets the scopes that both give. Its `findClient` reads the primary, and does
 * not find a client that was revoked. Throws TokenInvalid, IssuerUnavailable, ClientUnregistered.
 */
export const createOutsideVerifier = ({
  issuer,
  audience,
  clock,
  findClient,
  onFailure,
}: {
  issuer: string;
  audience: string;
  clock: Clock;
  findClient(issuer: string, externalId: string): Promise<OutsideClient | undefined>;
  onFailure(error: unknown): void;
}): ((token: string) => Promise<Caller>) => {
  const keys = createIssuerKeys({ issuer, clock, onFailure });

  return async (token) => {
    const nowMs = clock.now().epochMilliseconds;
    const { payload } = await jwtVerify(token, keys, {
      // Asymmetric ones only: with HS256 anybody who knows the public key could sign.
      algorithms: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      typ: 'at+jwt',
      issuer,
      audience,
      requiredClaims: ['exp', 'iat'],
      clockTolerance: toleranceSeconds,
      // oxlint-disable-next-line no-restricted-globals -- jose takes nothing else
      currentDate: new Date(nowMs),
    }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    const {
      iat,
      exp,
      client_id: clientId = payload['azp'],
      scope = '',
    } = payload as typeof payload & {
      iat: number;
      exp: number;
    };
    // A beginning may lie a little ahead, an end is an end.
    if (exp * 1000 <= nowMs) throw new TokenInvalid('expired');
    if (exp - iat > longestLifeSeconds) throw new TokenInvalid('valid for too long: an hour is the most');
    if (iat * 1000 > nowMs + toleranceSeconds * 1000) throw new TokenInvalid('issued in the future');
    if (typeof clientId !== 'string' || typeof scope !== 'string')
      throw new TokenInvalid('without a usable client_id or scope');
    const client = await findClient(issuer, clientId);
    if (!client) throw new ClientUnregistered();
    // Whoever registers a revoked client anew does not bring back the tokens for which it was revoked.
    if (iat < Math.floor(client.createdAt.epochMilliseconds / 1000))
      throw new TokenInvalid('older than the registration of its client: get a new one');
    const scopes = scope.split(' ').filter((one) => isScope(one) && client.scopes.includes(one)) as Scope[];
    return { system: client.system, clientId: client.clientId, scopes, issuedAt: iat, expiresAt: exp };
  };
};
