/**
 * Judges what callers saw of one customer and one account, of whom many instances were asked at once. All times are of the one process
 * that called, in milliseconds: `start` before a request was sent, `end` after its answer had arrived, undefined where none came.
 * Pure. It says "broken" only where no order of the calls, each taking effect at some moment between its start and its end, explains
 * what was answered.
 */
export type Interval = { start: number; end?: number | undefined };

/** A yes or a no of one of the two. `seq` and `id` are known once it was acknowledged. */
export type Saying = Interval & { side: 'customer' | 'account'; act: 'yes' | 'no'; seq?: number; id?: string };

/** `linkId`: the link that a permit may be confirmed to. */
export type Check = Interval & { permit: boolean };

/** A confirmation of what `check` permitted; `linked` where it was answered so. */
export type Confirmation = Interval & { linkId: string; check: Check; linked: boolean };

/** What was shown as active. */
export type Look = Interval & { active: readonly string[] };

export type Seen = {
  sayings: readonly Saying[];
  checks: readonly Check[];
  confirmations: readonly Confirmation[];
  looks: readonly Look[];
};

export type Violation = {
  promise:
    | 'a check that started after an acknowledged no was permitted'
    | 'a confirmation that started after an acknowledged no succeeded'
    | 'a lease from before an acknowledged no was confirmed after it'
    | 'a link was active after an acknowledged no'
    | 'a link from before an acknowledged no was active after it'
    | 'two acknowledged answers have the same place'
    | 'an answer has a place before one that was acknowledged before it began';
  at: number;
};

const isOver = (call: Interval, before: number): boolean => call.end !== undefined && call.end < before;

/** Whether `yes` may have been recorded after `no`. The service's own order counts where it told both. */
const mayFollow = (yes: Saying, no: Saying): boolean =>
  !isOver(yes, no.start) && (yes.seq === undefined || no.seq === undefined || yes.seq > no.seq);

/** Answers a function of `before`: the largest value of those whose key is at most `before`, in the order of a binary search. */
const largestUpTo = (pairs: readonly { key: number; value: number }[]): ((before: number) => number) => {
  const sorted = pairs.toSorted((one, other) => one.key - other.key);
  const largest: number[] = [];
  for (const { value } of sorted) largest.push(Math.max(value, largest.at(-1) ?? -Infinity));
  return (before) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]!.key <= before) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? -Infinity : largest[low - 1]!;
  };
};

/**
 * When the earliest yes began that may stand against all noes acknowledged by a moment: before that nothing may be permitted. Infinity where
 * there is none, -Infinity where none is needed.
 */
const yesNeeded = (sayings: readonly Saying[]): ((acknowledgedBy: number) => number) => {
  const perSide = (['customer', 'account'] as const).map((side) => {
    const own = sayings.filter((saying) => saying.side === side);
    const yeses = own.filter(({ act }) => act === 'yes');
    return largestUpTo(
      own
        .filter(({ act, end }) => act === 'no' && end !== undefined)
        .map((no) => ({
          key: no.end!,
          value: Math.min(...yeses.filter((yes) => mayFollow(yes, no)).map(({ start }) => start), Infinity),
        })),
    );
  });
  return (acknowledgedBy) => Math.max(...perSide.map((needed) => needed(acknowledgedBy)));
};

const endOf = ({ end }: Interval): number => end ?? Infinity;

/** All that no order of the calls explains. */
export const findViolations = ({ sayings, checks, confirmations, looks }: Seen): Violation[] => {
  const needed = yesNeeded(sayings);
  const noes = sayings.filter(({ act, end }) => act === 'no' && end !== undefined);
  /** Whether what was answered in this interval was allowed by some yes that had begun before the answer. */
  const isGrounded = (call: Interval): boolean => needed(call.start) <= endOf(call);
  const found: Violation[] = [];
  const report = (promise: Violation['promise'], { start }: Interval) => found.push({ promise, at: start });

  for (const check of checks)
    if (check.permit && !isGrounded(check))
      report('a check that started after an acknowledged no was permitted', check);

  for (const confirmation of confirmations) {
    if (!confirmation.linked) continue;
    if (!isGrounded(confirmation))
      report('a confirmation that started after an acknowledged no succeeded', confirmation);
    const between = noes.some((no) => no.start >= endOf(confirmation.check) && no.end! <= confirmation.start);
    if (between) report('a lease from before an acknowledged no was confirmed after it', confirmation);
  }

  /** The last moment at which a link may have come about; it can only have lived from a confirmation on. */
  const cameAbout = new Map<string, number>();
  for (const confirmation of confirmations)
    cameAbout.set(confirmation.linkId, Math.max(cameAbout.get(confirmation.linkId) ?? -Infinity, endOf(confirmation)));
  const lastNoStart = largestUpTo(noes.map(({ start, end }) => ({ key: end!, value: start })));
  for (const look of looks) {
    if (look.active.length === 0) continue;
    if (!isGrounded(look)) report('a link was active after an acknowledged no', look);
    for (const linkId of look.active)
      if ((cameAbout.get(linkId) ?? -Infinity) < lastNoStart(look.start))
        report('a link from before an acknowledged no was active after it', look);
  }

  // The two sides have places of their own.
  for (const side of ['customer', 'account'] as const) {
    const placed = sayings
      .filter((saying) => saying.side === side && saying.seq !== undefined && saying.end !== undefined)
      .toSorted((one, other) => one.start - other.start);
    const places = new Set(placed.map(({ seq }) => seq));
    if (places.size < placed.length) report('two acknowledged answers have the same place', placed[0]!);
    const highest = largestUpTo(placed.map(({ end, seq }) => ({ key: end!, value: seq! })));
    for (const saying of placed)
      if (highest(saying.start) > saying.seq!)
        report('an answer has a place before one that was acknowledged before it began', saying);
  }
  return found;
};
