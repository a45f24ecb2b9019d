import { customType, timestamp } from 'drizzle-orm/pg-core';

export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

/** A moment; read as the text PostgreSQL gives, which `Temporal.Instant.from` understands. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' });
