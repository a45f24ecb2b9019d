import { z } from 'zod';
import { assertSayable } from '../consent/index.ts';
import { AppError } from '../kernel/errors.ts';
import { languages, type Catalogue, type Language } from '../policies/index.ts';
import { MappingWrong } from './errors.ts';
import {
  columnsOf,
  decisions,
  isColumn,
  meanings,
  type CsvFormat,
  type Meaning,
  type Rule,
  type StandsFor,
} from './formats/format.ts';

const header = z.string().trim().min(1);
const standsFor = z.strictObject({
  purpose: z.string(),
  scope: z.partialRecord(z.enum(['platform', 'channel', 'topic', 'form', 'recipient']), z.string()).default({}),
});

/** The file given with `--map`: what an export means to those who made it. Everything may be left out. */
export const mappingSchema = z.strictObject({
  /** Their header -> the documented one: an export in another language, columns that were renamed. */
  headers: z.record(header, header).default({}),
  /** How `03/04/2026` is to be read. Without it such a date is none. */
  dates: z.enum(['day-first', 'month-first']).optional(),
  /** Where a time without an offset was taken down; IANA name. */
  timeZone: z.string().default('UTC'),
  /** ISO 3166 code of the country whose national phone numbers these are. Without it only international ones count. */
  phoneCountry: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional(),
  encoding: z.enum(['utf-8', 'windows-1252', 'utf-16le']).default('utf-8'),
  /** Whether customer numbers are kept, under the namespace of the system that the import is made as. */
  customerNumbers: z.boolean().default(true),
  /** Purpose -> the notice that these people had seen when they said yes. */
  notices: z
    .record(
      z.string(),
      z.strictObject({
        version: z.int().min(1),
        language: z.enum(languages).optional(),
        languageColumn: header.optional(),
      }),
    )
    .default({}),
  means: z.partialRecord(z.enum(meanings), z.array(standsFor)).default({}),
  /** Columns of their own. */
  columns: z
    .array(
      z.strictObject({
        column: header,
        says: z.union([z.enum(['flag', 'moment', 'always']), z.array(header).min(1)]),
        decision: z.enum(decisions),
        answers: z.array(standsFor).min(1),
        occurredAt: header.optional(),
        evidence: z.array(header).min(1).optional(),
      }),
    )
    .default([]),
});
export type Mapping = z.output<typeof mappingSchema>;

const email = { channel: 'email' } as const;

/** What columns stand for under the policy set that comes with Askfirst: every opt-out is a no. */
const usually: Record<Meaning, readonly StandsFor[]> = {
  'email-opt-in': [{ purpose: 'newsletter', scope: email }],
  'bulk-email-opt-out': [{ purpose: 'newsletter', scope: email }],
  'do-not-email': [
    { purpose: 'newsletter', scope: email },
    { purpose: 'dialogue', scope: email },
  ],
  'do-not-phone': [{ purpose: 'dialogue', scope: { channel: 'phone' } }],
  'do-not-sms': [
    { purpose: 'newsletter', scope: { channel: 'sms' } },
    { purpose: 'dialogue', scope: { channel: 'sms' } },
  ],
  'do-not-mail': [
    { purpose: 'newsletter', scope: { channel: 'letter' } },
    { purpose: 'dialogue', scope: { channel: 'letter' } },
  ],
  'do-not-trade': [{ purpose: 'third-party-sharing', scope: {} }],
  'consent-withdrawn': [{ purpose: 'newsletter', scope: {} }],
};

/** A rule that knows what it stands for. `own`: of the mapping, not of the format. */
export type BoundRule = Omit<Rule, 'meaning'> & { standsFor: readonly StandsFor[]; own: boolean };

/** What the format names may not have been exported; what the mapping names and is not there is misspelt, and a no would be lost. */
const assertThere = (headers: readonly string[], columns: readonly string[]): void => {
  for (const column of columns)
    if (!headers.some((header) => isColumn(column, header)))
      throw new MappingWrong(`the mapping names a column "${column}", which the file does not have`);
};

const ownColumns = ({ columns }: Mapping): string[] =>
  columns.flatMap(({ column, occurredAt, evidence = [] }) => [
    column,
    ...(occurredAt === undefined ? [] : [occurredAt]),
    ...evidence,
  ]);

const languageColumns = ({ notices }: Mapping): string[] =>
  Object.values(notices).flatMap(({ languageColumn }) => languageColumn ?? []);

