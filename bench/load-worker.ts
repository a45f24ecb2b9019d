import { createCipheriv, randomFillSync } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import postgres from 'postgres';
import { addAnswer, type Answers } from '../src/consent/answers.ts';
import { expiryOf } from '../src/consent/expiry.ts';
import { unseal } from '../src/kernel/crypto/key-encryption.ts';
import { blindIndex } from '../src/subjects/identifier.ts';
import { accountOf, asked, cameAt, crmOf, isProved, momentOf, subjectIdOf, system, tailOf } from './population.ts';
import type { LoadJob } from './load.ts';

const job = workerData as LoadJob;
const { total, nowMs, policyDigest } = job;
const [kekVersion, kekText] = job.keyEncryptionKeys.split(':') as [string, string];
const kek = Buffer.from(kekText, 'base64');
const provedAfterMs = 60_000;
const dayMs = 86_400_000;
const scopes = asked.map(({ scope }) => JSON.stringify(scope));
const secret = Buffer.from(job.blindIndexKey);

/** The columns of each table in the order of the rows below; those left out have defaults that the service leaves to them too. */
const columns = {
  subject_key: 'subject_id, key_encryption_key, wrapped, created_at',
  identifier:
    'blind_index, namespace, key_version, subject_id, sealed, shared, proved_subject_id, proved_at, proved_via, recorded_by, recorded_at',
  subject_state: 'subject_id, version, answers, links, lease_floor, changed_at',
  consent_event:
    'subject_id, id, subject_seq, purpose, scope, action, answer, notice_version, notice_language, notice_hash, method, rank, own_act, system, policy_digest, occurred_at, recorded_at, expires_at',
  audit_event: 'subject_id, id, verb, system, version, recorded_at',
};
type Table = keyof typeof columns;
const tables = Object.keys(columns) as Table[];

const days = new Map<string, number>();
/** `expiryOf`, which a calendar year makes slow, once per purpose and day: in UTC the time of day stays what it is. */
const untilOf = (purpose: string, atMs: number): number | undefined => {
  const validity = job.validity[purpose];
  if (validity === undefined) return undefined;
  const day = atMs - (atMs % dayMs);
  const key = purpose + day;
  let end = days.get(key);
  if (end === undefined) {
    end = expiryOf(Temporal.Instant.fromEpochMilliseconds(day), validity)!;
    days.set(key, end);
  }
  return end + atMs - day;
};

const twoDigits = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
let [dateMs, date] = [NaN, ''];
/** RFC 3339, to the second: customers come in the order of time, so the date is nearly always that of the last call. */
const time = (ms: number): string => {
  const day = ms - (ms % dayMs);
  if (day !== dateMs) [dateMs, date] = [day, new Date(day).toISOString().slice(0, 11)];
  const seconds = Math.floor((ms - day) / 1000);
  return `${date}${twoDigits[Math.floor(seconds / 3600)]}:${twoDigits[Math.floor(seconds / 60) % 60]}:${twoDigits[seconds % 60]}Z`;
};
const hex = (bytes: Buffer): string => bytes.toString('hex');

const noncePool = Buffer.alloc(12 * 4096);
let nonces = noncePool.length;
/** As `seal` of the kernel (checked below), with random bytes by the block: one call for each costs more than the cipher. */
const sealed = (key: Buffer, plain: string, context: string): string => {
  if (nonces === noncePool.length) {
    randomFillSync(noncePool);
    nonces = 0;
  }
  const nonce = noncePool.subarray(nonces, (nonces += 12));
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const body = cipher.update(plain, 'latin1', 'hex') + cipher.final('hex');
  return hex(nonce) + hex(cipher.getAuthTag()) + body;
};

