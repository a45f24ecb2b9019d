import type { Database } from '../kernel/database/client.ts';
import { AppError } from '../kernel/errors.ts';
import { readCatalogue, type Catalogue } from './catalogue.ts';
import { assertNotWider, widenings } from './assert-not-wider.ts';
import type { Deployment } from './deployment.ts';

/** No policy set is active, or this instance cannot read the active one: nothing is decided (DESIGN section 7). */
export class PolicySetUnavailable extends AppError {
  constructor(why: string) {
    super('policies.unavailable', 'unavailable', why, { retryAfterSeconds: 5 });
  }
}

/** Stores a policy set; the same digest is the same content for ever. */
const store = (database: Database, catalogue: Catalogue) =>
  database.query('insert into policy_set (digest, content) values ($1, $2) on conflict do nothing', [
    catalogue.digest,
    catalogue.json,
  ]);

const readable = (content: string): Catalogue | undefined => {
  try {
    return readCatalogue(content);
  } catch {
    return undefined; // made by another version of the service
  }
};

const stored = async (database: Database, digest: string): Promise<Catalogue | undefined> => {
  const [row] = await database.read<{ content: string }>('select content from policy_set where digest = $1', [digest]);
  return row && readable(row.content);
};

/** Every set under which answers may have been recorded. */
const everActive = async (database: Database): Promise<Catalogue[]> =>
  (await database.query<{ content: string }>('select content from policy_set')).flatMap(
    ({ content }) => readable(content) ?? [],
  );

/** Why a set cannot be activated where others have been; empty where it can. See `activatePolicies`. */
export const activationProblems = async (database: Database, catalogue: Catalogue): Promise<string[]> => {
  const found = new Set((await everActive(database)).flatMap((before) => widenings(before, catalogue)));
  return [...found];
};

/**
 * Makes a policy set the one that all instances obey from their next read on. Links that lose their ground are reviewed by the sweep.
 * Throws ActivationWidens when answers that people gave under any set that was ever active would come to mean more under this one: a set in
 * between that lacks a purpose must not make people's noes to it forgotten.
 */
export const activatePolicies = async (database: Database, catalogue: Catalogue): Promise<{ changed: boolean }> => {
  for (;;) {
    const [active] = await database.query<{ digest: string | null }>('select policy_digest as digest from deployment');
    for (const before of await everActive(database)) assertNotWider(before, catalogue);
    await store(database, catalogue);
    // Only if what we compared with is still active: somebody else may activate another set at the same time.
    const moved = await database.query(
      `insert into deployment (one, policy_digest, policy_activated_at) values (true, $1, now())
       on conflict (one) do update set policy_digest = excluded.policy_digest, policy_activated_at = now()
         where deployment.policy_digest is not distinct from $2
       returning one`,
      [catalogue.digest, active?.digest ?? null],
    );
    if (moved.length > 0) return { changed: active?.digest !== catalogue.digest };
  }
};

/** At a first start, and only then, the folder's set becomes active: an older image must not bring its old policies back. */
export const activateFirstPolicies = async (database: Database, catalogue: Catalogue): Promise<void> => {
  const [active] = await database.query<{ digest: string | null }>('select policy_digest as digest from deployment');
  if (active?.digest) return;
  await store(database, catalogue);
  await database.query(
    `insert into deployment (one, policy_digest, policy_activated_at) values (true, $1, now())
     on conflict (one) do update set policy_digest = excluded.policy_digest, policy_activated_at = now() where deployment.policy_digest is null`,
    [catalogue.digest],
  );
};

/** The policy sets that this instance has compiled, and which of them counts. */
export type PolicySets = {
  /** The active set, as the primary says now. */
  current(): Promise<Catalogue>;
  /** The set of a digest. Sets are immutable, so a compiled one is kept; another is read from the database. */
  byDigest(digest: string | null): Catalogue | Promise<Catalogue>;
  /** The set that was active when it was last asked for: to be trusted only with a read that confirms its digest. */
  latest(): Catalogue | undefined;
};

/** Throws PolicySetUnavailable when no set is active, or when this version of the service does not understand it. */
export const createPolicySets = (database: Database, readDeployment: () => Promise<Deployment>): PolicySets => {
  const compiled = new Map<string, Catalogue>();
  let latest: Catalogue | undefined;

  const load = async (digest: string | null): Promise<Catalogue> => {
    if (digest === null) throw new PolicySetUnavailable('no policy set is active: run "askfirst policies activate"');
    const catalogue = await stored(database, digest);
    if (!catalogue)
      throw new PolicySetUnavailable(
        'the active policy set is missing, or of a version that this service does not understand',
      );
    if (compiled.size > 20) compiled.clear(); // replaying old decisions must not fill the memory
    compiled.set(digest, catalogue);
    return (latest = catalogue);
  };
  const byDigest: PolicySets['byDigest'] = (digest) => {
    const known = digest === null ? undefined : compiled.get(digest);
    if (known) latest = known;
    return known ?? load(digest);
  };
  return { byDigest, latest: () => latest, current: async () => byDigest((await readDeployment()).policyDigest) };
};
