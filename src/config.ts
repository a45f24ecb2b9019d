import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from './kernel/errors.ts';
import { parseMailbox, type MailSettings } from './kernel/mail/transport.ts';
import type { StaffProvider } from './staff/index.ts';

export class ConfigInvalid extends AppError {
  constructor(problems: readonly string[]) {
    super('config.invalid', 'unprocessable', `the environment is not right:\n  ${problems.join('\n  ')}`);
  }
}

const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must begin with postgres://');
const flag = z.enum(['true', 'false']);

/** AuthZEN 1.0 section 9.2.3 and RFC 8414 section 2: an identifier is https; plain http is for trying out. */
export function isSecureBase(text: string): boolean {
  const url = URL.parse(text);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  return (
    url !== null &&
    url.search === '' &&
    url.hash === '' &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && loopback))
  );
}

const commaSeparated = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** Every variable of the environment that the service reads; the README's table is made of these. */
export const environmentSchema = z.object({
  DATABASE_URL: postgresUrl.optional().meta({
    description:
      'PostgreSQL 15 or newer, as the role `askfirst_app`. Without it an embedded PostgreSQL starts in the data folder.',
  }),
  MIGRATOR_DATABASE_URL: postgresUrl
    .optional()
    .meta({ description: 'The same database as its owner; with it `npm start` migrates.' }),
  REAPER_DATABASE_URL: postgresUrl.optional().meta({
    description:
      'The same database as `askfirst_reaper`, which alone may delete; with it old idempotency keys and challenges are swept.',
  }),
  KEYS_DATABASE_URL: postgresUrl.optional().meta({
    description: 'The key store, another database; by default the database `<name>_keys` on the same server.',
  }),
  MIGRATOR_KEYS_DATABASE_URL: postgresUrl.optional().meta({
    description:
      'The key store as its owner, which migrates it; by default `<name>_keys` beside MIGRATOR_DATABASE_URL.',
  }),
  DATABASE_PREPARE: flag.default('true').meta({ description: '`false` for poolers that keep no prepared statements.' }),
  DATABASE_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(2)
    .max(100)
    .default(8)
    .meta({ description: 'Connections per instance.' }),
  KEY_ENCRYPTION_KEYS: z.string().optional().meta({
    description:
      '`<version>:<base64 of 32 bytes>`, several separated by commas, the highest wraps. Embedded: made in the data folder.',
  }),
  KEY_ENCRYPTION_KEYS_FILE: z
    .string()
    .optional()
    .meta({ description: 'A file with the same, one per line; instead of the variable.' }),
  KEY_BACKUP_FOLDER: z.string().optional().meta({
    description:
      'Each night the key store is backed up into this folder, which no backup of the data may hold. Without it there is none.',
  }),
  KEY_BACKUP_DAYS: z.coerce.number().int().min(1).max(365).default(30).meta({
    description:
      'Backups of keys are removed after so many days: from an older one erased people could be brought back.',
  }),
  ASKFIRST_DATA: z.string().default('./.askfirst').meta({ description: 'Data folder of the embedded PostgreSQL.' }),
  ASKFIRST_POLICIES: z
    .string()
    .default('./policies')
    .meta({ description: 'Folder with the policies, activated at the first start only.' }),
  BASE_URL: z
    .url({ protocol: /^https?$/ })
    .refine(
      isSecureBase,
      'must be https (http only on this machine), without query or fragment: callers compare it with what they ask for',
    )
    .optional()
    .meta({ description: 'Where callers reach the service, https; issuer of tokens. `http://HOST:PORT` if absent.' }),
  MAIL_URL: z
    .url({ protocol: /^smtps?$/, hostname: /./, error: 'must begin with smtp:// or smtps:// and name a host' })
    .optional()
    .meta({
      description:
        'Where mail goes out, `smtps://user:password@host:465` or `smtp://host:587` (STARTTLS). Without it consent is not confirmed by mail.',
    }),
  MAIL_FROM: z
    .string()
    .refine((text) => parseMailbox(text) !== undefined, 'must be one address: Club <info@example.org>')
    .optional()
    .meta({ description: 'Sender of mail, `Club <info@example.org>`; required with MAIL_URL.' }),
  HOST: z.string().default('127.0.0.1').meta({ description: 'Address to listen on.' }),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .meta({ description: 'Port to listen on; 0 takes a free one.' }),
  REQUEST_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .meta({ description: 'A request is answered by then, with 503 if need be.' }),
  TOKEN_ISSUERS: z
    .string()
    .default('')
    .refine(
      (text) => commaSeparated(text).every(isSecureBase),
      'must be https addresses (http only on this machine), separated by commas',
    )
    .meta({
      description:
        'Issuers of your own whose access tokens (RFC 9068) systems may bring instead of ours, separated by commas; exactly as in their `iss`.',
    }),
  STAFF_ISSUER: z
    .url({ protocol: /^https?$/ })
    .refine(isSecureBase, 'must be https (http only on this machine), without query or fragment')
    .optional()
    .meta({ description: 'OpenID provider at which colleagues sign in. Without it nobody can.' }),
  STAFF_CLIENT_ID: z.string().optional().meta({ description: 'What that provider calls this service.' }),
  STAFF_CLIENT_SECRET: z.string().optional().meta({ description: 'The secret that it gave us.' }),
  STAFF_SCOPE: z
    .string()
    .regex(/(^| )openid( |$)/, 'must hold openid')
    .default('openid')
    .meta({ description: 'Scopes to ask it for; more than `openid` only where the claim with the roles needs it.' }),
  STAFF_ROLES_CLAIM: z.string().default('roles').meta({
    description:
      'Claim with the roles `caseworker`, `dpo`, `auditor` (also as `askfirst-…`), a name or a path such as `realm_access.roles`.',
  }),
  RATE_LIMIT_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000_000)
    .default(600_000)
    .meta({ description: 'Calls per client and minute over all instances; withdrawals are never limited.' }),
  ALLOW_PRIVATE_TARGETS: flag
    .default('false')
    .meta({ description: '`true` lets webhooks go to private addresses and plain http: development only.' }),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ description: 'Access lines are `info`.' }),
});

