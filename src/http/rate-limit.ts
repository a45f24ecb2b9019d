import { HttpError } from './errors.ts';

/**
 * Takes up to `count` tokens of a key's window from the row that all instances share, in one statement. Says how many
 * were granted, which for all instances together is never more than `limit`, and in how many milliseconds the window ends.
 */
export type TakeTokens = (
  key: string,
  count: number,
  limit: number,
  windowSeconds: number,
) => Promise<{ granted: number; endsInMs: number }>;

export type RateLimit = { name: string; limit: number; windowSeconds: number };

/** RFC 6585 section 4, with the fields of draft-ietf-httpapi-ratelimit-headers. */
export class RateLimitReached extends HttpError {
  constructor({ name, limit, windowSeconds }: RateLimit, retryAfterSeconds: number) {
    super('http.rate-limit-reached', 'too-many', `the limit of ${limit} calls in ${windowSeconds} s is reached`, {
      RateLimit: `"${name}";r=0;t=${retryAfterSeconds}`,
      'RateLimit-Policy': `"${name}";q=${limit};w=${windowSeconds}`,
      'Retry-After': String(retryAfterSeconds),
    });
  }
}

/** Takes one token of the key: undefined when there was one at hand. Throws, or rejects with, RateLimitReached. */
export type Limit = (key: string) => Promise<void> | undefined;

type Allowance = {
  left: number;
  /** When the window of these tokens ends, on the clock of `now`. */
  endsAt: number;
  /** Whether the shared row has no more to give until then. */
  exhausted: boolean;
  taking: Promise<void> | undefined;
};

/**
 * A limit that holds over all instances and costs a fraction of a write: an instance takes tokens from the shared row in
 * chunks of a sixteenth of the limit and spends them in memory. Together the instances never spend more than the limit in
 * a window: only granted tokens are spent, and only until the window of their row ends, reckoned from before the row was
 * asked and on a clock that nobody corrects. They may spend less, for what one has left over helps no other.
 *
 * Keys are ids of clients that have authenticated, so their number is that of the clients.
 */
export const createLimit = (rate: RateLimit, take: TakeTokens, now: () => number = () => performance.now()): Limit => {
  const chunk = Math.max(1, Math.ceil(rate.limit / 16));
  const allowances = new Map<string, Allowance>();

  const refill = async (key: string, allowance: Allowance): Promise<void> => {
    const askedAt = now();
    const { granted, endsInMs } = await take(`${rate.name}:${key}`, chunk, rate.limit, rate.windowSeconds);
    allowance.left = granted;
    allowance.endsAt = askedAt + endsInMs;
    allowance.exhausted = granted < chunk;
  };

  const spendSlowly = async (key: string, allowance: Allowance): Promise<void> => {
    for (;;) {
      const msLeft = allowance.endsAt - now();
      if (msLeft > 0 && allowance.left > 0) {
        allowance.left--;
        return;
      }
      if (msLeft > 0 && allowance.exhausted) throw new RateLimitReached(rate, Math.ceil(msLeft / 1000));
      // However many wait, one asks for all of them.
      allowance.taking ??= refill(key, allowance).finally(() => (allowance.taking = undefined));
      await allowance.taking;
    }
  };

  return (key) => {
    let allowance = allowances.get(key);
    if (allowance === undefined) {
      allowance = { left: 0, endsAt: -Infinity, exhausted: false, taking: undefined };
      allowances.set(key, allowance);
    }
    if (allowance.left > 0 && allowance.endsAt > now()) {
      allowance.left--;
      return undefined;
    }
    return spendSlowly(key, allowance);
  };
};