/**
 * The headers of a file, in small letters and by the names that the mapping gives them. Throws MappingWrong where it names one that is not
 * there, or gives a name that nobody reads or that another column has.
 */
export const renamed = (format: CsvFormat, mapping: Mapping, fileHeaders: readonly string[]): string[] => {
  const found = fileHeaders.map((name) => name.toLowerCase());
  assertThere(found, Object.keys(mapping.headers));
  const names = new Map(Object.entries(mapping.headers).map(([from, to]) => [from.toLowerCase(), to.toLowerCase()]));
  const nameOf = (name: string): string => names.get(name) ?? name;
  const read = [...columnsOf(format), ...ownColumns(mapping), ...languageColumns(mapping)];
  for (const [from, to] of Object.entries(mapping.headers)) {
    if (!read.some((column) => isColumn(column, to.toLowerCase())))
      throw new MappingWrong(`headers gives column "${from}" the name "${to}", which nothing reads`);
    if (new Set(found.filter((name) => nameOf(name) === to.toLowerCase())).size > 1)
      throw new MappingWrong(`headers leaves two columns the name "${to}": only one of them would be read`);
  }
  return found.map(nameOf);
};

/**
 * The rules of a format and of the mapping that speak of these headers (small letters), bound to purposes. Throws MappingWrong where the
 * mapping names a column that is not there, or one stands for what nobody can have said under the policy set: else a no would be lost
 * without a word.
 */
export const bindRules = (
  format: CsvFormat,
  mapping: Mapping,
  catalogue: Catalogue,
  headers: readonly string[],
): BoundRule[] => {
  const rules: BoundRule[] = [
    ...format.rules.map(({ meaning, ...rule }) => ({
      ...rule,
      standsFor: mapping.means[meaning] ?? usually[meaning],
      own: false,
    })),
    ...mapping.columns.map(({ answers, occurredAt, evidence, ...rule }) => ({
      ...rule,
      standsFor: answers,
      own: true,
      ...(occurredAt === undefined ? {} : { occurredAt: [occurredAt] }),
      ...(evidence === undefined ? {} : { evidence }),
    })),
  ];
  assertThere(headers, [...ownColumns(mapping), ...languageColumns(mapping)]);
  for (const purpose of Object.keys(mapping.notices)) assertNotice(catalogue, mapping, purpose);
  return rules.flatMap((rule) => {
    const columns = new Set(headers.filter((header) => isColumn(rule.column, header)));
    if (columns.size > 0) for (const answer of rule.standsFor) assertStands(catalogue, rule, answer);
    return [...columns].map((column) => ({ ...rule, column }));
  });
};

const assertStands = (catalogue: Catalogue, { column, decision }: BoundRule, { purpose, scope }: StandsFor): void => {
  try {
    assertSayable(catalogue, { purpose, scope, decision });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const narrowed = Object.entries(scope).map(([dimension, value]) => ` ${dimension}: ${value}`);
    const what = `"${decision}" of "${purpose}"${narrowed.join()}`;
    throw new MappingWrong(
      `column "${column}" cannot stand for ${what}: ${error.message}; say in --map what it stands for (means, columns)`,
    );
  }
};

const assertNotice = (catalogue: Catalogue, { notices }: Mapping, id: string): void => {
  const purpose = catalogue.purposes.get(id);
  const { version, language, languageColumn } = notices[id]!;
  if (!purpose) throw new MappingWrong(`notices names the purpose "${id}", which the policy set does not have`);
  if (!purpose.notices.some((notice) => notice.version === version))
    throw new MappingWrong(`purpose "${id}" has no notice of version ${version}`);
  if ((language === undefined) === (languageColumn === undefined))
    throw new MappingWrong(`notices.${id} needs either language or languageColumn`);
};

/** `de`, `de_CH`, `German (Switzerland)` -> `de`. */
export const languageOf = (cell: string): Language | undefined => {
  const word = cell.trim().toLowerCase();
  const names = {
    german: 'de',
    deutsch: 'de',
    french: 'fr',
    français: 'fr',
    italian: 'it',
    italiano: 'it',
    english: 'en',
  };
  const [, code] = /^(de|fr|it|en)(?:[_-]|$)/.exec(word) ?? [];
  if (code !== undefined) return code as Language;
  return Object.entries(names).find(([name]) => word.startsWith(name))?.[1] as Language | undefined;
};
