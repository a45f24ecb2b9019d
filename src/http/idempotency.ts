import { createHash, createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { AppError } from '../kernel/errors.ts';
import type { HttpContext, Idempotency } from './env.ts';

/**
 * The header of operations that create something (draft-ietf-httpapi-idempotency-key-header-07). A route that names this
 * schema takes the header. Withdrawals and objections never do: nothing may stand between a person and a no.
 */
export const idempotencyHeaders = z.object({
  'Idempotency-Key': z
    .string()
    .optional()
    .meta({
      description:
        'A value that is new for each act and the same for each repetition of it, best a UUID. A repetition gets the first answer again.',
      examples: ['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
    }),
});

export class IdempotencyKeyMalformed extends AppError {
  constructor() {
    const rule = 'must be a string of 1 to 255 printable ASCII characters';
    super('idempotency.key-malformed', 'invalid', `Idempotency-Key ${rule}`, { member: 'Idempotency-Key' });
  }
}

/** The draft, section 2.7: the key belongs to another request. */
export class IdempotencyKeyReused extends AppError {
  constructor() {
    const detail = 'Idempotency-Key was used for another request; repeat that request unchanged or take a new key';
    super('idempotency.key-reused', 'unprocessable', detail, { member: 'Idempotency-Key' });
  }
}

/** The draft, section 2.7: the first request has not been answered yet. */
export class IdempotencyKeyInProgress extends AppError {
  constructor() {
    const detail = 'a request with this Idempotency-Key is being answered; repeat it in a moment';
    super('idempotency.in-progress', 'conflict', detail, { member: 'Idempotency-Key', retryAfterSeconds: 1 });
  }
}

/** sf-string of RFC 8941 section 3.3.3: printable ASCII in quotes, `"` and `\` escaped. Parameters after it carry nothing for us. */
const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\s*(?:;.*)?$/;
/** What clients send that never read the draft: the bare value. */
const bare = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Reads the header's value. Throws IdempotencyKeyMalformed. */
export const parseIdempotencyKey = (header: string): string => {
  const text = header.trim();
  const key = quoted.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? (bare.test(text) ? text : '');
  if (key.length < 1 || key.length > 255) throw new IdempotencyKeyMalformed();
  return key;
};

/**
 * What is stored of a key and of the request it came with.
 *
 * The fingerprint is keyed with the client's own key, of which only a hash is stored. A plain hash of a body could be
 * tried against a list of e-mail addresses, even in a backup, and even after the person was erased; nobody but the client
 * can try this one.
 */
export const identifyRequest = (
  clientId: string,
  key: string,
  method: string,
  path: string,
  body: unknown,
): Idempotency => ({
  hash: createHash('sha256')
    .update(JSON.stringify([clientId, key]))
    .digest(),
  // RFC 8785: the same members in another order are the same request.
  fingerprint: createHmac('sha256', key)
    .update(`${method} ${path}\n${canonicalize(body) ?? ''}`)
    .digest(),
});

/** What the row of a key says; it was written in one statement with what it protects. */
export type IdempotencyRecord = { fingerprint: Uint8Array; subjectId: string; resourceId: string };
export type IdempotencyStore = { find(hash: Buffer): Promise<IdempotencyRecord | undefined> };

/**
 * Runs a creating call once per key.
 * `run` does it and writes the given key's row with it; when another instance was faster it throws the error with the
 * code `idempotency.raced`. `reload` answers from what the first call created. Both must make the same answer.
 */
export type ReplayOrRun = (
  c: HttpContext,
  call: {
    run(idempotency: Idempotency | undefined): Promise<Response>;
    reload(record: IdempotencyRecord): Promise<Response>;
  },
) => Promise<Response>;

const wasRaced = (error: unknown): boolean => error instanceof AppError && error.code === 'idempotency.raced';

export const createReplayOrRun = (store: IdempotencyStore): ReplayOrRun => {
  /** Keys that this instance is answering; between instances the row's primary key decides. */
  const inProgress = new Set<string>();

  return async (c, { run, reload }) => {
    const idempotency = c.get('idempotency');
    if (idempotency === undefined) return run(undefined);
    const { hash, fingerprint } = idempotency;

    const replay = async (): Promise<Response | undefined> => {
      const record = await store.find(hash);
      if (record === undefined) return undefined;
      if (!fingerprint.equals(record.fingerprint)) throw new IdempotencyKeyReused();
      return reload(record);
    };

    const id = hash.toString('base64');
    if (inProgress.has(id)) throw new IdempotencyKeyInProgress();
    inProgress.add(id);
    try {
      return (await replay()) ?? (await run(idempotency));
    } catch (error) {
      if (!wasRaced(error)) throw error;
      const replayed = await replay();
      if (replayed === undefined) throw new IdempotencyKeyInProgress();
      return replayed;
    } finally {
      inProgress.delete(id);
    }
  };
};
