import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

/**
 * One instance of the service in a process of its own, for tests that kill it or plant a fault in it: `<settings as JSON>`. Prints its URL
 * when it is ready and stops on SIGTERM. A fault is planted between two modules of the service as they are loaded; the service
 * itself knows nothing of it.
 */
type Order = {
  urls: { app: string; keys: string; reaper: string };
  keyEncryptionKeys: string;
  fault?: 'remember-answers' | 'drop-version-comparison';
};
const order = JSON.parse(process.argv[2]!) as Order;

const faults = JSON.stringify(pathToFileURL(join(import.meta.dirname, 'promises-faults.ts')).href);
/** What stands in for a module: all that it exports, with one export wrapped. */
const standIns: Record<NonNullable<Order['fault']>, { module: string; source: string }> = {
  'remember-answers': {
    module: '/src/subjects/read-subjects.ts',
    source: `
      import { createSubjectReader as real } from './read-subjects.ts?real';
      import { rememberAnswers } from ${faults};
      export * from './read-subjects.ts?real';
      export const createSubjectReader = (...given) => rememberAnswers(real(...given), 50);`,
  },
  'drop-version-comparison': {
    module: '/src/kernel/database/client.ts',
    source: `
      import { connect as real } from './client.ts?real';
      import { dropVersionComparison } from ${faults};
      export * from './client.ts?real';
      export const connect = (...given) => dropVersionComparison(real(...given));`,
  },
};
const standIn = order.fault && standIns[order.fault];
if (standIn)
  registerHooks({
    load: (url, context, next) =>
      url.endsWith(standIn.module)
        ? { format: 'module', source: standIn.source, shortCircuit: true }
        : next(url, context),
  });

const { startService } = await import('../../src/main.ts');
const { createLog } = await import('../../src/kernel/log.ts');
const { projectFolder } = await import('../../src/config.ts');
const service = await startService({
  settings: {
    dataFolder: '',
    policiesFolder: join(projectFolder, 'policies'),
    baseUrl: 'http://askfirst.test',
    host: '127.0.0.1',
    port: 0,
    prepare: true,
    connections: 8,
    requestTimeoutMs: 10_000,
    callsPerMinute: 100_000_000,
    allowPrivateTargets: true,
    logLevel: 'silent',
  },
  urls: order.urls,
  keyEncryptionKeys: order.keyEncryptionKeys,
  log: createLog({ level: 'silent', stream: process.stdout, personal: new Set() }),
});
process.stdout.write(`${service.url}\n`);
process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)));
