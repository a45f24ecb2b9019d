import { getTableColumns, getTableName } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { setTimeout as sleep } from 'node:timers/promises';
import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import { createBatcher } from '../kernel/database/batcher.ts';
import { DatabaseRefused, isUnavailable, isWorthRetrying } from '../kernel/database/errors.ts';
import type { Ids } from '../kernel/ids.ts';
import { IdempotencyKeyRaced, SubjectContended } from './errors.ts';
import type { SubjectReader, SubjectState } from './read-subjects.ts';
import { auditEvent } from './table.ts';
import { idempotency } from '../kernel/table.ts';

/** Who acts: the system whose token it is, and whom it says is behind the act (never a person's name). */
export type Caller = { system: string; clientId: string };

/** One row for an append-only table. Columns named `recordedAt` or `createdAt` are set by the database. */
export type Row = { table: PgTable; values: Record<string, unknown> };
export const row = <T extends PgTable>(
  table: T,
  values: Omit<T['$inferInsert'], 'recordedAt' | 'createdAt' | 'subjectId'>,
): Row => ({ table, values });

/** What a pure decision wants to become of a subject. What is left out stays as it is. */
export type Change<Result> = {
  answers?: unknown;
  links?: unknown;
  signals?: unknown;
  /** Makes this record an alias of another one of the same person. */
  mergedInto?: string;
  /** Ends every lease that was granted so far. */
  voidLeases?: boolean;
  /**
   * When the links must be looked at again (RFC 3339; null: never). Given with `links`, or alone. They also count as not reviewed under any policy
   * set: another may have been activated, and all links reviewed under it, since this was decided.
   */
  reviewAt?: string | null;
  /** By how many the version rises: as many as there are rows that each need a place of their own in the history. One by default. */
  advances?: number;
  rows: Row[];
  result: Result;
};

export type IdempotencyMark = { hash: Buffer; fingerprint: Buffer; resourceId: string };

export type Recorded<Result> = { result: Result; recordedAt: string; version: number };

export type SubjectWriter = {
  /**
   * Reads a subject, lets `decide` say what becomes of it, and commits that in one statement together with the audit event, on condition
   * that the subject is still at the version that was read; else it reads and decides again. `decide` must be pure: it may run
   * several times; it answers undefined to change nothing. `alreadyRead` saves the first read. Answers what was decided, with the database's time. Errors: whatever `decide` throws; SubjectContended;
   * IdempotencyKeyRaced; DatabaseUnavailable (nothing half-done: a later call may repeat it).
   */
  change<Result>(
    subjectId: string,
    about: {
      verb: string;
      caller: Caller;
      actor?: string | undefined;
      idempotency?: IdempotencyMark | undefined;
      urgent?: boolean;
    },
    decide: (state: SubjectState, nextVersion: number) => Change<Result> | undefined,
    alreadyRead?: SubjectState,
  ): Promise<Recorded<Result> | undefined>;
  drained(): Promise<void>;
};

type Pending = { changeId: string; state: SubjectState; change: Change<unknown>; rows: Row[] };
type Committed = { recordedAt: string } | 'stale';

const reachedBy = (state: SubjectState, change: Change<unknown>): number => state.version + (change.advances ?? 1);

const jsonValue = (value: unknown): unknown => (Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value);

/** Column names and the time column of a table, for `json_populate_recordset`. */
const shapeOf = (table: PgTable) => {
  const columns = Object.entries(getTableColumns(table)).map(([member, column]) => ({ member, name: column.name }));
  const names = columns.map(({ name }) => name);
  const stamped = (name: string) => (name === 'recorded_at' || name === 'created_at' ? 'now()' : `r.${name}`);
  return {
    toJson: (subjectId: string, values: Record<string, unknown>) => {
      const json: Record<string, unknown> = {};
      for (const { member, name } of columns) if (values[member] !== undefined) json[name] = jsonValue(values[member]);
      json['subject_id'] = subjectId;
      return json;
    },
    insert: (parameter: number) =>
      `insert into ${getTableName(table)} (${names.join(', ')})
       select ${names.map(stamped).join(', ')} from json_populate_recordset(null::${getTableName(table)}, $${parameter}::text::json) r
       join moved on moved.subject_id = r.subject_id`,
  };
};

