import { resolve } from 'node:path';
import { streamDecisions, type PastDecision } from '../decisions/index.ts';
import { systemClock } from '../kernel/clock.ts';
import {
  activationProblems,
  languages,
  loadCatalogue,
  replay,
  type Catalogue,
  type Change,
  type Language,
  type PolicySets,
} from '../policies/index.ts';
import { withDatabase, type Opened } from './installation.ts';
import { print, remark, table } from './print.ts';
import { UsageError } from './usage-error.ts';

/** All decisions of one kind of question that would come out otherwise, in one direction and because of the same rules. */
type Group = {
  change: Change['kind'];
  purpose: string;
  action: string;
  system: string;
  rules: string[];
  count: number;
  samples: { decision: string; reasons: string[] }[];
};

type Counts = {
  decisions: number;
  same: number;
  'permit-to-deny': number;
  'deny-to-permit': number;
  'other-obligations': number;
  /** Not replayed, and why. */
  refused: number;
  'not-looked-up': number;
  unsure: number;
  'set-unreadable': number;
};

const samplesPerGroup = 3;
const remarkEvery = 100_000;

const cannotKnow = [
  'Who would have asked otherwise, had the answer been another one.',
  'What was recorded about a person is taken as it was: their answers, links, proofs, wishes and reviews are not looked up anew.',
  'Which version of a notice somebody answered: decisions of purposes where only some versions still count are counted as unsure.',
  'Values that did not exist and dimensions that the purpose did not have were not recorded: unsure as well.',
  'People were not looked up for a system without a grant or a purpose that did not exist: counted as not looked up.',
];

const sinceOf = (duration: string | undefined): string | undefined => {
  if (duration === undefined) return undefined;
  try {
    return systemClock.now().toZonedDateTimeISO('UTC').subtract(duration).toInstant().toString();
  } catch {
    throw new UsageError('--since is an ISO 8601 duration, for example P30D');
  }
};

const limitOf = (limit: string | undefined): number => {
  if (limit === undefined) return Infinity;
  if (!/^[1-9]\d{0,11}$/.test(limit)) throw new UsageError('--limit is a number of decisions');
  return Number(limit);
};

/** The sets under which decisions were made; undefined for one that this version cannot read. */
const setReader = (policySets: PolicySets) => {
  const unreadable = new Set<string>();
  return async (digest: string): Promise<Catalogue | undefined> => {
    if (unreadable.has(digest)) return undefined;
    try {
      return await policySets.byDigest(digest);
    } catch {
      unreadable.add(digest);
      return undefined;
    }
  };
};

/** Counts are bounded by the words of the policy sets, however many decisions there are. */
const createTally = () => {
  const counts: Counts = {
    decisions: 0,
    same: 0,
    'permit-to-deny': 0,
    'deny-to-permit': 0,
    'other-obligations': 0,
    refused: 0,
    'not-looked-up': 0,
    unsure: 0,
    'set-unreadable': 0,
  };
  const groups = new Map<string, Group>();
  return {
    counts,
    count: (what: Exclude<keyof Counts, 'decisions'>): void => void (counts[what] += 1),
    change: ({ kind, rules, reasons }: Change, { id, purpose, system }: PastDecision, action: string): void => {
      counts[kind] += 1;
      const key = [kind, purpose, action, system, ...rules].join(' ');
      const group = groups.get(key) ?? { change: kind, purpose, action, system, rules, count: 0, samples: [] };
      groups.set(key, group);
      group.count += 1;
      if (group.samples.length < samplesPerGroup) group.samples.push({ decision: id, reasons });
    },
    groups: (): Group[] => [...groups.values()].sort((one, other) => other.count - one.count),
  };
};

const arrows: Record<Change['kind'], string> = {
  'permit-to-deny': 'permit -> deny',
  'deny-to-permit': 'deny -> permit',
  'other-obligations': 'permit, other obligations',
};

type Difference = {
  candidate: string;
  since: string | undefined;
  counts: Counts;
  changes: Group[];
  /** Why the candidate could not be activated. */
  problems: string[];
};

/**
 * Replays recorded decisions, all or since an instant (RFC 3339) and at most `limit`, against a candidate. Reads only; nothing of a person is
 * in the result: a sample is the id of a decision, which `policies explain` explains.
 */
export const differenceOf = async (
  { database, policySets }: Pick<Opened, 'database' | 'policySets'>,
  candidate: Catalogue,
  { since, limit = Infinity, language }: { since?: string | undefined; limit?: number; language: Language },
): Promise<Difference> => {
  const setOf = setReader(policySets);
  const tally = createTally();
  for await (const decision of streamDecisions(database, since)) {
    if (tally.counts.decisions === limit) break;
    tally.counts.decisions += 1;
    if (tally.counts.decisions % remarkEvery === 0) remark(`${tally.counts.decisions} decisions …`);
    const { facts } = decision;
    if ('refused' in facts) {
      tally.count('refused');
      continue;
    }
    const was = await setOf(decision.policyDigest);
    if (!was) {
      tally.count('set-unreadable');
      continue;
    }
    const replayed = replay({ ...decision, facts }, was, candidate, language);
    if ('rules' in replayed) tally.change(replayed, decision, facts.action);
    else tally.count(replayed.kind);
  }
  const problems = await activationProblems(database, candidate);
  return { candidate: candidate.digest, since, counts: tally.counts, changes: tally.groups(), problems };
};

export type DiffOptions = { since?: string; limit?: string; json?: boolean; language?: string };

/** Shows who would be answered otherwise under the policy set in `folder`. */
export const diff = async (folder: string, options: DiffOptions): Promise<void> => {
  const language = options.language ?? 'en';
  if (!(languages as readonly string[]).includes(language))
    throw new UsageError(`--language is one of ${languages.join(', ')}`);
  const since = sinceOf(options.since);
  const limit = limitOf(options.limit);
  const candidate = await loadCatalogue(resolve(folder));
  await withDatabase(async (opened) => {
    const found = await differenceOf(opened, candidate, { since, limit, language: language as Language });
    if (options.json) print(JSON.stringify({ ...found, cannotKnow }, undefined, 2));
    else print(...report(found));
  });
};

const report = ({ candidate, since, counts, changes, problems }: Difference): string[] => [
  `Policy set ${candidate} against ${counts.decisions} recorded decisions${since ? ` since ${since}` : ''}:`,
  '',
  ...table(
    (
      [
        ['as before', 'same'],
        [arrows['permit-to-deny'], 'permit-to-deny'],
        [arrows['deny-to-permit'], 'deny-to-permit'],
        [arrows['other-obligations'], 'other-obligations'],
        ['not replayed: refused before any rule was asked', 'refused'],
        ['not replayed: nobody was looked up', 'not-looked-up'],
        ['not replayed: unsure', 'unsure'],
        ['not replayed: decided by a set that this version cannot read', 'set-unreadable'],
      ] as const
    ).map(([label, what]) => [`  ${label}`, String(counts[what])]),
  ),
  ...changes.flatMap(({ change, purpose, action, system, rules, count, samples }) => [
    '',
    `${count} x ${arrows[change]}: ${action} for ${purpose} by ${system}, because of ${rules.join(', ')}`,
    ...samples.flatMap(({ decision, reasons }) => [`  ${decision}`, ...reasons.map((reason) => `    ${reason}`)]),
  ]),
  '',
  ...(problems.length > 0
    ? ['It cannot be activated as it is:', ...problems.map((problem) => `  ${problem}`), '']
    : []),
  'What a replay cannot know:',
  ...cannotKnow.map((line) => `  ${line}`),
];
