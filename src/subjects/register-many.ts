import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import { drawNonces, seal } from '../kernel/crypto/key-encryption.ts';
import type { Reference, SubjectDeps } from './deps.ts';
import { formatIdentifier } from './identifier.ts';

const indexes = (blindIndexes: readonly string[]): string =>
  arrayLiteral(blindIndexes.map((blindIndex) => `"\\\\x${blindIndex}"`));

/** Blind index -> whose it is, of those that are known; of a merged record, the one that it went into. */
export const ownersOf = async (database: Database, blindIndexes: readonly string[]): Promise<Map<string, string>> => {
  const rows = await database.read<{ blindIndex: string; subjectId: string }>(
    `select encode(i.blind_index, 'hex') as "blindIndex", coalesce(alias.merged_into, i.subject_id) as "subjectId"
     from identifier i left join subject_state alias on alias.subject_id = i.subject_id where i.blind_index = any($1::bytea[])`,
    [indexes(blindIndexes)],
  );
  return new Map(rows.map(({ blindIndex, subjectId }) => [blindIndex, subjectId]));
};

/** An identifier for a subject whose key is at hand. */
export type Claim = { subjectId: string; key: Buffer; reference: Reference };

/**
 * Gives identifiers to subjects in one statement. One that somebody has already stays theirs; answers the blind indexes of those.
 * Handles are not for this: they name an account only as of a moment.
 */
export const claimMany = async (
  deps: Pick<SubjectDeps, 'database' | 'secrets'>,
  system: string,
  claims: readonly Claim[],
): Promise<string[]> => {
  if (claims.length === 0) return [];
  const nonces = drawNonces(claims.length);
  const rows = claims.map(({ subjectId, key, reference }, index) => ({
    blind_index: `\\x${reference.blindIndex}`,
    namespace: reference.namespace,
    key_version: deps.secrets.blindIndex.version,
    subject_id: subjectId,
    sealed: `\\x${seal(key, Buffer.from(formatIdentifier(reference)), `identifier:${reference.blindIndex}`, nonces[index]).toString('hex')}`,
    recorded_by: system,
  }));
  const taken = await deps.database.query<{ blindIndex: string }>(
    `insert into identifier (blind_index, namespace, key_version, subject_id, sealed, shared, recorded_by)
     select blind_index, namespace, key_version, subject_id, sealed, false, recorded_by
     from json_populate_recordset(null::identifier, $1::text::json) order by blind_index
     on conflict (blind_index) do nothing returning encode(blind_index, 'hex') as "blindIndex"`,
    [JSON.stringify(rows)],
  );
  const ours = new Set(taken.map(({ blindIndex }) => blindIndex));
  return claims.map(({ reference }) => reference.blindIndex).filter((blindIndex) => !ours.has(blindIndex));
};
