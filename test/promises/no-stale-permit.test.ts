import { expect, test } from 'vitest';
import { answersAsOf } from '../../src/consent/index.ts';
import { arrayLiteral, connect } from '../../src/kernel/database/client.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { findViolations } from '../support/promises-checker.ts';
import { createSender, startInstance, stopInstance, tokens, type Fault } from '../support/promises-instances.ts';
import { createPair, lookAgain, runLoad, type Load, type Pair } from '../support/promises-load.ts';

/**
 * Promise 1 on two instances, each in a process of its own, over HTTP: no permit to a check, no confirmed and no active link, that began
 * after a no was acknowledged. `PROMISE_OPERATIONS` says how many operations.
 */
const operations = Number(process.env['PROMISE_OPERATIONS'] ?? 100_000);

type Outcome = { violations: string[]; done: Record<string, number>; permits: number; seconds: number };

/** Counts what is alike, so that thousands of violations stay readable. */
const tallied = (messages: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const message of messages) counts[message] = (counts[message] ?? 0) + 1;
  return counts;
};

/** What the database says in the end about everybody; problems in words. */
const inspect = async (on: TestDatabase, pairs: readonly Pair[]): Promise<string[]> => {
  const database = connect(on.urls.app, { connections: 2, name: 'test' });
  const problems: string[] = [];
  try {
    const acknowledged = pairs.flatMap(({ seen }) => seen.sayings.flatMap(({ id }) => (id === undefined ? [] : [id])));
    const stored = await database.query<{ id: string }>('select id from consent_event where id = any($1::uuid[])', [
      arrayLiteral(acknowledged),
    ]);
    const found = new Map<string, number>();
    for (const { id } of stored) found.set(id, (found.get(id) ?? 0) + 1);
    for (const id of acknowledged)
      if (found.get(id) !== 1) problems.push('an acknowledged answer is not there exactly once');

    const subjects = await database.query<{
      subjectId: string;
      version: number;
      answers: unknown;
      changes: number;
      versions: number;
    }>(
      `select s.subject_id as "subjectId", s.version, s.answers, count(*)::int as changes, count(distinct a.version)::int as versions
       from subject_state s join audit_event a on a.subject_id = s.subject_id group by s.subject_id`,
    );
    for (const { subjectId, version: current, answers, changes, versions } of subjects) {
      if (changes !== versions || changes !== current) problems.push('versions do not count the changes');
      const history = await answersAsOf(database, subjectId, Temporal.Instant.from('2999-01-01T00:00:00Z')).catch(
        (error: unknown) => {
          if (error instanceof RangeError) return error.message;
          throw error;
        },
      );
      if (JSON.stringify(sorted(history)) !== JSON.stringify(sorted(answers)))
        problems.push('the state is not what the history says');
    }
  } finally {
    await database.end();
  }
  return problems;
};

/** With its members in one order, so that what means the same reads the same. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
};

const run = async (howMany: number, fault?: Fault): Promise<Outcome> => {
  const on = await freshDatabase();
  const instances = await Promise.all([startInstance(on, fault), startInstance(on, fault)]);
  const sender = createSender();
  const tokenOf = tokens(on);
  const held = new Map<string, string>();
  const renew = async () => {
    for (const system of ['crm', 'community-desk']) held.set(system, await tokenOf(instances[0], system));
  };
  // Tokens live for five minutes, a full run may not.
  const renewing = setInterval(() => void renew(), 120_000);
  try {
    await renew();
    const load: Load = { instances, sender, token: (system) => held.get(system)! };
    const pairs: Pair[] = [];
    for (let number = 0; number < 24; number += 8)
      pairs.push(...(await Promise.all(Array.from({ length: 8 }, (_, index) => createPair(load, number + index)))));
    const startedAt = performance.now();
    const done = await runLoad(load, pairs, { operations: howMany, atOnce: 16 });
    const seconds = (performance.now() - startedAt) / 1_000;
    await lookAgain(load, pairs);
    const violations = pairs.flatMap(({ seen }) => findViolations(seen).map(({ promise }) => promise));
    const permits = pairs.flatMap(({ seen }) => seen.checks).filter(({ permit }) => permit).length;
    return { violations: [...violations, ...(await inspect(on, pairs))], done, permits, seconds };
  } finally {
    clearInterval(renewing);
    sender.close();
    await Promise.all(instances.map(stopInstance));
    await on.drop();
  }
};

test(
  'no check, confirmation or link that began after an acknowledged no is allowed, on two instances under load',
  async () => {
    const { violations, done, permits, seconds } = await run(operations);
    console.log(`no stale permit: ${JSON.stringify({ ...done, permits, seconds: Math.round(seconds) })}`);
    expect(tallied(violations)).toEqual({});
    expect(done['operations']).toBeGreaterThanOrEqual(operations);
    // A service that denies everything would keep this promise as well.
    expect(permits).toBeGreaterThan(done['checks']! / 20);
    expect(done['confirmations']).toBeGreaterThan(operations / 100);
  },
  30 * 60_000,
);

test.each<[Fault, RegExp]>([
  ['remember-answers', /check that started after an acknowledged no was permitted/],
  ['drop-version-comparison', /same place|not what the history says|versions do not count/],
])('a planted fault is noticed: %s', async (fault, expected) => {
  // How soon depends on the machine: a memory of 50 ms shows only where a no is acknowledged sooner.
  for (let round = 1; ; round++) {
    const { violations, done } = await run(6_000, fault);
    console.log(`planted ${fault}: ${JSON.stringify(tallied(violations))} in ${done['operations']} operations`);
    if (violations.some((violation) => expected.test(violation))) return;
    expect(round).toBeLessThan(4);
  }
});
