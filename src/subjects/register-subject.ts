import { arrayLiteral } from '../kernel/database/client.ts';
import { seal, unseal } from '../kernel/crypto/key-encryption.ts';
import type { Caller, IdempotencyMark } from './change-subject.ts';
import type { Reference, SubjectDeps } from './deps.ts';
import { IdentifiersOfTwoSubjects, SubjectErased } from './errors.ts';
import { formatIdentifier } from './identifier.ts';
import { moveIdentifiers } from './move-identifiers.ts';

type Owner = { blindIndex: string; subjectId: string };

const owners = (deps: SubjectDeps, references: readonly Reference[]): Promise<Owner[]> =>
  deps.database.query<Owner>(
    `select encode(blind_index, 'hex') as "blindIndex", subject_id as "subjectId" from identifier where blind_index = any($1::bytea[])`,
    [arrayLiteral(references.map((reference) => `"\\\\x${reference.blindIndex}"`))],
  );

/** Those whom these handles name now and who are known by nothing else: whose they are turns out only when the handle is seen at an account. */
const nameless = async (deps: SubjectDeps, handles: readonly Reference[]): Promise<string[]> => {
  if (handles.length === 0) return [];
  const rows = await deps.database.read<{ subjectId: string }>(
    `select distinct subject_id as "subjectId" from identifier i where blind_index = any($1::bytea[])
     and not exists (select from identifier o where o.subject_id = i.subject_id and o.observed_at is null)`,
    [arrayLiteral(handles.map((handle) => `"\\\\x${handle.blindIndex}"`))],
  );
  return rows.map((row) => row.subjectId);
};

/** An identifier of a registration. */
type Registered = Reference & { shared?: boolean | undefined; observedAt?: string | undefined };

/** Two spellings of one identifier are one; whoever calls it shared once has said that it proves nothing. */
const distinct = (references: readonly Registered[]): Registered[] => {
  const byIndex = new Map<string, Registered>();
  for (const one of references) {
    const same = byIndex.get(one.blindIndex);
    byIndex.set(one.blindIndex, same ? { ...same, shared: same.shared || one.shared } : one);
  }
  return [...byIndex.values()];
};

