export * from './change-subject.ts';
export * from './deps.ts';
export * from './errors.ts';
export { blindIndex, formatIdentifier, parseIdentifier, type Identifier } from './identifier.ts';
export * from './prove-control.ts';
export * from './read-subjects.ts';
export { subjectRoutes } from './routes.ts';
export {
  actorSchema,
  identifierSchema,
  momentSchema,
  statedMomentSchema,
  subjectPathSchema,
  uuidSchema,
} from './schema.ts';
export { claimMany, ownersOf } from './register-many.ts';
export * from './review-subjects.ts';
export { completeMerges, moveIdentifiers, namespacesOfMany } from './move-identifiers.ts';
export { birthMonth } from './table.ts';
export { openIdentifiers, openIdentifiersOf, registerSubject } from './register-subject.ts';
export * as subjectsSchemas from './schema.ts';
