import fc from 'fast-check';
import { resolve, type Operation, type Parameter, type Schema } from './openapi-operations.ts';

/**
 * What stands in requests in place of persons, and what must never be seen again where it has no business. Whatever is
 * personal begins with a canary, or is one.
 */
export const canaries = {
  /** Names, mailboxes, handles, keys of objects, header values. */
  word: 'zqcanary',
  phone: '790987654',
  account: '7700990088776',
  evidence: 'zqevidence',
  actor: 'zqactor',
} as const;

/** JSON as it is written: with members that come twice, and with numbers that no double holds. */
type Tree = { raw: string } | { items: Tree[] } | { members: [string, Tree][] };

const leaf = (value: string | number | boolean | null): Tree => ({ raw: JSON.stringify(value) });

const treeOf = (value: unknown): Tree => {
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  if (typeof value !== 'object' || value === null) return leaf(value as string);
  return { members: Object.entries(value).map(([key, inner]) => [key, treeOf(inner)]) };
};

const write = (tree: Tree): string => {
  if ('raw' in tree) return tree.raw;
  if ('items' in tree) return `[${tree.items.map(write).join(',')}]`;
  return `{${tree.members.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(',')}}`;
};

/** Stands for something that the service will have answered by then: «linkId:3». Resolved when the request is sent. */
const harvested = (name: string, back: number): string => `«${name}:${back}»`;

/** Members and parameters whose values only the service can give. */
const given = new Set([
  'subjectId',
  'eventId',
  'linkId',
  'leaseId',
  'obligationId',
  'challengeId',
  'code',
  'cursor',
  'token',
]);

/** Remembers what a service answered, by the name under which somebody would send it back. */
export const createHarvest = () => {
  const byName = new Map<string, string[]>();
  const nameOf = (key: string, above: string): string => {
    if (key === 'id') return `${above}Id`;
    const plain = key.replace(/^next_?/, '');
    return plain[0]!.toLowerCase() + plain.slice(1);
  };
  const walk = (value: unknown, above: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, above);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        const name = nameOf(key, above);
        if (typeof inner !== 'string') walk(inner, key);
        else if (given.has(name)) byName.set(name, [inner, ...(byName.get(name) ?? [])].slice(0, 8));
      }
    }
  };
  return {
    /** Makes «name:0» stand for this value. */
    offer: (name: string, value: string) => void byName.set(name, [value, ...(byName.get(name) ?? [])].slice(0, 8)),
    take: (text: string) => {
      try {
        walk(JSON.parse(text), '');
      } catch {
        // An answer that is no JSON has nothing to give.
      }
    },
    fill: (text: string): string =>
      text.replaceAll(/«(\w+):(\d+)»/g, (_, name: string, back: string) => {
        const known = byName.get(name) ?? [];
        return known[Number(back) % known.length] ?? '019aa5c2-6a10-7c3e-9f41-2b7a5c0d9e11';
      }),
  };
};

export type Harvest = ReturnType<typeof createHarvest>;

/** Who calls: with what it takes, or with one of many things that are not that. */
type Credentials =
  | { kind: 'token'; system: string; lacking: boolean }
  | { kind: 'client'; system: string }
  | { kind: 'raw'; authorization: string }
  | { kind: 'none' };

export type FuzzRequest = {
  operation: string;
  method: string;
  /** With placeholders. */
  path: string;
  /** Whether method and path are those of the operation, so that its documented statuses bind. */
  exact: boolean;
  headers: Record<string, string>;
  credentials: Credentials;
  body: string | undefined;
  /** Bytes put into the written body: broken JSON, truncated UTF-8, whatever. */
  damage: { at: number; cut: number; bytes: number[] } | undefined;
  chunked: boolean;
};

const identifiers = [
  'crm:4711',
  'crm:4712',
  'crm:4713',
  'email:eva@example.org',
  'phone:+41791234567',
  'facebook:1029384756',
  'facebook:5550001112',
  'x:44196397',
  'x:@eva',
  'forum:4711',
  'mastodon:https://mastodon.example/users/eva',
];

const canaryIdentifiers = [
  `crm:${canaries.word}1`,
  `email:${canaries.word}@example.org`,
  `phone:+41${canaries.phone}`,
  `facebook:${canaries.account}`,
  `x:@${canaries.word}`,
  `${canaries.word}:1`,
  canaries.word,
];

