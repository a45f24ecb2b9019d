/** A moment as a cell tells it, and whether it names a day only. */
type Told = { at: Temporal.ZonedDateTime; day: boolean };

const parts =
  /^(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?: ?([ap])\.?m\.?)?)?$/i;

/** Day, month and year by the place of the year and the separator; undefined where nobody can know. */
const dateOf = (
  [first, separator, second, third]: [string, string, string, string],
  order: 'day-first' | 'month-first' | undefined,
): { year: number; month: number; day: number } | undefined => {
  const [a, b, c] = [Number(first), Number(second), Number(third)];
  if (first.length === 4) return { year: a, month: b, day: c };
  if (third.length !== 4) return undefined;
  // 14.03.2026 is written by those who put the day first only.
  const dayFirst =
    separator === '.' ? true : a > 12 ? true : b > 12 ? false : order === undefined ? undefined : order === 'day-first';
  if (dayFirst === undefined) return undefined;
  return dayFirst ? { year: c, month: b, day: a } : { year: c, month: a, day: b };
};

const told = (
  cell: string,
  how: { dates?: 'day-first' | 'month-first' | undefined; timeZone: string },
): Told | undefined => {
  const text = cell.trim();
  try {
    if (/^\d{4}-\d\d-\d\dT?.*(Z|[+-]\d\d:?\d\d)$/i.test(text))
      return { at: Temporal.Instant.from(text.replace(' ', 'T')).toZonedDateTimeISO('UTC'), day: false };
    const [, first, separator, second, third, hour, minute, secondOfMinute = '0', half] = parts.exec(text) ?? [];
    if (first === undefined) return undefined;
    const date = dateOf([first, separator!, second!, third!], how.dates);
    if (!date) return undefined;
    const hours = half === undefined ? Number(hour ?? 0) : (Number(hour) % 12) + (/p/i.test(half) ? 12 : 0);
    const time = hour === undefined ? {} : { hour: hours, minute: Number(minute), second: Number(secondOfMinute) };
    const at = Temporal.PlainDateTime.from({ ...date, ...time }, { overflow: 'reject' });
    return { at: at.toZonedDateTime(how.timeZone), day: hour === undefined };
  } catch {
    // Not a date of this calendar.
    return undefined;
  }
};

/**
 * The moment of a cell, RFC 3339 in UTC; undefined where it holds none or one that could be two. Of a mere day a yes counts from its first moment
 * and a no to its last: whatever else was said that day, the no is the later one.
 */
export const momentOf = (
  cell: string,
  as: 'yes' | 'no',
  how: { dates?: 'day-first' | 'month-first' | undefined; timeZone: string },
): string | undefined => {
  const moment = told(cell, how);
  if (!moment) return undefined;
  const at = moment.day && as === 'no' ? moment.at.add({ days: 1 }).subtract({ milliseconds: 1 }) : moment.at;
  return at.toInstant().toString();
};
