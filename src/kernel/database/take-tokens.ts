import type { Database } from './client.ts';

/**
 * Takes up to `count` tokens of a key's current window, by one conditional upsert: however many instances take at once, no more than
 * `limit` are ever given, also while another instance still runs with another limit. Answers how many were granted and when the window ends.
 */
export const takeTokens =
  (database: Database) =>
  async (
    key: string,
    count: number,
    limit: number,
    windowSeconds: number,
  ): Promise<{ granted: number; endsInMs: number }> => {
    const [row] = await database.query<{ granted: number; endsInMs: number }>(
      `insert into rate_limit as r (key, window_ends_at, taken, granted)
       values ($1, now() + make_interval(secs => $4), least($2::int, $3::int), least($2::int, $3::int))
       on conflict (key) do update set
         granted = case when r.window_ends_at <= now() then least($2::int, $3::int) else greatest(least($2::int, $3::int - r.taken), 0) end,
         taken = case when r.window_ends_at <= now() then least($2::int, $3::int) else greatest(least(r.taken + $2::int, $3::int), r.taken) end,
         window_ends_at = case when r.window_ends_at <= now() then excluded.window_ends_at else r.window_ends_at end
       returning granted, (extract(epoch from window_ends_at - now()) * 1000)::float8 as "endsInMs"`,
      [key, count, limit, windowSeconds],
    );
    return row!;
  };
