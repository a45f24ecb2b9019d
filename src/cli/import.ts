import { appendFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  applyImport,
  formats,
  mappingSchema,
  openSource,
  previewImport,
  type Problem,
  type Source,
  type Tally,
} from '../imports/index.ts';
import { connect, type Database } from '../kernel/database/client.ts';
import { systemClock } from '../kernel/clock.ts';
import { uuidV7s } from '../kernel/ids.ts';
import { unlinkWhatFell } from '../linkage/index.ts';
import { createSubjectReader, createSubjectWriter } from '../subjects/index.ts';
import { stopWhatEnded } from '../systems/index.ts';
import { withDatabase, withKeys } from './installation.ts';
import { print, remark, table } from './print.ts';
import { createProgressBar } from './progress.ts';
import { readInput } from './read-input.ts';
import { UsageError } from './usage-error.ts';

type Options = { format?: string; map?: string; as?: string; report?: string; apply?: boolean };

/** How long a statement of a thousand people may take on a busy machine. */
const deadlineMs = 60_000;
/** How many bad lines are shown; all of them are in the report. */
const shownProblems = 10;

const readMapping = async (path: string | undefined) => {
  let value: unknown = {};
  if (path !== undefined) {
    const text = await readInput(path);
    try {
      value = parse(text) ?? {};
    } catch (error) {
      throw new Error(`${path} holds no YAML`, { cause: error });
    }
  }
  const read = mappingSchema.safeParse(value);
  if (read.success) return read.data;
  const issues = read.error.issues.map(({ path: member, message }) => `${member.join('.') || 'the whole'}: ${message}`);
  throw new Error(`${path} is not a mapping:\n  ${issues.join('\n  ')}`);
};

const becauses: Record<string, string> = {
  'no-moment': 'the file does not say when',
  'in-future': 'its moment lies in the future',
  'no-evidence': 'the file does not show how it came about',
  'no-notice': 'no notice is named that they had seen (notices in --map)',
  'other-words': 'they had seen other words than those of the notice',
  'notice-newer': 'the notice is newer than the answer (an earlier version of its words belongs into the policies)',
  'purpose-retired': 'the purpose is retired',
};

const number = (value: number): string => value.toLocaleString('en');

const describe = (tally: Tally, problems: readonly Problem[]): string[] => {
  const answers = Object.entries(tally.answers).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const rows = answers.map(([name, count]) => {
    const [answer, purpose, ...scope] = name.split(' ');
    return [answer!, purpose === '*' ? 'everything' : purpose!, scope.join(' ') || 'whole', number(count)];
  });
  const reasons = (title: string, counts: Record<string, number>, words: Record<string, string> = {}) => {
    const sorted = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
    return sorted.length === 0
      ? []
      : ['', title, ...sorted.map(([why, count]) => `  ${number(count)}  ${words[why] ?? why}`)];
  };
  const bad = problems.filter(({ whole }) => whole);
  return [
    `${number(tally.lines)} lines: ${number(tally.unknown)} of people who are new, ${number(tally.known)} of people who are known, ${number(tally.silent)} that say nothing, ${number(tally.bad)} bad`,
    ...(rows.length === 0
      ? ['No answer that is not recorded already.']
      : ['', ...table([['ANSWER', 'PURPOSE', 'SCOPE', 'COUNT'], ...rows])]),
    ...(tally.already > 0 ? ['', `${number(tally.already)} answers are recorded already and stay as they are.`] : []),
    ...reasons('Unproven, which permits nothing:', tally.unproven, becauses),
    ...reasons('Parts of lines that are left out:', tally.leftOut),
    ...(bad.length === 0 ? [] : ['', 'Bad lines:', ...bad.map(({ line, problem }) => `  line ${line} ${problem}`)]),
    ...(tally.bad > bad.length ? [`  and ${number(tally.bad - bad.length)} more (--report <file> lists all)`] : []),
  ];
};

/**
 * Where the problems are written, from the first of this run on; what an earlier run left stays where this one goes on from it. Throws a
 * sentence where it cannot be written, at once or when the disk is full: the batch is then not counted as done, and comes again.
 */
