export { type FindResources } from './authzen-search.ts';
export { advise, evaluate, type DecisionDeps } from './evaluate.ts';
export { createDenialRecorder, type DenialRecorder } from './record-denials.ts';
export {
  createPermitRecorder,
  type PermitRecorder,
  type PermittedDecision,
  type StoredName,
} from './record-permits.ts';
export { questionOf, readPermit, recheckPermit, type Rechecked, type StoredPermit } from './recheck-permit.ts';
export { decisionRoutes } from './routes.ts';
