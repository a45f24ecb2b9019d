import { consentRoutes } from './consent/index.ts';
import { decisionRoutes } from './decisions/index.ts';
import {
  buildDocument,
  createEdge,
  createErrorHandler,
  createNotFoundHandler,
  createRouter,
  docsRoutes,
  healthRoutes,
  jwksRoutes,
  metricsRoutes,
  mount,
  tokenRoutes,
  type Guards,
  type Router,
} from './http/index.ts';
import type { Log } from './kernel/log.ts';
import { linkRoutes, reviewRoutes } from './linkage/index.ts';
import { portalRoutes, taskPages } from './portal/index.ts';
import { staffRoutes } from './staff/index.ts';
import { subjectRoutes } from './subjects/index.ts';
import { collectionRoutes, systemRoutes } from './systems/index.ts';

/** Everything that the routes of all rooms need. */
export type AppDeps = {
  log: Log;
  version: string;
  guards: Guards;
  edge: Parameters<typeof createEdge>[0] extends infer Edge ? Omit<Edge & object, 'onError'> : never;
  health: Parameters<typeof healthRoutes>[0];
  tokens: Parameters<typeof tokenRoutes>[0];
  jwks: Parameters<typeof jwksRoutes>[0];
  /** Whether mail goes out: without it nobody can confirm by mail. */
  mailReady: boolean;
} & Parameters<typeof subjectRoutes>[1] &
  Parameters<typeof consentRoutes>[1] &
  Parameters<typeof decisionRoutes>[1] &
  Parameters<typeof linkRoutes>[1] &
  Parameters<typeof reviewRoutes>[1] &
  Parameters<typeof systemRoutes>[1] &
  Parameters<typeof portalRoutes>[1] &
  Parameters<typeof taskPages>[0] &
  Parameters<typeof collectionRoutes>[1] &
  Parameters<typeof staffRoutes>[0];

/** The whole HTTP surface. Used by main, by the tests and by the OpenAPI generator alike. */
export const createApp = (deps: AppDeps): Router => {
  const app = createRouter({});
  const onError = createErrorHandler((error, requestId) => deps.log.error({ err: error, requestId }, 'request failed'));
  const edge = createEdge({ ...deps.edge, onError });
  app.onError(onError);
  app.notFound(edge('none', createNotFoundHandler(app)));
  mount(app, edge, [
    healthRoutes(deps.health),
    tokenRoutes(deps.tokens),
    staffRoutes(deps),
    jwksRoutes(deps.jwks),
    decisionRoutes(deps.guards, deps),
    subjectRoutes(deps.guards, deps),
    consentRoutes(deps.guards, deps),
    linkRoutes(deps.guards, deps),
    reviewRoutes(deps.guards, deps),
    systemRoutes(deps.guards, deps),
    collectionRoutes(deps.guards, deps),
    ...portalRoutes(deps.guards, deps),
    taskPages(deps),
    metricsRoutes(deps.edge.metrics),
    docsRoutes(() => buildDocument(app, deps.version)),
  ]);
  return app;
};
