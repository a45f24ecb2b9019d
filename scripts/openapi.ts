import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp, type AppDeps } from '../src/app.ts';
import {
  buildDocument,
  createMetrics,
  documentProblems,
  formatDocument,
  type OpenApiDocument,
} from '../src/http/index.ts';

const root = join(import.meta.dirname, '..');

/** Stands for whatever a route needs only when it is called, which here none is. */
const uncalled: unknown = new Proxy(() => {}, {
  get: () => uncalled,
  apply: () => {
    throw new Error('the reference is made without calling anything');
  },
});

/** The reference of the API, and what it fails to say. Needs neither a database nor a policy. */
export const makeReference = (): { document: OpenApiDocument; gaps: string[] } => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const drain = { draining: false };
  const own: Partial<AppDeps> = {
    version,
    baseUrl: 'https://askfirst.example',
    edge: { drain, timeoutMs: 1, metrics: createMetrics() },
    health: { drain, checks: [], roles: 'separate' },
    jwks: async () => [],
  };
  const deps = new Proxy(own, {
    get: (known, name) => (name in known ? known[name as keyof AppDeps] : uncalled),
    has: () => true,
  }) as AppDeps;
  const app = createApp(deps);
  return { document: buildDocument(app, version), gaps: documentProblems(app) };
};

if (import.meta.main) {
  const { document, gaps } = makeReference();
  mkdirSync(join(root, 'openapi'), { recursive: true });
  writeFileSync(join(root, 'openapi/openapi.json'), formatDocument(document));
  for (const gap of gaps) console.error(gap);
  console.log(`openapi/openapi.json: ${Object.keys(document.paths).length} paths, ${gaps.length} gaps`);
  process.exitCode = gaps.length === 0 ? 0 : 1;
}
