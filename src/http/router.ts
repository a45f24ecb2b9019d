import { OpenAPIHono, type RouteConfig, type RouteHandler } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import type { Authenticate } from './authenticate.ts';
import type { HttpContext, HttpEnv } from './env.ts';
import { InputInvalid } from './errors.ts';
import { header } from './header.ts';
import { identifyRequest, idempotencyHeaders, parseIdempotencyKey } from './idempotency.ts';
import { defaultBodyLimitBytes, parseJson, readText } from './json-body.ts';
import { memberProblems } from './member-problems.ts';
import { problemResponses } from './problem-responses.ts';
import type { Limit } from './rate-limit.ts';
import { isScope, type Scope } from './scopes.ts';

export type OperationOptions = {
  /** How large the body may be; 256 KiB unless told. */
  bodyLimitBytes?: number;
  /** The handler reads the body (`readText`); the schema in the route only documents it. */
  handlerReadsBody?: true;
  /** Not counted against the client's rate: withdrawing is always possible. */
  unlimited?: true;
};

/** The context that a route's handler gets, with its input typed. */
type OperationContext<R extends RouteConfig> = Parameters<RouteHandler<R, HttpEnv>>[0];

export type Router = Omit<OpenAPIHono<HttpEnv>, 'openapi'> & {
  /** Adds an operation to the API and to its reference. */
  openapi<R extends RouteConfig>(
    route: R,
    handler: (c: OperationContext<R>) => Response | Promise<Response>,
    options?: OperationOptions,
  ): Router;
};

/** What secured operations stand on; a router without it can have none. */
export type Guards = { authenticate: Authenticate; limit: Limit };

/**
 * The scope that a route's `security` asks for. What the reference promises is what is enforced, so a route that says
 * nothing about its security is refused: open ones say `security: []`. Schemes other than `oauth2` are the handler's work.
 */
const scopeOf = (route: RouteConfig): Scope | undefined => {
  if (route.security === undefined) throw new TypeError(`${route.method} ${route.path} does not say who may call it`);
  const scopes = route.security.flatMap((requirement) => requirement['oauth2'] ?? []);
  const [scope] = scopes;
  if (scope === undefined) return undefined;
  if (scopes.length > 1 || !isScope(scope)) throw new TypeError(`${route.method} ${route.path} needs one known scope`);
  return scope;
};

const check = (schema: z.ZodType, input: unknown, whole: string): unknown => {
  const read = schema.safeParse(input);
  if (!read.success) throw new InputInvalid(memberProblems(read.error, input, whole));
  return read.data;
};

/** A parameter that comes twice is an array, which no schema of a single value takes: nobody guesses which one was meant. */
const queryOf = (c: HttpContext): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(c.req.queries()).map(([name, all]) => [name, all.length === 1 ? all[0]! : all]));

/**
 * A router whose operations are guarded by what their route says: scope, rate, size and form of the body, its schema,
 * parameters, `Idempotency-Key`, in this order.
 *
 * It takes the place of zod-openapi's own validators. Those add a middleware (1 µs) per part of the input, read bodies
 * without limit, and parse them where hostile JSON is not seen; one function per operation does all of it, and none of it
 * can be forgotten.
 */
export const createRouter = (guards: Partial<Guards>): Router => {
  const hono = new OpenAPIHono<HttpEnv>();

  const openapi = (
    { middleware = [], hide, ...route }: RouteConfig,
    handler: (c: Context<HttpEnv>) => Response | Promise<Response>,
    options: OperationOptions = {},
  ): Router => {
    const scope = scopeOf(route);
    if (scope !== undefined && (guards.authenticate === undefined || guards.limit === undefined)) {
      throw new TypeError(`${route.method} ${route.path} asks for a scope of a router without guards`);
    }
    const { authenticate, limit } = guards;
    const limited = scope !== undefined && options.unlimited !== true;
    const { body, params, query, headers } = route.request ?? {};
    const json = body?.content['application/json'];
    const jsonSchema = json && 'schema' in json && !options.handlerReadsBody ? (json.schema as z.ZodType) : undefined;
    if (body !== undefined && jsonSchema === undefined && !options.handlerReadsBody) {
      throw new TypeError(`${route.method} ${route.path} has a body that is not JSON; its handler must read it`);
    }
    const limitBytes = options.bodyLimitBytes ?? defaultBodyLimitBytes;
    const idempotent = headers === idempotencyHeaders;
    if (headers !== undefined && !idempotent) {
      throw new TypeError(`${route.method} ${route.path} may name no headers but idempotencyHeaders`);
    }

    const operation = async (c: Context<HttpEnv>): Promise<Response> => {
      if (scope !== undefined) {
        const caller = await authenticate!(c, scope);
        if (limited) {
          const waiting = limit!(caller.clientId);
          if (waiting !== undefined) await waiting;
        }
      }
      let sent: unknown;
      const optional = body?.required !== true;
      // Whoever sends nothing may name no type of it either.
      if (jsonSchema !== undefined && !(optional && header(c, 'content-type') === undefined)) {
        const text = await readText(c, 'application/json', limitBytes);
        if (!(optional && text === '')) {
          sent = parseJson(text);
          c.req.addValidatedData('json', check(jsonSchema, sent, 'body') as object);
        }
      }
      if (params !== undefined) c.req.addValidatedData('param', check(params, c.req.param(), 'path') as object);
      if (query !== undefined) c.req.addValidatedData('query', check(query, queryOf(c), 'query') as object);
      if (idempotent) {
        const field = header(c, 'idempotency-key');
        if (field !== undefined) {
          const key = parseIdempotencyKey(field);
          c.set('idempotency', identifyRequest(c.get('caller').clientId, key, c.req.method, c.req.path, sent));
        }
      }
      return handler(c);
    };

    if (hide !== true) {
      const possible = problemResponses({
        secured: scope !== undefined,
        limited,
        input: (body ?? params ?? query) !== undefined,
        body: body !== undefined,
        idempotent,
      });
      hono.openAPIRegistry.registerPath({ ...route, responses: { ...possible, ...route.responses } });
    }
    const path = route.path.replaceAll(/\/{(.+?)}/g, '/:$1');
    const before: MiddlewareHandler[] = [middleware].flat();
    hono.on(route.method.toUpperCase(), [path], ...before, operation);
    return router;
  };

  const router = Object.assign(hono, { openapi }) as unknown as Router;
  return router;
};
