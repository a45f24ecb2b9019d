import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import { projectFolder } from '../src/config.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { activateFirstPolicies, loadCatalogue } from '../src/policies/index.ts';
import { cpuOfFamily, cpuOfProcess, parentOf } from './cpu.ts';
import { machine } from './report.ts';
import type { Server, Store } from './server.ts';

/** One line of a person each: two of three said yes on a card, one of three left. */
const lineOf = (n: number): string =>
  JSON.stringify({
    identifiers: [`crm:${100_000_000 + n}`, `email:person.${n}@example.org`],
    purpose: 'newsletter',
    scope: { channel: 'email' },
    decision: n % 3 === 2 ? 'withdrawn' : 'given',
    occurredAt: `2026-0${1 + (n % 3)}-1${n % 10}T1${n % 9}:30:00Z`,
    ...(n % 3 === 2 ? {} : { evidence: `Card ${n}, signed at the counter`, notice: { version: 1, language: 'de' } }),
  });

const writeFile = async (path: string, lines: number): Promise<void> => {
  const chunks = function* () {
    for (let from = 0; from < lines; from += 1_000)
      yield `${Array.from({ length: Math.min(1_000, lines - from) }, (_, n) => lineOf(from + n)).join('\n')}\n`;
  };
  await pipeline(Readable.from(chunks()), createWriteStream(path));
};

const prepared = async (server: Server): Promise<Store> => {
  const store = await server.makeStore();
  const database = connect(store.urls.app, { connections: 1, name: 'askfirst-bench' });
  await activateFirstPolicies(database, await loadCatalogue(join(projectFolder, 'policies')));
  await database.end();
  return store;
};

type Run = { seconds: number; rss: number[]; cpuSeconds: number; code: number | null };

