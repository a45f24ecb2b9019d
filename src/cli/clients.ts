import { SCOPES } from '../http/index.ts';
import { createClient, listClients, revokeClient } from '../systems/index.ts';
import { withDatabase } from './installation.ts';
import { print, remark, table } from './print.ts';
import { UsageError } from './usage-error.ts';

/** Prints two lines that a shell or an environment file takes as they are; the remark goes elsewhere. */
export const create = (system: string, scopes: readonly string[]): Promise<void> => {
  if (scopes.length === 0) throw new UsageError(`name what it may do: --scope, of ${Object.keys(SCOPES).join(', ')}`);
  return withDatabase(async ({ database, policySets }) => {
    const { systems } = await policySets.current();
    const { clientId, clientSecret } = await createClient({ database, systems }, { system, scopes });
    print(`ASKFIRST_CLIENT_ID=${clientId}`, `ASKFIRST_CLIENT_SECRET=${clientSecret}`);
    remark('The secret is shown this once: only its hash is stored.');
  });
};

export const list = (): Promise<void> =>
  withDatabase(async ({ database }) => {
    const clients = await listClients(database);
    if (clients.length === 0) return remark('There is no client yet.');
    const rows = clients.map(({ clientId, system, scopes, createdAt, revokedAt }) => [
      clientId,
      system,
      revokedAt === null ? 'works' : `revoked ${revokedAt.slice(0, 10)}`,
      createdAt.slice(0, 10),
      scopes.join(' '),
    ]);
    print(...table([['CLIENT', 'SYSTEM', 'STATE', 'CREATED', 'SCOPES'], ...rows]));
  });

export const revoke = (clientId: string): Promise<void> =>
  withDatabase(async ({ database }) => {
    await revokeClient(database, clientId);
    print(`${clientId} is revoked: it gets no more tokens, and those it has are refused from now on.`);
  });
