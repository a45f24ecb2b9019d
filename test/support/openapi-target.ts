import { isScope, SCOPES } from '../../src/http/index.ts';
import { connect } from '../../src/kernel/database/client.ts';
import type { Catalogue } from '../../src/policies/index.ts';
import { createClient } from '../../src/systems/index.ts';
import { createWireClient, type WireAnswer, type WireRequest } from './openapi-client.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { lookInto, type Stored } from './openapi-digest.ts';
import { startProcess, type ServiceProcess } from './openapi-process.ts';
import { createHarvest, type FuzzRequest, type Harvest } from './openapi-requests.ts';

/** A service of its own on a database of its own, and all that takes to talk to it as any system. */
export type FuzzTarget = {
  service: ServiceProcess;
  database: TestDatabase;
  stored: Stored;
  harvest: Harvest;
  /** Puts placeholders and credentials into a request, sends it, and remembers what the answer gives. */
  send(request: FuzzRequest, scope: string | undefined): Promise<{ sent: WireRequest; answer: WireAnswer }>;
  /** One ordinary call, to prepare the world; throws unless it succeeds. */
  call(method: string, path: string, as: string, body?: unknown): Promise<any>;
  close(): Promise<void>;
};

export const startFuzzTarget = async (
  catalogue: Catalogue,
  systems: readonly string[],
  environment: Record<string, string> = {},
): Promise<FuzzTarget> => {
  const database = await freshDatabase();
  const service = await startProcess(database, environment);
  const client = createWireClient(service.url);
  const stored = lookInto(database);
  const db = connect(database.urls.app, { connections: 1, name: 'test' });
  const harvest = createHarvest();
  const basics = new Map<string, Promise<string>>();
  const tokens = new Map<string, Promise<string>>();

  const remembered = (map: Map<string, Promise<string>>, name: string, make: () => Promise<string>) => {
    const known = map.get(name) ?? make();
    map.set(name, known);
    return known;
  };
  const basicOf = (system: string, scopes: readonly string[]) =>
    remembered(basics, `${system} ${scopes.join(' ')}`, async () => {
      const made = await createClient({ database: db, systems: catalogue.systems }, { system, scopes });
      return `Basic ${Buffer.from(`${made.clientId}:${made.clientSecret}`).toString('base64')}`;
    });
  const tokenOf = (system: string, scopes: readonly string[]) =>
    remembered(tokens, `${system} ${scopes.join(' ')}`, async () => {
      const answer = await client.send({
        method: 'POST',
        path: '/oauth/token',
        headers: {
          authorization: await basicOf(system, scopes),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: Buffer.from('grant_type=client_credentials'),
      });
      if (answer.status !== 200) throw new Error(`no token: ${answer.text}`);
      return `Bearer ${(JSON.parse(answer.text) as { access_token: string }).access_token}`;
    });
  const allScopes = Object.keys(SCOPES).filter(isScope);
  const allBut = (scope: string | undefined) => allScopes.filter((one) => one !== scope);
  // All clients exist before anybody compares what is stored.
  for (const system of new Set(systems))
    await Promise.all([undefined, ...allScopes].map((lacking) => tokenOf(system, allBut(lacking))));

  const authorizationOf = async (
    { credentials }: FuzzRequest,
    scope: string | undefined,
  ): Promise<string | undefined> => {
    switch (credentials.kind) {
      case 'none':
        return undefined;
      case 'raw':
        return credentials.authorization;
      case 'client':
        return basicOf(credentials.system, allScopes);
      default:
        return tokenOf(credentials.system, credentials.lacking ? allBut(scope) : allScopes);
    }
  };

  const bytesOf = ({ body, damage }: FuzzRequest): Buffer | undefined => {
    if (body === undefined) return undefined;
    const written = Buffer.from(harvest.fill(body));
    if (!damage) return written;
    const at = damage.at % (written.length + 1);
    return Buffer.concat([written.subarray(0, at), Buffer.from(damage.bytes), written.subarray(at + damage.cut)]);
  };

  return {
    service,
    database,
    stored,
    harvest,
    send: async (request, scope) => {
      const authorization = await authorizationOf(request, scope);
      const sent = {
        method: request.method,
        path: harvest.fill(request.path),
        headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
        body: bytesOf(request),
        chunked: request.chunked,
      };
      const answer = await client.send(sent);
      if (answer.status < 300) harvest.take(answer.text);
      return { sent, answer };
    },
    call: async (method, path, as, body) => {
      const answer = await client.send({
        method,
        path,
        headers: { authorization: await tokenOf(as, allScopes), 'content-type': 'application/json' },
        body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      });
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      harvest.take(answer.text);
      return JSON.parse(answer.text);
    },
    close: async () => {
      client.close();
      await service.stop();
      await Promise.all([stored.end(), db.end()]);
      await database.drop();
    },
  };
};