const moments = [
  '2026-01-01T00:00:00Z',
  '2024-02-29T12:00:00.123456789+01:00',
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '1582-10-10T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59-23:59',
  '2016-12-31T23:59:60Z',
  '2025-06-30T10:00:00.1234567890123456789Z',
  '2025-06-30T10:00Z',
  '2025-02-30T10:00:00Z',
  '2025-06-30T24:00:00Z',
  '-271821-04-20T00:00:00Z',
  '+275760-09-13T00:00:00Z',
  '2025-06-30',
  '2025-06-30t10:00:00z',
];

const numbers = [
  '0',
  '-0',
  '-1',
  '1',
  '2',
  '1.5',
  '1e2',
  '1e308',
  '1e999',
  '-1e999',
  '1e-400',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '123456789012345678901234567890',
];

/** Nothing that a text may not be, and a few that break careless readers. */
const texts = [
  '',
  ' ',
  '*',
  'null',
  'NaN',
  "'; drop table client; --",
  '$1',
  '%s%n{{7*7}}${7*7}',
  '../../etc/passwd',
  '\u202Eorg.elpmaxe@ave',
  '\u0000',
  'a\u0000b',
  '\uD800',
  'x\uDFFFy',
  '\uFFFD',
  '\uFEFF',
  '\u200B',
  'ſſK',
  'é'.repeat(20),
  '👩‍👩‍👧‍👦'.repeat(5),
  'ﷺ'.repeat(40),
  '__proto__',
  'constructor',
  'toString',
  canaries.word,
  `${canaries.word} Muster`,
  ...canaryIdentifiers,
];

const prototypeKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON'];

/** Not the name of any member of ours, as a person's address would not be. */
const canaryKey = `${canaries.word}@example.org`;

/** Values that the world knows, by the name of the member that takes them. */
type Lexicon = Readonly<Record<string, readonly string[]>>;

/** What makes requests meaningful: an operation that nothing is known of here is asked with what its schema and example say. */
export type World = {
  lexicon: Lexicon;
  /** By operation, bodies that the service takes beside the documented example. */
  bodies: Readonly<Record<string, readonly unknown[]>>;
  /** Who calls; whoever is named more often calls more often. */
  systems: readonly string[];
};

const pick = (values: readonly string[]): fc.Arbitrary<Tree> => fc.constantFrom(...values).map(leaf);

const namedText = (name: string, lexicon: Lexicon): fc.Arbitrary<string> | undefined => {
  if (given.has(name)) return fc.nat(3).map((back) => harvested(name, back));
  if (name === 'evidence') return fc.constant(`${canaries.evidence} on file`);
  if (name === 'actor') return fc.constant(canaries.actor);
  return Object.hasOwn(lexicon, name) ? fc.constantFrom(...lexicon[name]!) : undefined;
};

/** A value that the schema takes, mostly of words that mean something to the service. */
const valid = (document: object, unresolved: Schema, name: string, lexicon: Lexicon): fc.Arbitrary<Tree> => {
  const schema = resolve(document, unresolved);
  const inner = (one: Schema, as = name) => valid(document, one, as, lexicon);
  const forms = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (forms) return fc.oneof(...forms.map((one) => inner(one)));
  if ('const' in schema) return fc.constant(treeOf(schema['const']));
  if (schema['enum']) return fc.constantFrom(...(schema['enum'] as unknown[]).map(treeOf));
  const types = [schema['type']].flat() as (string | undefined)[];
  if (types.length > 1) return fc.oneof(...types.map((type) => inner({ ...schema, type })));
  switch (types[0]) {
    case 'object': {
      const required = new Set<string>(schema['required'] ?? []);
      const members = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>).map(([key, one]) =>
        fc
          .tuple(inner(one, key), required.has(key) ? fc.constant(0) : fc.nat(2))
          .map(([value, odds]): [string, Tree][] => (odds === 0 ? [[key, value]] : [])),
      );
      const open = schema['additionalProperties'] === true || typeof schema['additionalProperties'] === 'object';
      const more: fc.Arbitrary<[string, Tree][]> = open
        ? fc.array(fc.tuple(fc.constantFrom('purpose', 'customer', 'channel', canaryKey), pick(texts)), {
            maxLength: 2,
          })
        : fc.constant([]);
      return fc.tuple(fc.tuple(...members), more).map(([known, extra]) => ({ members: [...known.flat(), ...extra] }));
    }
    case 'array': {
      const minLength = (schema['minItems'] as number | undefined) ?? 0;
      const maxLength = Math.min((schema['maxItems'] as number | undefined) ?? 4, Math.max(minLength, 4));
      return fc.array(inner(schema['items'] as Schema), { minLength, maxLength }).map((items) => ({ items }));
    }
    case 'string':
      return validText(schema, name, lexicon).map(leaf);
    case 'integer':
    case 'number': {
      const min = (schema['minimum'] as number | undefined) ?? 0;
      return fc
        .integer({ min, max: Math.min((schema['maximum'] as number | undefined) ?? min + 3, min + 1000) })
        .map(leaf);
    }
    case 'boolean':
      return fc.boolean().map(leaf);
    case 'null':
      return fc.constant(leaf(null));
    default:
      return fc.oneof(pick(texts), fc.constant<Tree>({ members: [] }), fc.constant<Tree>({ items: [] }));
  }
};

