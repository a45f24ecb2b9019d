import { localKeyEncryption, newKeyEncryptionKey } from '../kernel/crypto/key-encryption.ts';
import { rewrapKeys } from '../kernel/crypto/key-store.ts';
import { withInstallation } from './installation.ts';
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
