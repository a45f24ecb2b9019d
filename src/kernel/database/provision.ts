import { connect } from './client.ts';

export const roles = ['owner', 'app', 'reaper', 'auditor'] as const;
export type Role = (typeof roles)[number];

/**
 * Creates the four login roles and the two databases on a server that we administer (embedded, tests, compose). A real
 * server's administrator does the same by hand: see the README. `passwords` must need no quoting in a URL.
 */
export const provision = async (
  superuserUrl: string,
  passwords: Record<Role, string>,
  databases: readonly string[] = ['askfirst', 'askfirst_keys'],
): Promise<void> => {
  const server = connect(superuserUrl, { connections: 1, name: 'askfirst-provision' });
  try {
    for (const role of roles) {
      await server.script(`
        do $$ begin create role askfirst_${role} login; exception when duplicate_object then null; end $$;
        alter role askfirst_${role} password '${passwords[role].replaceAll("'", "''")}';`);
    }
    for (const name of databases) {
      const found = await server.query('select 1 from pg_database where datname = $1', [name]);
      if (found.length === 0) await server.script(`create database "${name}" owner askfirst_owner`);
      await server.script(
        `revoke all on database "${name}" from public; grant connect on database "${name}" to askfirst_app, askfirst_reaper, askfirst_auditor`,
      );
    }
  } finally {
    await server.end();
  }
};
