import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../../test/support/database.ts';
import { ClientRevoked } from '../http/index.ts';
import { connect, type Database } from '../kernel/database/client.ts';
import { DatabaseUnavailable } from '../kernel/database/errors.ts';
import { createRevocationCheck } from './client-revocation.ts';
import { createClient } from './create-client.ts';
import { ClientUnknown, ScopeUnknown, SystemUnknown } from './errors.ts';
import { listClients } from './list-clients.ts';
import { revokeClient } from './revoke-client.ts';
import { verifyClient } from './verify-client.ts';

let databases: TestDatabase;
let database: Database;
const systems = new Map([['crm', {}]]);
const create = () => createClient({ database, systems }, { system: 'crm', scopes: ['links:write', 'links:read'] });

beforeAll(async () => {
  databases = await freshDatabase();
  database = connect(databases.urls.app, { connections: 4 });
});
afterAll(async () => {
  await database.end();
  await databases.drop();
});

/** A database that counts its statements and can hold answers back. */
const watched = () => {
  const statements: string[] = [];
  let gate: Promise<void> | undefined;
  const query: Database['query'] = async (text, parameters) => {
    statements.push(text);
    const rows = await database.query<never>(text, parameters);
    await gate;
    return rows;
  };
  return {
    statements,
    database: { ...database, query, read: query },
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
  };
};

test('credentials are shown once, work, and are stored only as a hash', async () => {
  const { clientId, clientSecret } = await create();
  expect(Buffer.from(clientSecret, 'base64url')).toHaveLength(32);
  expect(await verifyClient(database, clientId, clientSecret)).toEqual({
    system: 'crm',
    scopes: ['links:write', 'links:read'],
  });
  const [row] = await database.query<{ everything: string }>(
    'select client::text as everything from client where id = $1',
    [clientId],
  );
  expect(row!.everything).not.toContain(clientSecret);
  expect(row!.everything).not.toContain(Buffer.from(clientSecret).toString('hex'));
});

test('a wrong secret, an unknown id, another client and an id with U+0000 are refused alike', async () => {
  const [one, other] = [await create(), await create()];
  expect(await verifyClient(database, one.clientId, `${one.clientSecret}x`)).toBeUndefined();
  expect(await verifyClient(database, one.clientId, '')).toBeUndefined();
  expect(await verifyClient(database, one.clientId, other.clientSecret)).toBeUndefined();
  expect(await verifyClient(database, 'crm.000000000000', one.clientSecret)).toBeUndefined();
  expect(await verifyClient(database, 'crm\0', one.clientSecret)).toBeUndefined();
});

test('only systems of the catalogue and known scopes get credentials', async () => {
  await expect(createClient({ database, systems }, { system: 'shadow', scopes: ['links:read'] })).rejects.toThrow(
    SystemUnknown,
  );
  await expect(createClient({ database, systems }, { system: 'crm', scopes: ['links:red'] })).rejects.toThrow(
    ScopeUnknown,
  );
  await expect(createClient({ database, systems }, { system: 'crm', scopes: [] })).rejects.toThrow(ScopeUnknown);
});

test('a revoked client gets no token, and tokens it has are refused at once on every instance', async () => {
  const [client, other] = [await create(), await create()];
  const second = connect(databases.urls.app, { connections: 2 });
  const [here, there] = [createRevocationCheck(database, 5_000), createRevocationCheck(second, 5_000)];
  await Promise.all([here(client.clientId), there(client.clientId)]);
  await revokeClient(database, client.clientId);
  await expect(here(client.clientId)).rejects.toThrow(ClientRevoked);
  await expect(there(client.clientId)).rejects.toThrow(ClientRevoked);
  await there(other.clientId);
  expect(await verifyClient(database, client.clientId, client.clientSecret)).toBeUndefined();
  const summary = (await listClients(database)).find(({ clientId }) => clientId === client.clientId)!;
  expect(summary).toMatchObject({ system: 'crm', scopes: ['links:write', 'links:read'] });
  expect(Temporal.Instant.from(summary.revokedAt!).epochMilliseconds).toBeGreaterThan(0);
  await revokeClient(database, client.clientId);
  await expect(revokeClient(database, 'crm.nobody')).rejects.toThrow(ClientUnknown);
  await second.end();
});

test('a fresh instance knows who was revoked before it started', async () => {
  const client = await create();
  await revokeClient(database, client.clientId);
  await expect(createRevocationCheck(database, 5_000)(client.clientId)).rejects.toThrow(ClientRevoked);
});

test('calls share reads, but none is answered from a read that was sent before it', async () => {
  const client = await create();
  const { statements, database: slow, hold } = watched();
  const check = createRevocationCheck(slow, 5_000);
  await check(client.clientId);
  statements.length = 0;
  await Promise.all(Array.from({ length: 500 }, () => check(client.clientId)));
  expect(statements.length).toBeLessThanOrEqual(2);
  statements.length = 0;

  const release = hold();
  const before = check(client.clientId);
  await expect.poll(() => statements.length).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await revokeClient(database, client.clientId);
  const after = check(client.clientId).catch((error: unknown) => error);
  release();
  await before;
  expect(await after).toBeInstanceOf(ClientRevoked);
});

test('many revocations at once are all seen, whatever order the reads answer in', async () => {
  const clients = await Promise.all(Array.from({ length: 20 }, create));
  const check = createRevocationCheck(database, 5_000);
  await Promise.all(
    clients.map(async ({ clientId }) => {
      await check(clientId);
      await revokeClient(database, clientId);
      await expect(check(clientId)).rejects.toThrow(ClientRevoked);
    }),
  );
});

test('when the database cannot be asked, nobody is let through', async () => {
  const gone = connect('postgres://nobody:x@127.0.0.1:1/none', { connections: 1 });
  await expect(createRevocationCheck(gone, 5_000)('crm.1')).rejects.toThrow(DatabaseUnavailable);
  await gone.end();
});
