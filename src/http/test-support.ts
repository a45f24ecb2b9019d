import { serve } from '@hono/node-server';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEdge, mount, type Drain } from './edge.ts';
import type { HttpContext } from './env.ts';
import { createMetrics } from './metrics.ts';
import { createErrorHandler, createNotFoundHandler } from './problem.ts';
import { createRouter, type Router } from './router.ts';
import type { SigningKey } from './tokens.ts';

/** The app around some routers, put together as the service does it. */
export const appOf = (
  routers: Parameters<typeof mount>[2],
  options: {
    drain?: Drain;
    timeoutMs?: number;
    writeAccess?: (line: string) => void;
    report?: (error: unknown, requestId: string) => void;
  } = {},
) => {
  const metrics = createMetrics();
  const onError = createErrorHandler(
    options.report ??
      ((error) => {
        throw error;
      }),
  );
  const edge = createEdge({
    drain: options.drain ?? { draining: false },
    timeoutMs: options.timeoutMs ?? 10_000,
    writeAccess: options.writeAccess,
    metrics,
    onError,
  });
  const app = createRouter({});
  app.onError(onError);
  app.notFound(edge('none', createNotFoundHandler(app)));
  mount(app, edge, routers);
  return { app, metrics };
};

/** Routes of one GET handler each, open to all. */
export const routes = (handlers: Record<string, (c: HttpContext) => Response | Promise<Response>>): Router => {
  const router = createRouter({});
  for (const [path, handler] of Object.entries(handlers)) {
    router.openapi({ method: 'get', path, security: [], responses: {} }, handler);
  }
  return router;
};

/** The app behind a real server, where bodies come in pieces and headers are Node's. */
export const listen = async (app: Router): Promise<{ url: string; server: Server; close(): Promise<void> }> => {
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0, createServer }) as Server;
  await new Promise((listening) => server.once('listening', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
};

/** The members of a JSON answer. */
export const membersOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

/** A new key, as the key store hands it out. */
export const newSigningKey = (kid: string): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } };
};
