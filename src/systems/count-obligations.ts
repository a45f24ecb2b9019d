import type { Database } from '../kernel/database/client.ts';

/** What waits for a system: `overdue` are those past their due date, `oldestSeconds` the age of the oldest. */
export type ObligationCount = { system: string; open: number; overdue: number; oldestSeconds: number };

/** Open obligations per system; a system with none is absent. One query. */
export const countObligations = (database: Database): Promise<ObligationCount[]> =>
  database.query<ObligationCount>(
    `select system, count(*)::int as open, (count(*) filter (where due_at < now()))::int as overdue,
       extract(epoch from now() - min(created_at))::float8 as "oldestSeconds"
     from obligation where acknowledged_at is null group by system order by system`,
  );
