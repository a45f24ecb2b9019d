import postgres from 'postgres';
import { setTimeout as sleep } from 'node:timers/promises';
import { superuserUrl, type TestDatabase } from './database.ts';

/**
 * Hands on the order of statements. Whoever wants the row of a subject that is held here queues behind it, and PostgreSQL
 * lets those who wait go on in the order in which they came: so a test decides who is first.
 */
export const watchLocks = (on: TestDatabase) => {
  const database = new URL(on.urls.app).pathname.slice(1);
  const sql = postgres(superuserUrl(database), { max: 8, onnotice: () => {} });

  const waiting = async (): Promise<number> => {
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity
      where datname = ${database} and state = 'active' and wait_event_type = 'Lock' and pid <> pg_backend_pid()`;
    return row!.count;
  };

  return {
    sql,
    /** Locks the row of a subject until `release`. */
    hold: async (subjectId: string) => {
      const connection = await sql.reserve();
      await connection`begin`;
      const rows = await connection`select 1 from subject_state where subject_id = ${subjectId} for update`;
      if (rows.length !== 1) throw new Error('there is no such row to hold');
      let held = true;
      return {
        release: async () => {
          if (!held) return;
          held = false;
          await connection`commit`;
          connection.release();
        },
      };
    },
    /** Resolves when exactly `count` statements wait for a lock, which the server itself says. */
    untilWaiting: async (count: number): Promise<void> => {
      for (let attempt = 0; attempt < 1_500; attempt++) {
        if ((await waiting()) === count) return;
        await sleep(4);
      }
      throw new Error(`${await waiting()} statements wait for a lock, not ${count}`);
    },
    /** Ends the server's side of every connection of an instance, or of those whose statement waits for a lock. */
    terminate: async (name: string, which: 'all' | 'waiting' = 'all'): Promise<number> => {
      const rows = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = ${database} and application_name = ${name} and (${which} = 'all' or wait_event_type = 'Lock')`;
      return rows.length;
    },
    close: () => sql.end({ timeout: 5 }),
  };
};
