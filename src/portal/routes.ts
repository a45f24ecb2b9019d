import { createRoute } from '@hono/zod-openapi';
import type { Hono } from 'hono';
import { recordGpcSignal } from '../consent/index.ts';
import type { HttpEnv } from '../http/env.ts';
import { createRouter, problems, respond, type Guards, type Router } from '../http/index.ts';
import { refer, SubjectNotFound } from '../subjects/index.ts';
import { askPages } from './ask-pages.ts';
import { campaignUrl, putCampaign, readCampaign, type Campaign } from './campaign.ts';
import type { PortalDeps } from './deps.ts';
import { CampaignNotFound } from './errors.ts';
import { mintNoLink, mintUnsubscribeHeaders } from './mint.ts';
import { noPages } from './no-pages.ts';
import {
  campaignInputSchema,
  campaignPathSchema,
  campaignSchema,
  gpcSupportSchema,
  noLinkInputSchema,
  noLinkSchema,
  signalInputSchema,
  signalSchema,
  unsubscribeHeadersSchema,
  unsubscribeInputSchema,
} from './schema.ts';
import { stylesheetRoutes } from './stylesheet.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });
const write = [{ oauth2: ['consents:write'] }];

const unsubscribeRoute = createRoute({
  method: 'post',
  path: '/v1/unsubscribe-headers',
  operationId: 'createUnsubscribeHeaders',
  summary: 'Headers with which a mail can be unsubscribed from by one click',
  description:
    'RFC 2369 and RFC 8058, for mails that this system is about to send. Put both headers into the mail as they are; the DKIM signature of the mail must cover both, else providers ignore them. The address says no to exactly what the mail is sent for, never expires, and can do nothing else. A person who is not known is named in `errors`, and nobody is created.',
  tags: ['Consent'],
  security: write,
  request: { body: { required: true, content: json(unsubscribeInputSchema) } },
  responses: {
    200: { description: 'Headers, in the order of the mails', content: json(unsubscribeHeadersSchema) },
    ...problems(404, 422),
  },
});

const noLinkRoute = createRoute({
  method: 'post',
  path: '/v1/no-links',
  operationId: 'createNoLink',
  summary: 'A page on which a person can say no to anything, without signing in',
  description:
    'For letters, profiles and mails. Whoever has the link can only say no; the page shows neither who it is for nor what was answered. It never expires.',
  tags: ['Consent'],
  security: write,
  request: { body: { required: true, content: json(noLinkInputSchema) } },
  responses: { 200: { description: 'Link', content: json(noLinkSchema) }, ...problems(404) },
});

const signalRoute = createRoute({
  method: 'post',
  path: '/v1/signals',
  operationId: 'recordSignal',
  summary: 'Record what the browser of a signed-in person says (Global Privacy Control)',
  description:
    'For systems that people sign in to: `gpc: true` when the browser of the person sends `Sec-GPC: 1`. An objection to every purpose that the policies mark so, recorded once per change; turned off it gives nothing back. A header `Sec-GPC` on calls of systems themselves means nothing.',
  tags: ['Consent'],
  security: write,
  request: { body: { required: true, content: json(signalInputSchema) } },
  responses: { 200: { description: 'Recorded', content: json(signalSchema) }, ...problems(404, 409) },
});

const gpcRoute = createRoute({
  method: 'get',
  path: '/.well-known/gpc.json',
  operationId: 'readGpcSupport',
  summary: 'That this site honours Global Privacy Control',
  tags: ['Consent'],
  security: [],
  responses: { 200: { description: 'GPC support resource', content: json(gpcSupportSchema) } },
});

const putCampaignRoute = createRoute({
  method: 'put',
  path: '/v1/campaigns/{campaign}',
  operationId: 'putCampaign',
  summary: 'Set up a hosted page that asks for consent',
  description:
    'One purpose, narrowed by `scope`; of the dimensions that it leaves open people choose on the page. In four languages, without scripts, with a QR code and a page to print. Only the system that made a campaign may change it.',
  tags: ['Consent'],
  security: write,
  request: { params: campaignPathSchema, body: { required: true, content: json(campaignInputSchema) } },
  responses: { 200: { description: 'Campaign', content: json(campaignSchema) }, ...problems(409, 422) },
});

const readCampaignRoute = createRoute({
  method: 'get',
  path: '/v1/campaigns/{campaign}',
  operationId: 'readCampaign',
  summary: 'A campaign of this system',
  tags: ['Consent'],
  security: [{ oauth2: ['consents:read'] }],
  request: { params: campaignPathSchema },
  responses: { 200: { description: 'Campaign', content: json(campaignSchema) }, ...problems(404) },
});

const campaignOut = (deps: PortalDeps, { id, purpose, scope, closesAt }: Campaign) => {
  const url = campaignUrl(deps, id);
  return { id, purpose, scope, closesAt, url, qr: `${url}/qr.svg`, print: `${url}/print` };
};

/** When what this service does upon the signal last changed (w3c.github.io/gpc, "lastUpdate"). */
const gpcSince = '2026-11-21';

/** What systems call, and the pages for people. */
export const portalRoutes = (guards: Guards, deps: PortalDeps): (Router | Hono<HttpEnv>)[] => [
  createRouter(guards)
    .openapi(unsubscribeRoute, async (c) => {
      const { mails } = c.req.valid('json');
      return respond(c, unsubscribeHeadersSchema, {
        mails: await mintUnsubscribeHeaders(deps, c.get('caller'), mails),
      });
    })
    .openapi(noLinkRoute, async (c) =>
      respond(c, noLinkSchema, { url: await mintNoLink(deps, c.get('caller'), c.req.valid('json').subject) }),
    )
    .openapi(signalRoute, async (c) => {
      const { subject, gpc } = c.req.valid('json');
      const catalogue = await deps.catalogue();
      const { blindIndex } = refer(deps, catalogue, c.get('caller').system, subject, 'subject');
      const known = await deps.reader.stateOf(blindIndex);
      if (!known) throw new SubjectNotFound('subject');
      const changed = await recordGpcSignal(deps, c.get('caller'), catalogue, { subjectId: known.subjectId, on: gpc });
      if (changed) deps.wake();
      return respond(c, signalSchema, { gpc, changed });
    })
    .openapi(putCampaignRoute, async (c) => {
      const { campaign: id } = c.req.valid('param');
      const campaign = await putCampaign(deps, c.get('caller'), { id, ...c.req.valid('json') });
      return respond(c, campaignSchema, campaignOut(deps, campaign));
    })
    .openapi(readCampaignRoute, async (c) => {
      const campaign = await readCampaign(deps, c.req.valid('param').campaign);
      if (campaign.system !== c.get('caller').system) throw new CampaignNotFound();
      return respond(c, campaignSchema, campaignOut(deps, campaign));
    })
    .openapi(gpcRoute, (c) => respond(c, gpcSupportSchema, { gpc: true, lastUpdate: gpcSince })),
  noPages(deps),
  askPages(deps),
  stylesheetRoutes(),
];
