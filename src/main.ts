import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { Gauge } from 'prom-client';
import { createApp } from './app.ts';
import { projectFolder, readConfig, type Secrets, type Settings } from './config.ts';

import { consentReceipt, inheritNoes, recordInformed, signReceipt } from './consent/index.ts';
import { createDenialRecorder, createPermitRecorder, watchInform } from './decisions/index.ts';
import { startEmbedded } from './embedded.ts';
import {
  createAuthenticate,
  createLimit,
  createMetrics,
  createOutsideVerifier,
  createReplayOrRun,
  createTokenIssuer,
  createTokenVerifier,
  createUnreadableHandler,
  tokenLifetimeSeconds,
  type IdempotencyRecord,
} from './http/index.ts';
import { createJobs } from './jobs.ts';
import { systemClock, type Clock } from './kernel/clock.ts';
import { localKeyEncryption } from './kernel/crypto/key-encryption.ts';
import { createKeyRing } from './kernel/crypto/key-ring.ts';
import { createKeyStore } from './kernel/crypto/key-store.ts';
import { backUpKeysOfToday } from './kernel/crypto/nightly-key-backup.ts';
import { claimDataFolder } from './kernel/data-folder.ts';
import { assertDurable, connect } from './kernel/database/client.ts';
import { assertMigrated, migrate } from './kernel/database/migrate.ts';
import { takeTokens } from './kernel/database/take-tokens.ts';
import { uuidV7s } from './kernel/ids.ts';
import { createLog, type Log } from './kernel/log.ts';
import { createLogStream } from './kernel/log-stream.ts';
import { countMails, createMailWorker } from './kernel/mail/mail-worker.ts';
import { createMailTransport, type MailSettings } from './kernel/mail/transport.ts';
import { dropLink, findLinked, findReviews, halvesOf, sweepLinks, unlinkWhatFell } from './linkage/index.ts';
import { personalSchemas } from './personal-schemas.ts';
import { activateFirstPolicies, createDeploymentReader, createPolicySets, loadCatalogue } from './policies/index.ts';
import { createCapabilities } from './portal/index.ts';
import { createSignIn, createStaffGuard, type StaffProvider } from './staff/index.ts';
import {
  completeMerges,
  createSubjectReader,
  createSubjectWriter,
  openIdentifiers,
  openIdentifiersOf,
} from './subjects/index.ts';
import {
  countObligations,
  createDeliveryWorker,
  createRevocationCheck,
  createTaskWorker,
  createWebhookSender,
  describeObligations,
  findOutsideClient,
  openTask,
  stopWhatEnded,
  verifyClient,
} from './systems/index.ts';

export const version = (JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as { version: string })
  .version;

export type Service = {
  /** Where it listens, `http://127.0.0.1:8080`. */
  url: string;
  /** Answers what is under way, refuses what comes, writes back what waits. */
  stop(): Promise<void>;
};

/** How long an end waits for the database. */
const patienceMs = 5_000;

/** How long a call may wait for the database before it is answered with 503. */
const deadlineMs = 3_000;

type Assembly = {
  settings: Settings;
  urls: NonNullable<Secrets['urls']>;
  keyEncryptionKeys: string;
  /** Without it nobody of the staff can sign in. */
  staffProvider?: StaffProvider | undefined;
  /** Without it no mail is sent, and nobody may be asked to confirm by mail. */
  mail?: MailSettings | undefined;
  log: Log;
  /** Takes access lines, each with its newline; without it there are none. */
  writeAccess?: ((line: string) => void) | undefined;
  clock?: Clock;
};

/**
 * The composition root: database, rooms, app, jobs, server, in this order. Migrates where it has the owner's URLs, activates the policies
 * of the folder if none were ever active, and listens when all of that is done.
 */
