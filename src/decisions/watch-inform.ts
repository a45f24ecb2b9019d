import { arrayLiteral, type Database } from '../kernel/database/client.ts';
import { releaseLease, takeLease } from '../kernel/database/lease.ts';
import type { Catalogue } from '../policies/index.ts';
import { SubjectErased, throughAliases, type Caller, type SubjectDeps } from '../subjects/index.ts';
import { bringInformForward, runningClocks, startInformClock } from '../systems/index.ts';

type Deps = Pick<SubjectDeps, 'database' | 'reader' | 'writer' | 'clock' | 'ids'>;

/** Acts of the service itself stand under this name in the audit. */
const watcher: Caller = { system: 'askfirst', clientId: 'askfirst' };

/** Permits of a subject to speak to somebody or to pass their data on; `id` says whose clock it ends, `since` RFC 3339. */
type Asked = { id: string; subjectId: string; since: string };

/** When each was first spoken to, or their data first passed on, as far as a permit tells (Art. 14(3)(b) and (c) GDPR). */
const firstUses = (database: Database, asked: readonly Asked[]): Promise<{ id: string; at: string }[]> =>
  database.read<{ id: string; at: string }>(
    `select k.id, min(p.decided_at) as at
     from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as k (id, subject_id, since)
     join permit p on p.subject_id = k.subject_id and p.decided_at >= k.since
     cross join json_array_elements(p.decisions) as one
     where one->>'action' in ('contact', 'share', 'forward')
     group by k.id`,
    [
      arrayLiteral(asked.map(({ id }) => id)),
      arrayLiteral(asked.map(({ subjectId }) => subjectId)),
      arrayLiteral(asked.map(({ since }) => since)),
    ],
  );

type HalfSeen = { side: string; otherSubjectId: string };

const pageSize = 500;

/** Ends each clock at the first use since the collection: under the person's own record, the one that it was merged into, or that of the customer whose account it is linked as. */
const endClocks = async ({ database, reader, clock }: Deps): Promise<void> => {
  const now = clock.now().toString();
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const clocks = await runningClocks(database, now, after, pageSize);
    if (clocks.length === 0) return;
    const states = await Promise.all(
      clocks.map(async ({ subjectId }) => throughAliases({ reader }, await reader.state(subjectId))),
    );
    const asked = clocks.flatMap(({ id, subjectId, collectedAt: since }, index) => {
      const state = states[index]!;
      const accounts = (state.links as HalfSeen[]).filter(({ side }) => side === 'identity');
      const subjectIds = new Set([subjectId, state.subjectId, ...accounts.map(({ otherSubjectId }) => otherSubjectId)]);
      return [...subjectIds].map((one) => ({ id, subjectId: one, since }));
    });
    const used = new Map((await firstUses(database, asked)).map(({ id, at }) => [id, at]));
    await bringInformForward(
      database,
      clocks.flatMap(({ subjectId, id }) => {
        const at = used.get(id);
        return at === undefined ? [] : [{ subjectId, id, at: Temporal.Instant.from(at).toString() }];
      }),
    );
    after = clocks.at(-1)!.id;
  }
};

/** How long after its moment a permit may still be written: its deadline, and clocks that differ. */
const overlap = { seconds: 60 };

type Collected = { subjectId: string; system: string; purpose: string; at: string };

/**
 * What was permitted to be collected about somebody who has to be told of it, between two moments (RFC 3339). Of totals nobody is told. The
 * index on time makes this a look at these minutes alone.
 */
const collections = (database: Database, from: string, until: string): Promise<Collected[]> =>
  database.read<Collected>(
    `select p.subject_id as "subjectId", p.system, one->>'purpose' as purpose, min(p.decided_at) as at
     from permit p cross join json_array_elements(p.decisions) as one
     where p.decided_at >= $1::timestamptz and p.decided_at < $2::timestamptz and p.decisions::text like '%inform-person%'
       and one->>'action' = 'collect' and (one->'obligations')::jsonb ? 'inform-person'
       and not (one->'obligations')::jsonb ? 'aggregate-only'
     group by 1, 2, 3`,
    [from, until],
  );

/** Starts the clock of those whom we know and nobody reported. Who is unknown has no record to start it in: their system reports it. */
const startClocks = async (deps: Deps, catalogue: Catalogue, token: number): Promise<void> => {
  const { database, reader, clock } = deps;
  const now = clock.now();
  const [lease] = await database.query<{ lookedUntil: string | null }>(
    `select progress->>'lookedUntil' as "lookedUntil" from lease where name = $1`,
    [leaseName],
  );
  const from = (lease?.lookedUntil ? Temporal.Instant.from(lease.lookedUntil) : now).subtract(overlap);
  for (const { subjectId, system, purpose: purposeId, at } of await collections(
    database,
    from.toString(),
    now.toString(),
  )) {
    const purpose = catalogue.purposes.get(purposeId);
    if (!purpose || (await reader.state(subjectId)).version === 0) continue;
    await startInformClock(deps, watcher, { subjectId, system, purpose, collectedAt: Temporal.Instant.from(at) }).catch(
      (error: unknown) => {
        if (!(error instanceof SubjectErased)) throw error;
      },
    );
  }
  await database.query(
    `update lease set progress = jsonb_build_object('lookedUntil', $3::text) where name = $1 and token = $2`,
    [leaseName, token, now.toString()],
  );
};

const leaseName = 'watch-inform';

/**
 * Looks at what was permitted, so that checks pay nothing for it: ends the clocks of Art. 14 GDPR at a first contact or disclosure, and starts those
 * that nobody reported. One instance at a time; may be killed anywhere and run as often as it likes.
 */
export const watchInform = async (deps: Deps, catalogue: Catalogue): Promise<void> => {
  const token = await takeLease(deps.database, leaseName, 300);
  if (token === undefined) return;
  try {
    await startClocks(deps, catalogue, token);
    await endClocks(deps);
  } finally {
    await releaseLease(deps.database, leaseName, token);
  }
};
