import { existsSync } from 'node:fs';
import { readConfig, type Secrets, type Settings } from '../config.ts';
import { startEmbedded } from '../embedded.ts';
import { localKeyEncryption } from '../kernel/crypto/key-encryption.ts';
import { createKeyStore, type KeyStore } from '../kernel/crypto/key-store.ts';
import { connect, type Database } from '../kernel/database/client.ts';
import { assertMigrated } from '../kernel/database/migrate.ts';
import { createDeploymentReader, createPolicySets, type PolicySets } from '../policies/index.ts';

/** The databases that the environment names. */
export type Installation = {
  settings: Settings;
  urls: NonNullable<Secrets['urls']>;
  keyEncryptionKeys: string;
};

const quiet = { info: () => {}, warn: (message: string) => void process.stderr.write(`${message}\n`) };

/**
 * Runs `use` on the databases that the environment names. The embedded PostgreSQL is joined where the service runs, else started for as
 * long as `use` takes; only with `create` it is made, because it would be the wrong folder more often than not.
 */
export const withInstallation = async <T>(
  use: (installation: Installation) => Promise<T>,
  { create = false } = {},
): Promise<T> => {
  const { settings, secrets } = readConfig();
  if (secrets.urls) return use({ settings, urls: secrets.urls, keyEncryptionKeys: secrets.keyEncryptionKeys! });
  if (!create && !existsSync(settings.dataFolder))
    throw new Error(
      `there is no data folder ${settings.dataFolder}: run "npm start" once, or name yours in ASKFIRST_DATA or DATABASE_URL`,
    );
  const embedded = await startEmbedded(settings.dataFolder, quiet);
  try {
    return await use({ settings, ...embedded.secrets });
  } finally {
    await embedded.stop();
  }
};

/** An operator may wait longer for an answer than a caller. */
const patienceMs = 300_000;

export type Opened = Installation & { database: Database; policySets: PolicySets };

/** Runs `use` with a connection as the service's own role, on an up-to-date schema. */
export const withOpened = async <T>(installation: Installation, use: (opened: Opened) => Promise<T>): Promise<T> => {
  const { prepare } = installation.settings;
  const database = connect(installation.urls.app, {
    connections: 1,
    prepare,
    statementTimeoutMs: patienceMs,
    name: 'askfirst-cli',
  });
  try {
    await assertMigrated(database, 'data');
    const policySets = createPolicySets(database, createDeploymentReader(database, patienceMs));
    return await use({ ...installation, database, policySets });
  } finally {
    await database.end();
  }
};

export const withDatabase = <T>(use: (opened: Opened) => Promise<T>): Promise<T> =>
  withInstallation((installation) => withOpened(installation, use));

/** Runs `use` with the key store. */
export const withKeys = async <T>(
  { urls, keyEncryptionKeys, settings }: Installation,
  use: (keys: KeyStore) => Promise<T>,
): Promise<T> => {
  const keys = createKeyStore(urls.keys, localKeyEncryption(keyEncryptionKeys), { prepare: settings.prepare });
  try {
    await assertMigrated(keys.database, 'keys');
    return await use(keys);
  } finally {
    await keys.database.end();
  }
};
