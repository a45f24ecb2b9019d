import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { connect, arrayLiteral, type Database } from '../database/client.ts';
import { AppError } from '../errors.ts';
import { KeyUnusable, type KeyEncryption } from './key-encryption.ts';

type Row = { version: number; kek: number; wrapped: Buffer; jwk: JWK | null; createdAt: string };

/** An ES256 key: `kid` names it in a JWS header, `publicJwk` is what anybody may have. */
export type SigningKey = {
  kid: string;
  createdAt: Temporal.Instant;
  privateKey: KeyObject;
  publicJwk: JWK & { kid: string; alg: 'ES256'; use: 'sig' };
};

export type KeyStore = {
  /** The key of a subject, made when there is none. */
  createSubjectKey(subjectId: string): Promise<Buffer>;
  /** New keys of subjects who have none, in one statement. */
  createSubjectKeys(subjectIds: readonly string[]): Promise<Map<string, Buffer>>;
  /** The keys of subjects; a subject whose key was destroyed is absent. */
  subjectKeys(subjectIds: readonly string[]): Promise<Map<string, Buffer>>;
  /** A 32-byte secret of the service, made at first use, the same for all instances. */
  secret(name: 'blind-index' | 'endpoints' | 'codes' | 'capabilities'): Promise<{ version: number; key: Buffer }>;
  /** Signing keys, newest first, the first made at first use. Which of them sign and verify: `keysInUse`. */
  signingKeys(name: 'tokens' | 'receipts'): Promise<SigningKey[]>;
  /** Makes the signing key that follows the newest, and answers it. Throws KeysRotatedMeanwhile. */
  rotateSigningKey(name: 'tokens' | 'receipts'): Promise<SigningKey>;
  database: Database;
};

export class KeysRotatedMeanwhile extends AppError {
  constructor() {
    super('keys.rotated-meanwhile', 'conflict', 'somebody else made a new key at the same moment: one is enough');
  }
}

const newSigningKey = (): { key: Buffer; jwk: JWK } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: privateKey.export({ format: 'der', type: 'pkcs8' }), jwk: publicKey.export({ format: 'jwk' }) as JWK };
};

