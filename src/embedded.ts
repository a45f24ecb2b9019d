import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKeyEncryptionKey } from './kernel/crypto/key-encryption.ts';
import { exclusively } from './kernel/data-folder.ts';
import { provision, roles, type Role } from './kernel/database/provision.ts';
import { startEmbeddedPostgres } from './kernel/embedded-postgres.ts';
import type { Secrets } from './config.ts';

/** Makes a file that only we can read, once; answers what is in it. */
const secretFile = (path: string, make: () => string): string => {
  if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o600, flag: 'wx' });
  return readFileSync(path, 'utf8');
};

export type Embedded = {
  secrets: { urls: NonNullable<Secrets['urls']>; keyEncryptionKeys: string };
  stop(): Promise<void>;
};

/**
 * Starts or joins the embedded PostgreSQL of a data folder, with separate roles as on a real server: all that `npm start` needs on a
 * bare machine. Passwords and the key-encryption key are made at the first start and lie in the folder, readable to its owner only.
 */
export const startEmbedded = async (
  dataFolder: string,
  log: { info(message: string): void; warn(message: string): void },
): Promise<Embedded> => {
  const server = await startEmbeddedPostgres({ dataFolder, log });
  // A command line joins while the service runs, and two that alter a role at once collide in the catalogue.
  const passwords = await exclusively(dataFolder, 'provisioning', async () => {
    const file = secretFile(join(dataFolder, 'roles.json'), () =>
      JSON.stringify(Object.fromEntries(roles.map((role) => [role, randomBytes(24).toString('base64url')]))),
    );
    const made = JSON.parse(file) as Record<Role, string>;
    await provision(server.superuserUrl('postgres'), made);
    return made;
  });
  const url = (role: Role, database: string) =>
    `postgres://askfirst_${role}:${passwords[role]}@127.0.0.1:${server.port}/${database}`;
  return {
    secrets: {
      urls: {
        app: url('app', 'askfirst'),
        owner: url('owner', 'askfirst'),
        reaper: url('reaper', 'askfirst'),
        keys: url('app', 'askfirst_keys'),
        keysOwner: url('owner', 'askfirst_keys'),
      },
      keyEncryptionKeys: secretFile(join(dataFolder, 'key-encryption-keys'), () => `${newKeyEncryptionKey(1)}\n`),
    },
    stop: () => server.stop(),
  };
};