/** What the service needs to know, apart from secrets. */
export type Settings = {
  dataFolder: string;
  policiesFolder: string;
  baseUrl: string | undefined;
  host: string;
  port: number;
  prepare: boolean;
  connections: number;
  requestTimeoutMs: number;
  callsPerMinute: number;
  tokenIssuers: string[];
  allowPrivateTargets: boolean;
  keyBackupFolder: string | undefined;
  keyBackupDays: number;
  logLevel: z.output<typeof environmentSchema>['LOG_LEVEL'];
};

/** What nobody may see. Undefined URLs: the embedded PostgreSQL. */
export type Secrets = {
  urls:
    | {
        app: string;
        keys: string;
        owner?: string | undefined;
        keysOwner?: string | undefined;
        reaper?: string | undefined;
      }
    | undefined;
  keyEncryptionKeys: string | undefined;
  /** Where colleagues sign in. */
  staffProvider: StaffProvider | undefined;
  mail: MailSettings | undefined;
};

/** The key store's database where none is named: `<name>_keys` on the same server. */
const besides = (databaseUrl: string | undefined): string | undefined => {
  if (databaseUrl === undefined) return undefined;
  const url = new URL(databaseUrl);
  url.pathname += '_keys';
  return url.href;
};

/** The environment of this process, with what a file `.env` in the current folder adds to it. */
const ownEnvironment = (): Record<string, string | undefined> => {
  if (existsSync('.env')) process.loadEnvFile();
  return process.env;
};

/** Whether a server of one's own is named and no key-encryption key: `askfirst init` then makes one. */
export const lacksKeyEncryptionKey = (environment: Record<string, string | undefined> = ownEnvironment()): boolean =>
  Boolean(environment['DATABASE_URL']) &&
  !environment['KEY_ENCRYPTION_KEYS'] &&
  !environment['KEY_ENCRYPTION_KEYS_FILE'];

/**
 * Reads the environment, the only place that does. An empty variable counts as absent. Throws ConfigInvalid with every problem by the
 * name of its variable, never with a value.
 */
