import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { AppError } from '../errors.ts';
import type { Database } from '../database/client.ts';

/**
 * A backup of the key store: one file, newline-delimited JSON. First a head with the moment, then one key a line as it lies in the store
 * (wrapped by the key-encryption key, which is not in the file), last the SHA-256 of all lines before, so that half a file is known as such.
 * Whoever has an old one can bring erased people back: that is why backups of keys are few, dated and expire (DESIGN section 5).
 */
export type KeyRow =
  | { subject: string; kek: number; wrapped: string; createdAt: string }
  | { service: string; version: number; kek: number; wrapped: string; jwk: object | null; createdAt: string };

export class KeyBackupUnusable extends AppError {
  constructor(why: string) {
    super('keys.backup-unusable', 'unprocessable', why);
  }
}

const format = 'askfirst-key-backup-1';
/** Named by its moment in UTC, in seconds; another part of the name could not be sorted or expired. */
const namePattern = /^askfirst-keys-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.ndjson(\.part)?$/;

const nameOf = (at: Temporal.Instant): string =>
  `askfirst-keys-${at.round('second').toString().replaceAll(/[-:]/g, '')}.ndjson`;

/** The backups in a folder, oldest first; `unfinished` are what a killed backup left. A folder that is not there has none. */
export const listKeyBackups = async (
  folder: string,
): Promise<{ path: string; at: Temporal.Instant; unfinished: boolean }[]> => {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .toSorted((one, other) => (one < other ? -1 : 1))
    .flatMap((name) => {
      const [, year, month, day, hour, minute, second, part] = namePattern.exec(name) ?? [];
      if (year === undefined) return [];
      const at = Temporal.Instant.from(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
      return [{ path: join(folder, name), at, unfinished: part !== undefined }];
    });
};

/** Rows of one statement each, so that a store of any size takes the memory of a page. */
const pageSize = 5_000;

async function* rowsOf(database: Database): AsyncGenerator<KeyRow[]> {
  yield await database.read<KeyRow>(
    `select name as service, version, key_encryption_key as kek, encode(wrapped, 'base64') as wrapped, public_jwk as jwk, created_at::text as "createdAt"
     from service_key order by name, version`,
  );
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows = await database.read<KeyRow & { subject: string }>(
      `select subject_id as subject, key_encryption_key as kek, encode(wrapped, 'base64') as wrapped, created_at::text as "createdAt"
       from subject_key where subject_id > $1 order by subject_id limit ${pageSize}`,
      [after],
    );
    if (rows.length === 0) return;
    yield rows;
    after = rows.at(-1)!.subject;
  }
}

/**
 * Writes the key store into a new file of `folder`, which is made when it is not there, both for their owner's eyes only. The file has its
 * name only when it is whole and on disk.
 */
export const writeKeyBackup = async (
  database: Database,
  folder: string,
  at: Temporal.Instant,
): Promise<{ path: string; keys: number }> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, nameOf(at));
  const part = `${path}.part`;
  await rm(part, { force: true });
  const file = await open(part, 'wx', 0o600);
  let keys = 0;
  try {
    const hash = createHash('sha256');
    const write = async (lines: readonly object[]) => {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      hash.update(text);
      await file.write(text);
    };
    await write([{ format, at: at.round('second').toString() }]);
    for await (const rows of rowsOf(database)) {
      await write(rows.map((row) => ({ ...row, wrapped: row.wrapped.replaceAll('\n', '') })));
      keys += rows.length;
    }
    await file.write(`${JSON.stringify({ keys, sha256: hash.digest('hex') })}\n`);
    await file.sync();
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return { path, keys };
};

/** Removes backups that are older than `days`, and what killed backups left an hour ago. Answers the paths. */
export const expireKeyBackups = async (folder: string, days: number, now: Temporal.Instant): Promise<string[]> => {
  const [oldest, stale] = [now.subtract({ hours: 24 * days }), now.subtract({ hours: 1 })];
  const expired = (await listKeyBackups(folder)).filter(
    ({ at, unfinished }) => Temporal.Instant.compare(at, unfinished ? stale : oldest) < 0,
  );
  for (const { path } of expired) await rm(path, { force: true });
  return expired.map(({ path }) => path);
};

async function* linesOf(path: string): AsyncGenerator<{ line: string; value: Record<string, unknown> }> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  for await (const line of lines) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      value = undefined;
    }
    if (typeof value !== 'object' || value === null)
      throw new KeyBackupUnusable('this file is no backup of keys, or it is cut off');
    yield { line, value: value as Record<string, unknown> };
  }
}

/**
 * Reads a backup to its end; answers its moment and one key for each key-encryption key that wrapped any. Throws KeyBackupUnusable unless
 * it is whole and unchanged.
 */
export const verifyKeyBackup = async (path: string): Promise<{ at: Temporal.Instant; samples: KeyRow[] }> => {
  const samples = new Map<unknown, KeyRow>();
  const hash = createHash('sha256');
  let at: Temporal.Instant | undefined;
  let keys = 0;
  let end: Record<string, unknown> | undefined;
  for await (const { line, value } of linesOf(path)) {
    if (end) throw new KeyBackupUnusable('something follows the end of this backup');
    if (!at) {
      if (value['format'] !== format) throw new KeyBackupUnusable('this file is no backup of keys that we can read');
      at = Temporal.Instant.from(String(value['at']));
    } else if ('sha256' in value) {
      end = value;
      continue;
    } else {
      keys++;
      if (!samples.has(value['kek'])) samples.set(value['kek'], value as KeyRow);
    }
    hash.update(`${line}\n`);
  }
  if (!at || !end) throw new KeyBackupUnusable('this backup is cut off');
  if (end['keys'] !== keys || end['sha256'] !== hash.digest('hex'))
    throw new KeyBackupUnusable('this backup was changed after it was written');
  return { at, samples: [...samples.values()] };
};

/** The keys of a verified backup, a page at a time. */
export async function* readKeyBackup(path: string): AsyncGenerator<KeyRow[]> {
  let page: KeyRow[] = [];
  for await (const { value } of linesOf(path)) {
    if ('format' in value || 'sha256' in value) continue;
    page.push(value as KeyRow);
    if (page.length === pageSize) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}
