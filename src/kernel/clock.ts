/** The only source of the present: injected, so that a test decides what time it is. */
export type Clock = { now(): Temporal.Instant };

export const systemClock: Clock = { now: () => Temporal.Now.instant() };

/** A clock that stands still until it is told to move. */
export const testClock = (startAt: string): Clock & { advance(duration: Temporal.DurationLike | string): void } => {
  let now = Temporal.Instant.from(startAt);
  return {
    now: () => now,
    advance: (duration) => {
      now = now.toZonedDateTimeISO('UTC').add(duration).toInstant();
    },
  };
};

/** Whether a stated moment lies in the future: by more than a minute, which no two servers' clocks differ. */
export const liesAhead = (stated: Temporal.Instant, now: Temporal.Instant): boolean =>
  stated.epochMilliseconds > now.epochMilliseconds + 60_000;
