export { createCapabilities } from './capabilities.ts';
export type { PortalDeps } from './deps.ts';
export { answerPage, page, requestLanguage, type Html, type Page } from './layout.ts';
export { portalRoutes } from './routes.ts';
export * as portalSchemas from './schema.ts';
export { taskPages } from './tasks.ts';
