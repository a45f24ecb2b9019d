import { z } from 'zod';
import { factsSchema } from './facts.ts';

/** What stands at a path of the facts, as the rule language sees it. */
export type Leaf =
  | { kind: 'boolean' }
  | { kind: 'number' }
  | { kind: 'word'; words: readonly string[] | undefined; refersTo: string | undefined }
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'objects'; members: ReadonlyMap<string, Leaf> };

/** Every path that a rule may name, in the order of the schema: read off the zod schema, so the two cannot differ. */
export const factPaths = (): ReadonlyMap<string, Leaf> => leavesOf(factsSchema);

function leavesOf(schema: z.ZodObject, prefix = ''): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const [name, member] of Object.entries(schema.shape)) {
    const path = prefix + name;
    // Rules choose by their own member `actions`.
    if (path === 'action') continue;
    const inner = unwrap(member as z.ZodType);
    if (inner instanceof z.ZodObject) for (const [key, leaf] of leavesOf(inner, `${path}.`)) leaves.set(key, leaf);
    else leaves.set(path, leafOf(inner, member as z.ZodType, path));
  }
  return leaves;
}

function leafOf(schema: z.ZodType, marked: z.ZodType, path: string): Leaf {
  if (schema instanceof z.ZodBoolean) return { kind: 'boolean' };
  if (schema instanceof z.ZodNumber) return { kind: 'number' };
  if (schema instanceof z.ZodEnum) return { kind: 'word', words: schema.options as string[], refersTo: undefined };
  if (schema instanceof z.ZodString) {
    return { kind: 'word', words: undefined, refersTo: marked.meta()?.['x-refers-to'] as string | undefined };
  }
  if (schema instanceof z.ZodArray) {
    const item = schema.element as z.ZodType;
    if (item instanceof z.ZodEnum) return { kind: 'words', words: item.options as string[] };
    if (item instanceof z.ZodObject) return { kind: 'objects', members: leavesOf(item) };
  }
  throw new TypeError(`facts member "${path}" is of a kind that rules cannot look at`);
}

const unwrap = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema;
