import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { jwksRoutes } from './jwks.ts';
import { appOf, newSigningKey } from './test-support.ts';
import { createTokenIssuer } from './tokens.ts';

const key = newSigningKey('k1');

test('with the published keys anybody can verify what was signed', async () => {
  const { app } = appOf([jwksRoutes(async () => [key.publicJwk])]);
  const response = await app.request('/.well-known/jwks.json');
  expect(response.headers.get('cache-control')).toBe('public, max-age=300');
  const keys = createLocalJWKSet((await response.json()) as JSONWebKeySet);
  const issue = createTokenIssuer({
    key,
    issuer: 'https://i.example',
    audience: 'https://a.example',
    clock: systemClock,
  });
  const { payload } = await jwtVerify(issue({ clientId: 'c', system: 'crm', scopes: [] }), keys);
  expect(payload.sub).toBe('crm');
});

test('a private key that was handed over by mistake is not published', async () => {
  const { d } = key.privateKey.export({ format: 'jwk' });
  const { app } = appOf([jwksRoutes(async () => [{ ...key.publicJwk, d: d! }])]);
  const text = await (await app.request('/.well-known/jwks.json')).text();
  expect(text).not.toContain(d);
});
