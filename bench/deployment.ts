import { join } from 'node:path';
import { projectFolder } from '../src/config.ts';
import { connect } from '../src/kernel/database/client.ts';
import { loadCatalogue } from '../src/policies/index.ts';
import { createClient } from '../src/systems/index.ts';
import { startChild, type Child } from './children.ts';
import { load, type Loaded } from './load.ts';
import { asked, shuffled, subjectIdOf, system } from './population.ts';
import type { Progress } from './progress.ts';
import type { Server, Store } from './server.ts';

type Catalogue = Awaited<ReturnType<typeof loadCatalogue>>;

/** A filled store. */
export type Deployment = { store: Store; total: number; nowMs: number; loaded: Loaded; catalogue: Catalogue };

/** A server under load, in a process of its own. */
export type Target = { child: Child; url: string; port: number; tokens(): Promise<string[]> };

/** Makes a store and fills it. */
export const deploy = async (server: Server, total: number, progress: Progress): Promise<Deployment> => {
  const catalogue = await loadCatalogue(join(projectFolder, 'policies'));
  const store = await server.makeStore();
  const nowMs = Date.now();
  return { store, total, nowMs, catalogue, loaded: await load(server, store, catalogue, { total, nowMs, progress }) };
};

const targetOf = async (child: Child, tokensFor: (url: string) => Target['tokens']): Promise<Target> => {
  const { url } = await child.next<{ url: string }>(60_000);
  return { child, url, port: Number(new URL(url).port), tokens: tokensFor(url) };
};

const clientCount = 8;
/** A token lives for five minutes, and a measurement begins with one that is good for more than two. */
const freshForMs = 150_000;

/** The service as `npm start` runs it on a real server, as the role of the app and without access lines, and clients that may call it. */
export const startServiceOn = async (
  { store, catalogue }: Deployment,
  nodeArguments: string[] = [],
): Promise<Target> => {
  const database = connect(store.urls.app, { connections: 1, name: 'askfirst-bench' });
  const scopes = ['decisions:evaluate', 'consents:write', 'consents:read'];
  const clients = await Promise.all(
    Array.from({ length: clientCount }, () =>
      createClient({ database, systems: catalogue.systems }, { system, scopes }),
    ),
  );
  await database.end();
  const child = startChild(
    new URL('./service-process.ts', import.meta.url),
    {
      DATABASE_URL: store.urls.app,
      KEYS_DATABASE_URL: store.urls.keys,
      REAPER_DATABASE_URL: store.urls.reaper,
      KEY_ENCRYPTION_KEYS: store.keyEncryptionKeys,
      PORT: '0',
      LOG_LEVEL: 'warn',
      RATE_LIMIT_PER_MINUTE: '100000000',
    },
    nodeArguments,
  );
  return targetOf(child, (url) => {
    let held: Promise<string[]> | undefined;
    let heldSince = 0;
    const issue = async ({ clientId, clientSecret }: (typeof clients)[number]): Promise<string> => {
      const answer = await fetch(`${url}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    return () => {
      if (held && performance.now() - heldSince < freshForMs) return held;
      heldSince = performance.now();
      return (held = Promise.all(clients.map(issue)));
    };
  });
};

/** The bare ones get a header of the same length that nobody reads. */
const noTokens = (): Target['tokens'] => {
  const token = 'x'.repeat(560);
  return () => Promise.resolve([token]);
};

export const startEcho = (): Promise<Target> =>
  targetOf(startChild(new URL('./echo-process.ts', import.meta.url)), noTokens);

export const startInsertOn = ({ store, total, nowMs, catalogue }: Deployment): Promise<Target> =>
  targetOf(
    startChild(new URL('./insert-process.ts', import.meta.url), {
      DATABASE_URL: store.urls.app,
      TOTAL: String(total),
      NOW_MS: String(nowMs),
      POLICY_DIGEST: catalogue.digest,
      NOTICE: catalogue.purposes.get('newsletter')!.notices[0]!.text.de,
    }),
    noTokens,
  );

/**
 * That the rows are what the service itself would have written: where some customers stand by their state must be where they stand by
 * their events. Throws what differs.
 */
export const checkLoaded = async ({ total, nowMs }: Deployment, { url, tokens }: Target): Promise<void> => {
  const [token] = await tokens();
  for (const n of shuffled(total).subarray(0, 20)) {
    const read = async (query: string) => {
      const answer = await fetch(`${url}/v1/subjects/${subjectIdOf(n, total, nowMs)}/consents${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      if (answer.status !== 200)
        throw new Error(`customer ${n} was not loaded: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as { purposes: { purpose: string; scopes: unknown[] }[] };
    };
    const [byState, byEvents] = [await read(''), await read(`?asOf=${new Date().toISOString()}`)];
    const [one, other] = [JSON.stringify(byState.purposes), JSON.stringify(byEvents.purposes)];
    if (one !== other) throw new Error(`customer ${n}: the state says ${one}, the events say ${other}`);
    for (const { purpose } of asked)
      if (!byState.purposes.some((standing) => standing.purpose === purpose && standing.scopes.length > 0))
        throw new Error(`customer ${n} has no answer to ${purpose}`);
  }
};

/** That each acknowledged event is there exactly once. Throws how many are not. */
export const checkEvents = async ({ store, total }: Deployment, acknowledged: number): Promise<void> => {
  const database = connect(store.urls.app, { connections: 1, name: 'askfirst-bench', statementTimeoutMs: 120_000 });
  try {
    const [row] = await database.query<{ events: number }>(
      `select count(*)::int as events from consent_event where system = '${system}'`,
    );
    const expected = total * asked.length + acknowledged;
    if (row!.events !== expected)
      throw new Error(`${expected} consent events were acknowledged, ${row!.events} are there`);
  } finally {
    await database.end();
  }
};
