export { createCapabilities } from './capabilities.ts';
export { portalRoutes } from './routes.ts';
export * as portalSchemas from './schema.ts';
export { taskPages } from './tasks.ts';
