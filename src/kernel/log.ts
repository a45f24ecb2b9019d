import { pino, type Bindings, type ChildLoggerOptions, type DestinationStream, type Level, type Logger } from 'pino';
import { z } from 'zod';

export type Log = Logger;

type JsonSchemaNode = { readonly [member: string]: unknown };

const isNode = (value: unknown): value is JsonSchemaNode => typeof value === 'object' && value !== null;

/** `customer_id` of a table and `customerId` of the API are one member. */
const plain = (member: string): string => member.replaceAll(/[_-]/g, '').toLowerCase();

/** Collects the members under which a schema holds something marked; `member` is the nearest name above the node. */
const collect = (
  node: unknown,
  member: string | undefined,
  root: JsonSchemaNode,
  into: Set<string>,
  seen: Map<JsonSchemaNode, Set<string | undefined>>,
): void => {
  if (Array.isArray(node)) return node.forEach((item) => collect(item, member, root, into, seen));
  if (!isNode(node)) return;
  const names = seen.get(node) ?? new Set();
  if (names.has(member)) return;
  seen.set(node, names.add(member));
  if (node['x-personal-data'] === true && member !== undefined) into.add(plain(member));
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref' && typeof value === 'string') {
      const target = value
        .split('/')
        .slice(1)
        .reduce<unknown>((at, part) => (isNode(at) ? at[part] : undefined), root);
      collect(target, member, root, into, seen);
    } else if (key === 'properties' && isNode(value)) {
      for (const [name, property] of Object.entries(value)) collect(property, name, root, into, seen);
    } else if (key !== '$defs' && key !== 'examples') collect(value, member, root, into, seen);
  }
};

/**
 * The names of all members that schemas mark as personal data (`personal`). Names, not paths: what is personal in a
 * request stays so in whatever object somebody logs later.
 */
export const personalMembers = (schemas: Iterable<z.ZodType>): ReadonlySet<string> => {
  const members = new Set<string>();
  for (const schema of schemas) {
    for (const io of ['input', 'output'] as const) {
      const root = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchemaNode;
      collect(root, undefined, root, members, new Map());
    }
  }
  return members;
};

/** Never logged either, whatever a schema says. */
const secrets = ['authorization', 'cookie', 'secret', 'clientSecret', 'token', 'accessToken', 'password', 'privateKey'];

const redacted = '[redacted]';
const deepest = 8;

/** Frames only: the text before them is the message, and the message of a foreign error may repeat what a person sent. */
const framesOf = (error: Error): string[] => {
  const stack = error.stack ?? '';
  const at = error.message === '' ? 0 : stack.indexOf(error.message) + error.message.length;
  return stack
    .slice(at)
    .split('\n')
    .filter((line) => /^ +at .*:\d+:\d+\)?$/.test(line))
    .map((line) => line.trim());
};

const codePattern = /^[\w.:-]{1,80}$/;
const named = (value: unknown): string | undefined =>
  typeof value === 'string' && codePattern.test(value) ? value : undefined;

/**
 * An error as names and codes: class, code or SQLSTATE, constraint, frames, causes. No message, because drivers put
 * parameters into theirs, JSON.parse the text and zod the value. What an error of ours says, its code says too.
 */
export const serializeError = (error: unknown, depth = 0): object => {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, sqlState, constraint, constraint_name, member } = error as unknown as Record<string, unknown>;
  return {
    type: named(error.name) ?? 'Error',
    code: named(code),
    sqlState: named(sqlState),
    constraint: named(constraint ?? constraint_name),
    member: named(member),
    frames: framesOf(error),
    cause: error.cause === undefined || depth === 3 ? undefined : serializeError(error.cause, depth + 1),
  };
};

const redactor = (members: ReadonlySet<string>) => {
  const redact = (value: unknown, depth: number): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return serializeError(value);
    if (depth === deepest) return '[deep]';
    if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) {
      // A Temporal value or an URL says what it is; of a Map or an instance nobody knows what it holds.
      return 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON() : '[object]';
    }
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        members.has(plain(name)) ? redacted : redact(inner, depth + 1),
      ]),
    );
  };
  return (object: object): Record<string, unknown> => redact(object, 0) as Record<string, unknown>;
};

/** The last net, for what was written into a sentence: e-mail addresses and international phone numbers. */
const scrub = (line: string): string =>
  line
    .replaceAll(/[^\s"'<>:,;()[\]{}\\/]+@[^\s"'<>:,;()[\]{}\\/]+\.\p{L}{2,}/gu, redacted)
    .replaceAll(/\+\d{7,15}\b/g, redacted);

/**
 * A logger from which no personal data leaves: members in `personal` (see `personalMembers`) and secrets are redacted
 * at any depth, errors become names and codes, and addresses inside sentences are blotted out.
 */
export const createLog = ({
  level,
  stream,
  personal,
}: {
  level: Level | 'silent';
  stream: DestinationStream;
  personal: ReadonlySet<string>;
}): Log => {
  const redact = redactor(new Set([...personal, ...secrets.map(plain)]));
  const log = pino(
    {
      level,
      base: null,
      formatters: { log: redact, level: (label) => ({ level: label }) },
      hooks: {
        streamWrite: scrub,
        logMethod(args, method) {
          // pino takes an error's message for the line's when there is none: it must have one.
          const [first, message] = args as unknown[];
          if (first instanceof Error)
            return method.call(this, { err: first }, typeof message === 'string' ? message : 'error');
          if (isNode(first) && first['err'] instanceof Error && message === undefined)
            return method.call(this, first, 'error');
          return method.apply(this, args);
        },
      },
    },
    stream,
  );
  // pino drops the formatter of bindings for children, so what is bound to one is redacted before it is bound.
  const { child } = log;
  log.child = function (this: Log, bindings: Bindings, options?: ChildLoggerOptions) {
    return Reflect.apply(child, this, [redact(bindings), options]) as Log;
  } as unknown as Log['child'];
  return log;
};
