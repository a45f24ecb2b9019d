export * from './errors.ts';
export { createStaffGuard, type RequireStaff } from './guard.ts';
export { staffRoutes } from './routes.ts';
export { createSignIn, type StaffProvider } from './sign-in.ts';
export * as staffSchemas from './schema.ts';
