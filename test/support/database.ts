import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { type Role, roles } from '../../src/kernel/database/provision.ts';

declare module 'vitest' {
  interface ProvidedContext {
    superuserUrl: string;
    templates: { data: string; keys: string };
  }
}

/** The roles belong to the whole server, and several runs may share one: so their passwords are always these. */
export const passwords = Object.fromEntries(roles.map((role) => [role, `test-${role}`])) as Record<Role, string>;

export type TestDatabase = {
  /** By role, on the data; `keys…` on the key store that belongs to it. */
  urls: Record<Role, string> & { keys: string; keysOwner: string; keysReaper: string; keysAuditor: string };
  /** Removes both databases and ends whatever is still connected to them. */
  drop(): Promise<void>;
};

/** The same server under another database and, with `role`, as one of our four roles. */
export const databaseUrl = (superuserUrl: string, database: string, role?: Role): string => {
  const url = new URL(superuserUrl);
  url.pathname = `/${database}`;
  if (role !== undefined) {
    url.username = `askfirst_${role}`;
    url.password = passwords[role];
  }
  return url.href;
};

/** The superuser of the server that this run uses; for tests about roles, grants and the server itself. */
export const superuserUrl = (database = 'postgres'): string => databaseUrl(inject('superuserUrl'), database);

/**
 * An empty, migrated data database and key store of one test file's own: copies of a template, about a tenth of a
 * second each. Call it in `beforeAll`, `drop` it in `afterAll`.
 */
export const freshDatabase = async (): Promise<TestDatabase> => {
  const server = inject('superuserUrl');
  const templates = inject('templates');
  const id = randomUUID().replaceAll('-', '').slice(0, 16);
  const names = { data: `askfirst_test_${id}`, keys: `askfirst_test_${id}_keys` };
  const asSuperuser = async (...statements: string[]): Promise<void> => {
    const sql = postgres(server, { max: 1, onnotice: () => {} });
    try {
      for (const statement of statements) await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  // What belongs to a database as such, its owner and who may connect, does not come with the template.
  await asSuperuser(
    ...(['data', 'keys'] as const).flatMap((store) => [
      `create database "${names[store]}" template "${templates[store]}" owner askfirst_owner`,
      `revoke all on database "${names[store]}" from public`,
      `grant connect on database "${names[store]}" to askfirst_app, askfirst_reaper, askfirst_auditor`,
    ]),
  );
  const data = (role: Role): string => databaseUrl(server, names.data, role);
  const keys = (role: Role): string => databaseUrl(server, names.keys, role);
  return {
    urls: {
      owner: data('owner'),
      app: data('app'),
      reaper: data('reaper'),
      auditor: data('auditor'),
      keys: keys('app'),
      keysOwner: keys('owner'),
      keysReaper: keys('reaper'),
      keysAuditor: keys('auditor'),
    },
    drop: () => asSuperuser(...Object.values(names).map((name) => `drop database if exists "${name}" with (force)`)),
  };
};
