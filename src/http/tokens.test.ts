import { randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { expect, test } from 'vitest';
import { testClock } from '../kernel/clock.ts';
import { TokenInvalid } from './auth-errors.ts';
import { newSigningKey } from './test-support.ts';
import { createTokenIssuer, createTokenVerifier } from './tokens.ts';

const setUp = (mostCached?: number) => {
  const clock = testClock('2026-01-01T00:00:00Z');
  const startedAt = clock.now().epochMilliseconds;
  const key = newSigningKey('k1');
  const common = { issuer: 'https://ask.example', audience: 'https://ask.example', clock };
  const tick = () => clock.now().epochMilliseconds - startedAt;
  return {
    clock,
    key,
    issue: createTokenIssuer({ key, ...common }),
    verify: createTokenVerifier({
      keys: async () => [key],
      ...common,
      tick,
      ...(mostCached === undefined ? {} : { mostCached }),
    }),
    common,
  };
};
const client = { clientId: 'c-1', system: 'community-desk', scopes: ['decisions:evaluate', 'links:write'] } as const;

/** What the verifier says to a token: the caller or the rule that it breaks. */
const outcome = async (verify: ReturnType<typeof createTokenVerifier>, token: string) => {
  try {
    return await verify(token);
  } catch (error) {
    expect(error).toBeInstanceOf(TokenInvalid);
    return (error as TokenInvalid).message;
  }
};

test('a token is an ES256 JWT with the claims of RFC 9068 that lives 300 seconds', () => {
  const { issue, clock } = setUp();
  const token = issue(client);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' });
  const iat = clock.now().epochMilliseconds / 1000;
  expect(decodeJwt(token)).toEqual({
    iss: 'https://ask.example',
    aud: 'https://ask.example',
    sub: 'community-desk',
    client_id: 'c-1',
    scope: 'decisions:evaluate links:write',
    iat,
    exp: iat + 300,
    jti: expect.any(String),
  });
  expect(decodeJwt(issue(client)).jti).not.toBe(decodeJwt(token).jti);
});

test('a verified token says who calls, at once when it is known', async () => {
  const { issue, verify } = setUp();
  const token = issue(client);
  const first = verify(token);
  expect(first).toBeInstanceOf(Promise);
  const caller = await first;
  expect(caller).toMatchObject({ system: 'community-desk', clientId: 'c-1', scopes: client.scopes });
  expect(verify(token)).toBe(caller);
});

test('a token expires to the second, whether it is known or new', async () => {
  const { issue, verify, clock, key, common } = setUp();
  const token = issue(client);
  await verify(token);
  clock.advance({ seconds: 299 });
  expect(await outcome(verify, token)).toMatchObject({ system: 'community-desk' });
  clock.advance({ seconds: 1 });
  expect(await outcome(verify, token)).toBe('the access token is expired');
  expect(await outcome(createTokenVerifier({ keys: async () => [key], ...common }), token)).toBe(
    'the access token is expired',
  );
});

test('a known token with another signature is another token and is refused', async () => {
  const { issue, verify } = setUp();
  const token = issue(client);
  await verify(token);
  const [header, claims, signature] = token.split('.') as [string, string, string];
  const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  expect(await outcome(verify, `${header}.${claims}.${flipped}`)).toContain('forged');
});

const forge = async (
  key: ReturnType<typeof newSigningKey>,
  claims: JWTPayload,
  header: { alg?: string; typ?: string; kid?: string } = {},
) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k1', ...header })
    .sign(await importJWK({ ...key.privateKey.export({ format: 'jwk' }) }, 'ES256'));

test('tokens that are foreign, forged, of another type or of another use are refused', async () => {
  const { verify, key, clock } = setUp();
  const iat = clock.now().epochMilliseconds / 1000;
  const good = {
    iss: 'https://ask.example',
    aud: 'https://ask.example',
    sub: 'crm',
    client_id: 'c',
    scope: 'consents:read',
    iat,
    exp: iat + 60,
    jti: randomUUID(),
  };
  expect(await outcome(verify, await forge(key, good))).toMatchObject({ system: 'crm' });
  const without = (claim: keyof typeof good) => {
    const { [claim]: _, ...rest } = good;
    return rest;
  };
  const bad = {
    'another issuer': await forge(key, { ...good, iss: 'https://evil.example' }),
    'another audience': await forge(key, { ...good, aud: 'https://other.example' }),
    'an ID token': await forge(key, good, { typ: 'JWT' }),
    'a stranger who takes our kid': await forge(newSigningKey('k1'), good),
    'an unknown kid': await forge(key, good, { kid: 'k2' }),
    'no end': await forge(key, without('exp')),
    'no client': await forge(key, without('client_id')),
    'no scope': await forge(key, without('scope')),
    'a life of an hour': await forge(key, { ...good, exp: iat + 3600 }),
    'no signature': new UnsecuredJWT(good).encode(),
    'the public key as HMAC secret': await new SignJWT(good)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })
      .sign(Buffer.from(JSON.stringify(key.publicJwk))),
    noise: 'eva@example.org',
  };
  for (const [name, token] of Object.entries(bad))
    expect([name, await outcome(verify, token)]).toEqual([name, expect.any(String)]);
});

