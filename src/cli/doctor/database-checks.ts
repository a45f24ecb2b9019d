import { assertDurable, connect, type Database } from '../../kernel/database/client.ts';
import { assertMigrated } from '../../kernel/database/migrate.ts';
import { fail, ok, warn, type Check } from './finding.ts';

/** Before anything else: where these fail, the others could only say the same in other words. */
const reachable = (name: string, pick: 'data' | 'keys', variable: string): Check => ({
  name,
  run: async (patient) => {
    const database = patient[pick];
    try {
      const [row] = await database.read<{ version: string }>(`select current_setting('server_version') as version`);
      await assertDurable(database);
      await assertMigrated(database, pick);
      return ok(`PostgreSQL ${row!.version}, durable, with the schema of this version`);
    } catch (error) {
      const { code } = error as { code?: string };
      const { sqlState = '' } = error as { sqlState?: string };
      if (code === 'database.unavailable')
        return fail('it cannot be reached', `check ${variable}, and that PostgreSQL runs`);
      // 28: invalid authorization; 3D000: no such database; 42501: insufficient privilege.
      if (/^(28|3D)/.test(sqlState)) return fail('it refuses us', `check user, password and name in ${variable}`);
      if (sqlState === '42501')
        return fail('our role may not read it', 'run "askfirst migrate" as the owner: it grants what is needed');
      if (code === 'database.schema-behind')
        return fail('its schema is that of an older version', 'run "askfirst migrate" as the owner');
      if (code?.startsWith('database.')) return fail((error as Error).message, 'change the server as it says');
      throw error;
    }
  },
});

export const firstChecks: readonly Check[] = [
  reachable('database', 'data', 'DATABASE_URL'),
  reachable('key store', 'keys', 'KEYS_DATABASE_URL'),
];

const withConnection = async <T>(url: string, use: (database: Database) => Promise<T>): Promise<T> => {
  const database = connect(url, { connections: 1, statementTimeoutMs: 3_000, name: 'askfirst-doctor' });
  try {
    return await use(database);
  } finally {
    await database.end();
  }
};

const roles: Check = {
  name: 'roles',
  run: async ({ data }) => {
    const [may] = await data.read<{ update: boolean; insert: boolean }>(
      `select has_table_privilege(current_user, 'consent_event', 'update') as update,
              has_table_privilege(current_user, 'consent_event', 'insert') and has_table_privilege(current_user, 'subject_state', 'update') as insert`,
    );
    if (!may!.insert)
      return fail(
        'the service’s role may not write what it must',
        'run "askfirst migrate" as the owner: it grants what is needed',
      );
    return may!.update
      ? warn(
          'one role for everything: the service could change what it recorded',
          'give the service a role of its own: see "roles" in the README',
        )
      : ok('separate: what was recorded cannot be changed by the service');
  },
};

const owner: Check = {
  name: 'owner',
  run: async ({ urls }) => {
    if (urls.owner === undefined || urls.keysOwner === undefined)
      return ok('not named: "npm start" does not migrate, "askfirst migrate" does with MIGRATOR_DATABASE_URL');
    for (const [url, table, variable] of [
      [urls.owner, 'consent_event', 'MIGRATOR_DATABASE_URL'],
      [urls.keysOwner, 'subject_key', 'MIGRATOR_KEYS_DATABASE_URL'],
    ] as const) {
      const isOwner = await withConnection(url, async (database) => {
        const [row] = await database.read<{ own: boolean }>(
          `select pg_has_role(current_user, relowner, 'usage') as own from pg_class where oid = to_regclass('public.${table}')`,
        );
        return row?.own ?? false;
      }).catch(() => false);
      if (!isOwner)
        return fail(
          'its role does not own the tables, or is refused: the next version could not migrate',
          `let ${variable} name the owner`,
        );
    }
    return ok('can migrate both databases');
  },
};

const reaper: Check = {
  name: 'retention',
  run: async ({ urls }) => {
    if (urls.reaper === undefined)
      return warn(
        'retention does not run: nothing that is too old is removed',
        'set REAPER_DATABASE_URL to the role askfirst_reaper',
      );
    const may = await withConnection(urls.reaper, async (database) => {
      const [row] = await database.read<{ may: boolean }>(
        `select has_table_privilege(current_user, 'idempotency', 'delete') and has_table_privilege(current_user, 'consent_event', 'delete') as may`,
      );
      return row!.may;
    }).catch(() => false);
    return may
      ? ok('runs, with a role that alone may delete')
      : fail(
          'the role of REAPER_DATABASE_URL is refused or may not delete: retention does not run',
          'check its password, and run "askfirst migrate" as the owner',
        );
  },
};

/** Deadlines and expiries are told by the database's clock and by ours. */
const mostSkewMs = 2_000;

const time: Check = {
  name: 'clock',
  run: async ({ data, clock }) => {
    const before = clock.now().epochMilliseconds;
    const [row] = await data.read<{ ms: number }>(`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`);
    const after = clock.now().epochMilliseconds;
    // How far the database's moment lies outside of the time that we waited for it.
    const skew = Math.max(before - row!.ms, row!.ms - after, 0);
    const seconds = `${(skew / 1000).toFixed(1)} s`;
    return skew > mostSkewMs
      ? fail(
          `the database’s clock and ours differ by ${seconds}`,
          'let both machines keep time by NTP: expiries and deadlines depend on it',
        )
      : ok(`agrees with the database’s to ${seconds}`);
  },
};

export const databaseChecks: readonly Check[] = [roles, owner, reaper, time];