const validText = (schema: Schema, name: string, lexicon: Lexicon): fc.Arbitrary<string> => {
  const named = namedText(name, lexicon);
  if (named) return named;
  if (schema['format'] === 'uuid') return fc.uuid();
  if (schema['format'] === 'date-time') return fc.constantFrom(...moments);
  // An identifier by its example.
  if (schema['x-personal-data'] === true) return fc.constantFrom(...identifiers, ...canaryIdentifiers);
  if (schema['pattern']) return fc.stringMatching(new RegExp(schema['pattern'] as string));
  const examples = (schema['examples'] ?? []) as string[];
  const free = fc.string({
    unit: 'grapheme',
    minLength: (schema['minLength'] as number | undefined) ?? 0,
    maxLength: Math.min((schema['maxLength'] as number | undefined) ?? 40, 200),
  });
  return examples.length === 0 ? free : fc.oneof(fc.constantFrom(...examples), free);
};

/** Every place in a tree: how to replace what stands there, and the name of the member around it. */
type Place = {
  tree: Tree;
  name: string;
  put(next: Tree): void;
  drop?(): void;
  holder?: [string, Tree][];
  key?: string;
};

const placesOf = (root: { tree: Tree }): Place[] => {
  const places: Place[] = [{ tree: root.tree, name: 'body', put: (next) => (root.tree = next) }];
  const walk = (tree: Tree, name: string): void => {
    if ('items' in tree) {
      tree.items.forEach((item, index) => {
        places.push({
          tree: item,
          name,
          put: (next) => (tree.items[index] = next),
          drop: () => void tree.items.splice(index, 1),
        });
        walk(item, name);
      });
    } else if ('members' in tree) {
      tree.members.forEach((member) => {
        places.push({
          tree: member[1],
          name: member[0],
          put: (next) => (member[1] = next),
          drop: () => void tree.members.splice(tree.members.indexOf(member), 1),
          holder: tree.members,
          key: member[0],
        });
        walk(member[1], member[0]);
      });
    }
  };
  walk(root.tree, 'body');
  return places;
};

const copy = (tree: Tree): Tree => structuredClone(tree);

type Mutation = { at: number; how: string; with: Tree; key: string; many: number };

const anyTree: fc.Arbitrary<Tree> = fc.oneof(
  { weight: 4, arbitrary: pick(texts) },
  { weight: 3, arbitrary: fc.constantFrom(...numbers).map((raw) => ({ raw })) },
  { weight: 2, arbitrary: pick(moments) },
  { weight: 2, arbitrary: fc.constantFrom(leaf(null), leaf(true), { items: [] }, { members: [] }) },
  { weight: 1, arbitrary: pick(identifiers) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }).map(leaf) },
);

const mutations = [
  'replace',
  'drop',
  'double',
  'rename',
  'extra',
  'prototype',
  'huge',
  'deep',
  'many',
  'known',
  'known',
  'known',
] as const;

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(60),
  how: fc.constantFrom(...mutations),
  with: anyTree,
  key: fc.constantFrom(...prototypeKeys, canaryKey, 'purpose', 'id', 'extraMember', ''),
  many: fc.constantFrom(2, 33, 34, 1001, 20_000),
});

/** Nested `many` deep, but no deeper than what writes it here can write. */
const nested = (many: number): Tree => ({ raw: `${'['.repeat(many)}${']'.repeat(many)}` });

