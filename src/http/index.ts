export { createAuthenticate, type AssertNotRevoked, type Authenticate } from './authenticate.ts';
export { ClientRevoked } from './auth-errors.ts';
export { hashSecret, newSecret, secretMatches } from './client-secret.ts';
export { docsRoutes } from './docs.ts';
export { createEdge, mount, type Drain, type Edge } from './edge.ts';
export type { Caller, HttpContext, HttpEnv, Idempotency } from './env.ts';
export { HttpError, InputInvalid, type MemberProblem } from './errors.ts';
export { healthRoutes, type ReadinessCheck, type Roles } from './health.ts';
export {
  createReplayOrRun,
  idempotencyHeaders,
  type IdempotencyRecord,
  type IdempotencyStore,
  type ReplayOrRun,
} from './idempotency.ts';
export { parseJson, readText } from './json-body.ts';
export { jwksRoutes } from './jwks.ts';
export { createMetrics, metricsRoutes, type Metrics } from './metrics.ts';
export { tokenRoutes, type VerifyClient } from './oauth.ts';
export { buildDocument, documentProblems, formatDocument, type OpenApiDocument } from './openapi.ts';
export { createErrorHandler, createNotFoundHandler } from './problem.ts';
export { problems } from './problem-responses.ts';
export { createLimit, type Limit, type RateLimit, type TakeTokens } from './rate-limit.ts';
export { respond } from './respond.ts';
export { createRouter, type Guards, type OperationOptions, type Router } from './router.ts';
export { isScope, SCOPES, type Scope } from './scopes.ts';
export { createTokenIssuer, createTokenVerifier, readSigningKey, type PublicKey, type SigningKey } from './tokens.ts';