export const startService = async ({
  settings,
  urls,
  keyEncryptionKeys,
  staffProvider,
  mail,
  log,
  writeAccess,
  clock = systemClock,
}: Assembly): Promise<Service> => {
  if (urls.owner) await migrate(urls.owner, 'data');
  if (urls.keysOwner) await migrate(urls.keysOwner, 'keys');

  const database = connect(urls.app, { connections: settings.connections, prepare: settings.prepare });
  const keys = createKeyStore(urls.keys, localKeyEncryption(keyEncryptionKeys), { prepare: settings.prepare });
  const ids = uuidV7s(clock);
  await assertDurable(database);
  // A key that a crash forgets takes with it all that it sealed.
  await assertDurable(keys.database);
  await assertMigrated(database, 'data');
  await assertMigrated(keys.database, 'keys');
  const [grants] = await database.query<{ shared: boolean }>(
    `select has_table_privilege(current_user, 'consent_event', 'update') as shared`,
  );

  const readDeployment = createDeploymentReader(database, deadlineMs);
  // The folder counts at the first start only: later it may be older than what is active, or broken.
  if ((await readDeployment()).policyDigest === null)
    await activateFirstPolicies(database, await loadCatalogue(settings.policiesFolder));
  const policySets = createPolicySets(database, readDeployment);
  const catalogue = () => policySets.current();
  const keyRing = (name: 'receipts' | 'tokens', lastsMs: number) =>
    createKeyRing({
      read: () => keys.signingKeys(name),
      lastsMs,
      clock,
      onFailure: (error) => log.warn({ err: error }, 'the signing keys could not be read again'),
    });
  const [blindIndex, codes, capabilities, receiptKeys, tokenKeys] = await Promise.all([
    keys.secret('blind-index'),
    keys.secret('codes'),
    keys.secret('capabilities'),
    keyRing('receipts', Infinity),
    keyRing('tokens', tokenLifetimeSeconds * 1000),
  ]);

  const reader = createSubjectReader(database, deadlineMs);
  const writer = createSubjectWriter({ database, reader, ids, deadlineMs });
  const permits = createPermitRecorder(database, deadlineMs);
  const denials = createDenialRecorder(database, log);
  const state = { database, keys, secrets: { blindIndex, codes }, reader, writer, clock, ids };
  const subjects = { ...state, inheritNoes: inheritNoes(state) };
  const linkage = { ...subjects, policySets, findReviews: findReviews(database) };
  const service = { system: 'askfirst', clientId: 'askfirst' };

  const describe = describeObligations({
    open: (blindIndexes) => openIdentifiers(subjects, blindIndexes),
    openOf: (subjectIds) => openIdentifiersOf(subjects, subjectIds),
    namespaces: async (system) => (await catalogue()).systems.get(system)?.identifiers ?? [],
  });
  const onAcknowledged: Parameters<typeof createDeliveryWorker>[0]['onAcknowledged'] = async (done, informed) => {
    const { id, subjectId, system } = done;
    if (done.kind === 'inform' && informed)
      await recordInformed(subjects, { ...service, system }, await catalogue(), {
        id,
        subjectId,
        purpose: done.facts.purpose,
        ...informed,
      });
    if (done.kind !== 'unlink') return;
    const state = await reader.state(subjectId);
    const half = halvesOf(state.links).find(({ linkId }) => linkId === done.facts.linkId);
    if (half) await dropLink(linkage, service, half, subjectId, 'acknowledged');
  };
  const send = createWebhookSender({ allowPrivateTargets: settings.allowPrivateTargets });
  const systems = async () => (await catalogue()).systems;
  const delivery = createDeliveryWorker({ database, keys, clock, log, describe, systems, onAcknowledged, send });
  const jobs = createJobs({
    log,
    reaperUrl: urls.reaper,
    sweepLinks: async () => {
      await completeMerges(subjects);
      return sweepLinks(linkage, await catalogue());
    },
    watchInform: async () => watchInform(subjects, await catalogue()),
    backUpKeys: async () => {
      const { keyBackupFolder: folder, keyBackupDays: days } = settings;
      return (
        folder !== undefined &&
        backUpKeysOfToday({ data: database, keys: keys.database }, { folder, days }, clock.now())
      );
    },
  });
  const mailTransport = mail && createMailTransport(mail);
  const mails = mailTransport && createMailWorker({ database, keys, clock, log, send: mailTransport.send });
  const wake = () => {
    delivery.wake();
    mails?.wake();
    tasks?.wake();
    jobs.wake();
  };

  const metrics = createMetrics();
  metrics.registry.registerMetric(
    new Gauge({
      name: 'askfirst_obligations',
      help: 'Obligations that no system has acknowledged yet',
      labelNames: ['system', 'state'],
      registers: [],
      async collect() {
        this.reset();
        for (const { system, open, overdue } of await countObligations(database)) {
          this.set({ system, state: 'open' }, open);
          this.set({ system, state: 'overdue' }, overdue);
        }
      },
    }),
  );

  metrics.registry.registerMetric(
    new Gauge({
      name: 'askfirst_mails',
      help: 'Mails that were not sent: waiting to be, or failed within the last day',
      labelNames: ['state'],
      registers: [],
      async collect() {
        const { waiting, failed } = await countMails(database, clock.now());
        this.set({ state: 'waiting' }, waiting);
        this.set({ state: 'failed' }, failed);
      },
    }),
  );

  const drain = { draining: false };
  let app: ReturnType<typeof createApp> | undefined;
  const listener = getRequestListener((request, env) => app!.fetch(request, env), {
    hostname: settings.host,
    errorHandler: createUnreadableHandler((error, requestId) => log.error({ err: error, requestId }, 'request failed')),
  });
  // What it throws becomes an answer like any other, by the handler of errors.
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.listen(settings.port, settings.host);
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const { port } = server.address() as AddressInfo;
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`;
  const baseUrl = settings.baseUrl ?? url;

  const audience = { issuer: baseUrl, audience: baseUrl, clock };
  const outside = new Map(
    settings.tokenIssuers.map((issuer) => {
      const verify = createOutsideVerifier({
        issuer,
        audience: baseUrl,
        clock,
        findClient: (...of) => findOutsideClient(database, ...of),
        onFailure: (error) => log.warn({ err: error, issuer }, 'the keys of a token issuer could not be read'),
      });
      return [issuer, verify] as const;
    }),
  );
  const signIn =
    staffProvider &&
    createSignIn({ provider: staffProvider, redirectUri: `${baseUrl}/staff/callback`, key: capabilities.key, clock });
  const tasks =
    mailTransport &&
    createTaskWorker({
      database,
      clock,
      log,
      describe,
      catalogue,
      capabilityKey: capabilities.key,
      baseUrl,
      send: mailTransport.send,
    });
  const take = takeTokens(database);
  const limit = createLimit({ name: 'calls', limit: settings.callsPerMinute, windowSeconds: 60 }, take);
  app = createApp({
    ...linkage,
    log,
    version,
    baseUrl,
    signIn,
    requireStaff: createStaffGuard({ database, clock, baseUrl }),
    catalogue,
    permits,
    denials,
    blindIndexSecret: blindIndex.key,
    consequences: [unlinkWhatFell(ids), stopWhatEnded(ids)],
    onMerged: [unlinkWhatFell(ids)],
    receipt: async (event) =>
      signReceipt(
        consentReceipt(event, await policySets.byDigest(event.policyDigest), baseUrl),
        (await receiptKeys()).signing,
      ),
    findLinked: findLinked({ ...linkage, permits, denials, blindIndexSecret: blindIndex.key }),
    systems: async () => (await catalogue()).systems,
    allowPrivateTargets: settings.allowPrivateTargets,
    mailReady: mailTransport !== undefined,
    takeTokens: take,
    capabilities: createCapabilities(capabilities.key),
    openTask: (token) => openTask(capabilities.key, token),
    describe,
    onAcknowledged,
    wake,
    replayOrRun: createReplayOrRun({
      find: async (hash) => {
        const [row] = await database.query<IdempotencyRecord>(
          `select fingerprint, subject_id as "subjectId", resource_id as "resourceId" from idempotency where hash = decode($1, 'hex')`,
          [hash.toString('hex')],
        );
        return row;
      },
    }),
    guards: {
      authenticate: createAuthenticate(
        createTokenVerifier({ keys: async () => (await tokenKeys()).verifying, outside, ...audience }),
        createRevocationCheck(database, deadlineMs),
      ),
      limit,
    },
    edge: {
      drain,
      timeoutMs: settings.requestTimeoutMs,
      metrics,
      writeAccess,
    },
    health: {
      drain,
      roles: grants!.shared ? 'shared' : 'separate',
      checks: [
        { name: 'database', check: () => database.query('select 1') },
        { name: 'key-store', check: () => keys.database.query('select 1') },
        { name: 'policies', check: catalogue },
      ],
    },
    tokens: {
      verifyClient: (clientId, secret) => verifyClient(database, clientId, secret),
      issue: async (client) => createTokenIssuer({ key: (await tokenKeys()).signing, ...audience })(client),
      limit: createLimit({ name: 'tokens', limit: 600, windowSeconds: 60 }, take),
    },
    jwks: async () =>
      (await Promise.all([receiptKeys(), tokenKeys()])).flatMap(({ verifying }) =>
        verifying.map(({ publicJwk }) => publicJwk),
      ),
  });
  delivery.start();
  mails?.start();
  tasks?.start();
  jobs.start();
  log.info({ url, roles: grants!.shared ? 'shared' : 'separate' }, 'Askfirst is ready');

  return {
    url,
    stop: async () => {
      drain.draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.race([closed, sleep(settings.requestTimeoutMs, undefined, { ref: false })]);
      // A mail server that answers slowly must not keep us from ending either: the mail is sent again under its own id.
      await Promise.race([Promise.all([mails?.stop(), tasks?.stop()]), sleep(patienceMs, undefined, { ref: false })]);
      mailTransport?.close();
      await Promise.all([jobs.stop(), delivery.stop(), mails?.stop(), tasks?.stop()]);
      // A database that is gone must not keep us from ending: what waits for it has not been acknowledged, denials apart.
      await Promise.race([
        Promise.all([writer.drained(), permits.drained()]),
        sleep(patienceMs, undefined, { ref: false }),
      ]);
      await denials.stop(patienceMs);
      await Promise.all([database.end(), keys.database.end()]);
    },
  };
};

/**
 * `npm start`: from the environment, on the embedded PostgreSQL where no other is named. Ends cleanly on SIGINT and SIGTERM, also while it
 * is starting and when the start fails; a second signal ends it at once.
 */
const main = async (): Promise<void> => {
  const { settings, secrets } = readConfig();
  await using started = new AsyncDisposableStack();
  const stream = createLogStream();
  started.defer(() => stream.end());
  const log = createLog({ level: settings.logLevel, stream, personal: personalSchemas() });
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      process.once(signal, () => process.exit(1));
      tell();
    });
  if (!secrets.urls) {
    const url = settings.baseUrl ?? `http://${settings.host}:${settings.port}`;
    const claim = await claimDataFolder(settings.dataFolder, { url });
    started.defer(() => claim.withdraw());
  }
  const embedded = secrets.urls ? undefined : await startEmbedded(settings.dataFolder, log);
  if (embedded) started.defer(() => embedded.stop());
  const service = await startService({
    settings,
    log,
    writeAccess: log.isLevelEnabled('info') ? (line) => stream.write(line) : undefined,
    urls: secrets.urls ?? embedded!.secrets.urls,
    keyEncryptionKeys: secrets.keyEncryptionKeys ?? embedded!.secrets.keyEncryptionKeys,
    staffProvider: secrets.staffProvider,
    mail: secrets.mail,
  });
  started.defer(() => service.stop());
  await told;
  log.info({}, 'Askfirst stops');
};

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : 'Askfirst cannot start'}\n`);
    process.exit(1);
  });
}
