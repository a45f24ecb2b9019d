import type { Database } from './client.ts';

/**
 * Takes the lease `name` for `seconds` unless another instance holds it. Answers its fencing token (it grows with each holder,
 * so that a late holder's writes can be told apart) or undefined. A dead holder's lease simply runs out.
 */
export const takeLease = async (database: Database, name: string, seconds: number): Promise<number | undefined> => {
  const [row] = await database.query<{ token: number }>(
    `insert into lease (name, token, until) values ($1, 1, now() + make_interval(secs => $2))
     on conflict (name) do update set token = lease.token + 1, until = excluded.until where lease.until < now()
     returning token`,
    [name, seconds],
  );
  return row?.token;
};

/** Gives a lease back early; does nothing when somebody else has taken it since. */
export const releaseLease = async (database: Database, name: string, token: number): Promise<void> => {
  await database.query('update lease set until = now() where name = $1 and token = $2', [name, token]);
};

/** Keeps a lease for another `seconds`; false when somebody else has taken it since. */
export const renewLease = async (
  database: Database,
  name: string,
  token: number,
  seconds: number,
): Promise<boolean> => {
  const rows = await database.query(
    `update lease set until = now() + make_interval(secs => $3) where name = $1 and token = $2 returning token`,
    [name, token, seconds],
  );
  return rows.length === 1;
};
