import type { Scope } from '../consent/index.ts';
import type { Catalogue, Purpose } from '../policies/index.ts';
import type { Caller } from '../subjects/index.ts';
import type { PortalDeps } from './deps.ts';
import { CampaignImpossible, CampaignNotFound, CampaignOfAnother, PurposeUnknown, ScopeUnknown } from './errors.ts';
import { campaignPathSchema } from './schema.ts';
import { scopeProblem } from './scope-words.ts';

/** A hosted page that asks for consent to one purpose. `closesAt`: RFC 3339 in UTC. */
export type Campaign = { id: string; system: string; purpose: string; scope: Scope; closesAt: string | null };

const columns = 'id, system, purpose, scope, closes_at as "closesAt"';
const shown = (row: Campaign): Campaign => ({
  ...row,
  closesAt: row.closesAt && Temporal.Instant.from(row.closesAt).toString(),
});

/** Why this system cannot ask for this purpose on a page; undefined when it can. */
const problemOf = (catalogue: Catalogue, system: string, purpose: Purpose): CampaignImpossible | undefined => {
  const { may = [], identifiers = [] } = catalogue.systems.get(system) ?? {};
  const refuse = (rule: string) => new CampaignImpossible('purpose', rule);
  if (purpose.legalBasis !== 'consent') return refuse('does not rest on consent: nobody is asked for it');
  if (purpose.retired) return refuse('is retired: nobody is asked for it any more');
  if (!may.some(({ purposes }) => purposes.includes(purpose.id))) return refuse('is none that this system may use');
  if (!identifiers.includes('email')) return refuse('is asked for by e-mail address, which this system may not use');
  return undefined;
};

const isOver = ({ clock }: Pick<PortalDeps, 'clock'>, closesAt: string | null | undefined): boolean =>
  typeof closesAt === 'string' && Temporal.Instant.compare(Temporal.Instant.from(closesAt), clock.now()) <= 0;

/**
 * Sets up a hosted page, or changes it: only the system that made it may. A `closesAt` that is past ends one that is there; to set one up with
 * it is a slip. Errors: PurposeUnknown, CampaignImpossible, ScopeUnknown,
 * CampaignOfAnother.
 */
export const putCampaign = async (
  deps: PortalDeps,
  caller: Caller,
  input: { id: string; purpose: string; scope: Scope; closesAt?: string | undefined },
): Promise<Campaign> => {
  const catalogue = await deps.catalogue();
  const purpose = catalogue.purposes.get(input.purpose);
  if (!purpose) throw new PurposeUnknown('purpose');
  const impossible = problemOf(catalogue, caller.system, purpose);
  if (impossible) throw impossible;
  const wrong = scopeProblem(catalogue, purpose, input.scope);
  if (wrong) throw new ScopeUnknown(`scope.${wrong.dimension}`, wrong.rule);
  const over = isOver(deps, input.closesAt);
  const [row] = await deps.database.query<Campaign>(
    `insert into campaign (id, system, purpose, scope, closes_at)
     select $1::text, $2::text, $3::text, $4::text::jsonb, $5::timestamptz
     where not $6::boolean or exists (select from campaign where id = $1::text)
     on conflict (id) do update set purpose = excluded.purpose, scope = excluded.scope, closes_at = excluded.closes_at
     where campaign.system = excluded.system
     returning ${columns}`,
    [input.id, caller.system, input.purpose, JSON.stringify(input.scope), input.closesAt ?? null, over],
  );
  if (!row && over)
    await readCampaign(deps, input.id).catch((error: unknown) => {
      if (!(error instanceof CampaignNotFound)) throw error;
      throw new CampaignImpossible('closesAt', 'is past: a campaign can be ended by that, and not set up');
    });
  if (!row) throw new CampaignOfAnother();
  return shown(row);
};

/** Throws CampaignNotFound. */
export const readCampaign = async (deps: Pick<PortalDeps, 'database'>, id: string): Promise<Campaign> => {
  // The pages take any path, and PostgreSQL no NUL.
  if (!campaignPathSchema.safeParse({ campaign: id }).success) throw new CampaignNotFound();
  const [row] = await deps.database.query<Campaign>(`select ${columns} from campaign where id = $1`, [id]);
  if (!row) throw new CampaignNotFound();
  return shown(row);
};

/** What is asked, and the words and rules of today. `purpose` undefined: closed, because its time is over or the policies changed. */
export type Asked = { campaign: Campaign; catalogue: Catalogue; purpose: Purpose | undefined };

/** Throws CampaignNotFound. */
export const whatIsAsked = async (deps: PortalDeps, id: string): Promise<Asked> => {
  const campaign = await readCampaign(deps, id);
  const catalogue = await deps.catalogue();
  const purpose = catalogue.purposes.get(campaign.purpose);
  const isOpen =
    purpose &&
    !isOver(deps, campaign.closesAt) &&
    !problemOf(catalogue, campaign.system, purpose) &&
    !scopeProblem(catalogue, purpose, campaign.scope);
  return { campaign, catalogue, purpose: isOpen ? purpose : undefined };
};

/** The address of the page. */
export const campaignUrl = ({ baseUrl }: Pick<PortalDeps, 'baseUrl'>, id: string): string => `${baseUrl}/ask/${id}`;
