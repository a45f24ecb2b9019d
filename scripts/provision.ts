import { z } from 'zod';
import { provision } from '../src/kernel/database/provision.ts';

/**
 * Makes the four roles and the two databases on a PostgreSQL server, or sets the roles' passwords anew. For whoever
 * administers that server, once; the service itself never sees the superuser. What it reads is named below.
 */
const password = z
  .string()
  .regex(/^[\w.~-]{16,}$/, 'at least 16 of A-Z a-z 0-9 _ . ~ -, because it becomes part of a URL');
const environment = z
  .object({
    SUPERUSER_DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'must begin with postgres://'),
    OWNER_PASSWORD: password,
    APP_PASSWORD: password,
    REAPER_PASSWORD: password,
    AUDITOR_PASSWORD: password,
  })
  .safeParse(process.env);

if (environment.success) {
  const given = environment.data;
  await provision(given.SUPERUSER_DATABASE_URL, {
    owner: given.OWNER_PASSWORD,
    app: given.APP_PASSWORD,
    reaper: given.REAPER_PASSWORD,
    auditor: given.AUDITOR_PASSWORD,
  });
  console.log(
    'The roles askfirst_owner, _app, _reaper and _auditor and the databases askfirst and askfirst_keys are there.',
  );
} else {
  for (const { path, message } of environment.error.issues) console.error(`${path.join('.')}: ${message}`);
  process.exitCode = 1;
}
