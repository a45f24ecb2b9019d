import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import {
  applyImport,
  mappingSchema,
  openSource,
  previewImport,
  type Problem,
  type Tally,
} from '../../src/imports/index.ts';
import { systemClock, type Clock } from '../../src/kernel/clock.ts';
import { localKeyEncryption } from '../../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../../src/kernel/database/client.ts';
import { uuidV7s } from '../../src/kernel/ids.ts';
import { unlinkWhatFell } from '../../src/linkage/index.ts';
import { createDeploymentReader, createPolicySets } from '../../src/policies/index.ts';
import { createSubjectReader, createSubjectWriter } from '../../src/subjects/index.ts';
import { stopWhatEnded } from '../../src/systems/index.ts';
import { testKeyEncryptionKeys } from './app.ts';
import type { TestDatabase } from './database.ts';

export type Imported = { tally: Tally; problems: Problem[]; resumedAt: number };

export type Imports = {
  run(
    path: string,
    format: string,
    options?: { map?: string; as?: string; apply?: boolean; afterBatch?: () => void },
  ): Promise<Imported>;
  end(): Promise<void>;
};

/** What `askfirst import` assembles, in this process. */
export const openImports = (database: TestDatabase, clock: Clock = systemClock): Imports => {
  const db = connect(database.urls.app, { connections: 3 });
  const keys = createKeyStore(database.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  const ids = uuidV7s(clock);
  const policySets = createPolicySets(db, createDeploymentReader(db, 10_000));
  const reader = createSubjectReader(db, 60_000);
  const writer = createSubjectWriter({ database: db, reader, ids, deadlineMs: 60_000, maxItems: 1_000 });
  return {
    run: async (path, format, { map = '{}', as = 'crm', apply = false, afterBatch } = {}) => {
      const catalogue = await policySets.current();
      const mapping = mappingSchema.parse(parse(map) ?? {});
      const source = await openSource(path, format, mapping, as, catalogue);
      const [blindIndex, codes] = await Promise.all([keys.secret('blind-index'), keys.secret('codes')]);
      const deps = { database: db, keys, ids, secrets: { blindIndex, codes }, clock, policySets };
      const problems: Problem[] = [];
      let resumedAt = 0;
      const watcher = {
        batch: () => afterBatch?.(),
        problems: (found: readonly Problem[]) => void problems.push(...found),
        resumed: (lines: number) => void (resumedAt = lines),
      };
      const reading = { catalogue, system: as, source: source.hash.toString('hex') };
      const consequences = [unlinkWhatFell(ids), stopWhatEnded(ids)];
      const tally = apply
        ? await applyImport({ ...deps, writer, consequences }, reading, source, watcher)
        : await previewImport(deps, reading, source, watcher);
      return { tally, problems, resumedAt };
    },
    end: async () => {
      await Promise.all([db.end(), keys.database.end()]);
    },
  };
};

const digestOf = (rows: readonly object[]): string =>
  createHash('sha256')
    .update(rows.map((row) => JSON.stringify(row)).join('\n'))
    .digest('hex');

/** Every row of every table of both databases, to the byte. */
export const digestOfAll = async (database: TestDatabase): Promise<string> => {
  const rows: object[] = [];
  for (const url of [database.urls.owner, database.urls.keysOwner]) {
    const db = connect(url, { connections: 1 });
    try {
      const tables = await db.query<{ name: string }>(
        // The service beside us keeps moving these two.
        `select tablename as name from pg_tables where schemaname = 'public' and tablename not in ('lease', 'rate_limit') order by 1`,
      );
      for (const { name } of tables)
        rows.push(...(await db.query(`select '${name}' as name, t::text as row from ${name} t order by t::text`)));
    } finally {
      await db.end();
    }
  }
  return digestOf(rows);
};

/**
 * What is recorded of people, without what differs from run to run: ids of subjects (a person is the first of their blind indexes), the moment of
 * recording, the nonces of what is sealed, and the moment of a no that has none of its own.
 */
export const digestOfPeople = async (db: Database): Promise<{ digest: string; events: number; people: number }> => {
  const rows = await db.query<{ events: unknown[] | null }>(
    `with person as (
       select subject_id, array_agg(encode(blind_index, 'hex') || namespace order by blind_index) as names from identifier group by 1
     )
     select p.names, s.version, s.links,
       (select jsonb_agg(jsonb_build_array(k, a - 'at') order by k, a ->> 'seq')
          from jsonb_each(s.answers) as e (k, list), jsonb_array_elements(list) as a) as answers,
       (select jsonb_agg(jsonb_build_array(e.subject_seq, e.id, e.purpose, e.scope, e.action, e.answer, e.notice_version, e.notice_language,
          encode(e.notice_hash, 'hex'), e.method, e.own_act, e.system, e.evidence is null, e.expires_at) order by e.subject_seq)
          from consent_event e where e.subject_id = p.subject_id) as events
     from person p join subject_state s on s.subject_id = p.subject_id order by p.names`,
  );
  const events = rows.reduce((sum, row) => sum + (row.events?.length ?? 0), 0);
  return { digest: digestOf(rows), events, people: rows.length };
};

/** Lets one installation find people under the same blind indexes as another, so that what they hold can be compared. */
export const shareSecrets = async (from: TestDatabase, to: TestDatabase): Promise<void> => {
  const [source, target] = [from, to].map(({ urls }) => connect(urls.keysOwner, { connections: 1 }));
  try {
    const [row] = await source!.query<{ rows: string }>('select json_agg(s)::text as rows from service_key s');
    await target!.query(
      'insert into service_key select * from json_populate_recordset(null::service_key, $1::text::json)',
      [row!.rows],
    );
  } finally {
    await Promise.all([source!.end(), target!.end()]);
  }
};
