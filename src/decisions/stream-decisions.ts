import type { Database } from '../kernel/database/client.ts';
import type { CompactFacts, Facts } from '../policies/index.ts';
import { readFacts } from './find-decision.ts';
import type { PermittedDecision } from './record-permits.ts';

/** One answered check as it is recorded. `scope` and `customerNamespace` are kept of permits only. */
export type PastDecision = {
  id: string;
  system: string;
  purpose: string;
  permit: boolean;
  policyDigest: string;
  facts: Facts | { refused: string };
  scope?: PermittedDecision['scope'] | undefined;
  customerNamespace?: string | undefined;
};

type Key = { subjectId: string; id: string };
type Row = Key & Pick<PastDecision, 'system' | 'policyDigest'>;
type PermitRow = Row & { decisions: PermittedDecision[] };
type DenialRow = Row & { purpose: string; facts: CompactFacts };

const first: Key = { subjectId: '00000000-0000-0000-0000-000000000000', id: '00000000-0000-0000-0000-000000000000' };
const perPage = 200;

/** By primary key, page by page: constant memory, no sorting, and no statement that holds anything up. */
async function* pagesOf<R extends Row>(
  database: Database,
  table: 'permit' | 'denial',
  columns: string,
  since: string,
): AsyncGenerator<R[]> {
  let after = first;
  for (;;) {
    const page = await database.read<R>(
      `select subject_id as "subjectId", id, system, policy_digest as "policyDigest", ${columns} from ${table}
       where (subject_id, id) > ($1, $2) and decided_at >= $3 order by subject_id, id limit ${perPage}`,
      [after.subjectId, after.id, since],
    );
    if (page.length > 0) yield page;
    if (page.length < perPage) return;
    after = page.at(-1)!;
  }
}

/**
 * Every recorded decision since an instant (RFC 3339), in no order that means anything; permits and denials by turns, so that whoever stops
 * early has seen some of both.
 */
export async function* streamDecisions(database: Database, since = '-infinity'): AsyncGenerator<PastDecision> {
  const permits = pagesOf<PermitRow>(database, 'permit', 'decisions', since);
  const denials = pagesOf<DenialRow>(database, 'denial', 'purpose, facts', since);
  for (;;) {
    const [permitted, denied] = [await permits.next(), await denials.next()];
    for (const { decisions, system, policyDigest } of permitted.value ?? [])
      for (const { id, purpose, scope, customer, facts } of decisions)
        yield {
          id,
          system,
          purpose,
          permit: true,
          policyDigest,
          facts: readFacts(facts),
          scope,
          customerNamespace: customer?.namespace,
        };
    for (const { id, system, purpose, policyDigest, facts } of denied.value ?? [])
      yield { id, system, purpose, permit: false, policyDigest, facts: readFacts(facts) };
    if (permitted.done && denied.done) return;
  }
}
