import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLimit, RateLimitReached, type TakeTokens } from './rate-limit.ts';

/** The shared row as the statement in `TakeTokens` keeps it; `seconds` is the database's clock. */
const sharedRow = (seconds: () => number) => {
  const rows = new Map<string, { endsAt: number; taken: number }>();
  let writes = 0;
  const take: TakeTokens = async (key, count, limit, windowSeconds) => {
    writes++;
    await Promise.resolve();
    let row = rows.get(key);
    if (row === undefined || row.endsAt <= seconds()) {
      row = { endsAt: seconds() + windowSeconds, taken: 0 };
      rows.set(key, row);
    }
    row.taken += count;
    const granted = Math.max(0, Math.min(count, limit - (row.taken - count)));
    return { granted, endsInMs: (row.endsAt - seconds()) * 1000 };
  };
  return { take, writes: () => writes };
};

const rate = { name: 'calls', limit: 100, windowSeconds: 60 };

const spendUntilRefused = async (limits: ReturnType<typeof createLimit>[], tries: number): Promise<number> => {
  let spent = 0;
  for (let i = 0; i < tries; i++) {
    try {
      await limits[i % limits.length]!('crm');
      spent++;
    } catch (error) {
      expect(error).toBeInstanceOf(RateLimitReached);
    }
  }
  return spent;
};

test('one instance spends exactly the limit, at a fraction of a write each', async () => {
  const { take, writes } = sharedRow(() => 0);
  expect(await spendUntilRefused([createLimit(rate, take, () => 0)], 300)).toBe(100);
  expect(writes()).toBeLessThanOrEqual(16);
});

test('three instances together spend no more than the limit, and nearly all of it', async () => {
  const { take } = sharedRow(() => 0);
  const limits = [1, 2, 3].map(() => createLimit(rate, take, () => 0));
  const spent = await spendUntilRefused(limits, 600);
  expect(spent).toBeLessThanOrEqual(100);
  expect(spent).toBeGreaterThan(80);
});

test('a hundred calls at once ask the row for all of them together', async () => {
  const { take, writes } = sharedRow(() => 0);
  const limit = createLimit({ ...rate, limit: 1600 }, take, () => 0);
  await Promise.all(Array.from({ length: 100 }, async () => limit('crm')));
  expect(writes()).toBe(1);
});

test('clients do not share a limit', async () => {
  const { take } = sharedRow(() => 0);
  const limit = createLimit({ ...rate, limit: 1 }, take, () => 0);
  await limit('crm');
  await expect(limit('crm')).rejects.toBeInstanceOf(RateLimitReached);
  await limit('community-desk');
});

test('tokens that are left over do not live into the next window', async () => {
  let seconds = 0;
  const { take } = sharedRow(() => seconds);
  const limits = [createLimit(rate, take, () => seconds * 1000), createLimit(rate, take, () => seconds * 1000)];
  await limits[0]!('crm');
  seconds = 60;
  // In the new window others take all there is; the first has five from the old window in its pocket.
  const spent = await spendUntilRefused([limits[1]!, limits[1]!, limits[0]!], 400);
  expect(spent).toBeLessThanOrEqual(100);
});

test('whoever is over the limit is told the limit and when it ends (RFC 6585, draft ratelimit-headers)', async () => {
  let seconds = 0;
  const { take } = sharedRow(() => seconds);
  const limit = createLimit({ ...rate, limit: 2 }, take, () => seconds * 1000);
  await spendUntilRefused([limit], 2);
  seconds = 17.5;
  const error = await Promise.resolve(limit('crm')).catch((refusal: unknown) => refusal as RateLimitReached);
  expect(error).toMatchObject({
    kind: 'too-many',
    headers: { RateLimit: '"calls";r=0;t=43', 'RateLimit-Policy': '"calls";q=2;w=60', 'Retry-After': '43' },
  });
  seconds = 60;
  expect(await spendUntilRefused([limit], 5)).toBe(2);
});

test('who is refused costs no more writes until the window ends', async () => {
  const { take, writes } = sharedRow(() => 0);
  const limit = createLimit({ ...rate, limit: 1 }, take, () => 0);
  await spendUntilRefused([limit], 1000);
  expect(writes()).toBeLessThanOrEqual(2);
});

test('a database that does not answer refuses the call, it does not open the door', async () => {
  const limit = createLimit(rate, () => Promise.reject(new Error('unavailable')));
  await expect(limit('crm')).rejects.toThrow('unavailable');
});

test('in no order of calls and times do instances spend more than the limit in a window of the row', async () => {
  const steps = fc.array(
    fc.record({
      instance: fc.nat(2),
      advance: fc.constantFrom(0, 0, 0, 1, 7, 30),
      calls: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 40 }), async (history, most) => {
      let seconds = 0;
      let window = { endsAt: -1, spent: 0 };
      const { take } = sharedRow(() => seconds);
      const watched: TakeTokens = async (...of) => {
        const result = await take(...of);
        const endsAt = seconds + result.endsInMs / 1000;
        if (endsAt !== window.endsAt) window = { endsAt, spent: 0 };
        return result;
      };
      const limits = [0, 1, 2].map(() =>
        createLimit({ name: 'x', limit: most, windowSeconds: 60 }, watched, () => seconds * 1000),
      );
      for (const { instance, advance, calls } of history) {
        seconds += advance;
        const results = await Promise.allSettled(Array.from({ length: calls }, async () => limits[instance]!('crm')));
        window.spent += results.filter(({ status }) => status === 'fulfilled').length;
        expect(window.spent).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 300 },
  );
});

test('two limits of one client do not eat each other’s tokens', async () => {
  const { take } = sharedRow(() => 0);
  const calls = createLimit({ ...rate, name: 'calls' }, take, () => 0);
  const tokens = createLimit({ ...rate, name: 'tokens' }, take, () => 0);
  expect(await spendUntilRefused([calls], 300)).toBe(100);
  expect(await spendUntilRefused([tokens], 300)).toBe(100);
});
