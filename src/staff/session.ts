import { hashSecret, newSecret } from '../http/client-secret.ts';
import type { Database } from '../kernel/database/client.ts';
import { staffRoles, type StaffRole } from './roles.ts';

/** Who is signed in: the provider's `sub`, never a name. `endsAt` RFC 3339. */
export type Staff = { person: string; roles: StaffRole[]; endsAt: string };

/** A working day; nothing prolongs it, so that a role taken away at the provider is gone by tomorrow. */
export const sessionLifetime = Temporal.Duration.from({ hours: 8 });

const hashOf = (secret: string): string => hashSecret(secret).toString('hex');

/**
 * Opens a session under a new secret of 256 bits, and ends the one that this browser brought: a secret from before the sign-in never
 * becomes one of after it (session fixation).
 */
export const openSession = async (
  database: Database,
  {
    person,
    roles,
    now,
    previous,
  }: { person: string; roles: StaffRole[]; now: Temporal.Instant; previous?: string | undefined },
): Promise<{ secret: string }> => {
  const { secret, hash } = newSecret();
  await database.query(
    `with ended as (update staff_session set ended_at = $5 where hash = decode($6, 'hex') and ended_at is null)
     insert into staff_session (hash, person, roles, created_at, ends_at) values (decode($1, 'hex'), $2, $3::text::jsonb, $5, $4)`,
    [
      hash.toString('hex'),
      person,
      JSON.stringify(roles),
      now.add(sessionLifetime).toString(),
      now.toString(),
      hashOf(previous ?? ''),
    ],
  );
  return { secret };
};

/** Reads the primary each time: a session that was ended is over on every instance. */
export const findSession = async (
  database: Database,
  secret: string,
  now: Temporal.Instant,
): Promise<Staff | undefined> => {
  const [row] = await database.read<{ person: string; roles: string[]; endsAt: string }>(
    `select person, roles, ends_at as "endsAt" from staff_session
     where hash = decode($1, 'hex') and ended_at is null and ends_at > $2`,
    [hashOf(secret), now.toString()],
  );
  return (
    row && {
      person: row.person,
      roles: staffRoles.filter((role) => row.roles.includes(role)),
      endsAt: Temporal.Instant.from(row.endsAt).toString(),
    }
  );
};

/** Ends a session; one that is over, or never was, stays so. */
export const endSession = async (database: Database, secret: string, now: Temporal.Instant): Promise<void> => {
  await database.query(`update staff_session set ended_at = $2 where hash = decode($1, 'hex') and ended_at is null`, [
    hashOf(secret),
    now.toString(),
  ]);
};
