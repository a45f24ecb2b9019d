export { type FindResources } from './authzen-search.ts';
export { advise, evaluate, factsOf, type DecisionDeps } from './evaluate.ts';
export { findDecision } from './find-decision.ts';
export { createDenialRecorder } from './record-denials.ts';
export { createPermitRecorder, type PermittedDecision, type StoredName } from './record-permits.ts';
export { readPermit, recheckPermit, type Rechecked, type StoredPermit } from './recheck-permit.ts';
export { decisionRoutes } from './routes.ts';
export { accessEvaluationRequestSchema } from './schema.ts';
export * as decisionsSchemas from './schema.ts';
