import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { environmentSchema } from '../src/config.ts';

type Variable = { description?: string; default?: string | number; enum?: string[] };

const [start, end] = ['<!-- environment: generated from src/config.ts -->', '<!-- environment: end -->'];

const variables = (): [string, Variable][] =>
  Object.entries(z.toJSONSchema(environmentSchema, { io: 'input', unrepresentable: 'any' }).properties as object);

/** Every variable with its default, switched off: what is set in `.env` is what differs from the defaults. */
export const exampleFile = (): string =>
  [
    '# Every variable that Askfirst reads. Copy this to .env and set what differs from the defaults.',
    '',
    ...variables().flatMap(([name, { description = '', default: value = '' }]) => [
      `# ${description.replaceAll('`', '')}`,
      `#${name}=${String(value)}`,
      '',
    ]),
  ].join('\n');

/** A Markdown table of the same. */
export const table = (): string =>
  [
    '| variable | default | what it is for |',
    '| --- | --- | --- |',
    ...variables().map(([name, { description = '', default: value, enum: allowed }]) => {
      const oneOf = allowed === undefined ? '' : ` One of ${allowed.map((one) => `\`${one}\``).join(', ')}.`;
      const preset = value === undefined ? '' : `\`${String(value)}\``;
      return `| \`${name}\` | ${preset} | ${(description + oneOf).replaceAll('|', '\\|')} |`;
    }),
  ].join('\n');

/** The same text with the table between its two marks. Throws when they are not there. */
export const withTable = (readme: string): string => {
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md needs the lines "${start}" and "${end}"`);
  return `${readme.slice(0, from)}${start}\n\n${table()}\n\n${readme.slice(to)}`;
};

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  writeFileSync(join(root, '.env.example'), exampleFile());
  const readme = join(root, 'README.md');
  if (existsSync(readme)) {
    const text = withTable(readFileSync(readme, 'utf8'));
    writeFileSync(readme, await format(text, { ...(await resolveConfig(readme)), parser: 'markdown' }));
  }
}
