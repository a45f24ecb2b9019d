import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import type { SealedSecrets } from './endpoint-secret.ts';
import type { Obligation } from './obligation.ts';

/** How long a taken obligation is nobody else's. Its holder must be done, or stop, before. */
export const leaseSeconds = 60;

/** An obligation in the hands of one holder: whoever writes back must show `leaseToken`, which grows with each holder. */
export type Leased = Obligation & { attempts: number; leaseToken: number };

/** Where a leased obligation goes. */
export type Addressed = Leased & SealedSecrets & { url: string };

const rfc3339 = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The members of an `Obligation` from the row `o`. */
export const obligationColumns = `o.id, o.subject_id as "subjectId", o.system, o.kind, o.facts,
  ${rfc3339('o.created_at')} as "createdAt", ${rfc3339('o.due_at')} as "dueAt"`;

/** Takes the rows named by the subquery `due`; one holder each, since `due` locks them and skips what others have locked. */
const taken = (due: string, leaseParameter: string): string => `
  with due as (${due}), taken as (
    update obligation o
    set lease_token = o.lease_token + 1, leased_until = now() + make_interval(secs => ${leaseParameter}), attempts = o.attempts + 1
    from due where o.subject_id = due.subject_id and o.id = due.id
    returning o.*
  )`;

const unleased = 'acknowledged_at is null and (leased_until is null or leased_until < now())';

/**
 * Takes due obligations of those of `systems` that have an endpoint: at most `total`, at most `perSystem` of each system, fewer where
 * `limits` says so; which systems come first is left to chance, so that none starves.
 */
export const leaseForDelivery = (
  database: Database,
  options: {
    systems: readonly string[];
    total: number;
    perSystem: number;
    limits: readonly { system: string; free: number }[];
  },
): Promise<Addressed[]> =>
  database.query<Addressed>(
    // An instance's clock may run a second before the database's: what it has just made due must not wait for the next look.
    `${taken(
      `select o.subject_id, o.id
       from (select system from endpoint where system = any($6::text[]) order by random()) e
       left join unnest($1::text[], $2::int[]) as limited (system, free) on limited.system = e.system
       cross join lateral (
         select subject_id, id from obligation
         where system = e.system and next_attempt_at <= now() + interval '1 second' and ${unleased}
         order by next_attempt_at limit coalesce(limited.free, $3::int)
         for update skip locked
       ) o
       limit $4::int`,
      '$5::int',
    )}
     select ${obligationColumns}, o.attempts, o.lease_token as "leaseToken", e.url,
       e.sealed_secret as "sealedSecret", e.sealed_previous_secret as "sealedPreviousSecret"
     from taken o join endpoint e on e.system = o.system
     order by o.next_attempt_at`,
    [
      arrayLiteral(options.limits.map(({ system }) => system)),
      arrayLiteral(options.limits.map(({ free }) => free)),
      options.perSystem,
      options.total,
      leaseSeconds,
      arrayLiteral(options.systems),
    ],
  );

/** Takes open obligations of one system that asks for them itself: it need not wait for a retry that is due later. Oldest due first. */
export const leaseForPull = (database: Database, system: string, limit: number): Promise<Leased[]> =>
  database.query<Leased>(
    `${taken(
      `select subject_id, id from obligation where system = $1 and ${unleased}
       order by next_attempt_at limit $2::int for update skip locked`,
      '$3::int',
    )}
     select ${obligationColumns}, o.attempts, o.lease_token as "leaseToken" from taken o order by o.created_at, o.id`,
    [system, limit, leaseSeconds],
  );

/** Gives obligations back untried, for another look in five seconds: what was missing is ours, not the system's. */
export const releaseObligations = async (database: Database, leased: readonly Leased[]): Promise<void> => {
  await database.query(
    `update obligation o set leased_until = null, attempts = o.attempts - 1, next_attempt_at = now() + interval '5 seconds'
     from unnest($1::uuid[], $2::uuid[], $3::int[]) as k (subject_id, id, token)
     where o.subject_id = k.subject_id and o.id = k.id and o.lease_token = k.token and o.acknowledged_at is null`,
    [
      arrayLiteral(leased.map(({ subjectId }) => subjectId)),
      arrayLiteral(leased.map(({ id }) => id)),
      arrayLiteral(leased.map(({ leaseToken }) => leaseToken)),
    ],
  );
};
