import type { Clock } from '../clock.ts';
import type { KeyStore } from '../crypto/key-store.ts';
import type { Database } from '../database/client.ts';
import { createQueueWorker, type QueueWorker } from '../queue-worker.ts';
import { openMail, type MailContent } from './mail-values.ts';
import { sendWithinMs, type MailTransport } from './transport.ts';

/** A mail in the hands of one holder: whoever writes back must show `leaseToken`, which grows with each holder. */
type Leased = { subjectId: string; id: string; kind: string; sealed: Buffer; attempts: number; leaseToken: number };

/** How long a taken mail is nobody else's; a send and its writing back fit in. */
const leaseSeconds = 60;
const writeBackMs = 5_000;

/** Quick at first, because somebody waits for a code; then every ten minutes, until the mail is of no use any more. */
const delaysSeconds = [5, 30, 120, 300];
const lastDelaySeconds = 600;

/** Seconds until the next attempt after `attempts` of them (at least 1); `random` (0 to 1) spreads it by a fifth either way. */
const delaySeconds = (attempts: number, random: number): number =>
  (delaysSeconds[attempts - 1] ?? lastDelaySeconds) * (0.8 + 0.4 * random);

type Deps = {
  database: Database;
  keys: Pick<KeyStore, 'subjectKeys'>;
  clock: Clock;
  log: { warn(about: object, message: string): void };
  send: MailTransport['send'];
};

/** `ends_at` and `next_attempt_at` are the service's time, like those who wrote them; how long a lease lasts is the database's. */
const lease = (database: Database, now: string, limit: number): Promise<Leased[]> =>
  database.query<Leased>(
    `with due as (
       select subject_id, id from mail
       where sent_at is null and next_attempt_at <= $1::timestamptz and ends_at > $1::timestamptz
         and (leased_until is null or leased_until < now())
       order by next_attempt_at limit $2::int for update skip locked
     )
     update mail m set lease_token = m.lease_token + 1, attempts = m.attempts + 1,
       leased_until = now() + make_interval(secs => $3::int)
     from due where m.subject_id = due.subject_id and m.id = due.id
     returning m.subject_id as "subjectId", m.id, m.kind, m.sealed, m.attempts, m.lease_token as "leaseToken"`,
    [now, limit, leaseSeconds],
  );

/** Nobody reads a mail again that was sent or given up: its content goes at once. */
const writeBack = async (
  database: Database,
  { subjectId, id, leaseToken }: Leased,
  outcome: { sent: true } | { problem: string; nextAttemptAt: string } | { problem: string; endedAt: string },
): Promise<void> => {
  const key = [subjectId, id, leaseToken];
  const held = 'where subject_id = $1 and id = $2 and lease_token = $3 and sent_at is null';
  if ('sent' in outcome)
    await database.query(
      `update mail set sent_at = now(), leased_until = null, last_problem = null, sealed = '' ${held}`,
      key,
    );
  else if ('nextAttemptAt' in outcome)
    await database.query(
      `update mail set next_attempt_at = $4::timestamptz, leased_until = null, last_problem = $5 ${held}`,
      [...key, outcome.nextAttemptAt, outcome.problem],
    );
  else
    await database.query(
      `update mail set ends_at = $4::timestamptz, next_attempt_at = 'infinity', leased_until = null, last_problem = $5, sealed = '' ${held}`,
      [...key, outcome.endedAt, outcome.problem],
    );
};

/**
 * Sends the mails that are owed, at least once each under an id of its own. Any number of instances may run one: a mail has one holder at a
 * time. A temporary refusal is tried again until the mail's end; a permanent one, and a key that was destroyed, end it.
 */
export const createMailWorker = (deps: Deps): QueueWorker => {
  const { database, clock, log } = deps;

  const attempt = async (mail: Leased, content: MailContent | undefined, leasedAt: number): Promise<void> => {
    const { id, kind, attempts } = mail;
    if (!content) {
      const endedAt = clock.now().toString();
      await writeBack(database, mail, { problem: 'its content cannot be opened any more', endedAt });
      return;
    }
    // Whoever was held up for so long that the lease may end must not send: somebody else will.
    if (performance.now() - leasedAt > leaseSeconds * 1_000 - sendWithinMs - writeBackMs) return;
    const outcome = await deps.send(content, id);
    if (outcome === 'sent') return writeBack(database, mail, { sent: true });
    const { problem, permanent } = outcome;
    log.warn({ mailId: id, kind, attempts, problem, permanent }, 'a mail was not sent');
    const now = clock.now();
    const later = now.add({ milliseconds: Math.round(delaySeconds(attempts, Math.random()) * 1_000) });
    await writeBack(
      database,
      mail,
      permanent ? { problem, endedAt: now.toString() } : { problem, nextAttemptAt: later.toString() },
    );
  };

  const open = (mail: Leased, key: Buffer | undefined): MailContent | undefined => {
    try {
      return key && openMail(key, mail.id, mail.sealed);
    } catch {
      return undefined; // sealed under a key that was destroyed since
    }
  };

  return createQueueWorker({
    everyMs: 1_000,
    maxInFlight: 4,
    take: async (free) => {
      const leasedAt = performance.now();
      // An instance's clock may run a little behind the one that queued the mail.
      const mails = await lease(database, clock.now().add({ seconds: 1 }).toString(), free);
      if (mails.length === 0) return [];
      // Keys that cannot be read are no reason to give a mail up: the lease runs out and it is tried again.
      const keys = await deps.keys.subjectKeys(mails.map(({ subjectId }) => subjectId));
      return mails.map((mail) => () => attempt(mail, open(mail, keys.get(mail.subjectId)), leasedAt));
    },
    failed: (error) => log.warn({ err: error }, 'mails wait: their queue cannot be worked on'),
  });
};

/** Mails not sent: `waiting` will be tried again, `failed` ended unsent within the last day. One query. */
export const countMails = async (
  database: Database,
  now: Temporal.Instant,
): Promise<{ waiting: number; failed: number }> => {
  const [row] = await database.query<{ waiting: number; failed: number }>(
    `select (count(*) filter (where ends_at > $1::timestamptz))::int as waiting,
       (count(*) filter (where ends_at <= $1::timestamptz and ends_at > $1::timestamptz - interval '1 day'))::int as failed
     from mail where sent_at is null`,
    [now.toString()],
  );
  return row!;
};
