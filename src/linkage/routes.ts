import { createRoute } from '@hono/zod-openapi';
import { createRouter, problems, respond, type Guards, type Router } from '../http/index.ts';
import type { Catalogue } from '../policies/index.ts';
import { subjectPathSchema, uuidSchema } from '../subjects/index.ts';
import { confirmLink, type LinkageDeps } from './confirm-link.ts';
import { readLinks } from './read-links.ts';
import { confirmationSchema, linkSchema, linksSchema, unlinkSchema } from './schema.ts';
import { unlink } from './unlink.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });

const confirmRoute = createRoute({
  method: 'post',
  path: '/v1/links',
  operationId: 'confirmLink',
  summary: 'Confirm a link within its lease',
  description:
    'Permitted anew at this moment, or refused: then the link must not be kept. Repeating it answers the same link, so it needs no Idempotency-Key.',
  tags: ['Links'],
  security: [{ oauth2: ['links:write'] }],
  request: { body: { required: true, content: json(confirmationSchema) } },
  responses: { 201: { description: 'Linked', content: json(linkSchema) }, ...problems(404, 409) },
});

const readRoute = createRoute({
  method: 'get',
  path: '/v1/subjects/{subjectId}/links',
  operationId: 'readLinks',
  summary: 'Links of a subject that this system holds',
  tags: ['Links'],
  security: [{ oauth2: ['links:read'] }],
  request: { params: subjectPathSchema },
  responses: { 200: { description: 'Links that are not over', content: json(linksSchema) }, ...problems(404) },
});

const unlinkRoute = createRoute({
  method: 'post',
  path: '/v1/subjects/{subjectId}/links/{linkId}/unlink',
  operationId: 'unlink',
  summary: 'End one link of this system',
  description:
    'Consent stays as it is. The system is obliged to unlink, and the link stays unlink-due until it says that it did.',
  tags: ['Links'],
  security: [{ oauth2: ['links:write'] }],
  request: {
    params: subjectPathSchema.extend({ linkId: uuidSchema }),
    body: { required: true, content: json(unlinkSchema) },
  },
  responses: { 200: { description: 'Unlink is due', content: json(linkSchema) }, ...problems(404) },
});

type RouteDeps = LinkageDeps & {
  catalogue(): Promise<Catalogue>;
  wake(): void;
};

/** `/v1/links` and the links of a subject. */
export const linkRoutes = (guards: Guards, deps: RouteDeps): Router =>
  createRouter(guards)
    .openapi(confirmRoute, async (c) => {
      const link = await confirmLink(deps, c.get('caller'), await deps.catalogue(), c.req.valid('json'));
      return respond(c, linkSchema, link, 201);
    })
    .openapi(readRoute, async (c) =>
      respond(c, linksSchema, {
        links: await readLinks(deps.reader, c.req.valid('param').subjectId, c.get('caller').system),
      }),
    )
    .openapi(
      unlinkRoute,
      async (c) => {
        const { subjectId, linkId } = c.req.valid('param');
        const link = await unlink(deps, c.get('caller'), { subjectId, linkId, actor: c.req.valid('json').actor });
        deps.wake();
        return respond(c, linkSchema, link);
      },
      { unlimited: true },
    );
