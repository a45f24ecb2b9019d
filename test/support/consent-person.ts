import fc from 'fast-check';
import { addAnswer, type Answer, type Answers, type ConsentEvent } from '../../src/consent/answers.ts';
import { narrowByAge } from '../../src/consent/birth-month.ts';
import { byAge } from '../../src/consent/coming-of-age.ts';
import { isWaiting } from '../../src/consent/confirm-consent.ts';
import type { Catalogue } from '../../src/policies/index.ts';
import { arbitraryEvent, questionsAbout, type Unrecorded } from './consent-arbitraries.ts';
import { judgedByAge, mayConfirm, mayGuard, type ReferenceEvent, type Told } from './consent-reference.ts';

/**
 * Whatever may happen to one person: they say yes and no, are asked and confirm, their browser sends Sec-GPC and stops, somebody tells when they
 * were born. Each step is taken by the service's pure decisions (`answers`) and written down for the reference (`history`, `told`).
 */

const tenDays = 10 * 24 * 3_600_000;
const start = Temporal.Instant.from('2026-01-01T00:00:00Z').epochMilliseconds;
/** Moments are ten days each, so that histories span some months and birthdays lie within them. */
const msOf = (moment: number): number => start + moment * tenDays;

/** Consent counts from that age. */
export const consentYears = 16;
const months = ['2010-01', '2010-02', '2010-03', '2009-12', '1980-05', '2013-02'] as const;

export type PersonStep =
  | { do: 'say'; event: Unrecorded }
  | { do: 'ask'; event: Unrecorded; waits: number }
  | { do: 'confirm'; which: number }
  | { do: 'gpc'; on: boolean }
  | { do: 'born'; month: (typeof months)[number] };

const arbitraryStep: fc.Arbitrary<PersonStep> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('say' as const), event: arbitraryEvent }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      event: arbitraryEvent,
      waits: fc.constantFrom(1, 2, 4),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('confirm' as const), which: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('gpc' as const), on: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('born' as const), month: fc.constantFrom(...months) }) },
);

export const arbitraryLife = (maxLength: number): fc.Arbitrary<PersonStep[]> =>
  fc.array(arbitraryStep, { maxLength, size: 'max' });

/** The two purposes of that world; the browser's signal ends `p`. */
export const rulesOfAge = {
  purposes: new Map(
    ['p', 'q'].map((id) => [id, { id, legalBasis: 'consent', minimumAgeYears: consentYears }] as const),
  ),
  controller: { jurisdiction: 'there' },
  jurisdictions: new Map([['there', { digitalConsentAgeYears: 13 }]]),
} as unknown as Catalogue;

export type Person = {
  answers: Answers;
  history: ReferenceEvent[];
  told: Told[];
  /** Since when the browser says no, if it does. */
  gpcSince: number | undefined;
  /** How many steps were taken: two share a moment. */
  steps: number;
  /** What happened, for those who ask whether anything did. */
  happened: string[];
};

export const nobodyYet = (): Person => ({
  answers: {},
  history: [],
  told: [],
  gpcSince: undefined,
  steps: 0,
  happened: [],
});

/** What the whole history amounts to, once it is known of what age the person was. */
export const judged = (person: Person): ReferenceEvent[] => judgedByAge(person.history, person.told, consentYears);

const nowOf = (person: Person): number => msOf(Math.floor(person.steps / 2));

