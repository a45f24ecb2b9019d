export {
  activateFirstPolicies,
  activatePolicies,
  createPolicySets,
  PolicySetUnavailable,
  type PolicySets,
} from './activate.ts';
export { readCatalogue, type Catalogue } from './catalogue.ts';
export { checkPolicies } from './check.ts';
export { contextSchema, type Context, type RequestFacts } from './context.ts';
export { type Verdict } from './decide.ts';
export { createDeploymentReader, type Deployment } from './deployment.ts';
export { PolicyError, type Problem } from './errors.ts';
export { explain } from './explain.ts';
export { compactFacts, expandFacts, type CompactFacts } from './compact-facts.ts';
export { factsSchema, noCustomer, noIdentity, type ConsentState, type Facts } from './facts.ts';
export { gatherFacts, isGranted } from './gather-facts.ts';
export { loadCatalogue } from './load.ts';
export { reasonsOf, type Reason } from './reasons.ts';
export {
  actions,
  dimensions,
  languages,
  type Action,
  type Dimension,
  type Language,
  type Purpose,
  type Texts,
} from './schema.ts';