export const readConfig = (
  environment: Record<string, string | undefined> = ownEnvironment(),
): { settings: Settings; secrets: Secrets } => {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const read = environmentSchema.safeParse(given);
  if (!read.success)
    throw new ConfigInvalid(read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
  const env = read.data;
  const keysUrl = env.KEYS_DATABASE_URL ?? besides(env.DATABASE_URL);
  const problems: string[] = [];
  const orphan = (
    ['MIGRATOR_DATABASE_URL', 'REAPER_DATABASE_URL', 'KEYS_DATABASE_URL', 'MIGRATOR_KEYS_DATABASE_URL'] as const
  ).find((name) => env[name]);
  if (!env.DATABASE_URL && orphan)
    problems.push(
      `DATABASE_URL: required with ${orphan}; without it an embedded PostgreSQL would start beside your own`,
    );
  if (env.DATABASE_URL && keysUrl === env.DATABASE_URL)
    problems.push('KEYS_DATABASE_URL: must be another database than DATABASE_URL');
  if (env.DATABASE_URL && !env.KEY_ENCRYPTION_KEYS && !env.KEY_ENCRYPTION_KEYS_FILE)
    problems.push(
      'KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KEYS_FILE: required with DATABASE_URL (askfirst keys new prints one)',
    );
  if (env.MAIL_URL && !env.MAIL_FROM) problems.push('MAIL_FROM: required with MAIL_URL');
  const staffMissing = (['STAFF_CLIENT_ID', 'STAFF_CLIENT_SECRET'] as const).filter((name) => !env[name]);
  if (env.STAFF_ISSUER) problems.push(...staffMissing.map((name) => `${name}: required with STAFF_ISSUER`));
  else if (staffMissing.length < 2)
    problems.push('STAFF_ISSUER: required with STAFF_CLIENT_ID and STAFF_CLIENT_SECRET');
  if (problems.length > 0) throw new ConfigInvalid(problems);
  return {
    settings: {
      dataFolder: resolve(env.ASKFIRST_DATA),
      policiesFolder: resolve(env.ASKFIRST_POLICIES),
      baseUrl: env.BASE_URL?.replace(/\/+$/, ''),
      host: env.HOST,
      port: env.PORT,
      prepare: env.DATABASE_PREPARE === 'true',
      connections: env.DATABASE_CONNECTIONS,
      requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
      callsPerMinute: env.RATE_LIMIT_PER_MINUTE,
      tokenIssuers: commaSeparated(env.TOKEN_ISSUERS),
      allowPrivateTargets: env.ALLOW_PRIVATE_TARGETS === 'true',
      keyBackupFolder: env.KEY_BACKUP_FOLDER === undefined ? undefined : resolve(env.KEY_BACKUP_FOLDER),
      keyBackupDays: env.KEY_BACKUP_DAYS,
      logLevel: env.LOG_LEVEL,
    },
    secrets: {
      urls: env.DATABASE_URL
        ? {
            app: env.DATABASE_URL,
            keys: keysUrl!,
            owner: env.MIGRATOR_DATABASE_URL,
            keysOwner: env.MIGRATOR_KEYS_DATABASE_URL ?? besides(env.MIGRATOR_DATABASE_URL),
            reaper: env.REAPER_DATABASE_URL,
          }
        : undefined,
      keyEncryptionKeys:
        env.KEY_ENCRYPTION_KEYS ?? (env.KEY_ENCRYPTION_KEYS_FILE && readFileSync(env.KEY_ENCRYPTION_KEYS_FILE, 'utf8')),
      staffProvider: env.STAFF_ISSUER
        ? {
            issuer: env.STAFF_ISSUER,
            clientId: env.STAFF_CLIENT_ID!,
            clientSecret: env.STAFF_CLIENT_SECRET!,
            scope: env.STAFF_SCOPE,
            rolesClaim: env.STAFF_ROLES_CLAIM,
          }
        : undefined,
      mail: env.MAIL_URL && env.MAIL_FROM ? { url: env.MAIL_URL, from: env.MAIL_FROM } : undefined,
    },
  };
};

/** The project's own folder: where `policies/` and `package.json` lie. */
export const projectFolder = join(import.meta.dirname, '..');
