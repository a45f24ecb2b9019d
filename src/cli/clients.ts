import { isSecureBase } from '../config.ts';
import { SCOPES } from '../http/index.ts';
import { createClient, listClients, registerOutsideClient, revokeClient } from '../systems/index.ts';
import { withDatabase } from './installation.ts';
import { print, remark, table } from './print.ts';
import { UsageError } from './usage-error.ts';

/**
 * Prints two lines that a shell or an environment file takes as they are; the remark goes elsewhere. A client of an outside issuer has its
 * credentials there, so of it only the id is printed.
 */
export const create = (
  system: string,
  scopes: readonly string[],
  { issuer, externalId }: { issuer?: string | undefined; externalId?: string | undefined },
): Promise<void> => {
  if (scopes.length === 0) throw new UsageError(`name what it may do: --scope, of ${Object.keys(SCOPES).join(', ')}`);
  if ((issuer === undefined) !== (externalId === undefined))
    throw new UsageError('--issuer and --external-id go together: who issues its tokens, and its client_id there');
  if (issuer !== undefined && !isSecureBase(issuer))
    throw new UsageError('--issuer: must be https (http only on this machine), exactly as in the `iss` of its tokens');
  return withDatabase(async ({ database, policySets, settings }) => {
    const { systems } = await policySets.current();
    if (issuer !== undefined && externalId !== undefined) {
      const { clientId } = await registerOutsideClient({ database, systems }, { system, scopes, issuer, externalId });
      print(`ASKFIRST_CLIENT_ID=${clientId}`);
      if (!settings.tokenIssuers.includes(issuer))
        remark(`Its tokens are not taken yet: TOKEN_ISSUERS does not name ${issuer}.`);
      return;
    }
    const { clientId, clientSecret } = await createClient({ database, systems }, { system, scopes });
    print(`ASKFIRST_CLIENT_ID=${clientId}`, `ASKFIRST_CLIENT_SECRET=${clientSecret}`);
    remark('The secret is shown this once: only its hash is stored.');
  });
};

export const list = (): Promise<void> =>
  withDatabase(async ({ database }) => {
    const clients = await listClients(database);
    if (clients.length === 0) return remark('There is no client yet.');
    const rows = clients.map(({ clientId, system, issuer, externalId, scopes, createdAt, revokedAt }) => [
      clientId,
      system,
      revokedAt === null ? 'works' : `revoked ${revokedAt.slice(0, 10)}`,
      createdAt.slice(0, 10),
      scopes.join(' '),
      ...(issuer === null ? [''] : [`${externalId ?? '(registered anew)'} of ${issuer}`]),
    ]);
    print(...table([['CLIENT', 'SYSTEM', 'STATE', 'CREATED', 'SCOPES', 'BY'], ...rows]));
  });

export const revoke = (clientId: string): Promise<void> =>
  withDatabase(async ({ database }) => {
    await revokeClient(database, clientId);
    print(`${clientId} is revoked: it gets no more tokens, and those it has are refused from now on.`);
  });