/** Runs `askfirst import`; `killAt` is the share of lines at which it is killed. Memory in MiB, sampled twice a second. */
const runImport = async (
  store: Store,
  path: string,
  lines: number,
  killAt?: number,
  flags: string[] = [],
): Promise<Run> => {
  const startedAt = performance.now();
  const command = [...flags, join(projectFolder, 'src', 'cli.ts'), 'import', path, '--format', 'ndjson', '--apply'];
  const child = spawn(process.execPath, command, {
    cwd: projectFolder,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATABASE_URL: store.urls.app,
      KEYS_DATABASE_URL: store.urls.keys,
      KEY_ENCRYPTION_KEYS: store.keyEncryptionKeys,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const run: Run = { seconds: 0, rss: [], cpuSeconds: 0, code: null };
  const database = connect(store.urls.app, { connections: 1, name: 'askfirst-bench' });
  const watch = setInterval(() => {
    try {
      const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      if (kib !== undefined) run.rss.push(Number(kib) / 1024);
      run.cpuSeconds = cpuOfProcess(child.pid!) || run.cpuSeconds;
    } catch {
      // It has ended.
    }
    if (killAt === undefined) return;
    void database
      .query<{ done: number }>('select max(lines_done)::int as done from import_run')
      .then(([row]) => (row!.done ?? 0) >= lines * killAt && child.kill('SIGKILL'))
      .catch(() => {});
  }, 500);
  run.code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  await database.end();
  run.seconds = (performance.now() - startedAt) / 1000;
  return run;
};

const dataTables = ['identifier', 'subject_state', 'consent_event', 'audit_event'];

/** Takes rows out of one database and times how long they take into another by COPY, indexes in place. */
const copyTables = async (from: string, to: string, tables: readonly string[], folder: string): Promise<number> => {
  let seconds = 0;
  for (const table of tables) {
    const file = join(folder, `${table}.copy`);
    // postgres.js does not answer the next query on a connection that gave a COPY: so one of its own for each.
    const [source, target] = [from, to].map((url) => postgres(url, { max: 1, onnotice: () => {} }));
    try {
      await pipeline(await source!.unsafe(`copy ${table} to stdout`).readable(), createWriteStream(file));
      const startedAt = performance.now();
      await pipeline(
        createReadStream(file, { highWaterMark: 1 << 18 }),
        await target!.unsafe(`copy ${table} from stdin`).writable(),
      );
      seconds += (performance.now() - startedAt) / 1000;
    } finally {
      await Promise.all([source!.end({ timeout: 1 }), target!.end({ timeout: 5 })]);
      rmSync(file, { force: true });
    }
  }
  return seconds;
};

/** What is recorded, in a form that is the same for the same file in two stores that share their secrets. */
const digestOf = async (store: Store): Promise<string> => {
  const database = connect(store.urls.owner, { connections: 1, statementTimeoutMs: 600_000 });
  try {
    const [row] = await database.query<{ digest: string }>(
      `select count(*) || ' ' || sum(('x' || substr(md5(concat(i.blind_index, i.namespace, s.version,
         (select string_agg(concat(e.id, e.subject_seq, e.purpose, e.answer, e.occurred_at), ',' order by e.subject_seq) from consent_event e where e.subject_id = i.subject_id)
       )), 1, 12))::bit(48)::bigint) as digest
       from identifier i join subject_state s on s.subject_id = i.subject_id`,
    );
    return row!.digest;
  } finally {
    await database.end();
  }
};

const shareSecrets = async (from: Store, to: Store): Promise<void> => {
  to.keyEncryptionKeys = from.keyEncryptionKeys;
  const [source, target] = [from, to].map(({ urls }) => connect(urls.keysOwner, { connections: 1 }));
  const [row] = await source!.query<{ rows: string }>('select json_agg(s)::text as rows from service_key s');
  await target!.query(
    'insert into service_key select * from json_populate_recordset(null::service_key, $1::text::json)',
    [row!.rows],
  );
  await Promise.all([source!.end(), target!.end()]);
};

const postmasterOf = async (admin: Database): Promise<number> => {
  const [row] = await admin.query<{ pid: number }>('select pg_backend_pid() as pid');
  return parentOf(row!.pid);
};

/**
 * `npm run bench -- import`: an import of consent lines beside the COPY of the rows that came of it, its memory, and the same killed in the middle
 * and resumed. With `profile`, where the command's processor time goes is left in the current folder.
 */
export const benchImport = async (
  server: Server,
  { lines, kill, profile }: { lines: number; kill: boolean; profile: boolean },
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'askfirst-bench-import-'));
  try {
    const count = (value: number): string => Math.round(value).toLocaleString('en');
    const path = join(folder, 'lines.ndjson');
    await writeFile(path, lines);
    const postmaster = await postmasterOf(server.admin);
    const [one, other] = [await prepared(server), await prepared(server)];
    console.log(`${machine()}; ${count(lines)} lines of one person each`);
    const before = cpuOfFamily(postmaster);
    const run = await runImport(one, path, lines, undefined, profile ? ['--cpu-prof'] : []);
    const between = cpuOfFamily(postmaster);
    if (run.code !== 0) throw new Error(`the import ended with ${run.code}`);
    const copySeconds =
      (await copyTables(one.urls.owner, other.urls.owner, dataTables, folder)) +
      (await copyTables(one.urls.keysOwner, other.urls.keysOwner, ['subject_key'], folder));
    const rate = lines / run.seconds;
    const copyRate = lines / copySeconds;
    const copyCpu = cpuOfFamily(postmaster) - between;
    const part = (share: number) => Math.max(...run.rss.slice(0, Math.max(1, Math.ceil(run.rss.length * share))));
    console.log(
      [
        `import  ${count(rate)} lines/s (${run.seconds.toFixed(1)} s; CPU ${((run.cpuSeconds * 1e6) / lines).toFixed(0)} µs a line itself, ${(((between - before) * 1e6) / lines).toFixed(0)} µs PostgreSQL)`,
        `COPY    ${count(copyRate)} lines' rows/s (${copySeconds.toFixed(1)} s; CPU ${((copyCpu * 1e6) / lines).toFixed(0)} µs PostgreSQL, reading them out included)`,
        `import : COPY ${(rate / copyRate).toFixed(2)}`,
        `memory  ${part(0.1).toFixed(0)} MiB at most in the first tenth, ${part(0.5).toFixed(0)} in the first half, ${part(1).toFixed(0)} in all`,
      ].join('\n'),
    );
    if (!kill) return;
    const third = await prepared(server);
    await shareSecrets(one, third);
    const killed = await runImport(third, path, lines, 0.5);
    const resumed = await runImport(third, path, lines);
    const same = (await digestOf(one)) === (await digestOf(third));
    console.log(
      `kill -9 after ${killed.seconds.toFixed(1)} s (${killed.code === null ? 'killed' : `ended with ${killed.code}`}), resumed for ${resumed.seconds.toFixed(1)} s: ${same ? 'the same end state' : 'ANOTHER END STATE'}`,
    );
    if (!same || killed.code !== null) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
