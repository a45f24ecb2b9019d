import { dirname, resolve } from 'node:path';
import { systemClock } from '../kernel/clock.ts';
import { expireKeyBackups, listKeyBackups, verifyKeyBackup, writeKeyBackup } from '../kernel/crypto/key-backup.ts';
import { localKeyEncryption, newKeyEncryptionKey } from '../kernel/crypto/key-encryption.ts';
import { rewrapKeys } from '../kernel/crypto/key-store.ts';
import { restoreKeys } from '../kernel/crypto/restore-keys.ts';
import { createSubjectReader } from '../subjects/index.ts';
import { withDatabase, withInstallation, withKeys } from './installation.ts';
import { print, remark } from './print.ts';
import { UsageError } from './usage-error.ts';

/** Needs no database: it is what one needs before there is any. */
export const create = (version = '1'): Promise<void> => {
  if (!/^[1-9]\d{0,5}$/.test(version)) throw new UsageError('a version is a number from 1 on');
  print(newKeyEncryptionKey(Number(version)));
  remark('Keep it apart from every backup of the databases: without it no stored personal data can be read again.');
  return Promise.resolve();
};

export const rewrap = (): Promise<void> =>
  withInstallation(async ({ urls, keyEncryptionKeys }) => {
    if (urls.keysOwner === undefined)
      throw new Error('rewrapping is for the owner of the key store: name MIGRATOR_KEYS_DATABASE_URL');
    const keyEncryption = localKeyEncryption(keyEncryptionKeys);
    const wrapped = await rewrapKeys(urls.keysOwner, keyEncryption);
    print(
      `${wrapped} key(s) were wrapped anew; all are wrapped by version ${keyEncryption.current} now, no other is needed.`,
    );
  });

/** Writes one backup now, as the job does each night, and removes those that are too old. */
export const backup = (given: string | undefined): Promise<void> =>
  withInstallation((installation) => {
    const { settings } = installation;
    const folder = given === undefined ? settings.keyBackupFolder : resolve(given);
    if (folder === undefined) throw new UsageError('name a folder, or set KEY_BACKUP_FOLDER');
    return withKeys(installation, async ({ database }) => {
      const now = systemClock.now();
      const { path, keys } = await writeKeyBackup(database, folder, now);
      print(`${path} holds ${keys} key(s).`);
      remark('They are wrapped by the key-encryption key, which is not in it: keep that one elsewhere.');
      const expired = await expireKeyBackups(folder, settings.keyBackupDays, now);
      if (expired.length > 0)
        remark(`${expired.length} backup(s) older than ${settings.keyBackupDays} days are removed.`);
    });
  });

/** Why an older backup is refused unless somebody insists; DESIGN section 5. */
const refuseOlder = async (at: Temporal.Instant, folders: readonly (string | undefined)[]) => {
  for (const folder of new Set(folders)) {
    const all = folder === undefined ? [] : await listKeyBackups(folder);
    const newer = all.find((one) => !one.unfinished && Temporal.Instant.compare(one.at, at) > 0);
    if (newer)
      throw new Error(
        `${newer.path} is newer: the key store is restored only to its newest state, else the keys of people who were erased since would come back. Take that one, or insist with --older`,
      );
  }
};

/** Brings back the keys of a backup whose people the data still know; what an erasure destroyed stays destroyed. */
export const restore = (given: string, { missing = false, older = false } = {}): Promise<void> =>
  withDatabase(async (opened) => {
    const file = resolve(given);
    const { at } = await verifyKeyBackup(file);
    if (!older) await refuseOlder(at, [dirname(file), opened.settings.keyBackupFolder]);
    const reader = createSubjectReader(opened.database, 300_000);
    const living = async (subjectIds: readonly string[]) => {
      const states = await Promise.all(subjectIds.map((id) => reader.state(id)));
      return new Set(
        states.filter(({ version, erasedAt }) => version > 0 && !erasedAt).map(({ subjectId }) => subjectId),
      );
    };
    const keyEncryption = localKeyEncryption(opened.keyEncryptionKeys);
    const done = await withKeys(opened, ({ database }) =>
      restoreKeys({ keys: database, keyEncryption, living }, file, { missing }),
    );
    print(`${done.restored} key(s) of ${at.toString()} are back; ${done.present} were there and stay as they are.`);
    if (done.left > 0)
      print(
        `${done.left} stay destroyed: their people are erased, or the data do not know them. A backup must never undo an erasure.`,
      );
    remark('People who came after that moment have no key in it: what was sealed for them stays closed.');
  });
