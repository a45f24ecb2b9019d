import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { parseSync } from 'oxc-parser';

/** Imports go down this list only. A room that is not on it fails the check, so that nobody forgets to place it. */
const rooms = [
  'kernel',
  'http',
  'staff',
  'policies',
  'subjects',
  'consent',
  'systems',
  'decisions',
  'linkage',
  'imports',
  'portal',
];

/** What everybody builds on has no single face; of every other room only `index.ts` is for others. */
const openRooms = new Set(['kernel', 'http']);

/** Folders of what stands above all rooms, like the files directly in `src/`: parts of `cli.ts` and of `demo.ts`. */
const assemblers = ['cli', 'demo'];

/** Runs inside of other programs: imports nothing of the server and only what its own package.json names. */
const clientRoom = 'client';

type Checked = { files: number; imports: number; violations: string[] };

/**
 * Checks the dependency rule over every TypeScript file of `<root>/src`: imports of values and types, re-exports,
 * `import()` and `import('…').Type`. Files directly in `src/` assemble the rooms and stand above all of them. A unit
 * test beside the code may import from any room, as tests assemble what they test, but of others only the face too.
 */
export const checkRooms = (root: string): Checked => {
  const src = join(root, 'src');
  const checked: Checked = { files: 0, imports: 0, violations: [] };
  for (const name of readdirSync(src, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (!/\.[cm]?tsx?$/.test(name)) continue;
    checked.files++;
    const file = name.split(sep).join('/');
    for (const specifier of importsOf(join(src, name))) {
      checked.imports++;
      const wrong = specifier.startsWith('.') ? judge(file, posix.join(posix.dirname(file), specifier)) : undefined;
      if (wrong !== undefined) checked.violations.push(`src/${file} imports ${specifier}: ${wrong}`);
    }
  }
  return checked;
};

/** Why a file may not import another, both relative to `src/`; undefined when it may. */
const judge = (file: string, target: string): string | undefined => {
  const [from, to] = [roomOf(file), roomOf(target)];
  for (const room of [from, to]) {
    if (room !== undefined && room !== clientRoom && !rooms.includes(room) && room !== '..') {
      return `the room ${room} has no place in the list of scripts/check-rooms.ts`;
    }
  }
  const isTest = /\.test\.ts$|^client\/test-/.test(file);
  if (to === '..') return isTest ? undefined : 'that lies outside of src/';
  if (from === to) return undefined;
  if (from === clientRoom && !isTest) return 'the client imports nothing of the server';
  if (to === clientRoom && from !== undefined) return 'the server imports nothing of the client';
  const goesUp = from !== undefined && (to === undefined || rooms.indexOf(to) > rooms.indexOf(from));
  if (goesUp && !isTest) return `${from} lies below ${to ?? 'the files that assemble the rooms'}`;
  if (to === undefined || openRooms.has(to) || target === `${to}/index.ts`) return undefined;
  return `of another room only ${to}/index.ts may be imported`;
};

/** The room of a path relative to `src/`; undefined for what assembles the rooms, '..' for a path outside. */
const roomOf = (path: string): string | undefined => {
  const [first, ...rest] = path.split('/');
  return rest.length === 0 || assemblers.includes(first!) ? undefined : first;
};

const importsOf = (path: string): string[] => {
  const { program, errors } = parseSync(path, readFileSync(path, 'utf8'));
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if (
      'type' in node &&
      /^(Import|Export(Named|All)|TSImport)/.test(String(node.type)) &&
      'source' in node &&
      typeof (node.source as { value?: unknown } | null)?.value === 'string'
    ) {
      found.push((node.source as { value: string }).value);
    }
    for (const child of Object.values(node)) visit(child);
  };
  visit(program);
  return found;
};

/** What the client's files import by name must be what its package brings. */
export const checkClientPackage = (root: string): string[] => {
  const folder = join(root, 'src', clientRoom);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, object | undefined>;
  const brought = Object.keys({ ...manifest['dependencies'], ...manifest['peerDependencies'] });
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^test-/.test(name))
    .flatMap((name) =>
      importsOf(join(folder, name))
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .filter((specifier) => !brought.some((known) => specifier === known || specifier.startsWith(`${known}/`)))
        .map((specifier) => `src/${clientRoom}/${name} imports ${specifier}: not a dependency of its package.json`),
    );
};

if (import.meta.main) {
  const root = join(dirname(import.meta.dirname));
  const { files, imports, violations } = checkRooms(root);
  violations.push(...checkClientPackage(root));
  // A check that looked at nothing has proved nothing.
  if (files === 0 || imports === 0) violations.push(`only ${files} files with ${imports} imports were found`);
  for (const violation of violations) console.error(violation);
  console.log(`rooms: ${files} files, ${imports} imports, ${violations.length} violations`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
