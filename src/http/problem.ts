import { RequestError } from '@hono/node-server';
import { HTTPException } from 'hono/http-exception';
import { METHODS } from 'hono/router';
import { randomUUID } from 'node:crypto';
import { AppError, type ErrorKind } from '../kernel/errors.ts';
import { answer, securityHeaders } from './answer.ts';
import type { HttpContext } from './env.ts';
import type { Router } from './router.ts';
import { HttpError, RequestUnreadable, type MemberProblem } from './errors.ts';

const statusOf: Record<ErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unprocessable: 422,
  'too-many': 429,
  unavailable: 503,
};

/** The statuses that an operation may answer with a problem, and their reason phrases (RFC 9110 section 15). */
export const problemTitles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export type Problem = {
  status: number;
  code: string;
  detail: string;
  errors?: readonly MemberProblem[] | undefined;
  instance?: string;
};

/** A problem document (RFC 9457); `type` is a name that stays, not an address. */
const documentOf = ({ status, code, detail, errors, instance }: Problem): string =>
  JSON.stringify({
    type: `urn:askfirst:problem:${code}`,
    title: problemTitles[status] ?? 'Error',
    status,
    detail,
    code,
    errors,
    instance,
  });

const mediaType = 'application/problem+json';

export const answerProblem = (c: HttpContext, problem: Problem, headers?: Readonly<Record<string, string>>): Response =>
  answer(c, problem.status, documentOf(problem), mediaType, headers);

const headersOf = (error: AppError, status: number): Record<string, string> => {
  const headers: Record<string, string> = error instanceof HttpError ? { ...error.headers } : {};
  // RFC 9110 section 10.2.3. Without it clients of a service that restarts would come back all at once, immediately.
  const retryAfter = error.retryAfterSeconds ?? (status === 503 ? 1 : undefined);
  if (retryAfter !== undefined) headers['Retry-After'] ??= String(Math.ceil(retryAfter));
  // RFC 9110 section 11.6.1: a 401 always says how to authenticate.
  if (status === 401) headers['WWW-Authenticate'] ??= 'Bearer realm="askfirst"';
  return headers;
};

const errorsOf = (error: AppError): readonly MemberProblem[] | undefined => {
  if ('errors' in error && Array.isArray(error.errors)) return error.errors as MemberProblem[];
  if (error.member === undefined) return undefined;
  return [{ member: error.member, rule: error.code, detail: error.message }];
};

/** An error of ours as it goes over the wire. */
export const problemOf = (error: AppError): { status: number; body: string; headers: Record<string, string> } => {
  const status = statusOf[error.kind];
  return {
    status,
    body: documentOf({ status, code: error.code, detail: error.message, errors: errorsOf(error) }),
    headers: { 'Content-Type': mediaType, ...headersOf(error, status) },
  };
};

const internalError = (requestId: string): Problem => ({
  status: 500,
  code: 'http.internal-error',
  detail: 'the service failed; its log tells why under this id',
  instance: `urn:askfirst:request:${requestId}`,
});

/**
 * Answers what never reached the app, or what the app never answered: a request that cannot become a `Request`, and whatever
 * else the server throws.
 */
export const createUnreadableHandler =
  (report: (error: unknown, requestId: string) => void) =>
  (error: unknown): Response => {
    const requestId = randomUUID();
    const common = { ...securityHeaders, 'X-Request-ID': requestId };
    if (error instanceof RequestError) {
      const { status, body, headers } = problemOf(new RequestUnreadable());
      return new Response(body, { status, headers: { ...common, ...headers } });
    }
    report(error, requestId);
    const headers = { ...common, 'Content-Type': mediaType };
    return new Response(documentOf(internalError(requestId)), { status: 500, headers });
  };

/**
 * Turns whatever was thrown into a problem document. An error of ours says what its class says; of any other nothing
 * leaves but the request's id, under which `report` finds the cause in the log.
 */
export const createErrorHandler =
  (report: (error: unknown, requestId: string) => void) =>
  (error: unknown, c: HttpContext): Response => {
    if (error instanceof AppError) {
      const { status, body, headers } = problemOf(error);
      return answer(c, status, body, mediaType, headers);
    }
    // Hono's own refusals (a request it cannot read); its texts are not ours, so only the status is taken.
    if (error instanceof HTTPException && error.status < 500) {
      const status = error.status in problemTitles ? error.status : 400;
      return answerProblem(c, { status, code: 'http.refused', detail: 'the request cannot be understood' });
    }
    const requestId = c.get('requestId');
    report(error, requestId);
    return answerProblem(c, internalError(requestId));
  };

export const noSuchPath: Problem = { status: 404, code: 'http.not-found', detail: 'nothing is found at this path' };

/** Answers a path that has no route with 404, and one that has routes for other methods only with 405 and `Allow`. */
export const createNotFoundHandler =
  (app: Pick<Router, 'router'>) =>
  (c: HttpContext): Response => {
    const allowed = METHODS.map((method) => method.toUpperCase()).filter((method) =>
      // A middleware answers to ALL; only a route names its method.
      app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method),
    );
    if (allowed.includes('GET')) allowed.push('HEAD');
    // A route of this method was there and said itself that it found nothing.
    if (allowed.length === 0 || allowed.includes(c.req.method)) return answerProblem(c, noSuchPath);
    const Allow = allowed.join(', ');
    const detail = `this path answers to ${Allow} only`;
    return answerProblem(c, { status: 405, code: 'http.method-not-allowed', detail }, { Allow });
  };
