import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Everything that some generator writes; all of it is checked in. */
const generated = ['drizzle', 'openapi', 'policies/schema', 'README.md', '.env.example'];

/** Path -> content of every file under the given paths of `root`. */
export const snapshot = (root: string, paths: readonly string[]): Map<string, string> => {
  const files = new Map<string, string>();
  for (const path of paths.filter((one) => existsSync(join(root, one)))) {
    const names = statSync(join(root, path)).isFile()
      ? [path]
      : readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).map((name) => join(path, name));
    for (const name of names) {
      if (statSync(join(root, name)).isFile()) files.set(name, readFileSync(join(root, name), 'utf8'));
    }
  }
  return files;
};

/** Names of the files that are in one snapshot alone or differ. */
export const differences = (before: Map<string, string>, after: Map<string, string>): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name)).toSorted();

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  const scripts = ['db:generate', 'openapi', ...namesOfGenerators(root)];
  const before = snapshot(root, generated);
  for (const script of scripts) {
    const run = spawnSync('npm', ['run', '-s', script], {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    if (run.status !== 0) {
      console.error(`npm run ${script} failed:\n${run.stdout}${run.stderr}`);
      process.exit(1);
    }
  }
  const stale = differences(before, snapshot(root, generated));
  for (const name of stale) console.error(`${name} was not up to date; it is now: commit it`);
  console.log(
    `generated files: ${before.size} compared after ${scripts.join(', ')}; ${stale.length} were not up to date`,
  );
  process.exitCode = stale.length === 0 ? 0 : 1;
}

/** The scripts of package.json that are named `generate:<what>`. */
function namesOfGenerators(root: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return Object.keys(scripts).filter((name) => name.startsWith('generate:'));
}
