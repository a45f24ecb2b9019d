import {
  answersFor,
  everything,
  guardianInOrder,
  isAnsweredBy,
  pruned,
  within,
  yesesPerScope,
  type Answer,
  type Answers,
} from './answers.ts';

type Grown = Record<string, readonly Answer[]>;

/** What both said: a yes (or being informed) as narrow as both together, valid only while both are. Undefined where they never meet. */
const meet = (one: Answer, other: Answer, seq: number): Answer | undefined => {
  const scope = { ...one.scope, ...other.scope };
  // Words of two versions are two different yeses.
  if (one.act !== other.act || one.notice !== other.notice || !within(scope, one.scope)) return undefined;
  const until = Math.min(one.until ?? Infinity, other.until ?? Infinity);
  return {
    act: one.act,
    scope,
    at: Math.min(one.at, other.at),
    seq,
    id: one.id,
    rank: one.rank === 'self' && other.rank === 'self' ? 'self' : 'guardian',
    own: false,
    notice: one.notice,
    guardianOk: guardianInOrder(one) && guardianInOrder(other),
    ...(until === Infinity ? {} : { until }),
    ...(one.despiteGpc && other.despiteGpc ? { despiteGpc: true as const } : {}),
  };
};

/**
 * The answers of two records that turned out to be of one person (DESIGN section 8): every no of either survives, a yes only where both gave
 * it, and no yes of the merged record speaks against a no any more, because merging is nobody's own act. A pending yes lapses. What
 * results permits only what each record by itself permitted, at every moment and under every notice; `seq` is the version at which they are merged. Pure.
 */
export const mergeAnswers = (one: Answers, other: Answers, seq: number): Answers => {
  const merged: Grown = {};
  for (const purpose of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const [mine, theirs] = [one[purpose] ?? [], other[purpose] ?? []];
    const noes = [...mine, ...theirs].filter(({ act }) => act === 'no').map((no) => ({ ...no, seq }));
    const shared = mine
      .filter(({ act }) => act === 'yes' || act === 'informed')
      .flatMap((answer) => theirs.flatMap((another) => meet(answer, another, seq) ?? []));
    if (noes.length + shared.length > 0) merged[purpose] = [...noes, ...shared];
  }
  const kept: Grown = { ...pruned(merged) };
  // So many different yeses come from hand-made histories only; to forget one permits less.
  for (const [purpose, answers] of Object.entries(kept)) {
    const yeses = answers.filter(({ act }) => act !== 'no').slice(0, yesesPerScope);
    kept[purpose] = answers.filter((answer) => answer.act === 'no' || yeses.includes(answer));
  }
  return kept;
};

/**
 * The answers with the noes of another record, whose yeses say nothing here; questions that they answer are settled. `seq`: the version at which
 * they are taken over. Pure.
 */
export const takeOverNoes = (answers: Answers, other: Answers, seq: number): Answers => {
  const noes = (purpose: string): Answer[] =>
    answersFor(other, purpose).flatMap((no) => (no.act === 'no' ? [{ ...no, seq }] : []));
  const toEverything = noes(everything);
  const grown: Grown = {};
  for (const purpose of new Set([...Object.keys(answers), ...Object.keys(other)])) {
    const taken = noes(purpose);
    const settling = [...taken, ...toEverything];
    const kept = answersFor(answers, purpose).filter((answer) => !settling.some((no) => isAnsweredBy(answer, no)));
    if (kept.length + taken.length > 0) grown[purpose] = [...kept, ...taken];
  }
  return pruned(grown);
};
