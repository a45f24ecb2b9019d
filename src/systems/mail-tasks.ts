import type { Clock } from '../kernel/clock.ts';
import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import { sendWithinMs, type MailTransport } from '../kernel/mail/transport.ts';
import { createQueueWorker, type QueueWorker } from '../kernel/queue-worker.ts';
import type { Catalogue } from '../policies/index.ts';
import { leaseSeconds, obligationColumns, type Leased } from './lease-obligations.ts';
import type { Described } from './obligation.ts';
import type { Describe } from './pull-obligations.ts';
import { taskMail } from './task-mail.ts';
import { taskWords } from './task-words.ts';
import { sealTask } from './task.ts';

type Deps = {
  database: Database;
  clock: Clock;
  log: { warn(about: object, message: string): void };
  describe: Describe;
  catalogue(): Promise<Catalogue>;
  /** The service's secret `capabilities`. */
  capabilityKey: Buffer;
  /** Where people reach the service. */
  baseUrl: string;
  send: MailTransport['send'];
};

const writeBackMs = 5_000;

/** When a colleague is reminded after `sent` mails: three days after the first, then daily once it is overdue. Pure. */
export const nextReminderAt = (now: Temporal.Instant, dueAt: Temporal.Instant, sent: number): Temporal.Instant =>
  now.add({ hours: sent > 1 && Temporal.Instant.compare(now, dueAt) > 0 ? 24 : 72 });

/** A mail server that is down is asked again soon; an address that is refused, when somebody may have mended it. */
const retryAt = (now: Temporal.Instant, permanent: boolean): Temporal.Instant =>
  now.add({ seconds: Math.round((permanent ? 3_600 : 60) * (1 + Math.random())) });

/**
 * Mails the obligations of systems of kind `manual` to a colleague as tasks, at least once, and reminds until each is acknowledged. Any number of
 * instances may run one. `attempts` counts the mails that were taken, so that what is sent again after a crash is the same mail (Message-ID), and
 * what is sent later is a reminder.
 */
export const createTaskWorker = (deps: Deps): QueueWorker => {
  const { database, clock, log } = deps;

  const lease = (systems: readonly string[], limit: number): Promise<Leased[]> =>
    database.query<Leased>(
      `with due as (
         select subject_id, id from obligation
         where system = any($1::text[]) and next_attempt_at <= $2::timestamptz and acknowledged_at is null
           and (leased_until is null or leased_until < now())
         order by next_attempt_at limit $3::int for update skip locked
       ), o as (
         update obligation u set lease_token = u.lease_token + 1, leased_until = now() + make_interval(secs => $4::int)
         from due where u.subject_id = due.subject_id and u.id = due.id
         returning u.*
       )
       select ${obligationColumns}, o.attempts, o.lease_token as "leaseToken" from o`,
      [arrayLiteral(systems), clock.now().add({ seconds: 1 }).toString(), limit, leaseSeconds],
    );

  const writeBack = async (
    { subjectId, id, leaseToken }: Leased,
    problem: string | null,
    nextAttemptAt: Temporal.Instant,
  ): Promise<void> => {
    await database.query(
      `update obligation set next_attempt_at = $4::timestamptz, last_problem = $5::text, leased_until = null,
         attempts = attempts + case when $5::text is null then 1 else 0 end,
         delivered_at = case when $5::text is null then coalesce(delivered_at, now()) else delivered_at end
       where subject_id = $1 and id = $2 and lease_token = $3 and acknowledged_at is null`,
      [subjectId, id, leaseToken, nextAttemptAt.toString(), problem],
    );
  };

  const remind = async (task: Leased, described: Described | undefined, catalogue: Catalogue, leasedAt: number) => {
    const { id, system, kind, attempts } = task;
    const to = catalogue.systems.get(system)?.mail;
    // Whoever was held up for so long that the lease may end must not send: somebody else will.
    if (to === undefined || performance.now() - leasedAt > leaseSeconds * 1_000 - sendWithinMs - writeBackMs) return;
    const now = clock.now();
    const language = catalogue.controller.languages[0]!;
    const dueAt = Temporal.Instant.from(task.dueAt);
    const version = catalogue.purposes.get(task.facts.purpose)?.notices.at(-1)?.version ?? 1;
    const token = sealTask(deps.capabilityKey, {
      kind: 'task',
      system,
      obligationId: id,
      ...(kind === 'inform' && { notice: { version, language } }),
    });
    const mail = taskMail(language, {
      to,
      task: taskWords(catalogue, language, task, described, version),
      reminders: attempts,
      overdue: Temporal.Instant.compare(now, dueAt) > 0,
      link: `${deps.baseUrl}/tasks/${token}`,
    });
    const outcome = await deps.send(mail, `${id}.${attempts}`);
    if (outcome === 'sent') return writeBack(task, null, nextReminderAt(now, dueAt, attempts + 1));
    log.warn({ obligationId: id, system, problem: outcome.problem }, 'a task was not mailed');
    await writeBack(task, outcome.problem, retryAt(now, outcome.permanent));
  };

  return createQueueWorker({
    everyMs: 5_000,
    maxInFlight: 4,
    take: async (free) => {
      const catalogue = await deps.catalogue();
      const manual = [...catalogue.systems.values()].filter(({ kind }) => kind === 'manual').map(({ id }) => id);
      if (manual.length === 0) return [];
      const leasedAt = performance.now();
      const tasks = await lease(manual, free);
      if (tasks.length === 0) return [];
      // Identifiers that cannot be opened now are no reason to forget a task: the lease runs out and it is tried again.
      const described = await deps.describe(tasks);
      return tasks.map((task) => () => remind(task, described.get(task.id), catalogue, leasedAt));
    },
    failed: (error) => log.warn({ err: error }, 'tasks wait: their queue cannot be worked on'),
  });
};
