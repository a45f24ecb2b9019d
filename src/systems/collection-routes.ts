import { createRoute } from '@hono/zod-openapi';
import {
  createRouter,
  idempotencyHeaders,
  problems,
  respond,
  type Guards,
  type ReplayOrRun,
  type Router,
} from '../http/index.ts';
import type { Catalogue } from '../policies/index.ts';
import type { SubjectDeps } from '../subjects/index.ts';
import { readReported, reportCollection } from './report-collection.ts';
import { collectedSchema, collectionSchema } from './schema.ts';

const collectionRoute = createRoute({
  method: 'post',
  path: '/v1/collections',
  operationId: 'reportCollection',
  summary: 'Report that data about somebody were collected',
  description:
    'Needed where they are no aggregate and do not come from the person (Art. 14 GDPR). Unless the person knows already, the system is obliged to tell them: within a month, and at the first contact or disclosure at the latest. Reported again, the earlier clock stays.',
  tags: ['Obligations'],
  security: [{ oauth2: ['subjects:write'] }],
  request: {
    headers: idempotencyHeaders,
    body: { required: true, content: { 'application/json': { schema: collectionSchema } } },
  },
  responses: {
    201: { description: 'Reported', content: { 'application/json': { schema: collectedSchema } } },
    ...problems(409, 422),
  },
});

type RouteDeps = SubjectDeps & { catalogue(): Promise<Catalogue>; replayOrRun: ReplayOrRun; wake(): void };

/** `/v1/collections`. */
export const collectionRoutes = (guards: Guards, deps: RouteDeps): Router =>
  createRouter(guards).openapi(collectionRoute, (c) =>
    deps.replayOrRun(c, {
      run: async (idempotency) => {
        const reported = await reportCollection(deps, c.get('caller'), await deps.catalogue(), {
          ...c.req.valid('json'),
          idempotency: idempotency && { ...idempotency, resourceId: deps.ids.uuid() },
        });
        deps.wake();
        return respond(c, collectedSchema, reported, 201);
      },
      reload: async (record) =>
        respond(c, collectedSchema, await readReported(deps, c.get('caller').system, record), 201),
    }),
  );