/**
 * The statement that commits many changes at once. Rows are locked in id order, so two batches never deadlock; `locked.version`
 * is the version after any wait, while the rest of the statement still sees the snapshot from before it: only where both agree
 * is what was decided still true (DESIGN section 5). Everything else hangs on `moved`.
 */
const commitSql = (inserts: string[]): string => `
  with change as (
    select * from json_to_recordset($1::text::json) as c (
      subject_id uuid, expected int, reached int, answers jsonb, links jsonb, signals jsonb, merged_into uuid, lease_floor int,
      review_at timestamptz, keep_review boolean)
  ), locked as materialized (
    select s.subject_id, s.version from subject_state s join change c on c.subject_id = s.subject_id order by s.subject_id for update of s
  ), born as (
    insert into subject_state (subject_id, version, answers, links, signals, merged_into, lease_floor, review_at, changed_at)
    select subject_id, reached, answers, links, signals, merged_into, lease_floor, review_at, now() from change where expected = 0 order by subject_id
    on conflict do nothing returning subject_id
  ), changed as (
    update subject_state s set version = c.reached, answers = c.answers, links = c.links, signals = c.signals,
      merged_into = c.merged_into, lease_floor = c.lease_floor,
      review_at = case when c.keep_review then s.review_at else c.review_at end,
      reviewed_policy = case when c.keep_review then s.reviewed_policy end, changed_at = now()
    from change c join locked l on l.subject_id = c.subject_id
    where s.subject_id = c.subject_id and c.expected > 0 and l.version = c.expected
    returning s.subject_id
  ), moved as materialized (select subject_id from born union all select subject_id from changed)
  ${inserts.map((insert, index) => `, written_${index} as (${insert})`).join('\n')}
  select subject_id as "subjectId", now() as "recordedAt" from moved`;

/**
 * The group-committing writer of subjects. One per instance; `deadlineMs` bounds how long a change waits before 503. `maxItems`: changes per
 * statement, more for those who have thousands ready.
 */
