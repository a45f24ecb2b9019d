import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import { createBatcher } from '../kernel/database/batcher.ts';

/** One question of a check: what holds for this identifier and this purpose now? */
export type SideKey = { blindIndex: string; purpose: string };

/** What the primary said at that moment. `subjectId` null: nobody is known by this identifier. */
export type Side = {
  subjectId: string | null;
  version: number;
  /** Answers to the purpose, and to everything (`*`); opaque here, they are consent's. */
  answers: unknown;
  everything: unknown;
  /** Open halves of links; null when there are none. Linkage's. */
  links: unknown;
  restricted: boolean;
  erased: boolean;
  shared: boolean;
  provedSubjectId: string | null;
};

export type Sides = { policyDigest: string | null; sides: Side[] };

/** The whole current state of one person, as a change needs it. Version 0: there is no row yet. */
export type SubjectState = {
  subjectId: string;
  version: number;
  answers: unknown;
  links: unknown;
  leaseFloor: number;
  restrictedAt: string | null;
  erasedAt: string | null;
  /** The record that this one is an alias of; then nothing here counts any more. */
  mergedInto: string | null;
  signals: unknown;
};

type SideRow = Side & { ord: number; policyDigest: string | null };

const sidesSql = `
  select k.ord::int as ord, i.subject_id as "subjectId", i.proved_subject_id as "provedSubjectId", coalesce(i.shared, false) as shared,
         coalesce(s.version, 0) as version, s.answers -> k.purpose as answers, s.answers -> '*' as everything,
         nullif(s.links, '[]') as links,
         s.restricted_at is not null as restricted, -- Until its identifiers have moved to the record that it was merged into, a merged one permits nothing.
         s.erased_at is not null or s.merged_into is not null as erased, d.policy_digest as "policyDigest"
  from unnest($1::text[], $2::text[]) with ordinality as k (blind_index, purpose, ord)
  cross join deployment d
  left join identifier i on i.blind_index = decode(k.blind_index, 'hex')
  left join subject_state s on s.subject_id = i.subject_id`;

const stateColumns = `
  coalesce(s.version, 0) as version, coalesce(s.answers, '{}') as answers, coalesce(s.links, '[]') as links,
  coalesce(s.lease_floor, 0) as "leaseFloor", s.restricted_at as "restrictedAt", s.erased_at as "erasedAt",
  s.merged_into as "mergedInto", coalesce(s.signals, '{}') as signals`;

const statesSql = `
  select k.subject_id as key, k.subject_id as "subjectId", ${stateColumns}
  from unnest($1::uuid[]) as k (subject_id) left join subject_state s on s.subject_id = k.subject_id`;

const statesByIdentifierSql = `
  select k.blind_index as key, coalesce(alias.merged_into, i.subject_id) as "subjectId", ${stateColumns}
  from unnest($1::text[]) as k (blind_index)
  join identifier i on i.blind_index = decode(k.blind_index, 'hex')
  left join subject_state alias on alias.subject_id = i.subject_id
  left join subject_state s on s.subject_id = coalesce(alias.merged_into, i.subject_id)`;

/** The state of a person of whom nothing is recorded yet. */
export const unrecorded = (subjectId: string): SubjectState => ({
  subjectId,
  version: 0,
  answers: {},
  links: [],
  leaseFloor: 0,
  restrictedAt: null,
  erasedAt: null,
  mergedInto: null,
  signals: {},
});

/** The current states of many persons in one statement. */
export const statesOf = async (
  database: Database,
  subjectIds: readonly string[],
): Promise<Map<string, SubjectState>> => {
  const rows = await database.read<SubjectState>(statesSql, [arrayLiteral(subjectIds)]);
  return new Map(rows.map((state) => [state.subjectId, state]));
};

export type SubjectReader = {
  /** What holds for each key now, and which policy set is active; one statement serves many callers. Never cached. */
  sides(keys: SideKey[]): Promise<Sides>;
  /** The subject's current state. Withdrawals go `first`. */
  state(subjectId: string, first?: boolean): Promise<SubjectState>;
  /** The same by identifier; undefined when nobody is known by it. */
  stateOf(blindIndex: string, first?: boolean): Promise<SubjectState | undefined>;
};

/** Follows the record of a person to the one it was merged into. */
export const throughAliases = async (
  deps: { reader: Pick<SubjectReader, 'state'> },
  state: SubjectState,
): Promise<SubjectState> => {
  let current = state;
  while (current.mergedInto !== null) current = await deps.reader.state(current.mergedInto);
  return current;
};

/**
 * One statement of a kind is under way at a time, so that what arrives meanwhile shares the next one. Two at a time, which DESIGN section 5 measured
 * best for bare look-ups, halved the callers per statement here and cost a quarter more processor time per check.
 */
export const createSubjectReader = (database: Database, deadlineMs: number): SubjectReader => {
  const sides = createBatcher<SideKey[], Sides>({
    maxItems: 64,
    maxInFlight: 1,
    deadlineMs,
    run: async (calls) => {
      const keys = calls.flat();
      const rows = await database.read<SideRow>(sidesSql, [
        arrayLiteral(keys.map((key) => key.blindIndex)),
        arrayLiteral(keys.map((key) => key.purpose)),
      ]);
      const byKey: Side[] = [];
      for (const row of rows) byKey[row.ord - 1] = row;
      const policyDigest = rows[0]?.policyDigest ?? null;
      let from = 0;
      return calls.map((call) => ({
        status: 'fulfilled',
        value: { policyDigest, sides: byKey.slice(from, (from += call.length)) },
      }));
    },
  });
  const states = (text: string) =>
    createBatcher<string, SubjectState | undefined>({
      maxItems: 64,
      maxInFlight: 1,
      deadlineMs,
      run: async (keys) => {
        const rows = await database.read<SubjectState & { key: string }>(text, [arrayLiteral([...new Set(keys)])]);
        const found = new Map(rows.map(({ key, ...state }) => [key, state]));
        return keys.map((key) => ({ status: 'fulfilled', value: found.get(key) }));
      },
    });
  const byId = states(statesSql);
  const byIdentifier = states(statesByIdentifierSql);
  return {
    sides: (keys) => sides.submit(keys),
    state: async (subjectId, first) => (await byId.submit(subjectId, first))!,
    stateOf: (blindIndex, first) => byIdentifier.submit(blindIndex, first),
  };
};
