import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { projectFolder } from '../../src/config.ts';

export type Ran = { code: number | null; stdout: string; stderr: string };

/** What of our environment a process of ours gets: nothing that names a database or a folder. */
export const bareEnvironment = (more: Record<string, string> = {}): Record<string, string> => ({
  PATH: process.env['PATH']!,
  HOME: process.env['HOME'] ?? '/',
  ...more,
});

/** Runs a file of `src/` to its end, as a user would; `stdin` is what is typed or piped in. */
export const runSource = async (
  file: string,
  words: readonly string[],
  options: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Ran> => {
  const child = spawn(process.execPath, [join(projectFolder, 'src', file), ...words], {
    env: bareEnvironment(options.env),
    cwd: projectFolder,
  });
  child.stdin.end(options.stdin ?? '');
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
};

export type RunningService = { url: string; stop(): Promise<number | null> };

/** `npm start` in a process of its own; resolves when it is ready. */
export const startServiceProcess = async (env: Record<string, string>): Promise<RunningService> => {
  const child = spawn(process.execPath, [join(projectFolder, 'src', 'main.ts')], {
    env: bareEnvironment({ PORT: '0', ...env }),
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const ready = /"url":"([^"]+)".*Askfirst is ready/.exec(said);
      if (ready) resolve(ready[1]!);
    });
    void ended.then((code) => reject(new Error(`the service ended with ${code}: ${said}`)));
  });
  return {
    url,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
};
