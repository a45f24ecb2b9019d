import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import canonicalize from 'canonicalize';
import type { z } from 'zod';
import { compileRules, judge, memberName } from './catalogue.ts';
import type { Catalogue } from './catalogue.ts';
import type { Flaw } from './compile-condition.ts';
import type { Collection, Content } from './content.ts';
import { PolicyError } from './errors.ts';
import type { Problem } from './errors.ts';
import { flawsOf } from './explain-issue.ts';
import { readYaml } from './read-yaml.ts';
import type { Source } from './read-yaml.ts';
import * as schemas from './schema.ts';

/** What lies where in a policy folder; anything else there is a problem, because a misspelt name would go unread. */
const places = [
  { path: 'controller.yaml', schema: schemas.controllerSchema, fills: 'controller' },
  { path: 'platforms.yaml', schema: schemas.platformsSchema, fills: 'platforms' },
  { path: 'systems.yaml', schema: schemas.systemsSchema, fills: 'systems' },
  { path: 'jurisdictions/', schema: schemas.jurisdictionSchema, fills: 'jurisdictions' },
  { path: 'purposes/', schema: schemas.purposeSchema, fills: 'purposes' },
  { path: 'linkage/', schema: schemas.rulesSchema, fills: 'rules' },
  { path: 'cases/', schema: schemas.casesSchema, fills: 'cases' },
] as const;
type Place = (typeof places)[number];

/** One entry of a collection and where it was written. */
type Item = { value: unknown; source: Source; at: (string | number)[] };
type Items = Record<Collection | 'controller', Item[]>;

/**
 * Loads a policy folder. Throws PolicyError with every problem found, each with file, line, member and what would be right.
 * A folder that loads has a case for every rule and no case that fails.
 */
export async function loadCatalogue(folder: string): Promise<Catalogue> {
  const { content, locate } = await readContent(folder);
  const judged = judge(content, canonicalize(content)!);
  if (Array.isArray(judged)) throw new PolicyError(judged.map(locate));
  return judged;
}

/**
 * What a folder says, before anything is judged that needs more than one file, and where in it each member is written. Throws PolicyError
 * where a file is not as it should be.
 */
export async function readContent(folder: string): Promise<{ content: Content; locate: (flaw: Flaw) => Problem }> {
  const problems: Problem[] = [];
  const items: Items = {
    controller: [],
    jurisdictions: [],
    platforms: [],
    systems: [],
    purposes: [],
    rules: [],
    cases: [],
  };
  await refuseStrangers(folder, problems);
  for (const place of places) {
    for (const file of await filesOf(folder, place, problems)) {
      const read = readYaml(file, await readFile(join(folder, file), 'utf8'));
      if ('problems' in read) problems.push(...read.problems);
      else take(place, read.source, items, problems);
    }
  }
  const content = contentOf(items);
  if (problems.length > 0) {
    // What refers to a file that was refused would only repeat its problems; the words of the rules stand by themselves.
    const { flaws } = compileRules(content.rules, new Map());
    throw new PolicyError([...problems, ...flaws.map((flaw) => located(flaw, items))]);
  }
  return { content, locate: (flaw) => located(flaw, items) };
}

async function filesOf(folder: string, { path }: Place, problems: Problem[]): Promise<string[]> {
  const missing = (message: string) => problems.push({ file: path, line: 1, member: '(file)', message });
  if (!path.endsWith('/')) {
    const names = await namesIn(folder);
    if (names.includes(path)) return [path];
    missing('missing; a policy folder needs this file');
    return [];
  }
  const names = await namesIn(join(folder, path));
  const files = names.filter((name) => name.endsWith('.yaml')).map((name) => path + name);
  for (const name of names) {
    if (name.endsWith('.yaml') || name.startsWith('.') || name === 'README.md') continue;
    problems.push({ file: path + name, line: 1, member: '(file)', message: 'not read; expected a name in .yaml' });
  }
  if (files.length === 0) missing('missing; expected at least one file in .yaml here');
  return files;
}

async function refuseStrangers(folder: string, problems: Problem[]): Promise<void> {
  const known = [...places.map(({ path }) => path.replace('/', '')), 'schema', 'README.md'];
  for (const name of await namesIn(folder)) {
    if (known.includes(name) || name.startsWith('.')) continue;
    const message = `not read; allowed: ${known.join(', ')}`;
    problems.push({ file: name, line: 1, member: '(file)', message });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function take(place: Place, source: Source, items: Items, problems: Problem[]): void {
  const schema: z.ZodType = place.schema;
  const parsed = schema.safeParse(source.value);
  if (!parsed.success) {
    for (const { path, message } of flawsOf(schema, source.value, parsed.error)) {
      problems.push(problemAt(source, path, message));
    }
    return;
  }
  const { fills } = place;
  if (fills === 'controller' || fills === 'jurisdictions' || fills === 'purposes') {
    const { id } = parsed.data as { id: string };
    if (fills !== 'controller' && `${id}.yaml` !== basename(source.file)) {
      problems.push(problemAt(source, ['id'], `expected the file to be named ${id}.yaml`));
    }
    items[fills].push({ value: parsed.data, source, at: [] });
    return;
  }
  const list = (parsed.data as Record<string, unknown[]>)[fills]!;
  list.forEach((value, index) => items[fills].push({ value, source, at: [fills, index] }));
}

/** Sorts in place, so that an index into the content is an index into the items too. */
function contentOf(items: Items): Content {
  const nameOf = ({ value }: Item) => (value as { id?: string }).id ?? (value as { name: string }).name;
  const sorted = (collection: Collection) =>
    items[collection].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).map(({ value }) => value);
  return {
    format: 1,
    controller: items.controller[0]?.value,
    jurisdictions: sorted('jurisdictions'),
    platforms: sorted('platforms'),
    systems: sorted('systems'),
    purposes: sorted('purposes'),
    rules: sorted('rules'),
    cases: sorted('cases'),
  } as Content;
}

/** A path into the content, as a place in a file. */
function located({ path, message }: Flaw, items: Items): Problem {
  const [collection, index, ...rest] = path as [keyof Items, string | number, ...(string | number)[]];
  if (collection === 'controller') return problemAt(items.controller[0]!.source, path.slice(1), message);
  const { source, at } = items[collection][index as number]!;
  return problemAt(source, [...at, ...rest], message);
}

const problemAt = (source: Source, path: (string | number)[], message: string): Problem => ({
  file: source.file,
  line: source.lineOf(path),
  member: memberName(path),
  message,
});
