import { createRoute } from '@hono/zod-openapi';
import { createRouter, problems, respond, type Guards, type Router } from '../http/index.ts';
import { acknowledgeObligation, type Informed } from './acknowledge-obligation.ts';
import { pullObligations } from './pull-obligations.ts';
import {
  acknowledgementSchema,
  endpointInputSchema,
  endpointSchema,
  informedSchema,
  obligationPathSchema,
  pulledSchema,
  pullQuerySchema,
} from './schema.ts';
import { setEndpoint } from './set-endpoint.ts';

const setEndpointRoute = createRoute({
  method: 'put',
  path: '/v1/endpoint',
  operationId: 'setEndpoint',
  summary: "Set the own system's webhook endpoint",
  description:
    'Obligations are posted there, signed (Standard Webhooks). Each call makes a new secret; for 24 hours deliveries are signed with the one before as well. A 2xx answer with {"acknowledged": true} acknowledges at once.',
  tags: ['Obligations'],
  security: [{ oauth2: ['endpoints:write'] }],
  request: { body: { required: true, content: { 'application/json': { schema: endpointInputSchema } } } },
  responses: {
    200: { description: 'Set', content: { 'application/json': { schema: endpointSchema } } },
    ...problems(409, 422),
  },
});

const pullRoute = createRoute({
  method: 'get',
  path: '/v1/obligations',
  operationId: 'pullObligations',
  summary: 'Fetch what the own system must do',
  description:
    'At least once: what is fetched comes again after a minute, here or by webhook, until it is acknowledged. Ask again until the list is empty.',
  tags: ['Obligations'],
  security: [{ oauth2: ['obligations:read'] }],
  request: { query: pullQuerySchema },
  responses: { 200: { description: 'The oldest first', content: { 'application/json': { schema: pulledSchema } } } },
});

const acknowledgeRoute = createRoute({
  method: 'post',
  path: '/v1/obligations/{obligationId}/acknowledge',
  operationId: 'acknowledgeObligation',
  summary: 'Say that an obligation has been done',
  description:
    'It is never delivered again. Acknowledging again answers the same. An obligation to inform is acknowledged with the notice that was shown, and how; all others need no body.',
  tags: ['Obligations'],
  security: [{ oauth2: ['obligations:read'] }],
  request: { params: obligationPathSchema, body: { content: { 'application/json': { schema: informedSchema } } } },
  responses: {
    200: { description: 'Acknowledged', content: { 'application/json': { schema: acknowledgementSchema } } },
    ...problems(404, 422),
  },
});

type RouteDeps = Omit<Parameters<typeof setEndpoint>[0], 'systems'> &
  Parameters<typeof pullObligations>[0] &
  Parameters<typeof acknowledgeObligation>[0] & {
    /** The systems of the active policy set. */
    systems(): Promise<Parameters<typeof setEndpoint>[0]['systems']>;
    /** Lets the delivery worker look at once. */
    wake(): void;
  };

/** `/v1/endpoint` and `/v1/obligations`: a system acts only as itself. */
export const systemRoutes = (guards: Guards, deps: RouteDeps): Router =>
  createRouter(guards)
    .openapi(setEndpointRoute, async (c) => {
      const systems = await deps.systems();
      const endpoint = await setEndpoint({ ...deps, systems }, c.get('caller').system, c.req.valid('json'));
      deps.wake();
      return respond(c, endpointSchema, endpoint);
    })
    .openapi(pullRoute, async (c) => {
      const obligations = await pullObligations(deps, c.get('caller').system, c.req.valid('query').limit);
      return respond(c, pulledSchema, { obligations });
    })
    .openapi(acknowledgeRoute, async (c) => {
      const { obligationId } = c.req.valid('param');
      const informed = c.req.valid('json') as Informed | undefined;
      const acknowledged = await acknowledgeObligation(deps, c.get('caller').system, obligationId, informed);
      return respond(c, acknowledgementSchema, acknowledged);
    });
