import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/kernel/database/client.ts';
import { createWorld, settled, type Person, type World } from '../support/promises-world.ts';

/** Promise 2 where nobody knows whether the server committed: what was acknowledged is there exactly once. */

let world: World;
let people: Person[];
beforeAll(async () => {
  world = await createWorld();
  people = await Promise.all(Array.from({ length: 6 }, () => world.person()));
});
afterAll(() => world.close());

const scope = { platform: 'facebook' };

test('a change whose connection is lost while it waits is sent again, and is there once', async () => {
  const person = await world.person();
  const before = (await world.eventIds(person.subjectId)).length;
  const row = await world.locks.hold(person.subjectId);
  const withdrawn = settled(world.a.withdraw({ subject: person.customer, scope }));
  for (let round = 0; round < 3; round++) {
    await world.locks.untilWaiting(1);
    expect(await world.locks.terminate('instance-a', 'waiting')).toBe(1);
    await world.locks.untilWaiting(0);
  }
  await world.locks.untilWaiting(1);
  await row.release();
  const result = await withdrawn;
  expect(result.status).toBe('fulfilled');
  const ids = await world.eventIds(person.subjectId);
  expect(ids).toHaveLength(before + 1);
  expect(ids).toContain((result as PromiseFulfilledResult<{ id: string }>).value.id);
  expect((await world.askToLink(world.b, person)).decision).toBe(false);
  await world.expectWhole(person.subjectId);
});

test('a change that was committed, but whose answer was lost, is acknowledged and there once', async () => {
  const person = await world.person();
  const before = (await world.eventIds(person.subjectId)).length;
  world.gate.loseAnswers(2);
  const said = await Promise.all([
    world.a.withdraw({ subject: person.customer, scope }),
    world.a.withdraw({ subject: person.customer, purpose: '*' }),
    world.a.give({ subject: person.account, scope }),
  ]);
  const ids = await world.eventIds(person.subjectId);
  expect(ids).toHaveLength(before + 2);
  expect(ids).toEqual(expect.arrayContaining(said.slice(0, 2).map(({ id }) => id)));
  expect(await world.eventIds(person.accountSubjectId)).toContain(said[2].id);
  await world.expectWhole(person.subjectId);
  await world.expectWhole(person.accountSubjectId);
});

test('a change that was committed, its answer lost, and overtaken by another before it was looked for, is there once', async () => {
  const person = await world.person();
  const before = (await world.eventIds(person.subjectId)).length;
  world.gate.loseAnswers(1);
  const given = world.a.give({ subject: person.customer, scope });
  while ((await world.eventIds(person.subjectId)).length === before) await sleep(1);
  const withdrawn = await world.b.withdraw({ subject: person.customer, scope });
  const ids = await world.eventIds(person.subjectId);
  expect(ids).toEqual(expect.arrayContaining([(await given).id, withdrawn.id]));
  expect(await world.eventIds(person.subjectId)).toHaveLength(before + 2);
  expect((await world.askToLink(world.a, person)).decision).toBe(false);
  await world.expectWhole(person.subjectId);
});

test('a server that ends a connection as it opens costs a refused call, never the process', async () => {
  // Speaks as PostgreSQL does when it is told to shut down while somebody signs in: welcome, ready, FATAL 57P01, gone.
  const message = (type: string, body: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type), length, body]);
  };
  const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command', ''];
  const fatal = message('E', Buffer.from(fields.join('\0') + '\0'));
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]));
      socket.once('data', () => socket.end(fatal));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const database = connect(`postgres://nobody@127.0.0.1:${port}/none`, { connections: 2 });
  // A rejection that nobody handles would end the service; here it fails the whole run.
  for (let attempt = 0; attempt < 4; attempt++)
    expect((await settled(database.query('select 1'))) as { reason?: unknown }).toMatchObject({
      status: 'rejected',
      reason: { code: 'database.unavailable' },
    });
  expect(connections).toBeGreaterThan(1);
  await database.end();
  server.close();
});

test('while connections are ended again and again at the moment of commit, every acknowledged event and permit is there once', async () => {
  const acknowledged: { subjectId: string; id: string }[] = [];
  const permits: string[] = [];
  let refused = 0;
  let rounds = 0;
  const endsAt = performance.now() + 6_000;
  const busy = async (index: number) => {
    const instance = index % 2 === 0 ? world.a : world.b;
    while (performance.now() < endsAt) {
      const person = people[Math.floor(Math.random() * people.length)]!;
      const act = Math.random();
      if (act < 0.7) {
        const said = { subject: person.customer, scope };
        const result = await settled(act < 0.4 ? instance.give(said) : instance.withdraw(said));
        if (result.status === 'fulfilled') acknowledged.push(result.value);
        else refused++;
      } else {
        const result = await settled(world.askToLink(instance, person));
        if (result.status === 'rejected') refused++;
        else if (result.value.decision) permits.push((result.value.context as { lease: { id: string } }).lease.id);
      }
    }
  };
  const storm = async () => {
    for (let turn = 0; performance.now() < endsAt - 500; turn++) {
      // Those that wait for a row are in the middle of a commit; every few turns all go.
      rounds += await world.locks.terminate('instance-a', turn % 20 === 0 ? 'all' : 'waiting');
      rounds += await world.locks.terminate('instance-b', turn % 23 === 0 ? 'all' : 'waiting');
      await sleep(15);
    }
  };
  await Promise.all([storm(), ...Array.from({ length: 12 }, (_, index) => busy(index))]);

  console.log(
    `lost connections: ${rounds} ended, ${acknowledged.length} events and ${permits.length} permits acknowledged, ${refused} calls refused`,
  );
  expect(rounds).toBeGreaterThan(20);
  expect(acknowledged.length).toBeGreaterThan(100);
  for (const { subjectId, customer } of people) {
    const ids = await world.eventIds(subjectId);
    expect(new Set(ids).size, customer).toBe(ids.length);
    const missing = acknowledged.filter((event) => event.subjectId === subjectId && !ids.includes(event.id));
    expect(missing).toEqual([]);
    await world.expectWhole(subjectId);
  }
  const stored = await world.locks.sql<{ id: string }[]>`select id from permit where id = any(${permits}::uuid[])`;
  expect(stored.map(({ id }) => id).toSorted()).toEqual(permits.toSorted());
});
