import { expect } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { answersAsOf } from '../../src/consent/index.ts';
import type { Database } from '../../src/kernel/database/client.ts';
import { halvesOf } from '../../src/linkage/index.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { createGate } from './promises-faults.ts';
import { watchLocks } from './promises-locks.ts';
import { startParts, type Faults, type Parts } from './promises-parts.ts';

/** Somebody who said yes for Facebook and proved that the account is theirs. */
export type Person = { customer: string; account: string; subjectId: string; accountSubjectId: string };

/** The permit that a link is confirmed with. */
export type Lease = { leaseId: string; customer: string; identity: string };

/** Where the server's own clock says what is due, the test's clock says it instead. */
const askClock = (database: Database, clock: Clock): Database => ({
  ...database,
  query: (text, parameters) =>
    database.query(
      text.replace(/\breview_at (<=|>) now\(\)/g, `review_at $1 '${clock.now().toString()}'::timestamptz`),
      parameters,
    ),
});

/** Two instances on one database, and hands on the order of what they do. */
export const createWorld = async (faults: Faults = {}, clock?: Clock) => {
  const database: TestDatabase = await freshDatabase();
  const gate = createGate();
  const timed = clock === undefined ? {} : { clock };
  const faulty = (real: Database) => {
    const planted = faults.database?.(real) ?? real;
    return clock === undefined ? planted : askClock(planted, clock);
  };
  const a = await startParts(database, {
    name: 'instance-a',
    ...timed,
    faults: { ...faults, database: (real) => gate.database(faulty(real)) },
  });
  const b = await startParts(database, { name: 'instance-b', ...timed, faults: { ...faults, database: faulty } });
  const locks = watchLocks(database);
  let people = 0;

  const world = {
    a,
    b,
    locks,
    /** In the way of the commits of `a`. */
    gate,
    person: async (platform = 'facebook'): Promise<Person> => {
      const number = 10_000_000 + ++people;
      const [customer, account] = [`crm:${number}`, `${platform}:${number}`];
      const subjectId = await a.register(customer);
      await a.give({ subject: customer, scope: { platform } });
      await a.prove(customer, account);
      return { customer, account, subjectId, accountSubjectId: await a.register(account) };
    },
    askToLink: (by: Parts, { customer, account }: Person, system = 'community-desk', context: object = {}) =>
      by.ask(system, {
        action: 'link',
        resource: account,
        context: { purpose: 'profile-linking', customer, ...context },
      }),
    lease: async (by: Parts, person: Person, system = 'community-desk', context: object = {}): Promise<Lease> => {
      const decision = await world.askToLink(by, person, system, context);
      expect(decision.decision, JSON.stringify(decision.context)).toBe(true);
      const { lease } = decision.context as { lease: { id: string } };
      return { leaseId: lease.id, customer: person.customer, identity: person.account };
    },
    /**
     * Starts each act only when the one before it waits for the row of `subjectId`, so that they get it in this order, and
     * all of them decided on what was there before any of them. Answers how each ended.
     */
    inOrder: async <Acts extends (() => Promise<unknown>)[]>(subjectId: string, ...acts: Acts) => {
      const row = await locks.hold(subjectId);
      try {
        const started: Promise<PromiseSettledResult<unknown>>[] = [];
        for (const [index, act] of acts.entries()) {
          started.push(settled(act()));
          await locks.untilWaiting(index + 1);
        }
        await row.release();
        return await Promise.all(started);
      } finally {
        await row.release();
      }
    },
    /** Systems that were told to undo a link of this person, each once per obligation. */
    toldToUnlink: async ({ subjectId, accountSubjectId }: Person): Promise<string[]> => {
      const rows = await locks.sql<{ system: string }[]>`
        select system from obligation where kind = 'unlink' and subject_id in (${subjectId}, ${accountSubjectId}) order by system`;
      return rows.map(({ system }) => system);
    },
    /** Links that count: those that are shown as active from the customer's side, and both halves of which are. */
    activeLinks: async ({ subjectId, accountSubjectId }: Person) => {
      const [mine, theirs] = await Promise.all([b.deps.reader.state(subjectId), b.deps.reader.state(accountSubjectId)]);
      const active = (links: unknown, side: string, otherSubjectId: string) =>
        halvesOf(links)
          .filter((half) => half.side === side && half.status === 'active' && half.otherSubjectId === otherSubjectId)
          .map(({ linkId }) => linkId);
      const others = active(theirs.links, 'identity', subjectId);
      const both = active(mine.links, 'customer', accountSubjectId).filter((linkId) => others.includes(linkId));
      const shown = (await b.links(subjectId)).filter(({ status }) => status === 'active').map(({ linkId }) => linkId);
      expect(shown).toEqual(expect.arrayContaining(both));
      const shownThere = (await b.links(accountSubjectId)).filter(({ status }) => status === 'active');
      expect(shownThere.map(({ linkId }) => linkId).toSorted()).toEqual(both.toSorted());
      return both;
    },
    /**
     * What must hold whatever happened: each change moved the version by one and left one audit event; the state is what the
     * history says and nothing else; no event is there twice. `unaudited`: changes that the test itself made by SQL.
     */
    expectWhole: async (subjectId: string, unaudited = 0) => {
      const audit = await locks.sql<{ version: number }[]>`
        select version from audit_event where subject_id = ${subjectId} order by version`;
      const state = await b.deps.reader.state(subjectId);
      const versions = audit.map(({ version }) => version);
      expect(new Set(versions).size).toBe(versions.length);
      expect(versions.length + unaudited).toBe(state.version);
      const events = await locks.sql<{ seq: number }[]>`
        select subject_seq as seq from consent_event where subject_id = ${subjectId} order by subject_seq`;
      expect(new Set(events.map(({ seq }) => seq)).size).toBe(events.length);
      const farAhead = Temporal.Instant.from('2999-01-01T00:00:00Z');
      expect(state.answers).toEqual(await answersAsOf(b.deps.database, subjectId, farAhead));
    },
    eventIds: async (subjectId: string): Promise<string[]> =>
      (await locks.sql<{ id: string }[]>`select id from consent_event where subject_id = ${subjectId}`).map(
        ({ id }) => id,
      ),
    close: async () => {
      await Promise.all([a.close(), b.close()]);
      await locks.close();
      await database.drop();
    },
  };
  return world;
};

export const settled = async <T>(call: Promise<T>): Promise<PromiseSettledResult<T>> =>
  (await Promise.allSettled([call]))[0];

/** The code of the error with which a call ended; undefined where it succeeded. Any other error is thrown. */
export const refusal = (result: PromiseSettledResult<unknown> | undefined): string | undefined => {
  if (result?.status !== 'rejected') return undefined;
  const { code } = result.reason as { code?: unknown };
  if (typeof code !== 'string') throw result.reason;
  return code;
};

export type World = Awaited<ReturnType<typeof createWorld>>;
