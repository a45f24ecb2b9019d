import { cpSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import { projectFolder } from '../../config.ts';
import type { Answers, Known } from './questions.ts';

/** What stands in the default pack until somebody replaces it. */
const example: Record<string, string> = {
  id: 'example-association',
  name: 'Example Tourism Association',
  'contact.email': 'privacy@example.org',
  'contact.address': 'Beispielweg 1, 3999 Beispielalp, Switzerland',
  'dpo.name': 'Data Protection Adviser of the Example Tourism Association',
  'dpo.email': 'dpo@example.org',
};

const members = {
  name: 'name',
  'contact.email': 'email',
  'contact.address': 'address',
  'dpo.name': 'dpo-name',
  'dpo.email': 'dpo-email',
  jurisdiction: 'jurisdiction',
} as const;

/** `Verein Bergwelt Oberwallis` as the id of a controller. */
const idOf = (name: string): string =>
  name
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 64) || 'controller';

/** `to` undefined: the member goes. */
export type Change = { member: string; from: string | undefined; to: string | undefined };

/** The default pack is copied where a folder has no policies; what is there is never touched by this. */
export const copyDefaultPack = (policiesFolder: string): boolean => {
  if (existsSync(policiesFolder) && readdirSync(policiesFolder).length > 0) return false;
  cpSync(join(projectFolder, 'policies'), policiesFolder, { recursive: true });
  return true;
};

/** The laws that the folder's policies know, or those of the default pack where there are none yet. */
export const knownJurisdictions = (policiesFolder: string): string[] => {
  const own = join(policiesFolder, 'jurisdictions');
  return readdirSync(existsSync(own) ? own : join(projectFolder, 'policies', 'jurisdictions'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .toSorted();
};

const pathOf = (policiesFolder: string): string => join(policiesFolder, 'controller.yaml');

const readDocument = (policiesFolder: string) => {
  const path = pathOf(policiesFolder);
  const document = parseDocument(
    readFileSync(existsSync(path) ? path : pathOf(join(projectFolder, 'policies')), 'utf8'),
  );
  const valueOf = (member: string): string | undefined => {
    const value = document.getIn(member.split('.'));
    return typeof value === 'string' ? value : undefined;
  };
  return { document, valueOf };
};

/** What somebody has already said about the controller; values of the example do not count. */
export const knownController = (policiesFolder: string): Known => {
  if (!existsSync(pathOf(policiesFolder))) return {};
  const { valueOf } = readDocument(policiesFolder);
  if (valueOf('id') === example['id']) return {};
  return Object.fromEntries(Object.entries(members).map(([member, flag]) => [flag, valueOf(member)]));
};

/**
 * The file as the answers make it, with its comments and every other member as they were; and which members change. `conflicts` are those
 * that somebody has set to something else.
 */
export const planController = (
  policiesFolder: string,
  answers: Answers,
): { path: string; text: string; changes: Change[]; conflicts: Change[] } => {
  const { document, valueOf } = readDocument(policiesFolder);
  const untouched = valueOf('id') === example['id'];
  const wanted: Record<string, string | undefined> = Object.fromEntries(
    Object.entries(members).map(([member, flag]) => [member, answers[flag] || undefined]),
  );
  if (untouched) wanted['id'] = idOf(answers.name);
  const changes = Object.entries(wanted)
    .map(([member, to]) => ({ member, from: valueOf(member), to }))
    .filter(({ from, to }) => from !== to);
  for (const { member, to } of changes) if (to !== undefined) document.setIn(member.split('.'), to);
  if (wanted['dpo.name'] === undefined) document.delete('dpo');
  return {
    path: pathOf(policiesFolder),
    text: document.toString({ lineWidth: 0 }),
    changes,
    conflicts: changes.filter(({ member, from }) => !untouched || (member in example && from !== example[member])),
  };
};