const mutate = (base: Tree, { at, how, with: value, key, many }: Mutation, lexicon: Lexicon): Tree => {
  const root = { tree: copy(base) };
  const places = placesOf(root);
  const place = places[at % places.length]!;
  switch (how) {
    case 'drop':
      place.drop?.();
      break;
    case 'double':
      if (place.holder) place.holder.push([place.key!, value]);
      break;
    case 'rename':
      if (place.holder) place.holder.find((member) => member[0] === place.key)![0] = key;
      break;
    case 'extra':
      if ('members' in place.tree) place.tree.members.push([key, value]);
      break;
    case 'prototype':
      if ('members' in place.tree) place.tree.members.push([key, { members: [['isAdmin', leaf(true)]] }]);
      break;
    case 'huge':
      place.put(leaf('x'.repeat(many * 15)));
      break;
    case 'deep':
      place.put(nested(many));
      break;
    case 'many':
      if ('items' in place.tree) {
        const [first = leaf(null)] = place.tree.items;
        place.tree.items = Array.from({ length: Math.min(many, 1_001) }, () => copy(first));
      }
      break;
    case 'known': {
      // Another word that the world knows: nothing is wrong with the form of such a request.
      const words = 'raw' in place.tree ? knownInstead(place.tree.raw, place.name, lexicon) : undefined;
      if (words) place.put(leaf(words[at % words.length]!));
      break;
    }
    default:
      place.put(value);
  }
  return root.tree;
};

const knownInstead = (raw: string, name: string, lexicon: Lexicon): readonly string[] | undefined => {
  if (given.has(name)) return [0, 1, 2, 3].map((back) => harvested(name, back));
  if (Object.hasOwn(lexicon, name)) return lexicon[name];
  if (/^"[a-z]+:./.test(raw)) return [...identifiers, ...canaryIdentifiers];
  if (/^"\d{4}-\d\d-\d\dT/.test(raw)) return moments;
  return undefined;
};

/** Form-encoded, members one level deep; anything deeper goes as its JSON. */
const writeForm = (tree: Tree): string =>
  'members' in tree
    ? tree.members
        .map(([key, value]) => {
          const text = write(value);
          return `${formText(key)}=${formText(text.startsWith('"') ? (JSON.parse(text) as string) : text)}`;
        })
        .join('&')
    : write(tree);

const formText = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+');

/** The example is what people start from; where the world must have answered something before, its words stand in. */
const asInTheWorld = (example: unknown, name = 'body'): unknown => {
  if (Array.isArray(example)) return example.map((item) => asInTheWorld(item, name));
  if (typeof example === 'object' && example !== null)
    return Object.fromEntries(Object.entries(example).map(([key, value]) => [key, asInTheWorld(value, key)]));
  return typeof example === 'string' && given.has(name) ? harvested(name, 0) : example;
};

const bodyText = (
  document: object,
  operation: Operation,
  { lexicon, bodies }: World,
): fc.Arbitrary<string | undefined> => {
  const { body } = operation;
  if (!body)
    return fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: anyTree.map(write) });
  const form = body.contentType !== 'application/json';
  const bases = [
    { weight: 2, arbitrary: valid(document, body.schema, 'body', lexicon) },
    ...[body.example, ...(bodies[operation.id] ?? [])]
      .filter((example) => example !== undefined)
      .map((example) => ({ weight: 3, arbitrary: fc.constant(treeOf(asInTheWorld(example))) })),
  ];
  const base = fc.oneof(...bases);
  const nearly = fc
    .tuple(base, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([tree, all]) => all.reduce((mutated, one) => mutate(mutated, one, lexicon), tree));
  const wild = fc.oneof(
    anyTree,
    fc.jsonValue({ maxDepth: 4 }).map(treeOf),
    fc.constantFrom(33, 2_000, 100_000).map(nested),
  );
  return fc.oneof(
    { weight: 8, arbitrary: base.map(form ? writeForm : write) },
    { weight: 8, arbitrary: nearly.map(form ? writeForm : write) },
    { weight: 2, arbitrary: wild.map(form ? writeForm : write) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
};

const parameterText = (document: object, parameter: Parameter, lexicon: Lexicon): fc.Arbitrary<string> => {
  const schema = resolve(document, parameter.schema);
  const good =
    schema['type'] === 'string'
      ? validText(schema, parameter.name, lexicon)
      : valid(document, schema, parameter.name, lexicon).map(write);
  const bad = fc.oneof(
    fc.constantFrom(...texts.map((text) => text.toWellFormed())),
    fc.constantFrom(...numbers, ...moments, '9999999999', '0x10', '1_000', '+1', '１２'),
    fc.uuid(),
  );
  return fc.oneof({ weight: 5, arbitrary: good }, { weight: 2, arbitrary: bad });
};

/** A placeholder stays readable until it is filled. */
const urlText = (text: string): string => (/^«\w+:\d+»$/.test(text) ? text : encodeURIComponent(text.toWellFormed()));

const pathText = (document: object, operation: Operation, lexicon: Lexicon): fc.Arbitrary<string> => {
  const inPath = operation.parameters.filter((one) => one.in === 'path');
  const inQuery = operation.parameters.filter((one) => one.in === 'query');
  return fc
    .tuple(
      fc.tuple(...inPath.map((one) => parameterText(document, one, lexicon))),
      fc.tuple(
        ...inQuery.map((one) => fc.array(parameterText(document, one, lexicon), { maxLength: one.required ? 1 : 2 })),
      ),
      fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(...queries) }),
    )
    .map(([path, query, more]) => {
      const filled = inPath.reduce(
        (text, { name }, index) => text.replace(`{${name}}`, urlText(path[index]!)),
        operation.path,
      );
      const pairs = inQuery.flatMap(({ name }, index) => query[index]!.map((value) => `${name}=${urlText(value)}`));
      const all = [...pairs, ...(more === '' ? [] : [more])];
      return all.length === 0 ? filled : `${filled}?${all.join('&')}`;
    });
};

