import { resolve } from 'node:path';
import { readConfig } from '../config.ts';
import { accessEvaluationRequestSchema, factsOf, findDecision } from '../decisions/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { uuidV7s } from '../kernel/ids.ts';
import {
  activatePolicies,
  checkPolicies,
  explain as explainFacts,
  factsSchema,
  languages,
  loadCatalogue,
  type Language,
} from '../policies/index.ts';
import { createSubjectReader } from '../subjects/index.ts';
import { findReviews } from '../linkage/index.ts';
import { withDatabase, withKeys, type Opened } from './installation.ts';
import { print, remark } from './print.ts';
import { readJson } from './read-input.ts';
import { UsageError } from './usage-error.ts';

/** The folder that was named, or the one of the settings. */
export const folderOr = (given: string | undefined): string =>
  given === undefined ? readConfig().settings.policiesFolder : resolve(given);

/** Needs no database, so that an editor's hook or a pipeline can call it. */
export const check = async (folder: string | undefined): Promise<boolean> => {
  const today = systemClock.now().toString().slice(0, 10);
  const { ok, text } = await checkPolicies(folderOr(folder), today);
  process[ok ? 'stdout' : 'stderr'].write(text);
  return ok;
};

export const activate = async (folder: string | undefined): Promise<void> => {
  const catalogue = await loadCatalogue(folderOr(folder));
  await withDatabase(async ({ database }) => {
    const { changed } = await activatePolicies(database, catalogue);
    if (!changed) return print(`Policy set ${catalogue.digest} is active already.`);
    print(`Policy set ${catalogue.digest} is active: every check that starts from now on obeys it.`);
    remark('Links that lost their ground are suspended as the sweep comes to them.');
  });
};

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Explained = { heading: string; policyDigest: string; facts: unknown };

const recorded = async ({ database }: Opened, id: string): Promise<Explained> => {
  const decision = await findDecision(database, id);
  if (!decision) throw new Error('no decision with this id is recorded');
  const { permit, system, decidedAt } = decision;
  return { ...decision, heading: `Decision ${id}: ${permit ? 'permit' : 'deny'} to ${system} at ${decidedAt}` };
};

const putNow = async (opened: Opened, path: string): Promise<Explained> => {
  const read = accessEvaluationRequestSchema.safeParse(await readJson(path));
  if (!read.success) {
    const members = read.error.issues.map((issue) => issue.path.join('.') || 'the whole');
    throw new Error(`this is no AuthZEN request; missing or mistyped: ${[...new Set(members)].join(', ')}`);
  }
  const { key: blindIndexSecret } = await withKeys(opened, (keys) => keys.secret('blind-index'));
  const facts = await factsOf(
    {
      reader: createSubjectReader(opened.database, 10_000),
      policySets: opened.policySets,
      blindIndexSecret,
      findReviews: findReviews(opened.database),
      clock: systemClock,
      ids: uuidV7s(systemClock),
    },
    { system: read.data.subject.id, language: 'en' },
    read.data,
  );
  return { ...facts, heading: 'As it would be decided now; nothing is recorded, and no permit is given' };
};

/** `subject` is the id of a recorded decision, or the file of a request (`-`: standard input). */
export const explain = (subject: string, language: string): Promise<void> => {
  if (!(languages as readonly string[]).includes(language))
    throw new UsageError(`--language is one of ${languages.join(', ')}`);
  return withDatabase(async (opened) => {
    const { heading, policyDigest, facts } = await (uuid.test(subject)
      ? recorded(opened, subject)
      : putNow(opened, subject));
    const { refused } = facts as { refused?: unknown };
    if (typeof refused === 'string') return print(heading, `Denied before any rule was asked: ${refused}.`);
    const read = factsSchema.safeParse(facts);
    if (!read.success) throw new Error('this version of Askfirst does not understand the facts of that decision');
    print(heading, '', explainFacts(await opened.policySets.byDigest(policyDigest), read.data, language as Language));
  });
};
