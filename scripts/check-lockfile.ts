import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Manifest = {
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  allowScripts?: Record<string, boolean>;
};
type Locked = Manifest & {
  integrity?: string;
  resolved?: string;
  deprecated?: string;
  hasInstallScript?: boolean;
  name?: string;
};
type Lockfile = { packages: Record<string, Locked> };

/**
 * What would make an install loud, different from machine to machine, or impossible on another platform. npm itself
 * warns of some of it, but .npmrc silences its warnings; of a lockfile with holes it complains only to the next user.
 */
export const lockfileProblems = (manifest: Manifest, client: Manifest, { packages }: Lockfile): string[] => {
  const problems: string[] = [];
  const ours = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  for (const [name, version] of Object.entries(ours)) {
    if (!/^\d/.test(version)) problems.push(`package.json asks for ${name} ${version}: name one exact version`);
  }
  for (const [name, version] of Object.entries(client.dependencies ?? {})) {
    if (ours[name] !== version)
      problems.push(`src/client/package.json asks for ${name} ${version}, unlike package.json`);
  }
  if (client.version !== manifest.version)
    problems.push('src/client/package.json has another version than package.json');

  for (const [path, locked] of Object.entries(packages)) {
    for (const optional of Object.keys(locked.optionalDependencies ?? {})) {
      if (!isLocked(packages, path, optional)) problems.push(`${path} needs ${optional} on some platform: not locked`);
    }
    if (path === '') continue;
    const name = locked.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (locked.version === undefined) problems.push(`${path} is locked to no version`);
    if (locked.integrity === undefined) problems.push(`${path} has no checksum`);
    if (locked.resolved !== undefined) problems.push(`${path} names a registry: use omit-lockfile-registry-resolved`);
    if (locked.deprecated !== undefined) problems.push(`${path} is deprecated: ${locked.deprecated}`);
    if (locked.hasInstallScript && manifest.allowScripts?.[name] === undefined) {
      problems.push(`${path} has an install script: decide on it in allowScripts of package.json`);
    }
  }
  return problems;
};

/** Node's look-up: beside the package that asks, then ever further out. */
const isLocked = (packages: Lockfile['packages'], from: string, name: string): boolean => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
  }
};

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  const read = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
  const lockfile = read<Lockfile>('package-lock.json');
  const problems = lockfileProblems(read('package.json'), read('src/client/package.json'), lockfile);
  for (const problem of problems) console.error(problem);
  console.log(`lockfile: ${Object.keys(lockfile.packages).length} packages, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
