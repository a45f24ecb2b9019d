import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import type { Drain } from './edge.ts';
import { respond } from './respond.ts';
import { createRouter, type Router } from './router.ts';

/** Something without which this instance can answer nothing. `check` rejects when it is missing; the error is not shown. */
export type ReadinessCheck = { name: string; check(): Promise<unknown> };

/** Whether the service runs with separate database roles or shares the owner's (the append-only grants then hold nobody). */
export type Roles = 'separate' | 'shared';

const aliveSchema = z.object({ status: z.literal('alive') }).meta({ id: 'Alive' });

const readinessSchema = z
  .object({
    status: z.enum(['ready', 'not-ready', 'draining']),
    roles: z.enum(['separate', 'shared']).meta({ description: 'Database roles of this instance' }),
    checks: z.array(z.object({ name: z.string(), ready: z.boolean() })),
  })
  .meta({ id: 'Readiness' });

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'isAlive',
  summary: 'Is the process alive?',
  tags: ['Operations'],
  security: [],
  responses: { 200: { description: 'Yes', content: { 'application/json': { schema: aliveSchema } } } },
});

const readinessRoute = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'isReady',
  summary: 'Can this instance answer requests?',
  tags: ['Operations'],
  security: [],
  responses: {
    200: { description: 'Yes', content: { 'application/json': { schema: readinessSchema } } },
    503: { description: 'No; the checks say why', content: { 'application/json': { schema: readinessSchema } } },
  },
});

/** Longer than a check that works, shorter than the patience of an orchestrator. */
const patienceMs = 2000;

const passes = async ({ check }: ReadinessCheck): Promise<boolean> => {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(reject, patienceMs);
  try {
    await Promise.race([check(), tooLate]);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
};

/** `GET /healthz` and `GET /readyz`. Anybody may ask, so however many do, the checks run once at a time. */
export const healthRoutes = ({
  checks,
  roles,
  drain,
}: {
  checks: readonly ReadinessCheck[];
  roles: Roles;
  drain: Drain;
}): Router => {
  let running: Promise<{ name: string; ready: boolean }[]> | undefined;
  const runChecks = () =>
    (running ??= Promise.all(checks.map(async (check) => ({ name: check.name, ready: await passes(check) }))).finally(
      () => (running = undefined),
    ));

  const router = createRouter({});
  router.openapi(healthRoute, (c) => respond(c, aliveSchema, { status: 'alive' }));
  router.openapi(readinessRoute, async (c) => {
    const results = await runChecks();
    const status = drain.draining ? 'draining' : results.every(({ ready }) => ready) ? 'ready' : 'not-ready';
    return respond(c, readinessSchema, { status, roles, checks: results }, status === 'ready' ? 200 : 503);
  });
  return router;
};
