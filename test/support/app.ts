import { loadCatalogue, type Catalogue } from '../../src/policies/index.ts';
import { projectFolder, type Settings } from '../../src/config.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { newKeyEncryptionKey } from '../../src/kernel/crypto/key-encryption.ts';
import { connect, type Database } from '../../src/kernel/database/client.ts';
import { createLog, type Log } from '../../src/kernel/log.ts';
import { personalSchemas } from '../../src/personal-schemas.ts';
import { startService } from '../../src/main.ts';
import type { StaffProvider } from '../../src/staff/index.ts';
import { createClient } from '../../src/systems/index.ts';
import { join } from 'node:path';
import { freshDatabase, type TestDatabase } from './database.ts';

export type TestApp = {
  url: string;
  database: TestDatabase;
  /** As the role of the service. */
  db: Database;
  catalogue: Catalogue;
  /** `Bearer …` of a system with these scopes; all it may ever need when none are given. */
  token(system: string, scopes?: readonly string[]): Promise<string>;
  /** One JSON call; answers status and body. */
  call(
    method: string,
    path: string,
    options?: { as?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<{ status: number; body: any; headers: Headers }>;
  close(): Promise<void>;
};

export const allScopes = [
  'decisions:evaluate',
  'consents:write',
  'consents:read',
  'subjects:write',
  'subjects:read',
  'links:write',
  'links:read',
  'obligations:read',
  'endpoints:write',
];

export const testSettings: Settings = {
  dataFolder: '',
  policiesFolder: join(projectFolder, 'policies'),
  baseUrl: undefined,
  host: '127.0.0.1',
  port: 0,
  prepare: true,
  connections: 4,
  requestTimeoutMs: 10_000,
  callsPerMinute: 100_000_000,
  tokenIssuers: [],
  allowPrivateTargets: true,
  keyBackupFolder: undefined,
  keyBackupDays: 30,
  logLevel: 'silent',
};

export const testKeyEncryptionKeys = newKeyEncryptionKey(1);

/**
 * The real service on a fresh database. `database` shares one between instances; `settings` overrides what a test is about;
 * `log` takes a stream to search.
 */
export const startTestApp = async (
  options: {
    settings?: Partial<Settings>;
    database?: TestDatabase;
    log?: Log;
    clock?: Clock;
    /** Where it sends its mail (`startSmtp`); without it there is none. */
    mail?: { url: string };
    /** Where colleagues sign in (`startProvider`). */
    staffProvider?: StaffProvider;
  } = {},
): Promise<TestApp> => {
  const database = options.database ?? (await freshDatabase());
  const log = options.log ?? createLog({ level: 'silent', stream: process.stdout, personal: personalSchemas() });
  const service = await startService({
    settings: { ...testSettings, ...options.settings },
    urls: { app: database.urls.app, keys: database.urls.keys, reaper: database.urls.reaper },
    keyEncryptionKeys: testKeyEncryptionKeys,
    staffProvider: options.staffProvider,
    mail: options.mail && { url: options.mail.url, from: 'Club Amici <club@example.org>' },
    log,
    ...(options.clock ? { clock: options.clock } : {}),
  });
  const db = connect(database.urls.app, { connections: 2, name: 'test' });
  const catalogue = await loadCatalogue(testSettings.policiesFolder);
  const tokens = new Map<string, Promise<string>>();

  const issue = async (system: string, scopes: readonly string[]): Promise<string> => {
    const { clientId, clientSecret } = await createClient(
      { database: db, systems: catalogue.systems },
      { system, scopes },
    );
    const answer = await fetch(`${service.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return `Bearer ${token}`;
  };
  const token: TestApp['token'] = (system, scopes = allScopes) => {
    const name = `${system} ${scopes.join(' ')}`;
    const known = tokens.get(name) ?? issue(system, scopes);
    tokens.set(name, known);
    return known;
  };

  return {
    url: service.url,
    database,
    db,
    catalogue,
    token,
    call: async (method, path, { as = 'crm', body, headers = {} } = {}) => {
      const answer = await fetch(service.url + path, {
        method,
        headers: {
          authorization: await token(as),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers };
    },
    close: async () => {
      await service.stop();
      await db.end();
      if (!options.database) await database.drop();
    },
  };
};