/** The key store of DESIGN section 5 over its own database. Every key is wrapped; nothing is cached but what the caller keeps. */
export const createKeyStore = (
  url: string,
  keyEncryption: KeyEncryption,
  options: { prepare?: boolean } = {},
): KeyStore => {
  const database = connect(url, { connections: 2, name: 'askfirst-keys', ...options });

  /** Adds a version of a service's key; one that is there already stays, and then the answer is false. */
  const add = async (
    name: string,
    version: number,
    { key, jwk }: { key: Buffer; jwk: JWK | null },
  ): Promise<boolean> => {
    const added = await database.query(
      `insert into service_key (name, version, key_encryption_key, wrapped, public_jwk)
       values ($1, $2, $3, decode($4, 'hex'), $5::jsonb) on conflict do nothing returning version`,
      [
        name,
        version,
        keyEncryption.current,
        (await keyEncryption.wrap(key)).toString('hex'),
        jwk && JSON.stringify(jwk),
      ],
    );
    return added.length > 0;
  };

  const service = async (name: string, make: () => { key: Buffer; jwk: JWK | null }): Promise<Row[]> => {
    const read = () =>
      database.query<Row>(
        'select version, key_encryption_key as kek, wrapped, public_jwk as jwk, created_at as "createdAt" from service_key where name = $1 order by version desc',
        [name],
      );
    const found = await read();
    if (found.length > 0) return found;
    await add(name, 1, make());
    return read();
  };

  const signingKey = async (row: Row): Promise<SigningKey> => {
    const kid = await calculateJwkThumbprint(row.jwk!); // RFC 7638: the same key has the same name everywhere
    const der = await keyEncryption.unwrap(row.kek, row.wrapped);
    return {
      kid,
      createdAt: Temporal.Instant.from(row.createdAt),
      privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
      publicJwk: { ...row.jwk, kid, alg: 'ES256' as const, use: 'sig' as const },
    };
  };

  const subjectKeys: KeyStore['subjectKeys'] = async (subjectIds) => {
    const rows = await database.query<{ id: string; kek: number; wrapped: Buffer }>(
      'select subject_id as id, key_encryption_key as kek, wrapped from subject_key where subject_id = any($1::uuid[])',
      [arrayLiteral(subjectIds)],
    );
    return new Map(
      await Promise.all(rows.map(async (row) => [row.id, await keyEncryption.unwrap(row.kek, row.wrapped)] as const)),
    );
  };

  return {
    database,
    subjectKeys,
    createSubjectKey: async (subjectId) => {
      await database.query(
        `insert into subject_key (subject_id, key_encryption_key, wrapped) values ($1, $2, decode($3, 'hex')) on conflict do nothing`,
        [subjectId, keyEncryption.current, (await keyEncryption.wrap(randomBytes(32))).toString('hex')],
      );
      const key = (await subjectKeys([subjectId])).get(subjectId);
      if (!key) throw new KeyUnusable('the key of a subject was destroyed while it was made');
      return key;
    },
    createSubjectKeys: async (subjectIds) => {
      const made = new Map(subjectIds.map((id) => [id, randomBytes(32)]));
      const rows = await Promise.all(
        [...made].map(async ([id, key]) => ({
          subject_id: id,
          key_encryption_key: keyEncryption.current,
          wrapped: `\\x${(await keyEncryption.wrap(key)).toString('hex')}`,
        })),
      );
      await database.query(
        `insert into subject_key (subject_id, key_encryption_key, wrapped)
         select subject_id, key_encryption_key, wrapped from json_populate_recordset(null::subject_key, $1::text::json)`,
        [JSON.stringify(rows)],
      );
      return made;
    },
    secret: async (name) => {
      const [row] = await service(name, () => ({ key: randomBytes(32), jwk: null }));
      return { version: row!.version, key: await keyEncryption.unwrap(row!.kek, row!.wrapped) };
    },
    signingKeys: async (name) => Promise.all((await service(name, newSigningKey)).map(signingKey)),
    rotateSigningKey: async (name) => {
      const [newest] = await service(name, newSigningKey);
      if (!(await add(name, newest!.version + 1, newSigningKey()))) throw new KeysRotatedMeanwhile();
      const rows = await service(name, newSigningKey);
      return signingKey(rows.find(({ version }) => version === newest!.version + 1)!);
    },
  };
};

/** The tables of keys, the name of a key in each and its first possible value, by which a page begins where the last one ended. */
const wrappedTables = [
  { table: 'subject_key', id: 'subject_id', type: 'uuid', first: '00000000-0000-0000-0000-000000000000' },
  { table: 'service_key', id: `(name || '/' || version)`, type: 'text', first: '' },
];

/** Wraps every key anew under the current key-encryption key, in small batches. `url` is the owner's. Answers how many it wrapped. */
export const rewrapKeys = async (url: string, keyEncryption: KeyEncryption): Promise<number> => {
  const database = connect(url, { connections: 1, name: 'askfirst-rewrap' });
  let wrapped = 0;
  try {
    for (const { table, id, type, first } of wrappedTables) {
      for (let after = first; ;) {
        const rows = await database.query<{ id: string; kek: number; wrapped: Buffer }>(
          `select ${id} as id, key_encryption_key as kek, wrapped from ${table}
           where ${id} > $2::${type} and key_encryption_key <> $1 order by ${id} limit 500`,
          [keyEncryption.current, after],
        );
        if (rows.length === 0 && after === first) break;
        for (const row of rows) {
          const anew = await keyEncryption.wrap(await keyEncryption.unwrap(row.kek, row.wrapped));
          await database.query(
            `update ${table} set wrapped = decode($1, 'hex'), key_encryption_key = $2 where ${id} = $3::${type} and key_encryption_key = $4`,
            [anew.toString('hex'), keyEncryption.current, row.id, row.kek],
          );
          wrapped++;
        }
        // Once more from the start: whoever still runs with the old key has made more of them meanwhile.
        after = rows.at(-1)?.id ?? first;
      }
    }
    return wrapped;
  } finally {
    await database.end();
  }
};
