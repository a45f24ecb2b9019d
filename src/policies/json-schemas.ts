import { z } from 'zod';
import { factPaths } from './fact-paths.ts';
import type { Leaf } from './fact-paths.ts';
import { factsSchema } from './facts.ts';
import * as schemas from './schema.ts';

type Json = Record<string, unknown>;

/** The JSON Schemas (draft 7, which editors understand) of every kind of file in `policies/`, by file name. */
export function jsonSchemas(): ReadonlyMap<string, Json> {
  const rules = jsonSchema(schemas.rulesSchema);
  membersOf(rules, 'rules')['when'] = { $ref: '#/definitions/condition' };
  rules['definitions'] = conditionSchemas('condition', factPaths());
  const cases = jsonSchema(schemas.casesSchema);
  membersOf(cases, 'cases')['facts'] = withoutRequired(jsonSchema(z.strictObject(factsSchema.shape)));
  return new Map([
    ['controller.json', jsonSchema(schemas.controllerSchema)],
    ['jurisdiction.json', jsonSchema(schemas.jurisdictionSchema)],
    ['platforms.json', jsonSchema(schemas.platformsSchema)],
    ['systems.json', jsonSchema(schemas.systemsSchema)],
    ['purpose.json', jsonSchema(schemas.purposeSchema)],
    ['rules.json', rules],
    ['cases.json', cases],
  ]);
}

const jsonSchema = (schema: z.ZodType): Json => z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) as Json;

const membersOf = (file: Json, list: string): Json =>
  (file as { properties: Record<string, { items: { properties: Json } }> }).properties[list]!.items.properties;

/** The language of `compile-condition.ts`, as far as a schema can say it: one definition, and one for each list of objects. */
function conditionSchemas(name: string, paths: ReadonlyMap<string, Leaf>): Json {
  const self = { $ref: `#/definitions/${name}` };
  const conditions = { type: 'array', minItems: 1, items: self };
  const members: Json = { all: conditions, any: conditions, not: self };
  let lists: Json = {};
  for (const [path, leaf] of paths) {
    members[path] = leafSchema(leaf, path);
    if (leaf.kind === 'objects') lists = { ...lists, ...conditionSchemas(path, leaf.members) };
  }
  return { [name]: { type: 'object', minProperties: 1, additionalProperties: false, properties: members }, ...lists };
}

function leafSchema(leaf: Leaf, path: string): Json {
  const operators = (properties: Json) => ({
    type: 'object',
    minProperties: 1,
    additionalProperties: false,
    properties,
  });
  const flag = { type: 'boolean' };
  if (leaf.kind === 'objects') {
    const inner = { $ref: `#/definitions/${path}` };
    return operators({ some: inner, every: inner, empty: flag });
  }
  if (leaf.kind === 'number') {
    const operand = { anyOf: [{ type: 'number' }, { type: 'string' }] };
    const comparisons = { lessThan: operand, atMost: operand, moreThan: operand, atLeast: operand };
    return { anyOf: [{ type: 'number' }, operators({ ...comparisons, present: flag })] };
  }
  const value = leaf.kind === 'boolean' ? flag : leaf.words ? { enum: leaf.words } : { type: 'string' };
  return {
    anyOf: [
      value,
      { type: 'array', minItems: 1, items: value },
      operators(leaf.kind === 'words' ? { present: flag, empty: flag } : { present: flag }),
    ],
  };
}

function withoutRequired(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutRequired);
  if (typeof value !== 'object' || value === null) return value;
  const { required: _required, $schema: _schema, ...rest } = value as Json;
  return Object.fromEntries(Object.entries(rest).map(([name, member]) => [name, withoutRequired(member)]));
}
