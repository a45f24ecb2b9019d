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
])('a wrong environment is refused by the name of the variable, never by its value: %j', (environment, name) => {
  expect(() => readConfig(environment)).toThrow(name);
  expect(() => readConfig(environment)).not.toThrow(/s3cret/);
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
