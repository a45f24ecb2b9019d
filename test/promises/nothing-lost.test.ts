import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayLiteral, connect, type Database } from '../../src/kernel/database/client.ts';
import { freshDatabase } from '../support/database.ts';
import {
  createSender,
  startInstance,
  stopInstance,
  tokens,
  type Answer,
  type Fault,
} from '../support/promises-instances.ts';
import { createPair, type Load, type Pair } from '../support/promises-load.ts';

/**
 * Promise 2 for our own process: killed at any moment (SIGKILL, so that nothing of it can run any more), every answer to a person and every
 * permit that it acknowledged is there exactly once. Of denials it may lose those that it answered within 200 ms.
 */
const kills = Number(process.env['PROMISE_KILLS'] ?? 6);

type Acknowledged = { id: string; start: number; end: number };

type Outcome = {
  /** What was acknowledged. */
  events: string[];
  permits: string[];
  denials: number;
  /** What of it is there, each as often as it is. */
  storedEvents: string[];
  storedPermits: string[];
  /** Denials that are not there. */
  lost: number;
  /** Of any one kill: for how long at least the denials were answered that it lost, and how long before it the first of them was. */
  lostWithinMs: number;
  lostBeforeMs: number;
};

/** Loads an instance, kills it, and starts another on the same database, `times` times. */
const killUnderLoad = async (times: number, fault?: Fault): Promise<Outcome> => {
  const on = await freshDatabase();
  const database = connect(on.urls.app, { connections: 2, name: 'test' });
  const tokenOf = tokens(on);
  const events: string[] = [];
  const permits: string[] = [];
  const lost = { lost: 0, lostWithinMs: 0, lostBeforeMs: 0 };
  let pairs: Pair[] = [];
  let denials = 0;

  for (let kill = 0; kill < times; kill++) {
    const instance = await startInstance(on, fault);
    const sender = createSender();
    const held = new Map<string, string>();
    for (const system of ['crm', 'community-desk']) held.set(system, await tokenOf(instance, system));
    const load: Load = { instances: [instance], sender, token: (system) => held.get(system)! };
    if (pairs.length === 0)
      pairs = await Promise.all(Array.from({ length: 8 }, (_, number) => createPair(load, number)));

    const post = (system: string, path: string, body: object): Promise<Answer> =>
      sender.send(instance.url, 'POST', path, held.get(system)!, body);
    const denied: Acknowledged[] = [];
    let dead = false;
    const busy = async () => {
      while (!dead) {
        const { customer, account } = pairs[Math.floor(Math.random() * pairs.length)]!;
        const dice = Math.random();
        if (dice < 0.4) {
          const said = {
            subject: Math.random() < 0.9 ? customer : account,
            purpose: 'profile-linking',
            scope: { platform: 'facebook' },
            method: 'app',
          };
          const answer = await (dice < 0.3
            ? post('crm', '/v1/consents', { ...said, decision: 'given', notice: { version: 1, language: 'en' } })
            : post('crm', '/v1/consents/withdraw', said));
          if (answer.status === 201) events.push((answer.body as { event: { id: string } }).event.id);
        } else {
          const answer = await post('community-desk', '/access/v1/evaluation', {
            subject: { type: 'system', id: 'community-desk' },
            action: { name: 'link' },
            resource: { type: 'social_identity', id: account },
            context: { purpose: 'profile-linking', customer: dice < 0.8 ? customer : 'crm:nobody' },
          });
          if (answer.status !== 200) continue;
          const { decisionId: id } = answer.body.context as { decisionId: string };
          if (answer.body.decision) permits.push(id);
          else denied.push({ id, start: answer.start, end: answer.end! });
        }
      }
    };
    const working = Promise.all(Array.from({ length: 12 }, busy));
    // On a slow machine too, there is something to lose.
    for (const before = events.length; events.length < before + 15;) await sleep(5);
    await sleep(Math.random() * 1_200);
    instance.process.kill('SIGKILL');
    const killedAt = performance.now();
    await instance.exited;
    dead = true;
    await working;
    sender.close();
    // A statement that the server had received goes on without us.
    await sleep(300);
    const there = new Set(
      await idsIn(
        database,
        'denial',
        denied.map(({ id }) => id),
      ),
    );
    denials += denied.length;
    const gone = denied.filter(({ id }) => !there.has(id));
    if (gone.length > 0) {
      const [firstEnd, lastStart] = [
        Math.min(...gone.map(({ end }) => end)),
        Math.max(...gone.map(({ start }) => start)),
      ];
      lost.lost += gone.length;
      lost.lostWithinMs = Math.max(lost.lostWithinMs, lastStart - firstEnd);
      lost.lostBeforeMs = Math.max(lost.lostBeforeMs, killedAt - firstEnd);
    }
  }

  // Started once more, it answers: whatever the last one left behind is in nobody's way.
  const instance = await startInstance(on);
  const sender = createSender();
  const said = { subject: pairs[0]!.customer, purpose: '*', method: 'app' };
  const last = await sender.send(instance.url, 'POST', '/v1/consents/withdraw', await tokenOf(instance, 'crm'), said);
  expect(last.status).toBe(201);
  sender.close();
  await stopInstance(instance);

  const [storedEvents, storedPermits] = await Promise.all([
    idsIn(database, 'consent_event', events),
    permitted(database, permits),
  ]);
  await database.end();
  await on.drop();
  return { events, permits, denials, storedEvents, storedPermits, ...lost };
};

const idsIn = async (
  database: Database,
  table: 'denial' | 'consent_event',
  ids: readonly string[],
): Promise<string[]> =>
  (await database.query<{ id: string }>(`select id from ${table} where id = any($1::uuid[])`, [arrayLiteral(ids)])).map(
    ({ id }) => id,
  );

/** The decisions within the stored permits, each as often as it is there. */
const permitted = async (database: Database, ids: readonly string[]): Promise<string[]> =>
  (
    await database.query<{ id: string }>(
      `select decision ->> 'id' as id from permit, json_array_elements(decisions) decision where decision ->> 'id' = any($1::text[])`,
      [arrayLiteral(ids)],
    )
  ).map(({ id }) => id);

test(
  'killed at random moments under load, the service has lost nothing that it acknowledged',
  async () => {
    const { events, permits, denials, storedEvents, storedPermits, ...lost } = await killUnderLoad(kills);
    const [within, before] = [Math.round(lost.lostWithinMs), Math.round(lost.lostBeforeMs)];
    console.log(
      `nothing lost: ${kills} kills, ${events.length} answers and ${permits.length} permits acknowledged; of ${denials} denials ${lost.lost} lost, those of one kill within ${within} ms, the first ${before} ms before it`,
    );
    for (const many of [events.length, permits.length, denials]) expect(many).toBeGreaterThan(5 * kills);
    expect(storedEvents.toSorted()).toEqual(events.toSorted());
    expect(storedPermits.toSorted()).toEqual(permits.toSorted());
    // Where the database is slow, answers wait for it: so what one kill loses was answered within 200 ms, whenever that was.
    expect(within).toBeLessThanOrEqual(200);
  },
  10 * 60_000,
);

test('a planted fault is noticed: permits that are answered before they are durable', async () => {
  const { permits, storedPermits } = await killUnderLoad(2, 'answer-early');
  expect(permits.length - storedPermits.length).toBeGreaterThan(0);
});
