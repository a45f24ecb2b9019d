import fc from 'fast-check';
import { expect, test } from 'vitest';
import { brokenAt } from './json-position.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test.each([
  ['', 0, 1, 1],
  ['{"a":1,}', 7, 1, 8],
  ['{"a":\n  tru}', 8, 2, 3],
  ['[1 2]', 3, 1, 4],
  ['{a:1}', 1, 1, 2],
  ['[1]x', 3, 1, 4],
  ['["a\nb"]', 1, 1, 2],
  ['{"a":"x', 5, 1, 6],
  ['[01]', 2, 1, 3],
  ['[1}', 2, 1, 3],
  ['{"a" 1}', 5, 1, 6],
  ['[', 1, 1, 2],
  ['"\\x"', 0, 1, 1],
])('of %j it names the place where it stops being JSON', (text, offset, line, column) => {
  expect(brokenAt(text)).toEqual({ offset, line, column });
});

test('what stands before the place can be completed to JSON, what stands there cannot', () => {
  const noise = fc.stringMatching(/^[[\]{}:,"0-9a\\. -]{0,12}$/);
  const almost = fc.tuple(fc.json(), fc.nat(), noise).map(([json, at, put]) => {
    const cut = at % (json.length + 1);
    return json.slice(0, cut) + put + json.slice(cut + 1);
  });
  fc.assert(
    fc.property(almost, (text) => {
      fc.pre(!isJson(text));
      const { offset } = brokenAt(text);
      expect(offset).toBeLessThanOrEqual(text.length);
      const completions = ['', '1', '"a":1', '"a"', ':1', ',1', ',"a":1', '1}', '}', ']'];
      const closings = (before: string) =>
        completions.flatMap((next) => {
          const open = `${before}${next}`
            .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
            .split('')
            .reduce<string[]>((stack, sign) => {
              if (sign === '{' || sign === '[') stack.push(sign);
              if (sign === '}' || sign === ']') stack.pop();
              return stack;
            }, []);
          return (
            before +
            next +
            open
              .toReversed()
              .map((sign) => (sign === '{' ? '}' : ']'))
              .join('')
          );
        });
      expect(closings(text.slice(0, offset)).some(isJson)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('a body of the largest size that breaks at its end is read to its end', () => {
  const text = `["${'a'.repeat(4 * 1024 * 1024)}",${'1,'.repeat(500_000)}]`;
  expect(brokenAt(text).offset).toBe(text.length - 1);
});
