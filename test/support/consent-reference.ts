/**
 * Section 6 of the design as slow as it reads: every question is answered from the whole history, nothing is kept, pruned
 * or shared with the service's own code. What this says is right; where the service differs, the service is wrong.
 */

type ReferenceScope = { readonly [dimension: string]: string };

export type ReferenceEvent = {
  readonly id: string;
  readonly purpose: string;
  readonly act: 'yes' | 'no' | 'informed' | 'pending' | 'request' | 'unproven';
  readonly scope: ReferenceScope;
  readonly at: number;
  readonly seq: number;
  readonly rank: 'self' | 'guardian';
  readonly own: boolean;
  readonly notice: number;
  readonly until?: number;
  readonly guardianOk?: boolean;
};

export type ReferenceRules = {
  readonly legalBasis: string;
  readonly dimensions: readonly string[];
  readonly notices: readonly { readonly version: number }[];
  readonly renewOnNewNotice: boolean;
};

/** `reliedOn`: the ids of the events of which any one may be named. */
export type ReferenceAnswer = { result: string; code: string; reliedOn: string[]; ask: boolean };

const pairs = (scope: ReferenceScope): string[] => Object.entries(scope).map(([k, v]) => `${k}=${v}`);

/** "An event covers a check if its scope is a subset of the check's." */
const isSubset = (inner: ReferenceScope, outer: ReferenceScope): boolean =>
  pairs(inner).every((pair) => pairs(outer).includes(pair));

export const referenceStatus = (
  history: readonly ReferenceEvent[],
  purpose: string,
  scope: ReferenceScope,
  now: number,
  rules: ReferenceRules,
): ReferenceAnswer => {
  // "A check names every dimension that its purpose declares, else it denies `scope-missing`."
  const named = Object.keys(scope);
  if (!rules.dimensions.every((dimension) => named.includes(dimension))) {
    return { result: 'deny', code: 'scope-missing', reliedOn: [], ask: false };
  }

  const covering = history.filter((event) => isSubset(event.scope, scope));
  const here = covering.filter((event) => event.purpose === purpose);

  // "A yes is valid if confirmed, unexpired, its notice current, its guardian in order." What is not confirmed is `pending`.
  const newestNotice = Math.max(...rules.notices.map((notice) => notice.version));
  const isExpired = (event: ReferenceEvent) => event.until !== undefined && now >= event.until;
  const isOutdated = (event: ReferenceEvent) => rules.renewOnNewNotice && event.notice !== newestNotice;
  const isUnguarded = (event: ReferenceEvent) =>
    event.rank === 'guardian' ? event.guardianOk !== true : event.guardianOk === false;
  const isValid = (event: ReferenceEvent) => !isExpired(event) && !isOutdated(event) && !isUnguarded(event);
  const validYeses = here.filter((event) => event.act === 'yes' && isValid(event));

  // "No to everything covers future purposes except contract and legal obligation."
  const isExempt = rules.legalBasis === 'contract' || rules.legalBasis === 'legal-obligation';
  const noes = covering.filter(
    (event) => event.act === 'no' && (event.purpose === purpose || (event.purpose === '*' && !isExempt)),
  );

  // "A covering no is live unless a valid covering yes (a) … (d)."
  const rankOf = (event: ReferenceEvent) => (event.rank === 'self' ? 2 : 1);
  const a = (yes: ReferenceEvent, no: ReferenceEvent) => isSubset(no.scope, yes.scope);
  const occurredLater = (yes: ReferenceEvent, no: ReferenceEvent) => yes.at > no.at;
  const recordedLater = (yes: ReferenceEvent, no: ReferenceEvent) => yes.seq > no.seq;
  const c = (yes: ReferenceEvent) => yes.own;
  const d = (yes: ReferenceEvent, no: ReferenceEvent) => rankOf(yes) >= rankOf(no);
  const liveNoes = noes.filter(
    (no) =>
      !validYeses.some((yes) => a(yes, no) && occurredLater(yes, no) && recordedLater(yes, no) && c(yes) && d(yes, no)),
  );

  // Of those that decide alike, the narrowest is named, and of these the one that occurred last.
  const nameable = (events: ReferenceEvent[]): string[] => {
    const narrowest = Math.max(...events.map((event) => pairs(event.scope).length));
    const candidates = events.filter((event) => pairs(event.scope).length === narrowest);
    const latest = Math.max(...candidates.map((event) => event.at));
    return candidates.filter((event) => event.at === latest).map((event) => event.id);
  };

  // The table: live no; valid yes; informed where the basis is not consent; else deny.
  if (liveNoes.length > 0) {
    // "… recorded Wednesday, after a yes of Tuesday -> deny and ask"
    const ask = liveNoes.every((no) =>
      validYeses.some((yes) => a(yes, no) && occurredLater(yes, no) && c(yes) && d(yes, no)),
    );
    return { result: 'deny', code: 'live-no', reliedOn: nameable(liveNoes), ask };
  }
  if (validYeses.length > 0) return { result: 'permit', code: 'valid-yes', reliedOn: nameable(validYeses), ask: false };
  const informing = rules.legalBasis === 'consent' ? [] : here.filter((event) => event.act === 'informed');
  const informed = informing.filter(isValid);
  if (informed.length > 0) return { result: 'permit', code: 'informed', reliedOn: nameable(informed), ask: false };

  // Denied; the rest says why. A pending yes waits until it lapses or the same question was answered since.
  const pending = here.filter(
    (event) =>
      event.act === 'pending' &&
      !isExpired(event) &&
      !history.some(
        (later) =>
          later.purpose === purpose &&
          (later.act === 'yes' || later.act === 'no') &&
          later.seq > event.seq &&
          isSubset(later.scope, event.scope) &&
          isSubset(event.scope, later.scope),
      ),
  );
  if (pending.length > 0) return { result: 'deny', code: 'pending', reliedOn: nameable(pending), ask: false };

  const faulty = [...here.filter((event) => event.act === 'yes'), ...informing];
  const worstFault = (event: ReferenceEvent) =>
    isUnguarded(event) ? 'guardian-missing' : isExpired(event) ? 'expired' : 'notice-outdated';
  for (const code of ['notice-outdated', 'expired', 'guardian-missing']) {
    const such = faulty.filter((event) => worstFault(event) === code);
    if (such.length > 0) return { result: 'deny', code, reliedOn: nameable(such), ask: false };
  }
  const code = rules.legalBasis === 'consent' ? 'nothing-recorded' : 'not-informed';
  return { result: 'deny', code, reliedOn: [], ask: false };
};
