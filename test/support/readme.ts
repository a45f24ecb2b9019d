import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { projectFolder } from '../../src/config.ts';

export const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');

export type Block = { word: string; text: string };

/** The fenced blocks with this info string, after which a word may follow. */
export const blocks = (info: string): Block[] =>
  readme
    .matchAll(new RegExp(`^\`\`\`${info}(?: (\\S+))?\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
    .map(([, word = '', text]) => ({ word, text: text! }))
    .toArray();

/** What a comment `# → …` says that comes out; `…` stands for anything. */
export const promised = (block: string): RegExp[] =>
  block
    .matchAll(/^# → (.+)$/gm)
    .map(
      ([, text]) =>
        new RegExp(
          text!
            .split('…')
            .map((part) => RegExp.escape(part))
            .join('.*'),
        ),
    )
    .toArray();

const end = '=== end of a block';

/** The blocks as one script for a shell. */
export const scriptOf = (typed: readonly Block[]): string =>
  typed.map(({ text }) => `${text}\necho '${end}'`).join('\n');

/** That the output of that script holds what each block promises, in its order. */
export const expectPromised = (typed: readonly Block[], stdout: string): void => {
  const printed = stdout.split(`${end}\n`);
  for (const [index, { text }] of typed.entries()) {
    let rest = printed[index] ?? '';
    for (const expected of promised(text)) {
      const found = expected.exec(rest);
      expect(found, `${expected} in what is left of:\n${printed[index]}`).not.toBeNull();
      rest = rest.slice(found!.index + found![0].length);
    }
  }
};
