import { GuardianNotNeeded } from './errors.ts';

/** When somebody born in that month may answer for themselves, told to the month, because more is not stored. */
export type ComingOfAge = {
  /** Epoch milliseconds from which a guardian's yes counts no longer: the month begins in which the age is reached. */
  guardianUntil: number;
  /** Epoch milliseconds from which the person's own yes counts alone: that month is over. */
  selfFrom: number;
};

/**
 * Art. 8(1) GDPR. Between the two moments, a month at most, neither is certain, so neither counts: a guardian's yes is never good for too long, and
 * a child's never too early. UTC.
 */
export const comingOfAge = (birthMonth: string, ageYears: number): ComingOfAge => {
  const month = Temporal.PlainYearMonth.from(birthMonth).add({ years: ageYears });
  const startOf = (one: Temporal.PlainYearMonth) =>
    one.toPlainDate({ day: 1 }).toZonedDateTime('UTC').epochMilliseconds;
  return { guardianUntil: startOf(month), selfFrom: startOf(month.add({ months: 1 })) };
};

/**
 * The age from which a person consents alone: of the purpose and of the law whichever is higher; undefined where neither names one.
 */
export const consentAge = (
  purpose: { minimumAgeYears?: number | undefined },
  jurisdiction: { digitalConsentAgeYears?: number | undefined } | undefined,
): number | undefined => {
  const ages = [purpose.minimumAgeYears, jurisdiction?.digitalConsentAgeYears].filter((age) => age !== undefined);
  return ages.length === 0 ? undefined : Math.max(...ages);
};

/**
 * What a yes is worth for somebody of that age (Art. 8 GDPR), and until when. Nothing is said where nobody told the birth month: then nothing
 * shows that a guardian is needed. Throws GuardianNotNeeded for a guardian of somebody who is of age or whose age nobody knows.
 */
export const byAge = (
  month: string | undefined,
  age: number | undefined,
  occurredAt: Temporal.Instant,
  isGuardian: boolean,
): { guardianOk?: boolean; until?: number } => {
  if (month === undefined || age === undefined) {
    if (isGuardian) throw new GuardianNotNeeded('the birth month of the child is not recorded');
    return {};
  }
  const { guardianUntil, selfFrom } = comingOfAge(month, age);
  const at = occurredAt.epochMilliseconds;
  if (!isGuardian) return at < selfFrom ? { guardianOk: false } : {};
  if (at >= guardianUntil) throw new GuardianNotNeeded('the person is of the age to answer alone');
  return { guardianOk: true, until: guardianUntil };
};
