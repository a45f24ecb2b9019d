import type { Database } from '../database/client.ts';
import { KeyBackupUnusable, readKeyBackup, verifyKeyBackup, type KeyRow } from './key-backup.ts';
import { KeyUnusable, type KeyEncryption } from './key-encryption.ts';

/** How many keys came back, were there already, and stayed out because their person is erased or not in the data. */
export type RestoredKeys = { restored: number; present: number; left: number };

type Stored = { id: string; kek: number; wrapped: Buffer };

const nameOf = (row: KeyRow): string => ('subject' in row ? row.subject : `${row.service}/${row.version}`);

const bytesOf = (row: KeyRow): string => `\\x${Buffer.from(row.wrapped, 'base64').toString('hex')}`;

/**
 * Brings back the keys of a backup. Only keys of people whom the data still know come back (`living` answers which of them): a key that an
 * erasure destroyed must stay destroyed. Without `missing` the key store must be empty; with it, keys that are there stay as they are.
 * Throws KeyBackupUnusable and KeyUnusable before anything is written.
 */
export const restoreKeys = async (
  deps: {
    keys: Database;
    keyEncryption: KeyEncryption;
    living(subjectIds: readonly string[]): Promise<ReadonlySet<string>>;
  },
  path: string,
  { missing }: { missing: boolean },
): Promise<RestoredKeys> => {
  const { samples } = await verifyKeyBackup(path);
  for (const sample of samples) await deps.keyEncryption.unwrap(sample.kek, Buffer.from(sample.wrapped, 'base64'));
  const services = await deps.keys.query<Stored>(
    `select name || '/' || version as id, key_encryption_key as kek, wrapped from service_key`,
  );
  const [any] = await deps.keys.query('select 1 from subject_key limit 1');
  if (!missing && (any || services.length > 0))
    throw new KeyBackupUnusable(
      'the key store is not empty: give it an empty one, or add only what is missing (--missing)',
    );

  const done: RestoredKeys = { restored: 0, present: 0, left: 0 };
  for await (const page of readKeyBackup(path)) {
    await refuseOtherServiceKeys(deps.keyEncryption, services, page);
    const subjects = page.flatMap((row) => ('subject' in row ? [row.subject] : []));
    const living = await deps.living(subjects);
    const wanted = page.filter((row) => 'service' in row || living.has(row.subject));
    const written = await insert(deps.keys, wanted);
    done.restored += written;
    done.present += wanted.length - written;
    done.left += page.length - wanted.length;
  }
  return done;
};

/**
 * A service that started on a lost key store made keys of its own: under them nobody would be found again, and the two sets do not mix.
 * All of the service's keys lie on the first page.
 */
const refuseOtherServiceKeys = async (
  keyEncryption: KeyEncryption,
  stored: readonly Stored[],
  page: readonly KeyRow[],
): Promise<void> => {
  for (const row of page) {
    const same = 'service' in row ? stored.find(({ id }) => id === nameOf(row)) : undefined;
    if (!same) continue;
    const [ours, theirs] = [
      await keyEncryption.unwrap(same.kek, same.wrapped),
      await keyEncryption.unwrap(row.kek, Buffer.from(row.wrapped, 'base64')),
    ];
    if (!ours.equals(theirs))
      throw new KeyUnusable(
        `the key store has another key ${nameOf(row)} than the backup: Askfirst was started on an empty key store. Stop it, make the key store anew, and restore into it`,
      );
  }
};

/** One statement for a page; a key that is there is never overwritten. Answers how many were written. */
const insert = async (keys: Database, rows: readonly KeyRow[]): Promise<number> => {
  const values = rows.map((row) => ({
    subject_id: 'subject' in row ? row.subject : undefined,
    name: 'service' in row ? row.service : undefined,
    version: 'service' in row ? row.version : undefined,
    public_jwk: 'service' in row ? row.jwk : undefined,
    key_encryption_key: row.kek,
    wrapped: bytesOf(row),
    created_at: row.createdAt,
  }));
  const json = JSON.stringify(values);
  const written = await keys.query(
    `with services as (
       insert into service_key (name, version, key_encryption_key, wrapped, public_jwk, created_at)
       select name, version, key_encryption_key, wrapped, public_jwk, created_at
       from json_populate_recordset(null::service_key, $1::text::json) where name is not null
       on conflict do nothing returning 1
     ), subjects as (
       insert into subject_key (subject_id, key_encryption_key, wrapped, created_at)
       select subject_id, key_encryption_key, wrapped, created_at
       from json_populate_recordset(null::subject_key, $1::text::json) where subject_id is not null
       on conflict do nothing returning 1
     )
     select 1 from services union all select 1 from subjects`,
    [json],
  );
  return written.length;
};
