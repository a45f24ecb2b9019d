import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { projectFolder } from '../../src/config.ts';
import type { TestDatabase } from './database.ts';
import { testKeyEncryptionKeys } from './app.ts';

/** The service as `npm start` runs it, in a process of its own, with everything it ever writes. */
export type ServiceProcess = {
  url: string;
  /** Standard output and standard error: log lines of every level, access lines, warnings of Node and of whatever else. */
  output(): string;
  /** Ends it and resolves when its last line has been read. */
  stop(): Promise<void>;
};

export const startProcess = async (
  database: TestDatabase,
  environment: Record<string, string> = {},
): Promise<ServiceProcess> => {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: projectFolder,
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: database.urls.app,
      KEYS_DATABASE_URL: database.urls.keys,
      REAPER_DATABASE_URL: database.urls.reaper,
      KEY_ENCRYPTION_KEYS: testKeyEncryptionKeys,
      PORT: '0',
      RATE_LIMIT_PER_MINUTE: '100000000',
      ALLOW_PRIVATE_TARGETS: 'true',
      LOG_LEVEL: 'debug',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  const output = () => Buffer.concat(chunks).toString();
  const closed = once(child, 'close');
  const url = await new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      const ready = /"url":"(http:[^"]+)"/.exec(output());
      if (ready) resolve(ready[1]!);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('exit', () => reject(new Error(`the service ended before it was ready:\n${output()}`)));
  });
  // From here on nobody looks for the address in what comes.
  for (const stream of [child.stdout, child.stderr]) {
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  }
  return {
    url,
    output,
    stop: async () => {
      child.kill('SIGTERM');
      await closed;
    },
  };
};