export const createSubjectWriter = (deps: {
  database: Database;
  reader: SubjectReader;
  ids: Ids;
  deadlineMs: number;
  maxItems?: number;
}): SubjectWriter => {
  const { database, reader, ids, deadlineMs, maxItems = 64 } = deps;
  const shapes = new Map<PgTable, ReturnType<typeof shapeOf>>();
  const shape = (table: PgTable) => {
    const known = shapes.get(table) ?? shapeOf(table);
    shapes.set(table, known);
    return known;
  };
  const statements = new Map<string, string>();

  const commit = async (batch: Pending[]): Promise<Committed[]> => {
    const byTable = new Map<PgTable, unknown[]>();
    const changes = batch.map(({ state, change, rows }) => {
      for (const { table, values } of rows) {
        const list = byTable.get(table);
        const json = shape(table).toJson(state.subjectId, values);
        if (list) list.push(json);
        else byTable.set(table, [json]);
      }
      return {
        subject_id: state.subjectId,
        expected: state.version,
        reached: reachedBy(state, change),
        answers: change.answers ?? state.answers,
        links: change.links ?? state.links,
        signals: change.signals ?? state.signals,
        merged_into: change.mergedInto ?? state.mergedInto,
        lease_floor: change.voidLeases ? reachedBy(state, change) : state.leaseFloor,
        review_at: change.reviewAt,
        keep_review: change.reviewAt === undefined,
      };
    });
    const tables = [...byTable.keys()].sort((a, b) => getTableName(a).localeCompare(getTableName(b)));
    const name = tables.map(getTableName).join();
    const text = statements.get(name) ?? commitSql(tables.map((table, index) => shape(table).insert(index + 2)));
    statements.set(name, text);
    const moved = await database.query<{ subjectId: string; recordedAt: string }>(text, [
      JSON.stringify(changes),
      ...tables.map((table) => JSON.stringify(byTable.get(table))),
    ]);
    const at = new Map(moved.map((row) => [row.subjectId, row.recordedAt]));
    return batch.map(({ state }) => {
      const recordedAt = at.get(state.subjectId);
      return recordedAt === undefined ? 'stale' : { recordedAt };
    });
  };

  /** After a connection was lost nobody knows whether the statement was committed; its audit events tell. */
  const readBack = async (batch: Pending[]): Promise<Map<string, string>> => {
    const rows = await database.query<{ id: string; recordedAt: string }>(
      `select a.id, a.recorded_at as "recordedAt" from unnest($1::uuid[], $2::uuid[]) as k (subject_id, id)
       join audit_event a on a.subject_id = k.subject_id and a.id = k.id`,
      [arrayLiteral(batch.map((item) => item.state.subjectId)), arrayLiteral(batch.map((item) => item.changeId))],
    );
    return new Map(rows.map((row) => [row.id, row.recordedAt]));
  };

  const commitOrReadBack = async (
    batch: Pending[],
    retryUntil: number,
    inDoubt = false,
  ): Promise<PromiseSettledResult<Committed>[]> => {
    try {
      const results = await commit(batch);
      // A statement whose connection was lost may have been committed later than we looked: then ours found the version moved.
      const earlier = inDoubt && results.includes('stale') ? await readBack(batch) : undefined;
      return batch.map(({ changeId }, index) => {
        const recordedAt = earlier?.get(changeId);
        return { status: 'fulfilled', value: recordedAt === undefined ? results[index]! : { recordedAt } };
      });
    } catch (error) {
      if (isWorthRetrying(error) && performance.now() < retryUntil) {
        await sleep(50);
        return commitOrReadBack(batch, retryUntil, inDoubt || isUnavailable(error));
      }
      // One bad member must fail alone.
      if (!isUnavailable(error) && batch.length > 1)
        return (await Promise.all(batch.map((item) => commitOrReadBack([item], retryUntil, inDoubt)))).flat();
      return batch.map(() => ({ status: 'rejected', reason: error }));
    }
  };

  const writer = createBatcher<Pending, Committed>({
    maxItems,
    maxInFlight: 1,
    deadlineMs,
    key: (item) => item.state.subjectId,
    run: (batch) => commitOrReadBack(batch, performance.now() + deadlineMs),
  });

  /** What is under way per person; noes have turns of their own, so that none waits behind a yes. */
  const turns = new Map<string, Promise<unknown>>();

  return {
    drained: () => writer.drained(),
    change: async (subjectId, about, decide, alreadyRead) => {
      const changeId = ids.uuid();
      const lane = `${about.urgent === true} ${subjectId}`;
      const before = turns.get(lane);
      const { promise: turn, resolve: pass } = Promise.withResolvers<void>();
      turns.set(lane, turn);
      try {
        // Changes of one person would only find each other's version moved, and read and commit in vain.
        await before;
        return await changeNow(changeId, subjectId, about, decide, before ? undefined : alreadyRead);
      } finally {
        pass();
        if (turns.get(lane) === turn) turns.delete(lane);
      }
    },
  };

  async function changeNow<Result>(
    changeId: string,
    ...[subjectId, about, decide, alreadyRead]: Parameters<SubjectWriter['change']>
  ): Promise<Recorded<Result> | undefined> {
    for (let attempt = 0; attempt < 50; attempt++) {
      if (attempt > 1) await sleep(Math.random() * Math.min(2 ** attempt, 50));
      const state = attempt === 0 && alreadyRead ? alreadyRead : await reader.state(subjectId, about.urgent);
      const change = decide(state, state.version + 1);
      if (!change) return undefined;
      const rows = [...change.rows];
      rows.push(
        row(auditEvent, {
          id: changeId,
          verb: about.verb,
          system: about.caller.system,
          actor: about.actor,
          version: reachedBy(state, change),
        }),
      );
      if (about.idempotency) rows.push(row(idempotency, about.idempotency));
      const committed = await writer.submit({ changeId, state, change, rows }, about.urgent).catch((error: unknown) => {
        throw error instanceof DatabaseRefused && error.constraint === 'idempotency_pkey'
          ? new IdempotencyKeyRaced()
          : error;
      });
      if (committed !== 'stale')
        return { result: change.result as Result, recordedAt: committed.recordedAt, version: reachedBy(state, change) };
    }
    throw new SubjectContended();
  }
};
