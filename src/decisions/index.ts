export { type FindResources } from './authzen-search.ts';
export { advise, evaluate, factsOf, type DecisionDeps } from './evaluate.ts';
export { findDecision } from './find-decision.ts';
export { createDenialRecorder, type DenialRecorder } from './record-denials.ts';
export {
  createPermitRecorder,
  type PermitRecorder,
  type PermittedDecision,
  type StoredName,
} from './record-permits.ts';
export { questionOf, readPermit, recheckPermit, type Rechecked, type StoredPermit } from './recheck-permit.ts';
export { decisionRoutes } from './routes.ts';
export { accessEvaluationRequestSchema } from './schema.ts';
export * as decisionsSchemas from './schema.ts';
