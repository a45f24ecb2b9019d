import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { Hono } from 'hono';
import { answer } from './answer.ts';
import type { HttpEnv } from './env.ts';
import { answerProblem, noSuchPath } from './problem.ts';
import { formatDocument, type OpenApiDocument } from './openapi.ts';

/**
 * The browser bundle of Scalar, out of the package with the smallest tree that ships it (26 packages; `@scalar/api-reference`
 * brings 272). It offers the bundle through its plugin only, so we are the Fastify that it adds its routes to.
 */
const readBundle = async (): Promise<string> => {
  const { default: plugin } = await import('@scalar/fastify-api-reference');
  let bundle = '';
  const reply = { header: () => reply, send: (body: string) => void (bundle = body) };
  const fastify = {
    route: ({ url, handler }: { url: string; handler: (request: unknown, to: typeof reply) => void }) => {
      if (url.endsWith('.js')) handler(undefined, reply);
    },
  };
  (plugin as unknown as (fastify: object, options: object, done: () => void) => void)(
    fastify,
    { routePrefix: '/docs', configuration: { url: '/openapi.json' } },
    () => {},
  );
  if (bundle === '') throw new Error('Scalar no longer offers its bundle as a route of its Fastify plugin');
  return bundle;
};

/** Nothing from elsewhere: no fonts, no proxy for requests, no telemetry, no agents that send the API to somebody. */
const configuration = {
  url: '/openapi.json',
  theme: 'default',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  persistAuth: false,
};

const start = `Scalar.createApiReference('#reference', ${JSON.stringify(configuration)});\n`;

/** What the configuration asks for, the browser enforces: this page talks to its own origin only. Scalar needs inline styles. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const page = (bundleName: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Askfirst API</title>
  </head>
  <body>
    <div id="reference"></div>
    <script src="/docs/${bundleName}"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

type Asset = { name: string; plain: Uint8Array<ArrayBuffer> };

/** Read and named by its content at the first request, so that a service nobody reads about never loads it. */
const loadBundle = async (): Promise<Asset> => {
  const plain = new Uint8Array(Buffer.from(await readBundle()));
  return { name: `scalar.${createHash('sha256').update(plain).digest('base64url').slice(0, 16)}.js`, plain };
};

const compress = async ({ plain }: Asset): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }));

const javascript = 'text/javascript; charset=utf-8';

/** `GET /docs` (Scalar, self-hosted) and `GET /openapi.json`. The document is built at the first request. */
export const docsRoutes = (document: () => OpenApiDocument): Hono<HttpEnv> => {
  let bundle: Promise<Asset> | undefined;
  let compressed: Promise<Uint8Array<ArrayBuffer>> | undefined;
  let json: string | undefined;

  return new Hono<HttpEnv>()
    .get('/openapi.json', (c) => answer(c, 200, (json ??= formatDocument(document())), 'application/json'))
    .get('/docs', async (c) => {
      const { name } = await (bundle ??= loadBundle());
      return answer(c, 200, page(name), 'text/html; charset=utf-8', { 'Content-Security-Policy': policy });
    })
    .get('/docs/start.js', (c) => answer(c, 200, start, javascript))
    .get('/docs/:bundle{scalar\\..+\\.js}', async (c) => {
      const asset = await (bundle ??= loadBundle());
      const { name, plain } = asset;
      if (c.req.param('bundle') !== name) return answerProblem(c, noSuchPath);
      // The name changes with the content, so whoever has it may keep it.
      const headers = { 'Cache-Control': 'public, max-age=31536000, immutable', Vary: 'Accept-Encoding' };
      const takesBrotli = /\bbr\b/.test(c.req.header('accept-encoding') ?? '');
      return takesBrotli
        ? answer(c, 200, await (compressed ??= compress(asset)), javascript, { ...headers, 'Content-Encoding': 'br' })
        : answer(c, 200, plain, javascript, headers);
    });
};
