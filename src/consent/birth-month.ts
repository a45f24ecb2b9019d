import { seal, unseal } from '../kernel/crypto/key-encryption.ts';
import type { Catalogue } from '../policies/index.ts';
import {
  birthMonth,
  row,
  SubjectErased,
  SubjectNotFound,
  throughAliases,
  type Caller,
  type SubjectDeps,
  type SubjectState,
} from '../subjects/index.ts';
import { pruned, type Answer, type Answers } from './answers.ts';
import { comingOfAge, consentAge } from './coming-of-age.ts';
import { BirthMonthAhead } from './errors.ts';
import { consentRevision } from './table.ts';

/** Which of the recorded birth months counts, so that a change can see whether it was told anew meanwhile. */
export const birthMonthId = (signals: unknown): string | undefined => (signals as { birthMonth?: string }).birthMonth;

/** `YYYY-MM`, or undefined where nobody told it. Throws KeyUnusable. */
export const readBirthMonth = async (
  deps: Pick<SubjectDeps, 'database' | 'keys'>,
  { subjectId, signals }: Pick<SubjectState, 'subjectId' | 'signals'>,
): Promise<string | undefined> => {
  const id = birthMonthId(signals);
  if (id === undefined) return undefined;
  const [stored] = await deps.database.read<{ sealed: Buffer }>(
    'select sealed from birth_month where subject_id = $1 and id = $2',
    [subjectId, id],
  );
  if (!stored) return undefined;
  const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  return key && unseal(key, stored.sealed, `birth-month:${id}`).toString();
};

/** Under the person's own key. Throws SubjectErased where it is gone. */
export const sealBirthMonth = async (
  deps: Pick<SubjectDeps, 'keys'>,
  subjectId: string,
  id: string,
  month: string,
): Promise<Buffer> => {
  const key = (await deps.keys.subjectKeys([subjectId])).get(subjectId);
  if (!key) throw new SubjectErased();
  return seal(key, Buffer.from(month), `birth-month:${id}`);
};

/**
 * What the answers amount to once it is known when the person was born: an own yes of a child was given without its guardian, and a guardian's
 * yes ends when the child comes of age. It only ever takes away: that somebody was of age after all is for them to say, by a new yes. Pure.
 */
export const narrowByAge = (answers: Answers, month: string, catalogue: Catalogue): Answers => {
  const narrowed = Object.entries(answers).map(([id, all]) => {
    const purpose = catalogue.purposes.get(id);
    const age = purpose && consentAge(purpose, catalogue.jurisdictions.get(catalogue.controller.jurisdiction));
    if (!purpose || purpose.legalBasis !== 'consent' || age === undefined) return [id, all] as const;
    const { guardianUntil, selfFrom } = comingOfAge(month, age);
    const narrow = (answer: Answer): Answer => {
      if (answer.act !== 'yes' && answer.act !== 'pending') return answer;
      if (answer.rank === 'guardian') return { ...answer, until: Math.min(answer.until ?? Infinity, guardianUntil) };
      return answer.at < selfFrom ? { ...answer, guardianOk: false } : answer;
    };
    return [id, all.map(narrow)] as const;
  });
  return pruned(Object.fromEntries(narrowed));
};

/**
 * Records in which month a person was born (`YYYY-MM`): the month, not the day, is all that Art. 8 GDPR needs (Art. 5(1)(c)). What is already recorded
 * is looked at again under it. Errors: BirthMonthAhead, SubjectNotFound, SubjectErased.
 */
export const recordBirthMonth = async (
  deps: SubjectDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: { subjectId: string; month: string },
): Promise<void> => {
  const { month } = input;
  const thisMonth = deps.clock.now().toZonedDateTimeISO('UTC').toPlainDate().toPlainYearMonth();
  if (Temporal.PlainYearMonth.compare(month, thisMonth) > 0) throw new BirthMonthAhead();
  const found = await deps.reader.state(input.subjectId);
  if (found.version === 0) throw new SubjectNotFound('subjectId');
  const { subjectId } = await throughAliases(deps, found);
  const id = deps.ids.uuid();
  const sealed = await sealBirthMonth(deps, subjectId, id, month);
  const recorded = await deps.writer.change(subjectId, { verb: 'record-birth-month', caller }, (state, seq) => {
    if (state.erasedAt) throw new SubjectErased();
    if (state.mergedInto !== null) return undefined;
    const answers = narrowByAge(state.answers as Answers, month, catalogue);
    return {
      answers,
      signals: { ...(state.signals as object), birthMonth: id },
      voidLeases: true,
      // What rested on a yes that no longer counts is found by the sweep; checks deny at once.
      reviewAt: deps.clock.now().toString(),
      rows: [
        row(birthMonth, { id, sealed, system: caller.system }),
        row(consentRevision, { id, subjectSeq: seq, cause: 'birth-month', answers }),
      ],
      result: undefined,
    };
  });
  if (!recorded) await recordBirthMonth(deps, caller, catalogue, input);
};
