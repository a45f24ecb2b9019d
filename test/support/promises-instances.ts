import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '../../src/kernel/database/client.ts';
import { createClient } from '../../src/systems/index.ts';
import { allScopes, testKeyEncryptionKeys } from './app.ts';
import type { TestDatabase } from './database.ts';
import { defaultPolicies } from './promises-parts.ts';

export type Fault = 'remember-answers' | 'drop-version-comparison' | 'answer-early';

export type Instance = { url: string; process: ChildProcess; exited: Promise<unknown> };

/** Starts an instance in a process of its own, with a fault planted or none; resolves when it listens. */
export const startInstance = async (on: TestDatabase, fault?: Fault): Promise<Instance> => {
  const order = { urls: on.urls, keyEncryptionKeys: testKeyEncryptionKeys, fault };
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'promises-instance-process.ts'), JSON.stringify(order)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const [url] = (await Promise.race([
    once(lines, 'line'),
    exited.then(() => Promise.reject(new Error('the instance ended before it listened'))),
  ])) as [string];
  return { url, process: child, exited };
};

export const stopInstance = async ({ process: child, exited }: Instance): Promise<void> => {
  child.kill('SIGTERM');
  await exited;
};

/** An access token of a system, which every instance on this database takes. Lives for five minutes. */
export const tokens = (on: TestDatabase) => {
  const secrets = new Map<string, Promise<string>>();
  return async (instance: Instance, system: string): Promise<string> => {
    const make = async () => {
      const database = connect(on.urls.app, { connections: 1, name: 'test' });
      const { systems } = await defaultPolicies();
      const { clientId, clientSecret } = await createClient({ database, systems }, { system, scopes: allScopes });
      await database.end();
      return Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    };
    const secret = secrets.get(system) ?? make();
    secrets.set(system, secret);
    const answer = await fetch(`${instance.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${await secret}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    return `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
  };
};

/** `status` 0: no answer came. Times are `performance.now()` before the request was sent and after its answer had arrived whole. */
export type Answer = { status: number; body: any; start: number; end: number | undefined };

/** Sends requests over connections that are kept alive. */
export const createSender = () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 96 });
  const send = (url: string, method: string, path: string, token: string, body?: object): Promise<Answer> =>
    new Promise((resolve) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const start = performance.now();
      const lost = () => resolve({ status: 0, body: undefined, start, end: undefined });
      const sent = request(
        url + path,
        {
          agent,
          method,
          headers: {
            authorization: token,
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', lost);
          response.on('aborted', lost);
          response.on('end', () => {
            const end = performance.now();
            const whole = Buffer.concat(chunks).toString();
            resolve({ status: response.statusCode!, body: whole === '' ? undefined : JSON.parse(whole), start, end });
          });
        },
      );
      sent.on('error', lost);
      sent.end(text);
    });
  return { send, close: () => agent.destroy() };
};

export type Sender = ReturnType<typeof createSender>;
