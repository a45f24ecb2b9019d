import { migrate } from '../kernel/database/migrate.ts';
import { withInstallation } from './installation.ts';
import { print } from './print.ts';

export const migrateBoth = (): Promise<void> =>
  withInstallation(async ({ urls }) => {
    if (urls.owner === undefined || urls.keysOwner === undefined)
      throw new Error('migrating is for the owner: name MIGRATOR_DATABASE_URL and MIGRATOR_KEYS_DATABASE_URL');
    await migrate(urls.owner, 'data');
    await migrate(urls.keysOwner, 'keys');
    print('The data and the key store have the schema of this version.');
  });
