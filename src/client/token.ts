/** An access token of the service and how long it lives from the moment it was asked for. */
export type Token = { value: string; lifetimeSeconds: number };

/** The access token for the next call; `drop` forgets one that the service no longer takes. */
export type TokenSource = { get(): Promise<string>; drop(value: string): void };

/**
 * Keeps one access token and asks for the next when nine tenths of its life are over: once, however many calls wait.
 * Time is monotonic, so that a corrected wall clock neither kills a token nor keeps a dead one. A failure is not kept.
 */
export const tokenSource = (fetchToken: () => Promise<Token>): TokenSource => {
  let current: { value: string; renewAt: number } | undefined;
  let pending: Promise<string> | undefined;

  const renew = async (): Promise<string> => {
    const askedAt = performance.now();
    try {
      const { value, lifetimeSeconds } = await fetchToken();
      current = { value, renewAt: askedAt + lifetimeSeconds * 900 };
      return value;
    } finally {
      pending = undefined;
    }
  };

  return {
    get: async () => (current && performance.now() < current.renewAt ? current.value : (pending ??= renew())),
    drop: (value) => {
      // Many calls may be refused with the same token: only the first of them costs a new one.
      if (current?.value === value) current = undefined;
    },
  };
};
