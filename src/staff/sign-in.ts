import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
  type ServerMetadata,
} from 'openid-client';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { openCapability, sealCapability } from '../kernel/crypto/capability.ts';
import { ProviderUnavailable, SignInNotBegun, SignInRefused } from './errors.ts';
import { rolesIn, type StaffRole } from './roles.ts';

/** The controller's OpenID provider, and as what it knows us. */
export type StaffProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Space-separated, `openid` among them. */
  scope: string;
  /** Name of a claim, or a dotted path into one. */
  rolesClaim: string;
};

export type SignIn = {
  /** Where to send the browser, and what to give it to keep until it returns; `to` is where it wants to go. */
  begin(to: string): Promise<{ location: string; kept: string }>;
  /** Who came back with `search` (the query of the callback, with its `?`) and what was kept. */
  complete(search: string, kept: string | undefined): Promise<{ person: string; roles: StaffRole[]; to: string }>;
};

/** How long somebody may take at the provider, second factor included; seconds. */
export const signInSeconds = 600;

/** How long the provider's addresses are remembered. */
const metadataMs = 300_000;

/** Less than a request of ours may take. */
const providerTimeoutSeconds = 3;

const keptSchema = z.object({
  kind: z.literal('staff-sign-in'),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  to: z.string(),
  endsAtMs: z.number(),
});

/** What the provider did not mean to say: it is down, or says something that is no OpenID. */
const unreachable = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
]);

/** A code as OAuth defines them (RFC 6749 section 4.1.2.1): whoever makes up a callback could write anything there. */
const codeOf = (error: { error: string }): string => (/^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error');

const translate = (error: unknown): Error => {
  if (error instanceof AuthorizationResponseError)
    return new SignInRefused(`the identity provider answered ${codeOf(error)}`, error);
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant')
    return new SignInRefused('its code was used already or is not ours', error);
  if (error instanceof ResponseBodyError || error instanceof WWWAuthenticateChallengeError)
    return new ProviderUnavailable('does not accept what STAFF_CLIENT_ID and STAFF_CLIENT_SECRET say', error);
  // What `fetch` throws when nobody is there.
  if (error instanceof TypeError || unreachable.has(String((error as { code?: unknown }).code)))
    return new ProviderUnavailable('cannot be reached right now', error);
  return new SignInRefused('the answer does not fit this sign-in', error);
};

/** Basic is what every provider must take (RFC 6749 section 2.3.1), unless it says what it takes instead. */
const authenticationFor = ({ token_endpoint_auth_methods_supported: methods }: ServerMetadata, secret: string) =>
  methods === undefined || methods.includes('client_secret_basic')
    ? ClientSecretBasic(secret)
    : ClientSecretPost(secret);

/**
 * Sign-in with OpenID Connect: authorization code with PKCE (RFC 7636), state and nonce, by discovery. What must come back lies sealed in
 * the browser that began, so any instance can complete it and nobody else's browser can. Signatures are checked with the keys that the
 * provider publishes at that moment, so it may change them at will. Throws ProviderUnavailable, SignInNotBegun, SignInRefused.
 */
export const createSignIn = ({
  provider,
  redirectUri,
  key,
  clock,
}: {
  provider: StaffProvider;
  redirectUri: string;
  /** The service's secret `capabilities`. */
  key: Buffer;
  clock: Clock;
}): SignIn => {
  const issuer = new URL(provider.issuer);
  const nowMs = () => clock.now().epochMilliseconds;
  let known: { metadata: Promise<ServerMetadata>; readAtMs: number } | undefined;

  const discover = async (): Promise<ServerMetadata> => {
    const found = await discovery(issuer, provider.clientId, undefined, undefined, {
      timeout: providerTimeoutSeconds,
      execute: issuer.protocol === 'http:' ? [allowInsecureRequests] : [],
    });
    return found.serverMetadata();
  };
  const metadata = (): Promise<ServerMetadata> => {
    if (known && nowMs() - known.readAtMs < metadataMs) return known.metadata;
    const asked = { metadata: discover(), readAtMs: nowMs() };
    known = asked;
    // A provider that was down is asked again by the next who signs in.
    asked.metadata.catch(() => {
      if (known === asked) known = undefined;
    });
    return asked.metadata;
  };
  /** Made anew for each use, since it keeps the provider's keys. */
  const configure = async (): Promise<Configuration> => {
    const server = await metadata();
    const configuration = new Configuration(
      server,
      provider.clientId,
      undefined,
      authenticationFor(server, provider.clientSecret),
    );
    configuration.timeout = providerTimeoutSeconds;
    if (issuer.protocol === 'http:') allowInsecureRequests(configuration);
    enableNonRepudiationChecks(configuration);
    return configuration;
  };

  return {
    begin: async (to) => {
      try {
        const configuration = await configure();
        const kept: z.output<typeof keptSchema> = {
          kind: 'staff-sign-in',
          state: randomState(),
          nonce: randomNonce(),
          verifier: randomPKCECodeVerifier(),
          to,
          endsAtMs: nowMs() + signInSeconds * 1000,
        };
        const location = buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: provider.scope,
          state: kept.state,
          nonce: kept.nonce,
          code_challenge: await calculatePKCECodeChallenge(kept.verifier),
          code_challenge_method: 'S256',
        });
        return { location: location.href, kept: sealCapability(key, kept) };
      } catch (error) {
        throw translate(error);
      }
    },

    complete: async (search, sealed) => {
      const read = keptSchema.safeParse(openCapability(key, sealed ?? ''));
      if (!read.success || read.data.endsAtMs <= nowMs()) throw new SignInNotBegun();
      const { state, nonce, verifier, to } = read.data;
      try {
        const configuration = await configure();
        // Our own address, not what the Host header says.
        const current = new URL(redirectUri);
        current.search = search;
        const tokens = await authorizationCodeGrant(configuration, current, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims()!;
        const roles =
          rolesIn(claims, provider.rolesClaim) ??
          (configuration.serverMetadata().userinfo_endpoint === undefined
            ? undefined
            : rolesIn(await fetchUserInfo(configuration, tokens.access_token, claims.sub), provider.rolesClaim));
        return { person: claims.sub, roles: roles ?? [], to };
      } catch (error) {
        throw translate(error);
      }
    },
  };
};
