export {
  activateFirstPolicies,
  activatePolicies,
  activationProblems,
  createPolicySets,
  type PolicySets,
} from './activate.ts';
export { readCatalogue, type Catalogue } from './catalogue.ts';
export { checkPolicies } from './check.ts';
export { contextSchema, type Context } from './context.ts';
export { type Verdict } from './decide.ts';
export { createDeploymentReader } from './deployment.ts';
export { explain } from './explain.ts';
export { compactFacts, expandFacts, type CompactFacts } from './compact-facts.ts';
export { factsSchema, noCustomer, noIdentity, type Facts } from './facts.ts';
export { gatherFacts, isGranted } from './gather-facts.ts';
export { loadCatalogue } from './load.ts';
export { reasonsOf, type Reason } from './reasons.ts';
export { replay, type Change } from './replay.ts';
export { actions, languages, type Action, type Language, type Purpose, type Texts } from './schema.ts';
export { testPolicies } from './test-policies.ts';
