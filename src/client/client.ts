import { createChecks, type Checks, type Mode, type OnWouldDeny } from './checks.ts';
import type { Decision, Language } from './decision.ts';
import { AskfirstRefused, AskfirstUnreachable } from './errors.ts';
import {
  obligationReceiver,
  readObligation,
  type Informed,
  type Obligation,
  type ObligationHandler,
  type ObligationReceiver,
} from './obligations.ts';
import type { LinkRequest } from './request.ts';
import { createTransport } from './transport.ts';

export type AskfirstOptions = {
  /** For example `https://askfirst.example.org`. */
  baseUrl: string;
  /** Id of this component in the service's `systems.yaml`. */
  system: string;
  clientId: string;
  clientSecret: string;
  /** How long a check may take in all before it denies. 250 if left out. */
  timeoutMs?: number;
  /** Of the reasons. `en` if left out. */
  language?: Language;
  /** `enforce` if left out. */
  mode?: Mode;
  /** `console.warn` of action, purpose and codes if left out. */
  onWouldDeny?: OnWouldDeny;
  /** `whsec_…`: the current one and, while it is being exchanged, the old one. */
  webhookSecrets?: readonly string[];
  fetch?: typeof globalThis.fetch;
};

/** A confirmed link; or, in mode `observe`, one that is not recorded because it would have been denied. */
export type Link = { linkId: string; status: string } | { linkId: null; status: 'observed' };

export type Askfirst = Checks & {
  /**
   * Records the link that `decision` permits, for the two that were asked about, while its lease runs. The service checks
   * again. Calling it again answers the same link.
   *
   * @throws AskfirstRefused if it is not permitted (any more): then the link must not be kept;
   *   AskfirstUnreachable if it is not known whether it is recorded: call again
   */
  confirmLink(
    decision: Pick<Decision, 'lease' | 'observed'>,
    asked: Pick<LinkRequest, 'customer' | 'identity'>,
  ): Promise<Link>;
  /**
   * A receiver for this component's webhook.
   *
   * @throws TypeError without `webhookSecrets`
   */
  onObligation(handler: ObligationHandler): ObligationReceiver;
  /**
   * The oldest of what is to be done, for a component without a webhook; none when there is nothing. They are the
   * caller's for a minute and then come again, until they are acknowledged.
   */
  pullObligations(): Promise<Obligation[]>;
  /** Says that the obligation is done; of one to inform also with which words (it is refused without). Calling twice does no harm. */
  acknowledge(obligationId: string, informed?: Informed): Promise<void>;
};

/** A write waits for its commit; a confirm has the five seconds of its lease. */
const writeTimeoutMs = 5_000;

/** A client of one Askfirst service for one component. It keeps an access token and nothing about a person. */
export const createAskfirst = (options: AskfirstOptions): Askfirst => {
  const { baseUrl, system, clientId, clientSecret, timeoutMs = 250 } = options;
  const {
    language = 'en',
    mode = 'enforce',
    onWouldDeny = warn,
    webhookSecrets = [],
    fetch = globalThis.fetch,
  } = options;
  if (!URL.canParse(baseUrl)) throw new TypeError('baseUrl must be a URL');
  for (const [name, value] of Object.entries({ system, clientId, clientSecret }))
    if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must not be empty`);
  // A misspelt mode must not let anything pass, nor a timeout that never comes.
  if (!['enforce', 'observe'].includes(mode)) throw new TypeError('mode must be "enforce" or "observe"');
  if (!(timeoutMs >= 1 && timeoutMs <= 60_000)) throw new TypeError('timeoutMs must be from 1 to 60000');

  const call = createTransport({ baseUrl, clientId, clientSecret, fetch });

  return {
    ...createChecks({ call, system, timeoutMs, language, mode, onWouldDeny }),
    confirmLink: async ({ lease, observed }, { customer, identity }) => {
      if (observed?.wouldDeny) return { linkId: null, status: 'observed' };
      if (!lease) throw new AskfirstRefused('askfirst.no-lease', 'confirmLink needs a permit to link');
      const answer = await call({
        method: 'POST',
        path: '/v1/links',
        timeoutMs: writeTimeoutMs,
        body: { leaseId: lease.id, customer, identity },
      });
      const { linkId, status } = (answer.body ?? {}) as Record<string, unknown>;
      if (typeof linkId !== 'string' || typeof status !== 'string') throw malformed('a link');
      return { linkId, status };
    },
    onObligation: (handler) => obligationReceiver(webhookSecrets, handler),
    pullObligations: async () => {
      const { body } = await call({ method: 'GET', path: '/v1/obligations', timeoutMs: writeTimeoutMs });
      const { obligations } = (body ?? {}) as Record<string, unknown>;
      if (!Array.isArray(obligations)) throw malformed('a list of obligations');
      return obligations.map((message) => {
        const obligation = readObligation(message);
        if (!obligation) throw malformed('an obligation');
        return obligation;
      });
    },
    acknowledge: async (obligationId, informed) => {
      const path = `/v1/obligations/${encodeURIComponent(obligationId)}/acknowledge`;
      await call({ method: 'POST', path, timeoutMs: writeTimeoutMs, ...(informed && { body: informed }) });
    },
  };
};

const warn: OnWouldDeny = ({ reasons }, { action, purpose }) =>
  console.warn(`askfirst would deny ${action} for ${purpose}: ${reasons.map(({ code }) => code).join(', ')}`);

const malformed = (what: string) => new AskfirstUnreachable('askfirst.malformed', `malformed answer: not ${what}`);
