const minute = 60;
const hour = 60 * minute;

/** Quick at first, since most failures are short; hourly for five days; then daily, for ever: an obligation is never dropped. */
const firstDelaysSeconds = [5, 30, 2 * minute, 10 * minute];
const hourlyTries = 5 * 24;

/** A system that took a message may need time before it acknowledges: no reminder before this. */
const reminderSeconds = 10 * minute;

/**
 * Seconds until the next attempt after `attempts` of them (at least 1). `delivered`: the system took it and has not acknowledged.
 * `random` (0 to 1) spreads the delay by a fifth either way, so that what failed together does not return together.
 */
export const retryDelaySeconds = (attempts: number, delivered: boolean, random: number): number => {
  const late = attempts <= firstDelaysSeconds.length + hourlyTries ? hour : 24 * hour;
  const delay = firstDelaysSeconds[attempts - 1] ?? late;
  return Math.max(delay, delivered ? reminderSeconds : 0) * (0.8 + 0.4 * random);
};
