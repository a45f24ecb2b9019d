import { schedule } from 'node-cron';
import { connect } from './kernel/database/client.ts';
import type { Log } from './kernel/log.ts';

/** What is done without being asked. A tick only asks the database what is due; a lost or doubled tick changes nothing. */
export type Jobs = { start(): void; wake(): void; stop(): Promise<void> };

/**
 * Sweeps links every five seconds (and at once after a no), and every ten minutes, as the reaper, removes idempotency keys of yesterday,
 * challenges that ran out, mails that were sent or are of no use any more, sessions of staff that ended a month ago, and windows of rate
 * limits that are over. Each minute it looks at whom somebody has to inform. Every half hour it asks whether the key store has been backed up today.
 */
export const createJobs = (deps: {
  log: Log;
  reaperUrl: string | undefined;
  sweepLinks(): Promise<number>;
  backUpKeys(): Promise<boolean>;
  watchInform(): Promise<void>;
}): Jobs => {
  const reaper =
    deps.reaperUrl === undefined ? undefined : connect(deps.reaperUrl, { connections: 1, name: 'askfirst-reaper' });
  let running: Promise<void> | undefined;
  let again = false;

  const sweep = (): void => {
    if (running) {
      again = true;
      return;
    }
    running = deps
      .sweepLinks()
      .then(() => {})
      .catch((error: unknown) => deps.log.warn({ err: error }, 'the sweep of links could not run'))
      .finally(() => {
        running = undefined;
        if (again) {
          again = false;
          sweep();
        }
      });
  };
  const tidy = async (): Promise<void> => {
    try {
      await reaper?.query(`delete from idempotency where recorded_at < now() - interval '24 hours'`);
      await reaper?.query(`delete from control_challenge where expires_at < now() - interval '24 hours'`);
      await reaper?.query(`delete from confirmation where expires_at < now() - interval '24 hours'`);
      await reaper?.query(`delete from mail where least(sent_at, ends_at) < now() - interval '1 day'`);
      await reaper?.query(`delete from staff_session where least(ended_at, ends_at) < now() - interval '30 days'`);
      await reaper?.query(`delete from rate_limit where window_ends_at < now() - interval '1 hour'`);
    } catch (error) {
      deps.log.warn({ err: error }, 'old keys and challenges could not be removed');
    }
  };
  let backup: Promise<void> | undefined;
  const backUp = (): void => {
    backup ??= deps
      .backUpKeys()
      .then((made) => made && deps.log.info({}, 'the key store is backed up'))
      .catch((error: unknown) => deps.log.error({ err: error }, 'the key store could not be backed up'))
      .then(() => void (backup = undefined));
  };
  let watching: Promise<void> | undefined;
  const watch = (): void => {
    watching ??= deps
      .watchInform()
      .catch((error: unknown) => deps.log.warn({ err: error }, 'whom to inform could not be looked up'))
      .then(() => void (watching = undefined));
  };
  const tasks = [
    () => schedule('*/5 * * * * *', sweep),
    () => schedule('*/10 * * * *', tidy),
    () => schedule('2,32 * * * *', backUp),
    () => schedule('20 * * * * *', watch),
  ];
  let scheduled: ReturnType<typeof schedule>[] = [];
  return {
    start: () => {
      scheduled = tasks.map((task) => task());
    },
    wake: sweep,
    stop: async () => {
      for (const task of scheduled) await task.destroy();
      again = false;
      await Promise.all([running, backup, watching]);
      await reaper?.end();
    },
  };
};
