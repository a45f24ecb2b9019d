import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { FileWrong } from './errors.ts';

/** One record. `number` is the line of the file on which it begins; `problem` why it cannot be read. `bytes`: how far into the file it ends. */
export type FileRecord = { number: number; bytes: number } & (
  { cells: string[] } | { text: string } | { problem: string }
);

export type Encoding = 'utf-8' | 'windows-1252' | 'utf-16le';

/** Longer than any line that a person or a program wrote on purpose: what comes of a quotation mark that is never closed. */
const longestRecord = 1_000_000;

/** The sentence for a file that cannot be opened or read. */
export const unreadable = (path: string, error: unknown): FileWrong => {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return new FileWrong(`${path} is a folder, not a file`);
  return new FileWrong(code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code})`);
};

/** Size in bytes and SHA-256 of a file, and that it is in this encoding. Throws FileWrong. */
export const inspectFile = async (path: string, encoding: Encoding): Promise<{ size: number; hash: Buffer }> => {
  const hash = createHash('sha256');
  const decoder = new TextDecoder(encoding, { fatal: true });
  let size = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      decoder.decode(chunk, { stream: true });
    }
    decoder.decode();
  } catch (error) {
    if (error instanceof TypeError)
      throw new FileWrong(`${path} is not ${encoding}: export it as UTF-8, or name its encoding in --map`);
    throw unreadable(path, error);
  }
  if (size === 0) throw new FileWrong(`${path} is empty`);
  return { size, hash: hash.digest() };
};

const textOf = (path: string, encoding: Encoding): Readable => {
  const bytes = createReadStream(path, { highWaterMark: 1 << 18 });
  if (encoding === 'utf-8') return bytes;
  const decoder = new TextDecoder(encoding);
  return Readable.from(
    (async function* () {
      for await (const chunk of bytes as AsyncIterable<Buffer>) yield decoder.decode(chunk, { stream: true });
      yield decoder.decode();
    })(),
  );
};

/** Of comma, semicolon and tab, the one that the first line has most of outside of quotation marks. */
const delimiterOf = (line: string): string => {
  const outside = line.replaceAll(/"[^"]*"/g, '');
  const count = (mark: string) => outside.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
};

const firstLine = async (path: string, encoding: Encoding): Promise<string> => {
  const file = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1 << 16), 0, 1 << 16, 0);
    return new TextDecoder(encoding).decode(buffer.subarray(0, bytesRead)).split(/\r?\n/, 1)[0]!;
  } finally {
    await file.close();
  }
};

export type CsvFile = {
  /** As they stand in the file, without spaces around them. */
  headers: string[];
  /** The records after the first line, in order; memory does not grow with their number. Throws FileWrong where the file breaks off. */
  records(): AsyncGenerator<FileRecord>;
};

const options = (delimiter: string) =>
  ({
    bom: true,
    delimiter,
    info: true,
    // A line with a cell too few or too many is that line's problem, and the reader tells it.
    relax_column_count: true,
    // A mark that somebody left unescaped is one of the text.
    relax_quotes: true,
    max_record_size: longestRecord,
  }) as const;

/** How many lines of the file a record takes: one, and one for each break within a cell. (The parser's own count takes CRLF for two.) */
const linesOf = (cells: readonly string[]): number => {
  let lines = 1;
  for (const cell of cells) for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) lines++;
  return lines;
};

type Parsed = { record: string[]; info: { bytes: number } };

/** A CSV file: comma, semicolon or tab, quoted or not, LF or CRLF, with or without a byte order mark. */
export const openCsv = async (path: string, encoding: Encoding): Promise<CsvFile> => {
  const delimiter = delimiterOf(await firstLine(path, encoding));
  const rows = async function* (): AsyncGenerator<FileRecord & { cells: string[] }> {
    const bytes = textOf(path, encoding);
    const parser = bytes.pipe(parse(options(delimiter)));
    bytes.once('error', (error) => parser.destroy(error));
    let next = 1;
    try {
      for await (const { record, info } of parser as AsyncIterable<Parsed>) {
        const number = next;
        next += linesOf(record);
        if (record.length > 1 || record[0] !== '') yield { number, bytes: info.bytes, cells: record };
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      const why: Record<string, string> = {
        CSV_MAX_RECORD_SIZE: 'a quotation mark is never closed',
        CSV_QUOTE_NOT_CLOSED: 'a quotation mark is never closed',
      };
      throw new FileWrong(
        `${path}, at or after line ${next}: ${why[error.code] ?? 'quotation marks are not as in CSV'}`,
      );
    }
  };
  const all = rows();
  const first = await all.next();
  await all.return(undefined);
  if (first.done) throw new FileWrong(`${path} holds no line`);
  const width = first.value.cells.length;
  return {
    headers: first.value.cells.map((cell) => cell.trim()),
    records: async function* () {
      let isHeader = true;
      for await (const row of rows()) {
        if (isHeader) isHeader = false;
        else if (row.cells.length === width) yield row;
        else
          yield {
            number: row.number,
            bytes: row.bytes,
            problem: `has ${row.cells.length} cells where the first line has ${width}`,
          };
      }
    },
  };
};

/** The lines of a file of JSON; empty ones are passed over, of one too long only that it is. */
export const readLines = async function* (path: string, encoding: Encoding): AsyncGenerator<FileRecord> {
  const decoder = new TextDecoder(encoding);
  let [rest, number, bytes, tooLong] = ['', 0, 0, false];
  const lineOf = (line: string): FileRecord[] => {
    number++;
    const long = tooLong || line.length > longestRecord;
    tooLong = false;
    if (long) return [{ number, bytes, problem: `is longer than ${longestRecord} characters` }];
    const text = line.trim();
    return text === '' ? [] : [{ number, bytes, text }];
  };
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield* lineOf(line);
    if (rest.length > longestRecord) [rest, tooLong] = ['', true];
  }
  rest += decoder.decode();
  if (rest !== '' || tooLong) yield* lineOf(rest);
};