const queries = [
  'unknown=1',
  `${canaries.word}=${canaries.word}%40example.org`,
  '%',
  '=&&==',
  'limit[]=1',
  '%ff=%00',
  '__proto__=1',
];

const headersOf = (operation: Operation): fc.Arbitrary<Record<string, string>> => {
  const takesKey = operation.parameters.some(({ name }) => name === 'Idempotency-Key');
  const sometimes = (odds: number, name: string, values: readonly string[]): fc.Arbitrary<Record<string, string>> =>
    fc.oneof(
      { weight: 100 - odds, arbitrary: fc.constant({}) },
      { weight: odds, arbitrary: fc.constantFrom(...values).map((value) => ({ [name]: value })) },
    );
  const contentType: fc.Arbitrary<Record<string, string>> = operation.body
    ? fc.oneof(
        { weight: 17, arbitrary: fc.constant({ 'content-type': operation.body.contentType }) },
        { weight: 1, arbitrary: fc.constantFrom(...contentTypes).map((type) => ({ 'content-type': type })) },
        { weight: 1, arbitrary: fc.constant({}) },
      )
    : sometimes(10, 'content-type', contentTypes);
  return fc
    .tuple(
      contentType,
      sometimes(takesKey ? 40 : 5, 'idempotency-key', keys),
      sometimes(15, 'x-request-id', ['r-1', 'a'.repeat(64), 'a'.repeat(65), canaryKey, 'a b', '"', '\u00ff']),
      sometimes(15, 'accept-language', ['de', 'fr-CH, it;q=0.5', '*', 'xx', ','.repeat(500), `${canaries.word}`]),
      sometimes(5, 'accept', ['text/html', 'application/xml', '*/*;q=0', canaries.word]),
      sometimes(3, 'content-encoding', ['gzip', 'br', canaries.word]),
      sometimes(3, 'x-http-method-override', ['DELETE']),
      sometimes(3, 'x-forwarded-for', [canaryKey]),
      sometimes(3, 'origin', ['https://evil.example', 'null']),
      sometimes(3, 'user-agent', [canaryKey]),
      sometimes(2, 'cookie', [`session=${canaries.word}`]),
      sometimes(1, 'host', ['evil.example', 'a b', '[', 'x:99999', '']),
    )
    .map((all) => Object.assign({}, ...all) as Record<string, string>);
};

const contentTypes = [
  'application/json; charset=utf-8',
  'Application/JSON',
  'application/json;',
  'application/problem+json',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  'application/xml',
  ';',
  canaries.word,
];

const keys = [
  '"k1"',
  '"k2"',
  '"k3"',
  'bare-key',
  '"with \\" quote"',
  '""',
  '"open',
  '"k1", "k2"',
  'a b',
  '\u00fc',
  'k'.repeat(255),
  'k'.repeat(256),
  `"${canaryKey}"`,
];

