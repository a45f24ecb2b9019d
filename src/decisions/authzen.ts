import { z } from 'zod';
import { InputInvalid, type MemberProblem } from '../http/errors.ts';
import { memberProblems } from '../http/member-problems.ts';
import {
  accessEvaluationRequestSchema,
  accessEvaluationsRequestSchema,
  evaluationsItemSchema,
  evaluationsLimit,
  type AccessEvaluation,
  type AccessEvaluationsResponse,
  type Decision,
  type EvaluationsSemantic,
} from './schema.ts';

/**
 * Decides questions, in their order. With `stopAt` the first decision equal to it is the last one: what would come after
 * it must be neither recorded nor leased, for nobody will learn of it. The answer may then be shorter than the question.
 */
export type Evaluate = (requests: readonly AccessEvaluation[], stopAt?: boolean) => Promise<readonly Decision[]>;

/** One entry of a batch: a complete question, or what is missing from it. */
type Item = { request: AccessEvaluation } | { problems: readonly MemberProblem[] };

/** A batch as it is to be executed: one question, or many with the semantic that says where to stop. */
export type Evaluations = { single: AccessEvaluation } | { items: readonly Item[]; semantic: EvaluationsSemantic };

/** The top of a batch; its items are read one by one, because what is missing from one concerns that one alone. */
const topSchema = accessEvaluationsRequestSchema.extend({
  evaluations: z.array(z.unknown()).max(evaluationsLimit).optional(),
});

/**
 * Reads the body of an Access Evaluations request (AuthZEN §7.1) and fills in the defaults: an entity that an item names
 * replaces the one at the top whole, nothing is merged (§7.1.1).
 *
 * A mistyped member anywhere is an error of the payload. A member *missing* from one item is that item's own error and
 * becomes a denial (§7.2.1, certification scenario "evaluation-level errors"), unless no item can be decided at all.
 *
 * @param body parsed JSON
 * @throws InputInvalid naming the member that is missing or mistyped
 */
export const readEvaluations = (body: unknown): Evaluations => {
  const { evaluations = [], options, ...defaults } = check(topSchema, body);
  if (evaluations.length === 0) return { single: check(accessEvaluationRequestSchema, body) };
  const items = evaluations.map((item, index) => readItem(item, `evaluations.${index}`, defaults));
  const first = items[0]!;
  if ('problems' in first && items.every((item) => 'problems' in item)) throw new InputInvalid(first.problems);
  return { items, semantic: options?.evaluations_semantic ?? 'execute_all' };
};

const check = <S extends z.ZodType>(schema: S, body: unknown): z.output<S> => {
  const read = schema.safeParse(body);
  if (!read.success) throw new InputInvalid(memberProblems(read.error, body, 'body'));
  return read.data;
};

const readItem = (item: unknown, place: string, defaults: z.output<typeof evaluationsItemSchema>): Item => {
  const read = evaluationsItemSchema.safeParse(item);
  if (!read.success) {
    const problems = memberProblems(read.error, item, place).map((one) => under(place, one));
    if (problems.some(({ rule }) => rule !== 'required')) throw new InputInvalid(problems);
    return { problems };
  }
  const subject = read.data.subject ?? defaults.subject;
  const action = read.data.action ?? defaults.action;
  const resource = read.data.resource ?? defaults.resource;
  const context = read.data.context ?? defaults.context;
  if (subject && action && resource) return { request: { subject, action, resource, context } };
  const absent = Object.entries({ subject, action, resource }).filter(([, entity]) => entity === undefined);
  return { problems: absent.map(([member]) => under(place, missing(member))) };
};

const missing = (member: string): MemberProblem => ({ member, rule: 'required', detail: `${member} is required` });

/** The same problem, its member named from the top of the body; `place` itself where the item as a whole is wrong. */
const under = (place: string, { member, rule, detail }: MemberProblem): MemberProblem =>
  member === place ? { member, rule, detail } : { member: `${place}.${member}`, rule, detail: `${place}.${detail}` };

const stops: Record<EvaluationsSemantic, boolean | undefined> = {
  execute_all: undefined,
  deny_on_first_deny: false,
  permit_on_first_permit: true,
};

/** Answers one question (AuthZEN §6.2). */
export const answerEvaluation = async (request: AccessEvaluation, evaluate: Evaluate): Promise<Decision> =>
  decisionAt(await evaluate([request]), 0);

/**
 * Executes a batch (AuthZEN §7.1.2.1) and returns its answer (§7.2): decisions in the order of the questions, up to and
 * with the one at which the semantic stops. One question is answered as if it had come alone.
 */
export const answerEvaluations = async (
  batch: Evaluations,
  evaluate: Evaluate,
): Promise<Decision | AccessEvaluationsResponse> => {
  if ('single' in batch) return answerEvaluation(batch.single, evaluate);
  const stopAt = stops[batch.semantic];
  // A failure is a denial (§7.1.2.1): where the first denial ends the batch, nothing behind a failure is even asked.
  const failure = stopAt === false ? batch.items.findIndex((item) => 'problems' in item) : -1;
  const items = failure === -1 ? batch.items : batch.items.slice(0, failure + 1);
  const requests = items.flatMap((item) => ('request' in item ? [item.request] : []));
  const decided = requests.length === 0 ? [] : await evaluate(requests, stopAt);
  const evaluations: Decision[] = [];
  let next = 0;
  for (const item of items) {
    const decision = 'request' in item ? decisionAt(decided, next++) : denialFor(item.problems);
    evaluations.push(decision);
    if (decision.decision === stopAt) break;
  }
  return { evaluations };
};

const decisionAt = (decisions: readonly Decision[], index: number): Decision => {
  const decision = decisions[index];
  if (!decision) throw new Error('the evaluator left a question unanswered');
  return decision;
};

const denialFor = (problems: readonly MemberProblem[]): Decision => ({
  decision: false,
  context: { error: { status: 400, message: problems.map(({ detail }) => detail).join('; ') } },
});
