import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { auditLinks, linkingPurposes, readLinks, type AuditedLink } from '../imports/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { uuidV7s } from '../kernel/ids.ts';
import { languages, type Language } from '../policies/index.ts';
import { createSubjectReader } from '../subjects/index.ts';
import { findReviews } from '../linkage/index.ts';
import { withDatabase, withKeys } from './installation.ts';
import { print } from './print.ts';
import { UsageError } from './usage-error.ts';

type Group = { because: string; count: number; lines: number[]; platforms: Map<string, number> };

/** How many lines of a group are named; all of them are in the report. */
const samples = 5;

/** What came of a file, in the memory of its rules, however long it is. */
const tally = () => ({ links: 0, grounded: 0, unreadable: 0, groups: new Map<string, Group>() });
type Tally = ReturnType<typeof tally>;

const add = ({ groups }: Tally, code: string, because: string, line: number, platform?: string): void => {
  const group = groups.get(code) ?? { because, count: 0, lines: [], platforms: new Map<string, number>() };
  groups.set(code, group);
  group.count++;
  if (group.lines.length < samples) group.lines.push(line);
  if (platform !== undefined) group.platforms.set(platform, (group.platforms.get(platform) ?? 0) + 1);
};

const count = (sum: Tally, audited: AuditedLink): void => {
  if ('problem' in audited) {
    sum.unreadable++;
    return add(sum, 'not-readable', audited.problem, audited.line);
  }
  sum.links++;
  if (audited.permitted) sum.grounded++;
  else for (const { code, because } of audited.rules) add(sum, code, because, audited.line, audited.platform);
};

const percent = (part: number, whole: number): string =>
  whole === 0 ? '' : ` (${((100 * part) / whole).toFixed(1)} %)`;

const printed = (sum: Tally, system: string, purpose: string): void => {
  const without = sum.links - sum.grounded;
  print(
    `${sum.links} link(s), asked as ${system} for ${purpose}: ${sum.grounded} have a ground${percent(sum.grounded, sum.links)}, ${without} have none${percent(without, sum.links)}.`,
    ...(sum.unreadable > 0 ? [`${sum.unreadable} line(s) could not be read as a link.`] : []),
  );
  for (const [code, { because, count: counted, lines, platforms }] of [...sum.groups].sort(
    ([, one], [, other]) => other.count - one.count,
  )) {
    const on = [...platforms].map(([platform, number]) => `${platform} ${number}`).join(', ');
    const more = counted > lines.length ? ', …' : '';
    print(
      '',
      `${code}: ${counted}${code === 'not-readable' ? '' : percent(counted, sum.links)}${on === '' ? '' : `, ${on}`}`,
      `  ${because}`,
      `  line ${lines.join(', ')}${more}`,
    );
  }
};

const advice = (system: string): string[] => [
  'Nothing was recorded and nothing was changed. A link can fail by more than one rule.',
  '',
  'What to do next',
  `  1. Stop using the links without a ground: show and join nothing by them in ${system}.`,
  '  2. Ask where you speak with people anyway: at the desk, on the phone, in an account they signed in to, on the hosted',
  '     consent page. Record each answer, and let them prove the account with a code.',
  '  3. What has no ground by a date that you set now, unlink. A no stays a no, and silence is no yes.',
  '',
  'Before you write to people: an e-mail that asks for consent can itself be advertising that needs consent',
  '(Directive 2002/58/EC Art. 13; in Germany § 7 UWG, in Austria § 174 TKG, in Switzerland Art. 3(1)(o) UWG; the Court',
  'of Justice takes direct marketing widely, C-102/20). A purchase allows at most mail about similar goods. Ask your',
  'adviser first, and never write to an address that you know only through one of these links.',
];

async function* reported(audited: AsyncIterable<AuditedLink>, sum: Tally): AsyncGenerator<string> {
  for await (const one of audited) {
    count(sum, one);
    const rules = 'rules' in one ? { ...one, rules: one.rules.map(({ code }) => code) } : one;
    yield `${JSON.stringify(rules)}\n`;
  }
}

/** Throws a sentence where the report exists already, or cannot be made. */
const openReport = async (path: string) => {
  const stream = createWriteStream(path, { mode: 0o600, flags: 'wx' });
  await once(stream, 'open').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === 'EEXIST' ? `${path} is there already` : `${path} cannot be written (${code})`);
  });
  return stream;
};

/** `file` holds the links as a CRM keeps them; see `readLinks`. The report holds line numbers and rules, nobody's data. */
export const audit = (
  file: string,
  { system, language = 'en', report }: { system?: string | undefined; language?: string; report?: string | undefined },
): Promise<void> => {
  if (!(languages as readonly string[]).includes(language))
    throw new UsageError(`--language is one of ${languages.join(', ')}`);
  return withDatabase(async (opened) => {
    const catalogue = await opened.policySets.current();
    const linking = [...catalogue.systems.keys()].filter((id) => linkingPurposes(catalogue, id).length > 0);
    const asking = system ?? (linking.length === 1 ? linking[0]! : undefined);
    if (asking === undefined || !linking.includes(asking))
      throw new UsageError(`name the system whose links these are: --system, of ${linking.join(', ')}`);
    const purpose = linkingPurposes(catalogue, asking)[0]!;
    const { key: blindIndexSecret } = await withKeys(opened, (keys) => keys.secret('blind-index'));
    const deps = {
      reader: createSubjectReader(opened.database, 300_000),
      policySets: opened.policySets,
      blindIndexSecret,
      findReviews: findReviews(opened.database),
      clock: systemClock,
      ids: uuidV7s(systemClock),
    };
    const sum = tally();
    const links = readLinks(file, catalogue.platforms);
    const lines = reported(auditLinks(deps, { system: asking, purpose, language: language as Language }, links), sum);
    if (report === undefined) for await (const _ of lines);
    else await pipeline(Readable.from(lines), await openReport(report));
    printed(sum, asking, purpose);
    print('', ...(report === undefined ? [] : [`${report} names every line and its rules.`]), ...advice(asking));
  });
};