const forged = [
  'Bearer',
  'Bearer ',
  'Bearer x',
  `Bearer ${canaries.word}`,
  'bearer a.b.c',
  'Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJjcm0iLCJjbGllbnRfaWQiOiJjcm0ifQ.',
  'Basic',
  'Basic Og==',
  'Basic !!!!',
  `Basic ${Buffer.from(`${canaries.word}:${canaries.word}`).toString('base64')}`,
  `Basic ${Buffer.from('a\u0000b:%00').toString('base64')}`,
  `Basic ${Buffer.from('%:%zz').toString('base64')}`,
  'Digest username="eva"',
  '\u00ff',
];

const credentialsOf = (operation: Operation, systems: readonly string[]): fc.Arbitrary<Credentials> => {
  const system = fc.constantFrom(...systems);
  const token = system.map((one): Credentials => ({ kind: 'token', system: one, lacking: false }));
  const right =
    operation.id === 'issueToken' ? system.map((one): Credentials => ({ kind: 'client', system: one })) : token;
  return fc.oneof(
    { weight: 16, arbitrary: right },
    { weight: 1, arbitrary: fc.constant<Credentials>({ kind: 'none' }) },
    { weight: 1, arbitrary: system.map((one): Credentials => ({ kind: 'token', system: one, lacking: true })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...forged).map((authorization): Credentials => ({ kind: 'raw', authorization })),
    },
  );
};

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

const elsewhere = [
  '/docs',
  '/docs/start.js',
  '/docs/scalar.x.js',
  '/metrics',
  '/openapi.json',
  '/',
  '/v1',
  '/v1/',
  '/%',
  '/%ff',
  '/%00',
  '/v1/subjects/%2e%2e/%2e%2e/metrics',
  `/v1/subjects/${canaries.word}%40example.org`,
  '//',
  '/v1//consents',
  '/\\',
  '/v1/consents;a=b',
  '/.well-known/',
  '/__proto__',
  '/constructor',
  '*',
  'http://evil.example/v1/purposes',
  'http://[/',
];

/** Requests to one operation: valid, nearly valid and wild ones. */
const requestTo = (document: object, operation: Operation, world: World): fc.Arbitrary<FuzzRequest> => {
  const path = pathText(document, operation, world.lexicon);
  const wrongMethod = fc.constantFrom(...methods);
  return fc
    .record({
      path,
      method: fc.oneof({ weight: 20, arbitrary: fc.constant(operation.method) }, { weight: 1, arbitrary: wrongMethod }),
      edit: fc.oneof(
        { weight: 30, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom('/', '/x', '%', '%2F', ';x', '\\', '//', '.', '%ff', '%00') },
      ),
      elsewhere: fc.oneof(
        { weight: 40, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(...elsewhere) },
      ),
      headers: headersOf(operation),
      credentials: credentialsOf(operation, world.systems),
      body: bodyText(document, operation, world),
      damage: fc.oneof(
        { weight: 24, arbitrary: fc.constant(undefined) },
        {
          weight: 1,
          arbitrary: fc.record({
            at: fc.nat(300),
            cut: fc.nat(3),
            bytes: fc.constantFrom<number[]>(
              [],
              [0xc3],
              [0xff],
              [0],
              [0xef, 0xbb, 0xbf],
              [0x7d],
              [0x22],
              [0xed, 0xa0, 0x80],
            ),
          }),
        },
      ),
      chunked: fc.nat(9).map((odds) => odds === 9),
    })
    .map(({ path: right, method, edit, elsewhere: other, ...rest }): FuzzRequest => {
      const [before, query] = right.split('?', 2) as [string, string?];
      const edited = edit === undefined ? right : `${before}${edit}${query === undefined ? '' : `?${query}`}`;
      return {
        operation: operation.id,
        method,
        path: other ?? edited,
        exact:
          other === undefined &&
          edit === undefined &&
          method === operation.method &&
          rest.headers['host'] === undefined &&
          !/\/(%2[eE]|\.)*(\/|$)/.test(before),
        ...rest,
      };
    });
};

/** Requests to every operation of the document, each as often as any other. */
export const anyRequest = (
  document: object,
  operations: readonly Operation[],
  world: World,
): fc.Arbitrary<FuzzRequest> => fc.oneof(...operations.map((operation) => requestTo(document, operation, world)));