/** Takes one step; whatever the service does not accept leaves the person as they were. Throws where service and reference accept different things. */
export const live = (person: Person, step: PersonStep, name = 'event'): Person => {
  const now = nowOf(person);
  const seq = 2 * person.steps + 1;
  const id = `${name}-${person.steps}`;
  const next = { ...person, steps: person.steps + 1 };
  const month = person.told.at(-1)?.month;

  /** What a yes is worth: nothing at all where a guardian has no say. */
  const terms = (event: { rank: Answer['rank']; at: number; purpose: string }) => {
    const isGuardian = event.rank === 'guardian';
    try {
      return byAge(month, consentYears, Temporal.Instant.fromEpochMilliseconds(event.at), isGuardian);
    } catch {
      if (mayGuard(month, consentYears, event.at)) throw new Error('a guardian was refused');
      return undefined;
    }
  };
  const record = (event: Omit<ConsentEvent, 'guardianOk'>, happened: string): Person => {
    const needsTerms = event.act === 'yes' || event.act === 'pending';
    const worth = needsTerms ? terms(event) : {};
    if (!worth) return { ...next, happened: [...person.happened, 'guardian refused'] };
    if (needsTerms && event.rank === 'guardian' && !mayGuard(month, consentYears, event.at))
      throw new Error('a guardian was accepted');
    const { until: worthUntil, ...rest } = worth;
    const ends = [event.until, needsTerms && event.act === 'yes' ? worthUntil : undefined].filter(
      (end) => end !== undefined,
    );
    const { until: _until, ...plain } = event;
    const told: ConsentEvent = { ...plain, ...rest, ...(ends.length > 0 && { until: Math.min(...ends) }) };
    const { guardianOk: _guardianOk, ...raw } = { ...event, guardianOk: undefined };
    return {
      ...next,
      answers: addAnswer(person.answers, told),
      // A guardian whose yes was taken is in order at that moment; what becomes of it is for `judgedByAge` to say.
      history: [...person.history, { ...raw, ...(event.rank === 'guardian' && { guardianOk: true }) }],
      happened: [...person.happened, happened],
    };
  };

  switch (step.do) {
    case 'say':
    case 'ask': {
      const { late, lifetime, guardianOk: _guardianOk, despiteGpc: _despite, signal: _signal, ...event } = step.event;
      const at = now - late * tenDays;
      const isYes = step.do === 'say' && event.act === 'yes';
      const despite = isYes && person.gpcSince !== undefined && at >= person.gpcSince;
      if (step.do === 'ask')
        return record(
          {
            ...event,
            act: 'pending',
            purpose: event.purpose === '*' ? 'p' : event.purpose,
            at: now,
            seq,
            id,
            until: now + step.waits * tenDays,
          },
          'asked',
        );
      if (event.act === 'pending') return next;
      return record(
        {
          ...event,
          at,
          seq,
          id,
          ...(lifetime !== undefined && { until: at + lifetime * tenDays }),
          ...(despite && { despiteGpc: true as const }),
        },
        despite ? 'yes despite gpc' : event.act,
      );
    }
    case 'confirm': {
      const questions = person.history.filter(({ act }) => act === 'pending');
      const question = questions[step.which % Math.max(questions.length, 1)];
      if (!question) return next;
      const accepted = isWaiting(person.answers, question, now);
      const judgedQuestion = judged(person).find((event) => event.id === question.id)!;
      if (accepted !== mayConfirm(person.history, judgedQuestion, now))
        throw new Error(`confirmation ${accepted ? 'accepted' : 'refused'}: ${JSON.stringify(question)}`);
      if (!accepted) return { ...next, happened: [...person.happened, 'confirmation refused'] };
      const { guardianOk: _guardianOk, until: _until, ...asked } = question;
      return record(
        {
          ...(asked as Omit<ConsentEvent, 'guardianOk'>),
          act: 'yes',
          at: now,
          seq,
          id,
          until: now + 8 * tenDays,
          ...(person.gpcSince !== undefined && { despiteGpc: true as const }),
        },
        'confirmed',
      );
    }
    case 'gpc': {
      if (step.on === (person.gpcSince !== undefined)) return next;
      const changed = { ...person, gpcSince: step.on ? now : undefined };
      if (!step.on) return { ...changed, steps: next.steps, happened: [...person.happened, 'gpc off'] };
      const no = { purpose: 'p', act: 'no', scope: {}, at: now, seq, id, rank: 'self', own: true, notice: 0 } as const;
      const said = { ...no, signal: true as const };
      return {
        ...changed,
        steps: next.steps,
        answers: addAnswer(person.answers, { ...said, objection: true }),
        history: [...person.history, said],
        happened: [...person.happened, 'gpc on'],
      };
    }
    case 'born':
      return {
        ...next,
        answers: narrowByAge(person.answers, step.month, rulesOfAge),
        told: [...person.told, { month: step.month, after: person.history.length }],
        happened: [...person.happened, 'born'],
      };
  }
};

export const liveThrough = (steps: readonly PersonStep[], name = 'event'): Person =>
  steps.reduce((person, step) => live(person, step, name), nobodyYet());

/** Every question about that person, during their history and after it. */
export const questionsTo = (steps: number): readonly { purpose: string; scope: Record<string, string>; at: number }[] =>
  questionsAbout(Array.from({ length: steps })).map(({ purpose, scope, at }) => ({
    purpose,
    scope: scope as Record<string, string>,
    at: msOf(at),
  }));