/** Rows of one table as COPY's text format, in a buffer that is used again: strings of a whole chunk kept the garbage collector busy. */
const createRows = () => {
  let buffer = Buffer.allocUnsafe(256 * 1024);
  let length = 0;
  return {
    add: (row: string): void => {
      if (length + row.length > buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
      length += buffer.write(row, length, 'latin1');
    },
    take: (): Buffer => {
      const rows = buffer.subarray(0, length);
      length = 0;
      return rows;
    },
  };
};
type Rows = Record<Table, ReturnType<typeof createRows>>;
const newRows = (): Rows => Object.fromEntries(tables.map((table) => [table, createRows()])) as Rows;

const keyPool = Buffer.alloc(32 * 1024);

/** Writes the rows of customers `from` up to `to`. */
const write = (rows: Rows, from: number, to: number): void => {
  let keysUsed = keyPool.length;
  const born = (subjectId: string, namespace: string, value: string, at: string, proved: string): void => {
    if (keysUsed === keyPool.length) {
      randomFillSync(keyPool);
      keysUsed = 0;
    }
    const key = keyPool.subarray(keysUsed, (keysUsed += 32));
    const wrapped = sealed(kek, key.toString('latin1'), `kek:${kekVersion}`);
    rows.subject_key.add(`${subjectId}\t${kekVersion}\t\\\\x${wrapped}\t${at}\n`);
    const index = blindIndex(secret, { namespace, value, handle: false });
    const name = sealed(key, `${namespace}:${value}`, `identifier:${index}`);
    rows.identifier.add(
      `\\\\x${index}\t${namespace}\t${job.blindIndexVersion}\t${subjectId}\t\\\\x${name}\tf\t${proved}\t${system}\t${at}\n`,
    );
  };
  for (let n = from; n < to; n++) {
    const came = cameAt(n, total, nowMs);
    const tail = tailOf(n);
    const cameText = time(came);
    const provedText = time(came + provedAfterMs);
    const subjectId = subjectIdOf(n, total, nowMs);
    let version = 0;
    const audit = (moment: string, verb: string, at: string): void =>
      rows.audit_event.add(`${subjectId}\t${moment}${tail}a${version}\t${verb}\t${system}\t${++version}\t${at}\n`);
    born(subjectId, 'crm', crmOf(n).slice(4), cameText, '\\N\t\\N\t\\N');
    audit(momentOf(came), 'register-subject', cameText);

    let answers: Answers = {};
    let leaseFloor = 0;
    for (let index = 0; index < asked.length; index++) {
      const { purpose, scope, yes } = asked[index]!;
      const at = came + 1000 * (index + 1);
      const [moment, atText, given] = [momentOf(at), time(at), yes(n)];
      audit(moment, given ? 'consent-give' : 'consent-refuse', atText);
      const id = `${moment}${tail}b${index}`;
      const until = given ? untilOf(purpose, at) : undefined;
      answers = addAnswer(answers, {
        purpose,
        act: given ? 'yes' : 'no',
        scope,
        at,
        seq: version,
        id,
        rank: 'self',
        own: true,
        notice: 1,
        ...(until === undefined ? {} : { until }),
      });
      if (!given) leaseFloor = version;
      rows.consent_event.add(
        `${subjectId}\t${id}\t${version}\t${purpose}\t${scopes[index]}\t${given ? 'give\tyes' : 'refuse\tno'}\t1\tde\t\\\\x${job.noticeHashes[purpose]}\tapp\tself\tt\t${system}\t${policyDigest}\t${atText}\t${atText}\t${until === undefined ? '\\N' : time(until)}\n`,
      );
    }
    if (isProved(n)) {
      // The account has a subject of its own: proving control never merges two people.
      const moment = momentOf(came + provedAfterMs);
      const accountId = `${moment}${tail}01`;
      audit(moment, 'open-challenge', provedText);
      audit(moment, 'prove-control', provedText);
      born(accountId, 'facebook', accountOf(n).slice(9), provedText, `${subjectId}\t${provedText}\t${system}`);
      rows.subject_state.add(`${accountId}\t1\t{}\t[]\t0\t${provedText}\n`);
      rows.audit_event.add(`${accountId}\t${moment}${tail}a0\tregister-subject\t${system}\t1\t${provedText}\n`);
    }
    rows.subject_state.add(`${subjectId}\t${version}\t${JSON.stringify(answers)}\t[]\t${leaseFloor}\t${provedText}\n`);
  }
};

// What is lost in a crash while loading is loaded again: the checkpoint afterwards makes it durable.
const connection = { synchronous_commit: 'off', application_name: 'askfirst-bench-load' };
const data = postgres(job.url, { max: tables.length - 1, connection, onnotice: () => {} });
const keys = postgres(job.keysUrl, { max: 1, connection, onnotice: () => {} });

const copy = async (table: Table, rows: Buffer): Promise<void> => {
  const sql = table === 'subject_key' ? keys : data;
  const stream = await sql.unsafe(`copy ${table} (${columns[table]}) from stdin`).writable();
  stream.end(rows);
  // postgres.js never ends the stream of a COPY that the server refuses.
  const refused = sleep(60_000, undefined, { ref: false }).then(() => {
    throw new Error(`COPY ${table} did not end: the server's log says why`);
  });
  await Promise.race([finished(stream), refused]);
};

const probe = sealed(kek, 'probe', 'bench');
if (unseal(kek, Buffer.from(probe, 'hex'), 'bench').toString() !== 'probe')
  throw new Error('sealed otherwise than by the service');

let [rows, spare] = [newRows(), newRows()];
const next = new Int32Array(job.next);
let under: Promise<unknown> = Promise.resolve();
for (;;) {
  const from = Atomics.add(next, 0, job.chunk);
  if (from >= total) break;
  const to = Math.min(from + job.chunk, total);
  write(rows, from, to);
  // Rows are made while those before are on their way: two chunks are in memory.
  await under;
  const taken = tables.map((table) => [table, rows[table].take()] as const);
  under = Promise.all(taken.map(([table, text]) => copy(table, text))).then(() => parentPort!.postMessage(to - from));
  [rows, spare] = [spare, rows];
}
await under;
await Promise.all([data.end(), keys.end()]);
