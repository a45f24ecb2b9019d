import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';

/** Listens as the service does, tells the parent where, and ends with it. */
export const serveBare = (app: Hono): void => {
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }: AddressInfo) =>
    process.send!({ url: `http://127.0.0.1:${port}` }),
  );
  const stop = () => {
    server.close();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('disconnect', stop);
};
