import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Node } from 'yaml';
import type { Problem } from './errors.ts';

/** One YAML file: its value, and the line on which a path of the value stands. */
export type Source = { file: string; value: unknown; lineOf(path: readonly (string | number)[]): number };

/** Parses YAML 1.2 core, strictly: a doubled key, an unknown tag, several documents or a warning is a problem. */
export function readYaml(file: string, text: string): { source: Source } | { problems: Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', uniqueKeys: true, merge: false });
  const findings = [...document.errors, ...document.warnings];
  if (findings.length > 0) {
    return {
      problems: findings.map(({ pos, message }) => ({
        file,
        line: lines.linePos(pos[0]).line,
        member: '(YAML)',
        message: message.split('\n')[0]!.replace(/ at line \d+.*$/, ''),
      })),
    };
  }
  const lineOf = (path: readonly (string | number)[]): number => {
    let node: unknown = document.contents;
    let offset = 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step);
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        const item = node.items[step as number] as Node | undefined;
        if (item === undefined) break;
        offset = item.range?.[0] ?? offset;
        node = item;
      } else break;
    }
    return lines.linePos(offset).line;
  };
  try {
    return { source: { file, value: document.toJS({ maxAliasCount: 100 }), lineOf } };
  } catch (error) {
    return { problems: [{ file, line: 1, member: '(YAML)', message: (error as Error).message }] };
  }
}
