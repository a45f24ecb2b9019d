import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Catalogue } from '../policies/index.ts';
import { FileWrong, MappingWrong } from './errors.ts';
import { civicrm } from './formats/civicrm.ts';
import type { CsvFormat } from './formats/format.ts';
import { hubspot } from './formats/hubspot.ts';
import { mailchimp } from './formats/mailchimp.ts';
import { readNdjsonLine } from './formats/ndjson.ts';
import { suitecrm } from './formats/suitecrm.ts';
import { bindRules, type Mapping } from './mapping.ts';
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
  const renamed = new Map(Object.entries(mapping.headers).map(([from, to]) => [from.toLowerCase(), to.toLowerCase()]));
  const headers = file.headers.map((header) => renamed.get(header.toLowerCase()) ?? header.toLowerCase());
  const holdsNoYes = csv.holdsNoYes?.(basename(path), new Set(headers)) ?? false;
  const rules = bindRules(csv, mapping, catalogue, headers).filter(
    ({ decision }) => !holdsNoYes || (decision !== 'given' && decision !== 'informed'),
  );
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
    size,
    hash,
    warnings: csv.warnings?.(new Set(headers)) ?? [],
    entries: () => readEntries(file.records(), (record) => read((record as { cells: string[] }).cells)),
  };
};
