/**
 * The first moment, in epoch milliseconds, at which an answer is valid no longer. `validity` is the purpose's ISO 8601
 * duration, counted by the calendar in UTC (a yes of 29 February for one year ends on 28 February); without one, never.
 * Resolved once, when the event is recorded, so that a check only compares two numbers.
 */
export const expiryOf = (occurredAt: Temporal.Instant, validity: string | undefined): number | undefined =>
  validity === undefined ? undefined : occurredAt.toZonedDateTimeISO('UTC').add(validity).epochMilliseconds;
