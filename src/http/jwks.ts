import { createRoute } from '@hono/zod-openapi';
import type { JWK } from 'jose';
import { z } from 'zod';
import { respond } from './respond.ts';
import { createRouter, type Router } from './router.ts';

/** Public members of a P-256 key (RFC 7518 section 6.2.1). That `d` is none of them keeps a private half in. */
const jwksSchema = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: z.string(),
        y: z.string(),
        kid: z.string(),
        alg: z.literal('ES256'),
        use: z.literal('sig'),
      }),
    ),
  })
  .meta({ id: 'JsonWebKeySet', description: 'RFC 7517' });

const jwksRoute = createRoute({
  method: 'get',
  path: '/.well-known/jwks.json',
  operationId: 'readKeys',
  summary: 'Keys that verify access tokens and receipts',
  tags: ['Access'],
  security: [],
  responses: { 200: { description: 'The keys', content: { 'application/json': { schema: jwksSchema } } } },
});

/** `GET /.well-known/jwks.json`: every key under which something still valid was signed, and the one that will sign next. */
export const jwksRoutes = (publicJwks: () => Promise<JWK[]>): Router =>
  createRouter({}).openapi(jwksRoute, async (c) => {
    // A new key is announced for longer than anybody may keep this answer (`announcedMs` of the key ring).
    const headers = { 'Cache-Control': 'public, max-age=300' };
    return respond(c, jwksSchema, { keys: (await publicJwks()) as z.input<typeof jwksSchema>['keys'] }, 200, headers);
  });
