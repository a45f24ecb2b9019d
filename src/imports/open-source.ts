import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Catalogue } from '../policies/index.ts';
import { FileWrong, MappingWrong } from './errors.ts';
import { civicrm } from './formats/civicrm.ts';
import { columnsOf, isColumn, type CsvFormat } from './formats/format.ts';
import { hubspot } from './formats/hubspot.ts';
import { mailchimp } from './formats/mailchimp.ts';
import { readNdjsonLine } from './formats/ndjson.ts';
import { suitecrm } from './formats/suitecrm.ts';
import { bindRules, renamed, type Mapping } from './mapping.ts';
import { inspectFile, openCsv, readLines, type FileRecord } from './read-file.ts';
import { createRecordReader, type Said } from './read-record.ts';

const csvFormats: ReadonlyMap<string, CsvFormat> = new Map(
  [civicrm, suitecrm, mailchimp, hubspot].map((format) => [format.id, format]),
);

/** `sugarcrm` is read as SuiteCRM, which grew from it. */
export const formats = ['ndjson', ...csvFormats.keys(), 'sugarcrm'] as const;

/** A line of the file: what it says, or why it cannot be read. */
export type Entry = { line: number; bytes: number } & ({ said: Said } | { problem: string });

export type Source = {
  path: string;
  format: string;
  title: string;
  /** Whose columns are known, for people. */
  versions?: string;
  size: number;
  /** SHA-256 over the file and over all that says how to read it: the same means the same import. */
  hash: Buffer;
  warnings: string[];
  entries(): AsyncGenerator<Entry>;
};

const entryOf = (record: FileRecord, said: Said | string): Entry => {
  const { number: line, bytes } = record;
  return typeof said === 'string' ? { line, bytes, problem: said } : { line, bytes, said };
};

const readEntries = async function* (
  records: AsyncIterable<FileRecord>,
  read: (record: FileRecord) => Said | string,
): AsyncGenerator<Entry> {
  for await (const record of records) yield entryOf(record, 'problem' in record ? record.problem : read(record));
};

/** Throws FileWrong. A file without a header line has people in its first: of what stands there, only what the format knows is said. */
const assertOfFormat = (format: CsvFormat, headers: readonly string[]): void => {
  const isThere = (column: string): boolean => headers.some((header) => isColumn(column, header));
  for (const group of format.required) {
    if (group.some(isThere)) continue;
    const needs = `${group.length === 1 ? 'a column is missing,' : 'it needs one column of'} ${group.map((column) => `"${column}"`).join(', ')}`;
    const known = columnsOf(format).filter(isThere);
    const has =
      known.length === 0 ? 'none of which this format knows' : `of which this format knows ${known.join(', ')}`;
    throw new FileWrong(
      `this is no ${format.title}: ${needs}; it has ${headers.length} column(s), ${has} (its first line must name them)`,
    );
  }
};

/**
 * Opens a file as what it is said to be, and finds what is wrong with the whole before anything is done. `system`: on whose behalf it is read.
 * Throws FileWrong, MappingWrong.
 */
export const openSource = async (
  path: string,
  format: string,
  mapping: Mapping,
  system: string,
  catalogue: Catalogue,
): Promise<Source> => {
  try {
    Temporal.Now.zonedDateTimeISO(mapping.timeZone);
  } catch {
    throw new MappingWrong(`timeZone "${mapping.timeZone}" is not an IANA time zone`);
  }
  const { size, hash: fileHash } = await inspectFile(path, mapping.encoding);
  const hash = createHash('sha256')
    .update(fileHash)
    .update(JSON.stringify([format, mapping, system]))
    .digest();
  if (format === 'ndjson') {
    const read = (record: FileRecord) => readNdjsonLine((record as { text: string }).text);
    const entries = () => readEntries(readLines(path, mapping.encoding), read);
    return { path, format, title: 'NDJSON', size, hash, warnings: [], entries };
  }
  const csv = csvFormats.get(format === 'sugarcrm' ? 'suitecrm' : format);
  if (!csv) throw new FileWrong(`there is no format "${format}"; there are ${formats.join(', ')}`);
  const file = await openCsv(path, mapping.encoding);
  const headers = renamed(csv, mapping, file.headers);
  assertOfFormat(csv, headers);
  const holdsNoYes = csv.holdsNoYes?.(basename(path), new Set(headers)) ?? false;
  const bound = bindRules(csv, mapping, catalogue, headers);
  // As another program's export it could still name people, and every no in it would be passed over.
  if (bound.length === 0)
    throw new FileWrong(`none of its columns says anything in a ${csv.title} (${csv.versions}): is it one?`);
  const rules = bound.filter(({ decision }) => !holdsNoYes || (decision !== 'given' && decision !== 'informed'));
  const warnings = csv.warnings?.(new Set(headers)) ?? [];
  if (bound.every(({ own }) => own))
    warnings.unshift(`none of the columns in which a ${csv.title} says yes or no is there, only those of the mapping`);
  const keepsNumbers = mapping.customerNumbers && catalogue.systems.get(system)?.identifiers.includes(system) === true;
  const read = createRecordReader({
    format: csv,
    mapping,
    rules,
    headers,
    namespace: keepsNumbers ? system : undefined,
  });
  return {
    path,
    format,
    title: csv.title,
    versions: csv.versions,
    size,
    hash,
    warnings,
    entries: () => readEntries(file.records(), (record) => read((record as { cells: string[] }).cells)),
  };
};
