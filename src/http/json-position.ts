const token =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[\x20\x21\x23-\x5b\x5d-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;

type Expected = 'value' | 'value-or-]' | 'key' | 'key-or-}' | ':' | 'comma' | 'nothing';

/**
 * Where a text stops being JSON (RFC 8259): the offset of the first token that cannot stand there.
 *
 * V8's own message names the place in some cases only and repeats the text around it in others, and that text may be a
 * person's name. Runs on the error path only.
 */
export const brokenAt = (text: string): { offset: number; line: number; column: number } => {
  const open: string[] = [];
  let expected: Expected = 'value';
  let end = 0;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, sign, string] = match;
    const next = step(expected, sign, string !== undefined, open);
    if (next === undefined) break;
    expected = next;
    end = token.lastIndex;
  }
  const offset = end + /^[ \t\n\r]*/.exec(text.slice(end))![0].length;
  const before = text.slice(0, offset).split('\n');
  return { offset, line: before.length, column: before.at(-1)!.length + 1 };
};

/** What may follow a token, or undefined when it may not stand here. `open` holds the brackets that are open. */
const step = (
  expected: Expected,
  sign: string | undefined,
  isString: boolean,
  open: string[],
): Expected | undefined => {
  const closed = (): Expected => (open.length === 0 ? 'nothing' : 'comma');
  if (sign === '}' || sign === ']') {
    const opening = sign === '}' ? '{' : '[';
    if (expected !== 'comma' && expected !== (sign === '}' ? 'key-or-}' : 'value-or-]')) return undefined;
    return open.pop() === opening ? closed() : undefined;
  }
  if (expected === ':') return sign === ':' ? 'value' : undefined;
  if (expected === 'comma') return sign === ',' ? (open.at(-1) === '{' ? 'key' : 'value') : undefined;
  if (expected === 'key' || expected === 'key-or-}') return isString ? ':' : undefined;
  if (expected === 'nothing') return undefined;
  if (sign === undefined) return closed();
  if (sign !== '{' && sign !== '[') return undefined;
  open.push(sign);
  return sign === '{' ? 'key-or-}' : 'value-or-]';
};
