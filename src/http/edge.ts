import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono } from 'hono';
import type { ServerResponse } from 'node:http';
import { secured } from './answer.ts';
import type { HttpContext, HttpEnv } from './env.ts';
import { Draining, RequestTimedOut } from './errors.ts';
import type { Metrics } from './metrics.ts';
import { problemOf } from './problem.ts';
import { createRequestNaming } from './request-id.ts';
import type { Router } from './router.ts';

/** Set when the instance is told to stop. */
export type Drain = { draining: boolean };

/** Wraps the handler of the route with this pattern (`/v1/subjects/:subjectId`). */
export type Edge = (
  pattern: string,
  handler: (c: HttpContext) => Response | Promise<Response>,
) => (c: HttpContext) => Promise<Response>;

/** What still answers while the instance drains: those who decide whether to send requests have to hear it. */
const alwaysAnswered = new Set(['/healthz', '/readyz', '/metrics']);

/** Answers 503 over the head of a handler that is still at work, and sees to it that each gets the same time. */
const createTimeLimit = (timeoutMs: number) => {
  /** In the order of their arrival, which is the order of their ends. */
  const underWay = new Map<ServerResponse, number>();
  const { status, body, headers } = problemOf(new RequestTimedOut());
  let timer: NodeJS.Timeout | undefined;

  const sweep = (): void => {
    const before = performance.now() - timeoutMs;
    for (const [outgoing, since] of underWay) {
      if (since > before) break;
      underWay.delete(outgoing);
      if (outgoing.headersSent) continue;
      const given = outgoing.req.headers['x-request-id'];
      if (given !== undefined) outgoing.setHeader('X-Request-ID', given);
      outgoing.writeHead(status, headers).end(body);
    }
    if (underWay.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    begin: (outgoing: ServerResponse, at: number): void => {
      underWay.set(outgoing, at);
      timer ??= setInterval(sweep, timeoutMs / 8).unref();
    },
    /** Whether the request was answered meanwhile. */
    end: (outgoing: ServerResponse): boolean => !underWay.delete(outgoing),
  };
};

/**
 * One access line: the pattern, never the path or the query, for these hold ids of persons. It is put together by hand
 * because a logger would cost more than the rest of the edge; `route` is the pattern as JSON.
 */
const accessLine = (c: HttpContext, route: string, status: number, at: number, ms: number): string => {
  const time = Math.round(performance.timeOrigin + at);
  const client = JSON.stringify(c.get('caller')?.clientId ?? null);
  return `{"level":"info","time":${time},"msg":"request","method":"${c.req.method}","route":${route},"status":${status},"ms":${Math.round(ms * 100) / 100},"client":${client},"requestId":"${c.get('requestId')}"}\n`;
};

/**
 * What happens to every request: its id, refusal while draining, the time limit, errors into problems, headers, metrics
 * and the access line (`writeAccess` gets it with its newline). One function around each handler instead of middlewares,
 * which cost 1 µs each, a thirtieth of a bare route.
 */
export const createEdge = ({
  drain,
  timeoutMs,
  metrics,
  onError,
  writeAccess,
}: {
  drain: Drain;
  timeoutMs: number;
  metrics: Metrics;
  onError: (error: unknown, c: HttpContext) => Response;
  writeAccess?: ((line: string) => void) | undefined;
}): Edge => {
  const timeLimit = createTimeLimit(timeoutMs);
  const nameRequest = createRequestNaming();

  return (pattern, handler) => {
    const answered = metrics.answeredOn(pattern);
    const always = alwaysAnswered.has(pattern);
    const route = JSON.stringify(pattern);

    return async (c) => {
      // `c.notFound()` in a handler comes here a second time.
      if (c.get('requestId') !== undefined) return handler(c);
      const startedAt = performance.now();
      nameRequest(c);
      const outgoing = (c.env as HttpContext['env'] | undefined)?.outgoing;
      if (outgoing !== undefined) timeLimit.begin(outgoing, startedAt);
      let response: Response;
      try {
        if (drain.draining && !always) throw new Draining();
        response = secured(c, await handler(c));
      } catch (error) {
        response = onError(error, c);
      }
      const late = outgoing !== undefined && timeLimit.end(outgoing);
      const status = late ? 503 : response.status;
      const endedAt = performance.now();
      answered(c.req.method, status, endedAt - startedAt);
      writeAccess?.(accessLine(c, route, status, endedAt, endedAt - startedAt));
      return late ? RESPONSE_ALREADY_SENT : response;
    };
  };
};

/** Adds all routes of `routers` to the app, each behind the edge, and its operations to the app's reference. */
export const mount = (app: Router, edge: Edge, routers: readonly (Router | Hono<HttpEnv>)[]): void => {
  for (const router of routers) {
    for (const { method, path, handler } of router.routes) {
      app.on(method, path, edge(path, handler as (c: HttpContext) => Response | Promise<Response>));
    }
    if (!('openAPIRegistry' in router)) continue;
    for (const definition of router.openAPIRegistry.definitions) {
      if (definition.type === 'route') app.openAPIRegistry.registerPath(definition.route);
    }
  }
};
