import { styleText } from 'node:util';
import type { ReceivedMail } from './mailbox.ts';

/** Where lines end at the latest. */
const width = 96;

/** A space at which no line breaks. */
const glue = '\u00A0';

type Style = Parameters<typeof styleText>[0];

/** Coloured on a terminal that has colours, and unless NO_COLOR is set; plain anywhere else. */
const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

/** Breaks a text between words into lines of at most `columns`; a word that is longer stays whole. */
const wrap = (text: string, columns: number): string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
};

/** A value as people write it down: no quotes, no braces around the whole; a line breaks only between members. */
export const brief = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(brief).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(([name, inner]) => {
    const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return `${name}:${glue}${isObject ? `{${brief(inner)}}` : brief(inner)}`;
  });
  return members.join(', ');
};

const say = (indent: number, text: string, style?: Style): void => {
  for (const wrapped of wrap(text, width - indent)) {
    const line = wrapped.replaceAll(glue, ' ');
    process.stdout.write(`${' '.repeat(indent)}${style ? styled(style, line) : line}\n`);
  }
};

/** Tells the journey on standard output. */
export const narrator = {
  title: (name: string, about: string): void => {
    process.stdout.write('\n');
    say(2, name, 'bold');
    say(2, about);
    process.stdout.write('\n');
  },
  chapter: (name: string, about: string): void => {
    process.stdout.write(`\n\n  ${styled('bold', `── ${name} `.padEnd(width - 2, '─'))}\n`);
    say(5, about);
  },
  address: (name: string, url: string, about: string): void =>
    say(2, `${name.padEnd(16)}${url.padEnd(25)} ${about}`.trimEnd()),
  gap: (): void => void process.stdout.write('\n'),
  step: (number: number, title: string, story: string): void => {
    process.stdout.write(`\n${String(number).padStart(3)}  ${styled('bold', title)}\n`);
    say(5, story);
    process.stdout.write('\n');
  },
  call: (who: string, what: string, shown: unknown): void => {
    say(5, `→ ${who}  ${what}`, 'cyan');
    if (shown !== undefined) say(7, brief(shown), 'dim');
  },
  answer: (status: number, shown: unknown, elapsedMs?: number): void => {
    const took = elapsedMs === undefined ? '' : ` in ${elapsedMs} ms`;
    say(5, `← ${status}${took}${shown === undefined ? '' : `  ${brief(shown)}`}`, 'cyan');
  },
  /** A mail that has arrived. */
  mail: ({ to, subject, text }: ReceivedMail): void => {
    say(5, `✉ to ${to}  “${subject}”`, 'cyan');
    for (const line of text.split('\n').filter((one) => one.trim() !== '')) say(9, line.trim(), 'dim');
  },
  command: (who: string, line: string): void => say(5, `$ ${line}   (${who})`, 'cyan'),
  verdict: (permit: boolean, rule: string, words: string, others: readonly string[]): void => {
    process.stdout.write(`       ${styled(['bold', permit ? 'green' : 'red'], permit ? 'PERMIT' : 'DENY')}  ${rule}\n`);
    say(7, words);
    if (others.length > 0) say(7, `(also ${others.join(', ')})`, 'dim');
  },
  note: (text: string): void => say(7, text),
  good: (text: string): void => say(7, text, 'green'),
  /** As it is, to be pasted. */
  verbatim: (...lines: string[]): void => {
    for (const line of lines) process.stdout.write(`    ${line}\n`);
  },
  end: (): void => void process.stdout.write('\n  Everything has ended, and its data are removed.\n'),
  failure: (text: string): void => {
    process.stderr.write(`\n  ${styleText(['bold', 'red'], '✗', { stream: process.stderr })} ${text}\n\n`);
  },
};
