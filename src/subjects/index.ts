export * from './change-subject.ts';
export * from './deps.ts';
export * from './errors.ts';
export { blindIndex, parseIdentifier, type Identifier } from './identifier.ts';
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
export * from './review-subjects.ts';
export { openIdentifiers, openIdentifiersOf, registerSubject } from './register-subject.ts';
export * as subjectsSchemas from './schema.ts';
