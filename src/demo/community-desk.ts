import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createAskfirst } from '../client/index.ts';

/**
 * A small real system, in a process of its own: it keeps links, and undoes them when Askfirst tells it to. It gets its credentials
 * from the demo (`process.send`), registers its own webhook, and verifies the signature of each delivery with `askfirst/client`.
 *
 * - `PUT /links/{linkId}` with `{customer, identity}`: keeps a link that Askfirst has confirmed
 * - `POST /askfirst`: where Askfirst delivers
 * - `GET /`: what it holds, and what it has done
 */
export type Credentials = { baseUrl: string; clientId: string; clientSecret: string };
export type DeskState = {
  system: string;
  links: { linkId: string; customer: string; identity: string }[];
  done: { obligationId: string; kind: string; linkId?: string; at: string }[];
  refused: number;
};

const system = 'community-desk';
const links = new Map<string, DeskState['links'][number]>();
const done: DeskState['done'] = [];
let refused = 0;

/** The token of one call; `askfirst/client` gets its own, but registering an endpoint is none of its business. */
const accessToken = async ({ baseUrl, clientId, clientSecret }: Credentials): Promise<string> => {
  const answer = await fetch(`${baseUrl}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
};

/** Tells Askfirst where to deliver; answers the secret that its signatures are made with. */
const register = async (credentials: Credentials, url: string): Promise<string> => {
  const answer = await fetch(`${credentials.baseUrl}/v1/endpoint`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${await accessToken(credentials)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url }),
  });
  const { secret } = (await answer.json()) as { secret?: string };
  if (secret === undefined) throw new Error(`the endpoint was not taken (${answer.status})`);
  return secret;
};

const start = async (credentials: Credentials): Promise<void> => {
  type Answer = { status: number; body: object };
  const routes: Record<string, (request: IncomingMessage, body: Buffer) => Promise<Answer>> = {
    'GET /': async () => ({ status: 200, body: { system, links: [...links.values()], done, refused } }),
    'PUT /links': async (request, body) => {
      const linkId = request.url!.split('/')[2]!;
      links.set(linkId, { linkId, ...(JSON.parse(body.toString()) as { customer: string; identity: string }) });
      return { status: 201, body: { linkId } };
    },
  };
  const server = createServer((request, response) => {
    const route = routes[`${request.method} /${request.url!.split('/')[1]}`];
    const answered = buffer(request).then((body) => route?.(request, body) ?? { status: 404, body: {} });
    answered
      .catch(() => ({ status: 400, body: {} }))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const webhookSecrets = [await register(credentials, `${url}/askfirst`)];
  const askfirst = createAskfirst({ ...credentials, system, webhookSecrets });
  const receive = askfirst.onObligation(async (obligation) => {
    if (obligation.kind !== 'unlink') throw new Error(`the desk cannot do ${obligation.kind}`);
    links.delete(obligation.linkId);
    const { obligationId, kind, linkId } = obligation;
    done.push({ obligationId, kind, linkId, at: Temporal.Now.instant().toString() });
  });
  routes['POST /askfirst'] = async (request, body) => {
    const receipt = await receive(body, request.headers);
    if (receipt.status === 401) refused++;
    return receipt;
  };
  process.send!({ url });
};

process.once('message', (credentials: Credentials) => {
  start(credentials).catch((error: unknown) => process.send!({ error: (error as Error).message }));
});
// Ctrl-C reaches the whole group of processes: the demo ends first, and with it the channel to this one.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