test('a scope that this version does not know gives nothing', async () => {
  const { verify, key, clock } = setUp();
  const iat = clock.now().epochMilliseconds / 1000;
  const token = await forge(key, {
    iss: 'https://ask.example',
    aud: 'https://ask.example',
    sub: 'crm',
    client_id: 'c',
    scope: 'links:read everything toString',
    iat,
    exp: iat + 60,
    jti: randomUUID(),
  });
  expect(await outcome(verify, token)).toMatchObject({ scopes: ['links:read'] });
});

test('a token of another issuer is verified by whoever verifies that issuer, and again after five minutes', async () => {
  const { clock, key, common } = setUp();
  const startedAt = clock.now().epochMilliseconds;
  const iat = startedAt / 1000;
  const asked: string[] = [];
  const caller = { system: 'crm', clientId: 'c', scopes: [], issuedAt: iat, expiresAt: iat + 3_600 };
  let refused = false;
  const verify = createTokenVerifier({
    keys: async () => [key],
    ...common,
    tick: () => clock.now().epochMilliseconds - startedAt,
    outside: new Map([
      [
        'https://login.example',
        async (token) => {
          asked.push(token);
          if (refused) throw new TokenInvalid('signed with an unknown key');
          return caller;
        },
      ],
    ]),
  });
  const token = await forge(key, { iss: 'https://login.example' });
  expect(await verify(token)).toBe(caller);
  clock.advance({ seconds: 299 });
  expect(verify(token)).toBe(caller);
  expect(asked).toEqual([token]);
  clock.advance({ seconds: 1 });
  expect(await verify(token)).toBe(caller);
  expect(asked).toEqual([token, token]);
  refused = true;
  clock.advance({ seconds: 300 });
  expect(await outcome(verify, token)).toContain('unknown key');
  // What is signed with our own key, but names somebody else, is not ours.
  expect(await outcome(verify, await forge(key, { iss: 'https://login.example/' }))).toEqual(expect.any(String));
});

test('old and new key verify side by side while keys are rotated', async () => {
  const { common, key, issue } = setUp();
  const next = newSigningKey('k2');
  const verify = createTokenVerifier({ keys: async () => [next, key], ...common });
  expect(await outcome(verify, issue(client))).toMatchObject({ clientId: 'c-1' });
  const issueNext = createTokenIssuer({ key: next, ...common });
  expect(await outcome(verify, issueNext(client))).toMatchObject({ clientId: 'c-1' });
});

test('however many tokens come, a bounded number is remembered, and those in use stay', async () => {
  const { issue, verify } = setUp(10);
  const inUse = issue(client);
  await verify(inUse);
  const tokens: string[] = [];
  for (let i = 0; i < 40; i++) {
    tokens.push(issue(client));
    await verify(tokens.at(-1)!);
    expect(verify(inUse)).not.toBeInstanceOf(Promise);
  }
  const remembered = tokens.filter((token) => !(verify(token) instanceof Promise));
  expect(remembered.length).toBeLessThanOrEqual(10);
  expect(remembered.length).toBeGreaterThan(0);
});
