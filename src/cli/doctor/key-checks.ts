import { relative } from 'node:path';
import { listKeyBackups } from '../../kernel/crypto/key-backup.ts';
import { localKeyEncryption } from '../../kernel/crypto/key-encryption.ts';
import { fail, ok, warn, type Check } from './finding.ts';

const apart: Check = {
  name: 'keys apart',
  run: async ({ keys, urls, isEmbedded }) => {
    const [row] = await keys.read<{ found: boolean }>(
      `select to_regclass('public.subject_state') is not null as found`,
    );
    if (row!.found)
      return fail(
        'keys and data lie in one database: an old backup of it brings erased people back',
        'give the key store a database of its own in KEYS_DATABASE_URL',
      );
    const [data, store] = [new URL(urls.app), new URL(urls.keys)];
    if (!isEmbedded && data.host !== store.host) return ok('on a server of their own');
    return ok(
      `on the same server: leave the database ${decodeURIComponent(store.pathname.slice(1))} out of backups of the data`,
    );
  },
};

type Sample = { kek: number; wrapped: Buffer };

const opens: Check = {
  name: 'key encryption',
  run: async ({ keys, keyEncryptionKeys }) => {
    const keyEncryption = localKeyEncryption(keyEncryptionKeys);
    const versions = await keys.read<{ kek: number }>(
      'select distinct key_encryption_key as kek from subject_key union select key_encryption_key from service_key',
    );
    if (versions.length === 0) return ok('a key-encryption key is there; nothing is stored yet that it could open');
    for (const { kek } of versions) {
      const [sample] = await keys.read<Sample>(
        `select key_encryption_key as kek, wrapped from subject_key where key_encryption_key = $1
         union all select key_encryption_key, wrapped from service_key where key_encryption_key = $1 limit 1`,
        [kek],
      );
      try {
        await keyEncryption.unwrap(kek, sample!.wrapped);
      } catch {
        return fail(
          `key-encryption key ${kek} is not here or is another one: what it wrapped cannot be opened, and personal data cannot be read`,
          'put it back in KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KEYS_FILE from where you keep its copy',
        );
      }
    }
    return versions.some(({ kek }) => kek !== keyEncryption.current)
      ? warn(
          `some keys are still wrapped by an older version than ${keyEncryption.current}`,
          'run "askfirst keys rewrap" as the owner of the key store',
        )
      : ok(`version ${keyEncryption.current} opens what is stored, and wraps all of it`);
  },
};

/** Each night makes one; an hour is for the night in which the clock stands still. */
const newestHours = 25;

const backups: Check = {
  name: 'key backups',
  run: async ({ settings, clock }) => {
    const { keyBackupFolder: folder, keyBackupDays: days, dataFolder } = settings;
    if (folder === undefined)
      return warn('the key store is not backed up: with it all personal data would be lost', 'set KEY_BACKUP_FOLDER');
    const [all, now] = [await listKeyBackups(folder), clock.now()];
    const isOlder = (at: Temporal.Instant, hours: number) => Temporal.Instant.compare(at, now.subtract({ hours })) < 0;
    const expired = all.filter(({ at }) => isOlder(at, 24 * days));
    if (expired.length > 0)
      return fail(
        `${expired.length} backup(s) are older than ${days} days: from them people who were erased could be brought back`,
        `remove them from ${folder}; "askfirst keys backup" does it too`,
      );
    if (!relative(dataFolder, folder).startsWith('..'))
      return fail(
        'the backups lie in the data folder: a backup of the data would hold them',
        'let KEY_BACKUP_FOLDER name another place',
      );
    const newest = all.findLast(({ unfinished }) => !unfinished);
    if (!newest) return warn('there is no backup yet', 'run "askfirst keys backup"; the service makes one each night');
    return isOlder(newest.at, newestHours)
      ? fail(
          `the newest backup is of ${newest.at.toString().slice(0, 10)}`,
          'see the log of the service for why none was made since; meanwhile run "askfirst keys backup"',
        )
      : ok(`the newest is of ${newest.at.toString().slice(0, 10)}; none is older than ${days} days`);
  },
};

export const keyChecks: readonly Check[] = [apart, opens, backups];
