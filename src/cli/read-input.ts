import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

/** The text of a file; of standard input for `-`. Throws a sentence where it cannot be read. */
export const readInput = async (path: string): Promise<string> => {
  if (path === '-') return text(process.stdin);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code})`, {
      cause: error,
    });
  }
};

/** The same as JSON. The parser's own words stay out, as they would repeat what stands there. */
export const readJson = async (path: string): Promise<unknown> => {
  const read = await readInput(path);
  try {
    return JSON.parse(read);
  } catch (error) {
    throw new Error(`${path === '-' ? 'standard input' : path} holds no JSON`, { cause: error });
  }
};
