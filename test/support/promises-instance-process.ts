import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { answerEarly, dropVersionComparison, rememberAnswers } from './promises-faults.ts';

/**
 * One instance of the service in a process of its own, for tests that kill it or plant a fault in it: `<settings as JSON>`. Prints its URL
 * when it is ready and stops on SIGTERM. A fault is planted between two modules of the service as they are loaded; the service
 * itself knows nothing of it.
 */
type Order = {
  urls: { app: string; keys: string; reaper: string };
  keyEncryptionKeys: string;
  fault?: keyof typeof faults;
};
const order = JSON.parse(process.argv[2]!) as Order;

/** Which export of which module is wrapped in what. */
const faults = {
  'remember-answers': { module: 'subjects/read-subjects.ts', name: 'createSubjectReader', wrap: rememberAnswers },
  'answer-early': { module: 'decisions/record-permits.ts', name: 'createPermitRecorder', wrap: answerEarly },
  'drop-version-comparison': { module: 'kernel/database/client.ts', name: 'connect', wrap: dropVersionComparison },
};
if (order.fault) {
  const { module, name, wrap } = faults[order.fault];
  const real = JSON.stringify(`${new URL(`../../src/${module}`, import.meta.url).href}?real`);
  const source = `
    import { ${name} as real } from ${real};
    import { ${wrap.name} as wrap } from ${JSON.stringify(new URL('promises-faults.ts', import.meta.url).href)};
    export * from ${real};
    export const ${name} = (...given) => wrap(real(...given));`;
  registerHooks({
    load: (url, context, next) =>
      url.endsWith(`/src/${module}`) ? { format: 'module', source, shortCircuit: true } : next(url, context),
  });
}

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
    tokenIssuers: [],
    allowPrivateTargets: true,
    keyBackupFolder: undefined,
    keyBackupDays: 30,
    logLevel: 'silent',
  },
  urls: order.urls,
  keyEncryptionKeys: order.keyEncryptionKeys,
  log: createLog({ level: 'silent', stream: process.stdout, personal: new Set() }),
});
process.stdout.write(`${service.url}\n`);
process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)));