const reportTo = (path: string | undefined): { write(problems: readonly Problem[]): void; resume(): void } => {
  if (path === undefined) return { write: () => {}, resume: () => {} };
  const trying = (write: () => void): void => {
    try {
      write();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(`the report ${path} cannot be written (${code})`, { cause: error });
    }
  };
  let isBegun = false;
  trying(() => appendFileSync(path, '', { mode: 0o600 }));
  return {
    resume: () => void (isBegun = true),
    write: (problems) => {
      const lines = problems.map((problem) => `${JSON.stringify(problem)}\n`).join('');
      trying(() => writeFileSync(path, lines, { mode: 0o600, flag: isBegun ? 'a' : 'w' }));
      isBegun = true;
    },
  };
};

/** Bulk work: statements may take long, and two may be under way. */
const withBulkDatabase = async <T>(
  url: string,
  prepare: boolean,
  use: (database: Database) => Promise<T>,
): Promise<T> => {
  const database = connect(url, { connections: 3, prepare, statementTimeoutMs: deadlineMs, name: 'askfirst-import' });
  try {
    return await use(database);
  } finally {
    await database.end();
  }
};

const run = (path: string, format: string, options: Options): Promise<void> =>
  withDatabase(async (opened) => {
    const { urls, settings, policySets } = opened;
    const mapping = await readMapping(options.map);
    const catalogue = await policySets.current();
    const system = options.as ?? 'crm';
    if (!catalogue.systems.has(system))
      throw new UsageError(`--as names a system of the policies: ${[...catalogue.systems.keys()].join(', ')}`);
    const source: Source = await openSource(path, format, mapping, system, catalogue);
    for (const warning of source.warnings) remark(`Mind: ${warning}.`);
    const report = reportTo(options.report);
    const bar = createProgressBar(options.apply ? 'importing' : 'reading', 'lines');
    const shown: Problem[] = [];
    const watcher = {
      batch: (bytes: number, lines: number) => bar.show(bytes / source.size, lines),
      problems: (found: readonly Problem[]) => {
        report.write(found);
        for (const problem of found) if (problem.whole && shown.length < shownProblems) shown.push(problem);
      },
      resumed: (lines: number) => {
        report.resume();
        remark(`Going on after line ${number(lines)}, where an earlier run stopped.`);
      },
    };
    const tally = await withKeys(opened, (keys) =>
      withBulkDatabase(urls.app, settings.prepare, async (database) => {
        const ids = uuidV7s(systemClock);
        const [blindIndex, codes] = await Promise.all([keys.secret('blind-index'), keys.secret('codes')]);
        const reading = { catalogue, system, source: source.hash.toString('hex') };
        const deps = { database, keys, ids, secrets: { blindIndex, codes }, clock: systemClock, policySets };
        if (!options.apply) return previewImport(deps, reading, source, watcher);
        const reader = createSubjectReader(database, deadlineMs);
        const writer = createSubjectWriter({ database, reader, ids, deadlineMs, maxItems: 1_000 });
        const consequences = [unlinkWhatFell(ids), stopWhatEnded(ids)];
        return applyImport({ ...deps, writer, consequences }, reading, source, watcher);
      }),
    ).finally(() => bar.end());
    // Also where no line was read: an older report must not stand for this run.
    report.write([]);
    const versions = source.versions === undefined ? '' : ` Known from ${source.versions}.`;
    print(
      `${source.title}, read as ${system}. ${options.apply ? 'Imported.' : `A preview: nothing has been changed.${versions}`}`,
      ...describe(tally, shown),
    );
    if (!options.apply) remark('The same command with --apply imports it.');
  });

/** Without `--apply` a preview. Bad lines are told and do not make it fail. */
export const importFile = async (path: string, options: Options): Promise<void> => {
  if (options.format === undefined) throw new UsageError(`name what it is: --format, of ${formats.join(', ')}`);
  if (!(formats as readonly string[]).includes(options.format))
    throw new UsageError(`--format is one of ${formats.join(', ')}`);
  await run(path, options.format, options);
};
