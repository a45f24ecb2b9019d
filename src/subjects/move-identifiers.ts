import { seal, unseal } from '../kernel/crypto/key-encryption.ts';
import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import type { SubjectDeps } from './deps.ts';

/** The kinds of identifiers by which people are known; who is known by none is absent. */
export const namespacesOfMany = async (
  database: Database,
  subjectIds: readonly string[],
): Promise<Map<string, Set<string>>> => {
  const rows =
    subjectIds.length === 0
      ? []
      : await database.read<{ subjectId: string; namespaces: string[] }>(
          `select subject_id as "subjectId", json_agg(distinct namespace) as namespaces from identifier
           where subject_id = any($1::uuid[]) group by subject_id`,
          [arrayLiteral(subjectIds)],
        );
  return new Map(rows.map(({ subjectId, namespaces }) => [subjectId, new Set(namespaces)]));
};

/**
 * Gives the identifiers of a merged record to the one it is an alias of, sealed under that one's key. What a crash leaves behind permits nothing,
 * and is moved by the next call. Idempotent.
 */
export const moveIdentifiers = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  from: string,
  to: string,
): Promise<void> => {
  const rows = await deps.database.read<{ blindIndex: string; sealed: Buffer }>(
    `select encode(blind_index, 'hex') as "blindIndex", sealed from identifier where subject_id = $1`,
    [from],
  );
  if (rows.length === 0) return;
  const keys = await deps.keys.subjectKeys([from, to]);
  const [fromKey, toKey] = [keys.get(from), keys.get(to)];
  // Whose key is gone was erased: nothing of theirs is to be found again.
  if (!fromKey || !toKey) return;
  const moved = rows.map(({ blindIndex, sealed }) => {
    const context = `identifier:${blindIndex}`;
    const anew = seal(toKey, unseal(fromKey, sealed, context), context);
    return { blind_index: `\\x${blindIndex}`, sealed: `\\x${anew.toString('hex')}` };
  });
  await deps.database.query(
    `update identifier i set subject_id = $2, sealed = m.sealed
     from json_to_recordset($3::text::json) as m (blind_index bytea, sealed bytea)
     where i.blind_index = m.blind_index and i.subject_id = $1`,
    [from, to, JSON.stringify(moved)],
  );
};

/** Completes merges whose identifiers have not all moved. Answers how many there were. */
export const completeMerges = async (deps: Pick<SubjectDeps, 'database' | 'keys'>): Promise<number> => {
  const rows = await deps.database.read<{ from: string; to: string }>(
    `select s.subject_id as "from", s.merged_into as "to" from subject_state s
     where s.merged_into is not null and exists (select from identifier i where i.subject_id = s.subject_id) limit 100`,
  );
  for (const { from, to } of rows) await moveIdentifiers(deps, from, to);
  return rows.length;
};
