import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { startEmbedded } from '../embedded.ts';
import { systemClock } from '../kernel/clock.ts';
import { livingNotes } from '../kernel/data-folder.ts';
import { connect } from '../kernel/database/client.ts';
import { startEmbeddedPostgres } from '../kernel/embedded-postgres.ts';
import { createLog } from '../kernel/log.ts';
import { startService } from '../main.ts';
import { personalSchemas } from '../personal-schemas.ts';
import { loadCatalogue } from '../policies/index.ts';
import { createClient } from '../systems/index.ts';
import type { Credentials } from './community-desk.ts';
import { startMailbox, type Mailbox } from './mailbox.ts';

/** A system, by the name that the policies give it. */
export type Client = Credentials & { system: string };

export type Stage = {
  url: string;
  deskUrl: string;
  /** The systems, each with the scopes that it needs. */
  crm: Client;
  desk: Client;
  newsletter: Client;
  /** Where all mail of this run arrives: that of Askfirst, and that of the newsletter. */
  mailbox: Mailbox;
  folder: string;
};

const prefix = 'askfirst-demo-';
const quiet = { info: () => {}, warn: (message: string) => void process.stderr.write(`${message}\n`) };

/** Ends and removes what a demo left behind that was killed: its server runs on, and nobody else would ever stop it. */
const clearLeftovers = async (): Promise<void> => {
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    const found = statSync(folder, { throwIfNoEntry: false });
    // One that another demo is just making, or removing, is no leftover.
    if (!found?.isDirectory() || systemClock.now().epochMilliseconds - found.mtimeMs < 60_000) continue;
    if (process.getuid && found.uid !== process.getuid()) continue;
    if (livingNotes(join(folder, 'users')).length > 0) continue;
    await startEmbeddedPostgres({ dataFolder: folder, log: quiet }).then(
      (server) => server.stop(),
      () => {}, // there is no server that could be stopped
    );
    rmSync(folder, { recursive: true, force: true });
  }
};

const deskScopes = [
  'decisions:evaluate',
  'subjects:write',
  'links:write',
  'links:read',
  'obligations:read',
  'endpoints:write',
];
const newsletterScopes = ['decisions:evaluate', 'consents:write'];
const crmScopes = ['subjects:write', 'subjects:read', 'consents:write', 'consents:read', 'decisions:evaluate'];

/** Starts the other system in a process of its own; resolves to its address. */
const startDesk = (credentials: Credentials, cleanup: AsyncDisposableStack): Promise<string> => {
  const desk = fork(join(import.meta.dirname, 'community-desk.ts'), {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  cleanup.defer(async () => {
    const ended = new Promise<unknown>((resolve) => desk.once('exit', resolve));
    if (desk.connected) desk.disconnect();
    if (desk.exitCode === null && desk.signalCode === null) await ended;
  });
  return new Promise((resolve, reject) => {
    desk.once('message', ({ url, error }: { url?: string; error?: string }) =>
      url === undefined ? reject(new Error(`The community desk cannot start: ${error}`)) : resolve(url),
    );
    desk.once('exit', () => reject(new Error('The community desk has ended')));
    desk.send(credentials);
  });
};

/**
 * Sets the stage of one run: a database of its own in a temporary folder, the real service on a free port, and the desk. What is
 * there is undone by `cleanup`, in reverse order, also when something in between fails.
 */
export const setStage = async (cleanup: AsyncDisposableStack): Promise<Stage> => {
  await clearLeftovers();
  const { settings } = readConfig();
  const folder = join(tmpdir(), prefix + randomBytes(6).toString('hex'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const embedded = await startEmbedded(folder, quiet);
  cleanup.defer(() => embedded.stop());
  const mailbox = await startMailbox();
  cleanup.defer(() => mailbox.close());
  const service = await startService({
    settings: {
      ...settings,
      dataFolder: folder,
      baseUrl: undefined,
      host: '127.0.0.1',
      port: 0,
      // The desk listens on this machine.
      allowPrivateTargets: true,
      logLevel: 'error',
    },
    ...embedded.secrets,
    mail: { url: mailbox.url, from: 'Example Tourism Association <news@example.org>' },
    log: createLog({ level: 'error', stream: process.stderr, personal: personalSchemas() }),
  });
  cleanup.defer(() => service.stop());

  const database = connect(embedded.secrets.urls.app, { connections: 1, name: 'askfirst-demo' });
  try {
    const { systems } = await loadCatalogue(settings.policiesFolder);
    const client = async (system: string, scopes: string[]): Promise<Client> => ({
      system,
      baseUrl: service.url,
      ...(await createClient({ database, systems }, { system, scopes })),
    });
    const crm = await client('crm', crmScopes);
    const desk = await client('community-desk', deskScopes);
    const newsletter = await client('newsletter', newsletterScopes);
    return { url: service.url, deskUrl: await startDesk(desk, cleanup), crm, desk, newsletter, mailbox, folder };
  } finally {
    await database.end();
  }
};
