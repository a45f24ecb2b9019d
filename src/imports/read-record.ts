import { parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js';
import type { ImportedStatement } from '../consent/index.ts';
import type { CsvFormat } from './formats/format.ts';
import { languageOf, type BoundRule, type Mapping } from './mapping.ts';
import { momentOf } from './moments.ts';

/** What one line says, still in the words of the file. Strongest identifier first. */
export type Said = { identifiers: string[]; statements: ImportedStatement[] };

/** What a flag says when it is not set. Whatever else stands there sets it: a no that is written oddly must not be lost. */
const notSet = new Set(['', '0', 'no', 'n', 'false', 'off', 'nein', 'non', 'null', '-']);

/** Spreadsheets take a cell that begins with + for a formula; some exports put an apostrophe before it. */
const bare = (cell: string): string => cell.replace(/^'(?=[=+@-])/, '').trim();

const phoneOf = (cell: string, country: string | undefined): string => {
  if (country === undefined || cell.startsWith('+')) return cell;
  return parsePhoneNumberFromString(cell, country as CountryCode)?.number ?? cell;
};

/**
 * Makes the reader of one file's records. `headers` are the file's own. `namespace` is that of customer numbers, undefined where they are not
 * kept. A column that is missing was not exported; one that the mapping names is there (`bindRules`). The reader is pure.
 */
export const createRecordReader = (given: {
  format: CsvFormat;
  mapping: Mapping;
  rules: readonly BoundRule[];
  headers: readonly string[];
  namespace: string | undefined;
}): ((cells: readonly string[]) => Said) => {
  const { format, mapping, headers, namespace } = given;
  const places = new Map<string, number>();
  for (const [place, name] of headers.entries()) if (!places.has(name)) places.set(name, place);
  const placeOf = (column: string): number | undefined => places.get(column.toLowerCase());
  const identifiers = format.identifiers.flatMap(({ column, kind, separator }) => {
    const place = placeOf(column);
    if (place === undefined || (kind === 'number' && namespace === undefined)) return [];
    return [{ place, separator, prefix: kind === 'number' ? namespace! : kind }];
  });
  const rules = given.rules.map((rule) => {
    const shown = (rule.evidence ?? []).map((column) => ({ column, place: placeOf(column) }));
    return {
      ...rule,
      place: placeOf(rule.column)!,
      words: typeof rule.says === 'string' ? undefined : new Set(rule.says.map((word) => word.toLowerCase())),
      at: (rule.occurredAt ?? []).flatMap((column) => placeOf(column) ?? []),
      shown,
      side: rule.decision === 'given' || rule.decision === 'informed' ? ('yes' as const) : ('no' as const),
    };
  });
  const notices = new Map(
    Object.entries(mapping.notices).map(([purpose, notice]) => [
      purpose,
      { ...notice, place: notice.languageColumn === undefined ? undefined : placeOf(notice.languageColumn) },
    ]),
  );
  const noticeOf = (purpose: string, cells: readonly string[]): ImportedStatement['notice'] => {
    const notice = notices.get(purpose);
    if (!notice) return undefined;
    const language = notice.place === undefined ? notice.language : languageOf(cells[notice.place] ?? '');
    return language && { version: notice.version, language };
  };
  const says = (rule: (typeof rules)[number], cell: string): boolean => {
    if (rule.says === 'always') return true;
    if (rule.says === 'moment') return momentOf(cell, rule.side, mapping) !== undefined;
    if (rule.says === 'flag') return !notSet.has(cell.toLowerCase());
    return cell.split(/[,;]/).some((word) => rule.words!.has(word.trim().toLowerCase()));
  };
  /** All columns that show it, or nothing: half of a proof is none. */
  const evidenceOf = (rule: (typeof rules)[number], cells: readonly string[]): string | undefined => {
    if (rule.shown.length === 0) return undefined;
    const shown = rule.shown.map(({ column, place }) => ({
      column,
      cell: place === undefined ? '' : bare(cells[place] ?? ''),
    }));
    if (shown.some(({ cell }) => cell === '')) return undefined;
    return `${format.title}: ${shown.map(({ column, cell }) => `${column} "${cell}"`).join(', ')}`.slice(0, 2000);
  };

  return (cells) => {
    const statements: ImportedStatement[] = [];
    for (const rule of rules) {
      if (!says(rule, bare(cells[rule.place] ?? ''))) continue;
      let occurredAt: string | undefined;
      for (const place of rule.at) occurredAt ??= momentOf(cells[place] ?? '', rule.side, mapping);
      const evidence = rule.side === 'yes' ? evidenceOf(rule, cells) : undefined;
      for (const { purpose, scope } of rule.standsFor)
        statements.push({
          purpose,
          scope,
          decision: rule.decision,
          occurredAt,
          evidence,
          notice: rule.side === 'yes' ? noticeOf(purpose, cells) : undefined,
        });
    }
    const named = identifiers.flatMap(({ place, prefix, separator }) => {
      const cell = bare(cells[place] ?? '');
      const values = separator === undefined ? [cell] : cell.split(separator).map((value) => value.trim());
      return values
        .filter((value) => value !== '')
        .map((value) => `${prefix}:${prefix === 'phone' ? phoneOf(value, mapping.phoneCountry) : value}`);
    });
    return { identifiers: named, statements };
  };
};
