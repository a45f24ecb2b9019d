import { AppError } from '../errors.ts';

/** The database cannot be reached, is starting, stopping or overloaded: nobody may conclude a permit from it. */
export class DatabaseUnavailable extends AppError {
  constructor() {
    super('database.unavailable', 'unavailable', 'the database cannot be reached right now', { retryAfterSeconds: 1 });
  }
}

/**
 * The database refused a statement: a fault of ours, for input is judged before. Holds the SQLSTATE and the constraint: texts of drivers
 * carry parameters, hence persons.
 */
export class DatabaseRefused extends Error {
  readonly sqlState: string;
  readonly constraint: string | undefined;

  constructor(sqlState: string, constraint: string | undefined) {
    super(`the database refused a statement (SQLSTATE ${sqlState})`);
    this.name = 'DatabaseRefused';
    this.sqlState = sqlState;
    this.constraint = constraint;
  }
}

/** Somebody holds a row for longer than a caller may wait (lock_not_available). The statement took no effect. */
export class DatabaseLocked extends AppError {
  constructor() {
    super('database.locked', 'unavailable', 'what is to be changed is held by somebody else right now', {
      retryAfterSeconds: 1,
    });
  }
}

/** Connection exceptions (08), operator intervention (57P), insufficient resources (53), and what postgres.js and Node name themselves. */
const unavailable = /^(08...|57P..|53...|57014|25006|CONNECTION_.*|CONNECT_TIMEOUT|E[A-Z_]+)$/;

/** Whether a failed statement may or may not have been committed, so that only reading back can tell. */
export const isUnavailable = (error: unknown): boolean => error instanceof DatabaseUnavailable;

/** Whether a statement lost a conflict, without effect: serialization_failure or deadlock_detected. */
export const lostConflict = (error: unknown): boolean =>
  error instanceof DatabaseRefused && ['40001', '40P01'].includes(error.sqlState);

/** Whether the same statement may succeed when it is sent again: also after losing to another transaction (DESIGN section 5). */
export const isWorthRetrying = (error: unknown): boolean => isUnavailable(error) || lostConflict(error);

/**
 * Translates whatever a driver threw. The original is dropped on purpose: Drizzle's message holds the SQL and its
 * parameters, PostgreSQL's `detail` repeats the offending value.
 */
export const translateDatabaseError = (error: unknown): AppError | DatabaseRefused => {
  if (error instanceof AppError || error instanceof DatabaseRefused) return error;
  const cause = (error as { cause?: unknown }).cause;
  const source = (typeof (error as { code?: unknown }).code === 'string' ? error : (cause ?? error)) as {
    code?: unknown;
    constraint_name?: unknown;
  };
  const code = typeof source.code === 'string' ? source.code : 'XX000';
  if (code === '55P03') return new DatabaseLocked();
  if (unavailable.test(code)) return new DatabaseUnavailable();
  return new DatabaseRefused(code, typeof source.constraint_name === 'string' ? source.constraint_name : undefined);
};

/** Runs a database call and lets only translated errors out. */
export const translated = async <T>(call: PromiseLike<T>): Promise<T> => {
  try {
    return await call;
  } catch (error) {
    throw translateDatabaseError(error);
  }
};