/** Adds identifiers to a subject. Those that somebody else took meanwhile are left with them; a handle goes to whoever used it last. */
const claim = async (
  deps: SubjectDeps,
  caller: Caller,
  { subjectId, isNew }: { subjectId: string; isNew: boolean },
  references: readonly Registered[],
  movesHandles: boolean,
): Promise<void> => {
  const key = isNew
    ? await deps.keys.createSubjectKey(subjectId)
    : (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  // Whose key is gone was erased: a new one would bring the person back.
  if (!key) throw new SubjectErased();
  const rows = references.map((reference) => ({
    blind_index: `\\x${reference.blindIndex}`,
    namespace: reference.namespace,
    key_version: deps.secrets.blindIndex.version,
    subject_id: subjectId,
    sealed: `\\x${seal(key, Buffer.from(formatIdentifier(reference)), `identifier:${reference.blindIndex}`).toString('hex')}`,
    shared: reference.shared ?? false,
    observed_at: reference.handle ? (reference.observedAt ?? deps.clock.now().toString()) : undefined,
    recorded_by: caller.system,
  }));
  await deps.database.query(
    `insert into identifier (blind_index, namespace, key_version, subject_id, sealed, shared, observed_at, recorded_by)
     select blind_index, namespace, key_version, subject_id, sealed, shared, observed_at, recorded_by
     from json_populate_recordset(null::identifier, $1::text::json) order by blind_index
     on conflict (blind_index) do update
       set subject_id = excluded.subject_id, sealed = excluded.sealed, observed_at = excluded.observed_at, recorded_by = excluded.recorded_by
       where $2::bool and identifier.observed_at < excluded.observed_at`,
    [JSON.stringify(rows), movesHandles],
  );
};

/**
 * Finds or creates the one subject that all these identifiers belong to, and adds those that are new. Answers its pseudonymous id.
 * Errors: IdentifiersOfTwoSubjects (a registration never merges people), SubjectErased.
 */
export const registerSubject = async (
  deps: SubjectDeps,
  caller: Caller,
  input: {
    references: readonly Registered[];
    subjectId?: string;
    idempotency?: IdempotencyMark | undefined;
  },
): Promise<{ subjectId: string; created: boolean }> => {
  const references = distinct(input.references);
  const lasting = references.filter((reference) => !reference.handle);
  // A handle follows what lasts; where nothing else is named, whoever has it now is meant.
  const movesHandles = lasting.length > 0 || input.subjectId !== undefined;
  const naming = movesHandles ? lasting : references;
  const known = await owners(deps, naming);
  const subjectIds = new Set(known.map((owner) => owner.subjectId));
  if (input.subjectId) subjectIds.add(input.subjectId);
  if (subjectIds.size > 1) throw new IdentifiersOfTwoSubjects();
  const [existing] = subjectIds;
  const subjectId = existing ?? input.idempotency?.resourceId ?? deps.ids.uuid();
  const state = existing === undefined ? undefined : await deps.reader.state(existing);
  if (state?.erasedAt) throw new SubjectErased();
  // What is known of an alias belongs to the record that it was merged into; what has not moved there yet moves now.
  if (state?.mergedInto) {
    await moveIdentifiers(deps, state.subjectId, state.mergedInto);
    return registerSubject(deps, caller, {
      ...input,
      ...(input.subjectId === undefined ? {} : { subjectId: state.mergedInto }),
    });
  }
  const taken = new Set(known.map((owner) => owner.blindIndex));
  const fresh = references.filter((reference) => !taken.has(reference.blindIndex));
  if (fresh.length > 0) {
    const before = movesHandles
      ? await nameless(
          deps,
          fresh.filter(({ handle }) => handle),
        )
      : [];
    const inherit = async () => {
      for (const from of before) if (from !== subjectId) await deps.inheritNoes(caller, from, subjectId);
    };
    // Before, so that no check sees the handle without its noes; after, for what was said in between.
    await inherit();
    await claim(deps, caller, { subjectId, isNew: !existing }, fresh, movesHandles);
    await inherit();
    // Two calls may have claimed the same identifier at once: whoever came second learns whose it is.
    const now = await owners(deps, naming);
    if (now.some((owner) => owner.subjectId !== subjectId)) return registerSubject(deps, caller, input);
  }
  await deps.writer.change(
    subjectId,
    {
      verb: 'register-subject',
      caller,
      idempotency: input.idempotency && { ...input.idempotency, resourceId: existing ? deps.ids.uuid() : subjectId },
    },
    (state) =>
      fresh.length > 0 || state.version === 0 || input.idempotency ? { rows: [], result: undefined } : undefined,
  );
  return { subjectId, created: !existing };
};

type Sealed = { blindIndex: string; subjectId: string; sealed: Buffer };

const unsealAll = async <Row extends Sealed>(deps: Pick<SubjectDeps, 'keys'>, rows: readonly Row[]) => {
  const keys = await deps.keys.subjectKeys([...new Set(rows.map((row) => row.subjectId))]);
  return rows.flatMap((row) => {
    const key = keys.get(row.subjectId);
    return key ? [{ ...row, identifier: unseal(key, row.sealed, `identifier:${row.blindIndex}`).toString() }] : [];
  });
};

const sealedColumns = `encode(blind_index, 'hex') as "blindIndex", subject_id as "subjectId", sealed`;

/** The identifiers behind blind indexes, for those who must act on them; absent where the subject's key was destroyed. */
export const openIdentifiers = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  blindIndexes: readonly string[],
): Promise<Map<string, string>> => {
  const rows = await deps.database.query<Sealed>(
    `select ${sealedColumns} from identifier where blind_index = any($1::bytea[])`,
    [arrayLiteral(blindIndexes.map((index) => `"\\\\x${index}"`))],
  );
  return new Map((await unsealAll(deps, rows)).map(({ blindIndex, identifier }) => [blindIndex, identifier]));
};

/** All identifiers of subjects, handles apart; a subject whose key was destroyed is absent. */
export const openIdentifiersOf = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  subjectIds: readonly string[],
): Promise<Map<string, string[]>> => {
  const rows = await deps.database.read<Sealed & { askedId: string }>(
    // Those of an alias lie with the record that it was merged into.
    `select k.id as "askedId", encode(i.blind_index, 'hex') as "blindIndex", i.subject_id as "subjectId", i.sealed
     from unnest($1::uuid[]) as k (id) left join subject_state s on s.subject_id = k.id
     join identifier i on i.subject_id = coalesce(s.merged_into, k.id) and i.observed_at is null`,
    [arrayLiteral(subjectIds)],
  );
  const opened = new Map<string, string[]>();
  for (const { askedId, identifier } of await unsealAll(deps, rows))
    opened.set(askedId, [...(opened.get(askedId) ?? []), identifier]);
  return opened;
};
