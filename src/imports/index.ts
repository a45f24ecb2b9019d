export { auditLinks, linkingPurposes, type AuditedLink } from './audit-links.ts';
export { mappingSchema } from './mapping.ts';
export { formats, openSource, type Source } from './open-source.ts';
export { applyImport, previewImport } from './run-import.ts';
export type { Problem, Tally } from './tally.ts';
export { readLinks } from './read-links.ts';
