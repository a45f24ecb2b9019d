import { open } from 'node:fs/promises';
import { z } from 'zod';
import { accountIn, platformOfColumn, type PlatformNames } from './account-in.ts';
import { FileWrong } from './errors.ts';
import { openCsv, readLines, unreadable, type Encoding } from './read-file.ts';

/** A link that a file states, or what is wrong with a line of it. Lines count from 1, the header included. */
export type StatedLink = { line: number } & (
  { customer: string; identity: string; purpose?: string | undefined } | { problem: string }
);

const encoding: Encoding = 'utf-8';

const lineSchema = z.strictObject({
  customer: z.string(),
  identity: z.string(),
  purpose: z.string().optional(),
  since: z.string().optional(),
});

/** What the column with the customer's number is called: ours, CiviCRM's export (`Contact ID`), SuiteCRM's (`ID`). */
const customerColumns = ['customer', 'customer id', 'contact id', 'internal contact id', 'id'];

/** What stands in these is meant as an account, and is judged as it is where it looks like none. */
const accountColumns = ['account', 'identity'];

/**
 * Reads links from a file, a record at a time. Newline-delimited JSON: `{"customer", "identity", "purpose"?, "since"?}`. Else CSV with a
 * header: a column with the customer's number, and either `platform` and `account`, or `identity`, or columns named after platforms
 * (`facebook_user_c` and `twitter_user_c` of SuiteCRM 7), or `Website` (with `Website Type` or not) of CiviCRM. A record without any
 * account states no link. Throws FileWrong.
 */
export async function* readLinks(path: string, platforms: PlatformNames): AsyncGenerator<StatedLink> {
  yield* (await beginsWithBrace(path)) ? readJson(path) : readCsv(path, platforms);
}

const beginsWithBrace = async (path: string): Promise<boolean> => {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.toString('utf8', 0, bytesRead).trimStart().startsWith('{');
  } catch (error) {
    throw unreadable(path, error);
  }
};

async function* readJson(path: string): AsyncGenerator<StatedLink> {
  for await (const read of readLines(path, encoding)) {
    const { number: line } = read;
    if ('text' in read) yield { line, ...linkIn(read.text) };
    else if ('problem' in read) yield { line, problem: read.problem };
  }
}

const linkIn = (text: string): { customer: string; identity: string } | { problem: string } => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'is no JSON' };
  }
  const read = lineSchema.safeParse(value);
  if (!read.success) return { problem: 'must have "customer" and "identity", and may have "purpose" and "since"' };
  const { since: _since, ...link } = read.data;
  return link;
};

async function* readCsv(path: string, platforms: PlatformNames): AsyncGenerator<StatedLink> {
  const file = await openCsv(path, encoding);
  const header = file.headers.map((name) => name.toLowerCase());
  const customer = customerColumns.map((name) => header.indexOf(name)).find((at) => at >= 0);
  const accounts = header.flatMap((name, at) => {
    const beside = (other: string) => (cells: readonly string[]) => cells[header.indexOf(other)] ?? '';
    if (accountColumns.includes(name)) return [{ at, asMeant: true, platform: beside('platform') }];
    if (name === 'website') return [{ at, asMeant: false, platform: beside('website type') }];
    const platform = platformOfColumn(name, platforms);
    return platform === undefined ? [] : [{ at, asMeant: true, platform: () => platform }];
  });
  // A file in which no column could hold a link would otherwise pass as one without links.
  if (customer === undefined || accounts.length === 0)
    throw new FileWrong(
      `${path} has no column that is understood: it needs "customer", and "platform" with "account", or "identity", or a column per platform`,
    );
  for await (const read of file.records()) {
    const { number: line } = read;
    if ('problem' in read) yield { line, problem: read.problem };
    if (!('cells' in read)) continue;
    const whose = read.cells[customer]!.trim();
    for (const { at, asMeant, platform } of accounts) {
      const value = read.cells[at]!.trim();
      if (value === '') continue;
      const stated = platform(read.cells).trim();
      // A home page among the web sites is no account.
      const identity =
        accountIn(value, stated, platforms) ??
        (asMeant ? `${stated.toLowerCase()}:${value}`.replace(/^:/, '') : undefined);
      if (identity === undefined) continue;
      yield whose === '' ? { line, problem: 'has no customer' } : { line, customer: whose, identity };
    }
  }
}
