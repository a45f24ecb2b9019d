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
  /** A no that the browser said by Sec-GPC. */
  readonly signal?: true;
  /** A yes that was given while the browser sent Sec-GPC. */
  readonly despiteGpc?: true;
};

export type ReferenceRules = {
  readonly legalBasis: string;
  readonly dimensions: readonly string[];
  readonly notices: readonly { readonly version: number; readonly corrects?: readonly number[] | undefined }[];
  readonly renewOnNewNotice: boolean;
};

/** `reliedOn`: the ids of the events of which any one may be named. */
export type ReferenceAnswer = { result: string; code: string; reliedOn: string[]; ask: boolean };

const pairs = (scope: ReferenceScope): string[] => Object.entries(scope).map(([k, v]) => `${k}=${v}`);

/** "An event covers a check if its scope is a subset of the check's." */
const isSubset = (inner: ReferenceScope, outer: ReferenceScope): boolean =>
  pairs(inner).every((pair) => pairs(outer).includes(pair));

/**
 * Whether a pending yes may still be confirmed: it "lapses after 48 h"; it ends when that person answered the same question since or was asked
 * anew, and when a covering no was recorded after it, whoever's.
 */
export const mayConfirm = (history: readonly ReferenceEvent[], question: ReferenceEvent, now: number): boolean => {
  const since = history.filter((later) => later.seq > question.seq);
  const answered = since.some(
    (later) =>
      (later.act === 'yes' || later.act === 'pending') &&
      later.purpose === question.purpose &&
      later.rank === question.rank &&
      isSubset(later.scope, question.scope) &&
      isSubset(question.scope, later.scope),
  );
  const refused = since.some(
    (no) =>
      no.act === 'no' && (no.purpose === question.purpose || no.purpose === '*') && isSubset(no.scope, question.scope),
  );
  const lapsed = question.until !== undefined && now >= question.until;
  return question.act === 'pending' && !lapsed && !answered && !refused;
};

/** A birth month that was told when so many events were recorded. */
export type Told = { readonly month: string; readonly after: number };

const monthOf = (moment: number): string => Temporal.Instant.fromEpochMilliseconds(moment).toString().slice(0, 7);
const monthOfAge = (month: string, years: number): string => `${Number(month.slice(0, 4)) + years}${month.slice(4)}`;

/** Whether a guardian may answer for a child of whom that is known: until the month in which it may answer alone. */
export const mayGuard = (month: string | undefined, years: number, at: number): boolean =>
  month !== undefined && monthOf(at) < monthOfAge(month, years);

/**
 * What the guardian's part of each yes is worth, from all that was ever told of the person's age: when the yes was recorded, and since. "Store the
 * month, not the birth date": in the month of that birthday neither the guardian nor the child is sure to be the one who may answer, so neither
 * yes counts. "Consent is asked anew at that age": nothing that a guardian said lasts beyond it, and nothing that a child said counts since.
 */
export const judgedByAge = (
  history: readonly ReferenceEvent[],
  told: readonly Told[],
  years: number,
): ReferenceEvent[] =>
  history.map((event, place) => {
    if (event.act !== 'yes' && event.act !== 'pending') return event;
    // A question only waits; what an answer to it is worth is asked when it is answered.
    const known = event.act === 'pending' ? undefined : told.findLast(({ after }) => after <= place);
    const months = [...(known ? [known] : []), ...told.filter(({ after }) => after > place)].map(({ month }) =>
      monthOfAge(month, years),
    );
    if (event.rank === 'self') {
      const wasChild = months.some((ofAge) => monthOf(event.at) <= ofAge);
      return wasChild ? { ...event, guardianOk: false } : event;
    }
    if (months.length === 0) return event;
    const ends = months.map((ofAge) => Temporal.Instant.from(`${ofAge}-01T00:00:00Z`).epochMilliseconds);
    return { ...event, until: Math.min(event.until ?? Infinity, ...ends) };
  });

/** "Merging two records of one person is an alias: every no of either survives, a yes only where both gave it." Nothing of it is an own act. */
export const mergedHistories = (
  one: readonly ReferenceEvent[],
  other: readonly ReferenceEvent[],
  seq: number,
): ReferenceEvent[] => {
  const noes = [...one, ...other].filter(({ act }) => act === 'no').map((no) => ({ ...no, seq }));
  const inOrder = (event: ReferenceEvent) =>
    event.rank === 'guardian' ? event.guardianOk === true : event.guardianOk !== false;
  const given = (history: readonly ReferenceEvent[]) =>
    history.filter(({ act }) => act === 'yes' || act === 'informed');
  const shared = given(one).flatMap((mine) =>
    given(other).flatMap((theirs): ReferenceEvent[] => {
      const both = { ...mine.scope, ...theirs.scope };
      const sameQuestion = mine.purpose === theirs.purpose && mine.act === theirs.act && mine.notice === theirs.notice;
      if (!sameQuestion || !isSubset(mine.scope, both)) return [];
      return [
        {
          ...mine,
          id: `${mine.id} and ${theirs.id}`,
          scope: both,
          at: Math.min(mine.at, theirs.at),
          seq,
          own: false,
          rank: mine.rank === 'self' && theirs.rank === 'self' ? 'self' : 'guardian',
          guardianOk: inOrder(mine) && inOrder(theirs),
          until: Math.min(mine.until ?? Infinity, theirs.until ?? Infinity),
        },
      ];
    }),
  );
  return [...noes, ...shared];
};

/** Somebody else's noes, without anything else of theirs. */
export const withNoesOf = (
  history: readonly ReferenceEvent[],
  other: readonly ReferenceEvent[],
  seq: number,
): ReferenceEvent[] => [...history, ...other.filter(({ act }) => act === 'no').map((no) => ({ ...no, seq }))];

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
  const wrongWords = rules.notices.flatMap((notice) => notice.corrects ?? []);
  const isOutdated = (event: ReferenceEvent) =>
    (rules.renewOnNewNotice && event.notice !== newestNotice) || wrongWords.includes(event.notice);
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
  // "Sec-GPC … never over a yes given while the signal was on": whichever of the two came first.
  const wasMeant = (yes: ReferenceEvent, no: ReferenceEvent) => no.signal === true && yes.despiteGpc === true;
  const occurredLater = (yes: ReferenceEvent, no: ReferenceEvent) => yes.at > no.at || wasMeant(yes, no);
  const recordedLater = (yes: ReferenceEvent, no: ReferenceEvent) => yes.seq > no.seq || wasMeant(yes, no);
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

  // Denied; the rest says why.
  const pending = here.filter((event) => mayConfirm(history, event, now));
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
