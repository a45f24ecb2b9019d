import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { hashOfWords } from '../src/consent/notice.ts';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import type { Catalogue } from '../src/policies/index.ts';
import { asked } from './population.ts';
import type { Progress } from './progress.ts';
import type { Server, Store } from './server.ts';

/** What a worker needs to make rows. */
export type LoadJob = {
  url: string;
  keysUrl: string;
  keyEncryptionKeys: string;
  blindIndexKey: Uint8Array;
  blindIndexVersion: number;
  policyDigest: string;
  validity: Record<string, string | undefined>;
  noticeHashes: Record<string, string>;
  total: number;
  nowMs: number;
  chunk: number;
  /** One Int32: the first customer that no worker has taken yet. */
  next: SharedArrayBuffer;
};

export type Loaded = { rows: number; seconds: number };

const dataTables = ['identifier', 'subject_state', 'consent_event', 'audit_event'];

type Made = { table: string; name: string; definition: string; constraint: boolean };

/** Takes the indexes of tables away and answers how to make them again: made at the end, from sorted rows, they cost a fraction. */
const takeIndexes = async (database: Database, tables: readonly string[]): Promise<Made[]> => {
  const made = await database.query<Made>(
    `select i.indrelid::regclass::text as "table", i.indexrelid::regclass::text as name, c.oid is not null as constraint,
            coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) as definition
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
     where i.indrelid::regclass::text = any($1::text[])`,
    [`{${tables.join()}}`],
  );
  for (const { table, name, constraint } of made)
    await database.script(constraint ? `alter table ${table} drop constraint ${name}` : `drop index ${name}`);
  return made;
};

const giveIndexes = (database: Database, made: readonly Made[]) =>
  Promise.all(
    made.map(({ table, name, definition, constraint }) =>
      database.script(
        `set maintenance_work_mem = '256MB'; ${constraint ? `alter table ${table} add constraint ${name} ${definition}` : definition}`,
      ),
    ),
  );

/**
 * Fills a store with `total` customers as the service would have written them: keys, identifiers, states, consent events, audit events. In
 * bounded memory; the rows are made in worker threads, because sealing takes most of the time, and come in by COPY. Afterwards the tables
 * are vacuumed and analysed, as autovacuum would do in the midst of the measurement, and a checkpoint is made.
 */
export const load = async (
  server: Server,
  store: Store,
  catalogue: Catalogue,
  { total, nowMs, progress }: { total: number; nowMs: number; progress: Progress },
): Promise<Loaded> => {
  const startedAt = performance.now();
  const keyStore = createKeyStore(store.urls.keys, localKeyEncryption(store.keyEncryptionKeys));
  const { key, version } = await keyStore.secret('blind-index');
  await keyStore.database.end();
  const purposes = asked.map(({ purpose }) => catalogue.purposes.get(purpose)!);
  const job: LoadJob = {
    url: store.urls.owner,
    keysUrl: store.urls.keysOwner,
    keyEncryptionKeys: store.keyEncryptionKeys,
    blindIndexKey: key,
    blindIndexVersion: version,
    policyDigest: catalogue.digest,
    validity: Object.fromEntries(purposes.map((purpose) => [purpose.id, purpose.validity])),
    noticeHashes: Object.fromEntries(
      purposes.map((purpose) => [purpose.id, hashOfWords(purpose.notices[0]!.text.de).toString('hex')]),
    ),
    total,
    nowMs,
    chunk: Math.min(1_000, Math.ceil(total / 8)),
    next: new SharedArrayBuffer(4),
  };
  if (server.own) {
    // Only while loading: a checkpoint every gigabyte would write each page several times.
    await server.admin.query(`alter system set max_wal_size = '16GB'`);
    await server.admin.query(`alter system set checkpoint_timeout = '1h'`);
    await server.admin.query('select pg_reload_conf()');
  }
  const owner = connect(store.urls.owner, { connections: 2, statementTimeoutMs: 600_000, name: 'askfirst-bench-load' });
  const keysOwner = connect(store.urls.keysOwner, {
    connections: 1,
    statementTimeoutMs: 600_000,
    name: 'askfirst-bench-load',
  });
  try {
    const indexes = await takeIndexes(owner, dataTables);
    const keyIndexes = await takeIndexes(keysOwner, ['subject_key']);
    progress.start('loading', total);
    const workers = Math.max(2, Math.min(4, availableParallelism()));
    await Promise.all(
      Array.from({ length: workers }, () => {
        const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: job });
        return new Promise<void>((resolve, reject) => {
          worker.on('message', (count: number) => progress.add(count));
          worker.once('error', reject);
          worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a loader ended with ${code}`))));
        });
      }),
    );
    progress.say('making indexes');
    await Promise.all([giveIndexes(owner, indexes), giveIndexes(keysOwner, keyIndexes)]);
    progress.say('vacuum, analyze, checkpoint');
    await Promise.all([
      ...dataTables.map((table) => owner.query(`vacuum (analyze) ${table}`)),
      keysOwner.query('vacuum (analyze) subject_key'),
    ]);
    const counted = await owner.query<{ rows: number }>(
      dataTables.map((table) => `select count(*)::int as rows from ${table}`).join(' union all '),
    );
    const [counts] = await keysOwner.query<{ rows: number }>('select count(*)::int as rows from subject_key');
    if (server.own) {
      await server.admin.query('alter system reset max_wal_size');
      await server.admin.query('alter system reset checkpoint_timeout');
      await server.admin.query('select pg_reload_conf()');
    }
    await server.admin.query('checkpoint');
    progress.end();
    const rows = counted.reduce((sum, { rows }) => sum + rows, counts!.rows);
    return { rows, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    await Promise.all([owner.end(), keysOwner.end()]);
  }
};
