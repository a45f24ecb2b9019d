import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { createWebhookSender, type ResolveHost } from './send-webhook.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const listen = async (listener: RequestListener): Promise<{ port: number; requests: IncomingMessage[] }> => {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, requests };
};

const message = (url: string, timeoutMs = 2_000) => ({ url, headers: {}, body: '{"é":1}', timeoutMs });
const failed = (problem: RegExp) => ({ status: null, problem: expect.stringMatching(problem) as string });
const to =
  (address: string, family = 4): ResolveHost =>
  () =>
    Promise.resolve([{ address, family }]);

test('it posts to the address it resolved, under the host that was named', async () => {
  const received = Promise.withResolvers<string>();
  const { port, requests } = await listen((request, response) => {
    request.on('data', (chunk: Buffer) => received.resolve(chunk.toString()));
    response.writeHead(202, { 'set-cookie': 'a=b' }).end('thanks');
  });
  const send = createWebhookSender({ allowPrivateTargets: true, resolve: to('127.0.0.1') });
  const url = `http://hooks.example.org:${port}/in?x=1`;
  expect(await send(message(url))).toEqual({ status: 202, body: 'thanks' });
  expect(await received.promise).toBe('{"é":1}');
  expect(requests[0]).toMatchObject({ method: 'POST', url: '/in?x=1', headers: { host: `hooks.example.org:${port}` } });
  await send(message(url));
  expect(requests[1]!.headers.cookie).toBeUndefined();
});

test.each(['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '2130706433', '0x7f.1', '169.254.169.254', '10.0.0.1'])(
  'a private address that is written as %s gets nothing',
  async (host) => {
    const { port, requests } = await listen((_, response) => response.end());
    const send = createWebhookSender({ allowPrivateTargets: false });
    expect(await send(message(`http://${host}:${port}/`))).toEqual({
      status: null,
      problem: 'the host has a private address',
    });
    expect(requests).toHaveLength(0);
  },
);

test('a name with one private address among public ones is refused, also "localhost" of the real resolver', async () => {
  const { port, requests } = await listen((_, response) => response.end());
  const mixed = createWebhookSender({
    allowPrivateTargets: false,
    resolve: () =>
      Promise.resolve([
        { address: '1.1.1.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]),
  });
  expect(await mixed(message(`http://mixed.example.org:${port}/`))).toEqual(failed(/private/));
  const real = createWebhookSender({ allowPrivateTargets: false });
  expect(await real(message(`http://localhost:${port}/`))).toEqual(failed(/private/));
  expect(requests).toHaveLength(0);
});

test('a name that turns private after it was judged leads nowhere: it is asked once, and judged anew at each delivery', async () => {
  const { port, requests } = await listen((_, response) => response.end());
  const answers = ['2d00::1', '127.0.0.1', '127.0.0.1'];
  let asked = 0;
  const send = createWebhookSender({
    allowPrivateTargets: false,
    resolve: () => Promise.resolve([{ address: answers[asked]!, family: asked++ === 0 ? 6 : 4 }]),
  });
  const first = await send(message(`http://rebind.example.org:${port}/`, 300));
  expect(asked).toBe(1);
  expect(first).toEqual(failed(/no (answer|connection)/));
  expect(await send(message(`http://rebind.example.org:${port}/`, 300))).toEqual(failed(/private/));
  expect(requests).toHaveLength(0);
});

test('a redirect is answered as such and not followed', async () => {
  const { port: secretPort, requests } = await listen((_, response) => response.end());
  const { port } = await listen((_, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${secretPort}/` }).end(),
  );
  const send = createWebhookSender({ allowPrivateTargets: true });
  expect(await send(message(`http://127.0.0.1:${port}/`))).toMatchObject({ status: 307 });
  expect(requests).toHaveLength(0);
});

test('the time is limited as a whole: silence, a dripping answer, a resolver that hangs', async () => {
  const silent = await listen(() => {});
  const dripping = await listen((_, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(drip));
  });
  const send = createWebhookSender({ allowPrivateTargets: true });
  const hanging = createWebhookSender({ allowPrivateTargets: true, resolve: () => new Promise(() => {}) });
  const started = performance.now();
  const problem = { status: null, problem: 'no answer within 200 ms' };
  expect(await send(message(`http://127.0.0.1:${silent.port}/`, 200))).toEqual(problem);
  expect(await send(message(`http://127.0.0.1:${dripping.port}/`, 200))).toEqual(problem);
  expect(await hanging(message('http://hangs.example.org/', 200))).toEqual(problem);
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('an endless answer is cut off', async () => {
  const closed = Promise.withResolvers<void>();
  const { port } = await listen((_, response) => {
    response.writeHead(200);
    const pour = () => void response.write(Buffer.alloc(65_536), () => setImmediate(pour));
    response.on('close', closed.resolve);
    pour();
  });
  const send = createWebhookSender({ allowPrivateTargets: true });
  expect(await send(message(`http://127.0.0.1:${port}/`))).toEqual({ status: 200, body: '' });
  await closed.promise;
});

test('names that do not resolve, closed ports and certificates nobody vouches for are told apart, without the URL', async () => {
  const send = createWebhookSender({ allowPrivateTargets: true });
  expect(await send(message('http://nobody.invalid/?token=geheim'))).toEqual(
    failed(/^no connection \((ENOTFOUND|EAI_AGAIN)\)$/),
  );
  expect(await send(message('http://127.0.0.1:1/'))).toMatchObject({ problem: 'no connection (ECONNREFUSED)' });
});

test('one name that the resolver never answers is asked once, however many deliveries wait for it', async () => {
  let asked = 0;
  const send = createWebhookSender({
    allowPrivateTargets: true,
    resolve: () => {
      asked++;
      return new Promise(() => {});
    },
  });
  await Promise.all(Array.from({ length: 8 }, () => send(message('http://hangs.example.org/', 100))));
  expect(asked).toBe(1);
});

test.skipIf(!hasOpenssl)(
  'over TLS the certificate must be of the host that was named, not of the address',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'askfirst-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=hooks.example.org', '-addext', 'subjectAltName=DNS:hooks.example.org'];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...made, ...subject], { stdio: 'ignore' });
    const names: (string | false | undefined)[] = [];
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      names.push((request.socket as TLSSocket).servername ?? undefined);
      response.end('ok');
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const send = createWebhookSender({ allowPrivateTargets: true, resolve: to('127.0.0.1') });
    const trusted = getCACertificates('default');
    try {
      expect(await send(message(`https://hooks.example.org:${port}/`))).toEqual(failed(/DEPTH_ZERO_SELF_SIGNED_CERT/));
      setDefaultCACertificates([...trusted, readFileSync(cert, 'utf8')]);
      expect(await send(message(`https://hooks.example.org:${port}/`))).toEqual({ status: 200, body: 'ok' });
      expect(names).toEqual(['hooks.example.org']);
      expect(await send(message(`https://other.example.org:${port}/`))).toEqual(failed(/ERR_TLS_CERT_ALTNAME_INVALID/));
      expect(await send(message(`https://127.0.0.1:${port}/`))).toEqual(failed(/ERR_TLS_CERT_ALTNAME_INVALID/));
    } finally {
      setDefaultCACertificates(trusted);
      rmSync(folder, { recursive: true });
    }
  },
);
