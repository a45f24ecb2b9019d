import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

const server = {
  DATABASE_URL: 'postgres://askfirst_app:s3cret@db/askfirst',
  KEYS_DATABASE_URL: 'postgres://askfirst_app:s3cret@db/askfirst_keys',
  KEY_ENCRYPTION_KEYS: '1:AAAA',
};

test('an empty environment means the embedded database on loopback', () => {
  const { settings, secrets } = readConfig({});
  expect(settings).toMatchObject({ host: '127.0.0.1', port: 8080, allowPrivateTargets: false, prepare: true });
  expect(secrets.urls).toBeUndefined();
});

test.each([
  [{ PORT: 'http' }, 'PORT'],
  [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL'],
  [{ ...server, KEYS_DATABASE_URL: server.DATABASE_URL }, 'KEYS_DATABASE_URL'],
  [{ ...server, KEY_ENCRYPTION_KEYS: '' }, 'KEY_ENCRYPTION_KEYS'],
  [{ BASE_URL: 'http://askfirst.example.org' }, 'BASE_URL'],
  [{ BASE_URL: 'https://askfirst.example.org?x=1' }, 'BASE_URL'],
  [{ ALLOW_PRIVATE_TARGETS: 'yes' }, 'ALLOW_PRIVATE_TARGETS'],
  [{ MIGRATOR_DATABASE_URL: 'postgres://askfirst_owner@db/askfirst' }, 'DATABASE_URL: required with'],
  [{ MAIL_URL: 'http://user:s3cret@mail', MAIL_FROM: 'info@example.org' }, 'MAIL_URL'],
  [{ MAIL_URL: 'smtp://user:s3cret@mail' }, 'MAIL_FROM: required with'],
  [{ MAIL_URL: 'smtp://mail', MAIL_FROM: 'info@example.org, else@example.org' }, 'MAIL_FROM'],
  [{ TOKEN_ISSUERS: 'https://login.example.org, http://login.example.org' }, 'TOKEN_ISSUERS'],
  [{ STAFF_ISSUER: 'http://login.example.org' }, 'STAFF_ISSUER'],
  [{ STAFF_ISSUER: 'https://login.example.org', STAFF_CLIENT_SECRET: 's3cret' }, 'STAFF_CLIENT_ID: required with'],
  [{ STAFF_CLIENT_ID: 'askfirst', STAFF_CLIENT_SECRET: 's3cret' }, 'STAFF_ISSUER: required with'],
  [{ STAFF_SCOPE: 'profile' }, 'STAFF_SCOPE'],
])('a wrong environment is refused by the name of the variable, never by its value: %j', (environment, name) => {
  expect(() => readConfig(environment)).toThrow(name);
  expect(() => readConfig(environment)).not.toThrow(/s3cret/);
});

test('an identity provider takes an issuer, a client and its secret; token issuers are a list', () => {
  const STAFF_ISSUER = 'https://login.example.org/realms/club';
  const { settings, secrets } = readConfig({
    STAFF_ISSUER,
    STAFF_CLIENT_ID: 'askfirst',
    STAFF_CLIENT_SECRET: 's3cret',
    TOKEN_ISSUERS: ' https://one.example.org/ , http://127.0.0.1:9000,',
  });
  expect(secrets.staffProvider).toEqual({
    issuer: STAFF_ISSUER,
    clientId: 'askfirst',
    clientSecret: 's3cret',
    scope: 'openid',
    rolesClaim: 'roles',
  });
  expect(settings.tokenIssuers).toEqual(['https://one.example.org/', 'http://127.0.0.1:9000']);
  expect(readConfig({})).toMatchObject({ settings: { tokenIssuers: [] }, secrets: { staffProvider: undefined } });
});

test('without a name of its own, the key store is the database beside the data', () => {
  const { secrets } = readConfig({
    ...server,
    KEYS_DATABASE_URL: '',
    MIGRATOR_DATABASE_URL: 'postgres://askfirst_owner@db/askfirst',
  });
  expect(secrets.urls).toMatchObject({
    keys: 'postgres://askfirst_app:s3cret@db/askfirst_keys',
    keysOwner: 'postgres://askfirst_owner@db/askfirst_keys',
  });
});

test('all problems are told at once', () => {
  expect(() => readConfig({ PORT: '-1', LOG_LEVEL: 'loud' })).toThrow(/PORT[^]*LOG_LEVEL/);
});
