import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputInvalid } from '../http/errors.ts';
import { answerEvaluations, readEvaluations, type Evaluate } from './authzen.ts';
import type { AccessEvaluation, Decision } from './schema.ts';

const question = {
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: 'facebook:1029384756' },
  context: { purpose: 'profile-linking', customer: 'crm:4711' },
};
const members = ['subject', 'action', 'resource', 'context'] as const;

/** Answers by the resource's id, `yes…` or `no…`, stops where it is told to, and notes what it was asked. */
const evaluatorByName = () => {
  const asked: AccessEvaluation[] = [];
  const evaluate: Evaluate = (requests, stopAt) => {
    const decisions: Decision[] = [];
    for (const request of requests) {
      asked.push(request);
      decisions.push({ decision: request.resource.id.startsWith('yes') });
      if (decisions.at(-1)!.decision === stopAt) break;
    }
    return Promise.resolve(decisions);
  };
  return { asked, evaluate };
};

const refusal = (read: () => unknown): InputInvalid => {
  try {
    read();
  } catch (error) {
    if (error instanceof InputInvalid) return error;
    throw error;
  }
  throw new Error('was not refused');
};

describe('defaults of a batch', () => {
  const entity = fc.record({
    subject: fc.record({ type: fc.constant('system'), id: fc.string() }),
    action: fc.record({ name: fc.string() }),
    resource: fc.record({ type: fc.string(), id: fc.string() }),
    context: fc.dictionary(fc.string(), fc.integer()),
  });
  const some = fc
    .tuple(entity, fc.subarray([...members]))
    .map(([whole, named]) => Object.fromEntries(named.map((name) => [name, whole[name]])));

  test('an item is what its own members and, for the others, the whole defaults make of it', () => {
    fc.assert(
      fc.property(some, fc.array(some, { minLength: 1 }), (top, items) => {
        const complete = items.map((item) => ({ ...top, ...item }) as Partial<AccessEvaluation>);
        fc.pre(complete.some(({ subject, action, resource }) => subject && action && resource));
        const read = readEvaluations({ ...top, evaluations: items });
        const seen = 'items' in read ? read.items : [];
        expect(seen).toHaveLength(items.length);
        for (const [index, { subject, action, resource, context }] of complete.entries()) {
          const item = seen[index]!;
          if (subject && action && resource) expect(item).toEqual({ request: { subject, action, resource, context } });
          else expect(item).toHaveProperty('problems');
        }
      }),
    );
  });

  test('a batch in which nothing can be decided is a wrong body', () => {
    const error = refusal(() => readEvaluations({ evaluations: [{}, { action: { name: 'link' } }] }));
    expect(error.message).toContain('evaluations.0.subject is required');
    expect(error.errors.map(({ member }) => member)).toEqual([
      'evaluations.0.subject',
      'evaluations.0.action',
      'evaluations.0.resource',
    ]);
  });
});

describe('semantics of a batch', () => {
  const outcome = fc.constantFrom('yes', 'no', 'incomplete');
  const batchOf = (outcomes: readonly string[], semantic: string) => {
    const { resource: _, ...defaults } = question;
    const evaluations = outcomes.map((name) => (name === 'incomplete' ? {} : { resource: { type: 'test', id: name } }));
    return readEvaluations({ ...defaults, evaluations, options: { evaluations_semantic: semantic } });
  };
  const until = (outcomes: readonly string[], end: (name: string) => boolean) => {
    const index = outcomes.findIndex(end);
    return index === -1 ? outcomes : outcomes.slice(0, index + 1);
  };
  const reference: Record<string, (outcomes: readonly string[]) => readonly string[]> = {
    execute_all: (outcomes) => outcomes,
    deny_on_first_deny: (outcomes) => until(outcomes, (name) => name !== 'yes'),
    permit_on_first_permit: (outcomes) => until(outcomes, (name) => name === 'yes'),
  };

  test.each(Object.keys(reference))(
    '%s answers what it has to, asks nothing beyond it and leaves nothing out',
    async (semantic) => {
      await fc.assert(
        fc.asyncProperty(fc.array(outcome, { minLength: 1 }), async (outcomes) => {
          fc.pre(outcomes.some((name) => name !== 'incomplete'));
          const { asked, evaluate } = evaluatorByName();
          const expected = reference[semantic]!(outcomes);
          const answer = await answerEvaluations(batchOf(outcomes, semantic), evaluate);
          expect('evaluations' in answer && answer.evaluations.map(({ decision }) => decision)).toEqual(
            expected.map((name) => name === 'yes'),
          );
          expect(asked.map(({ resource }) => resource.id)).toEqual(expected.filter((name) => name !== 'incomplete'));
        }),
      );
    },
  );

  test('an evaluator that does not stop changes no answer', async () => {
    const all: Evaluate = (requests) => evaluatorByName().evaluate(requests);
    const answer = await answerEvaluations(batchOf(['yes', 'no', 'yes'], 'deny_on_first_deny'), all);
    expect(answer).toEqual({ evaluations: [{ decision: true }, { decision: false }] });
  });

  test('a question that the evaluator left out is a failure, never an answer', async () => {
    const short: Evaluate = () => Promise.resolve([{ decision: true }]);
    await expect(answerEvaluations(batchOf(['yes', 'yes'], 'execute_all'), short)).rejects.toThrow('unanswered');
    const silent: Evaluate = () => Promise.resolve([]);
    await expect(answerEvaluations({ single: question }, silent)).rejects.toThrow('unanswered');
  });
});

describe('reading', () => {
  test('all that is wrong is named at once by its place, and no value is repeated', () => {
    const wrong = { subject: { type: 1, id: 'eva@example.org' }, action: { name: ['eva'] }, resource: { type: 'x' } };
    const error = refusal(() => readEvaluations({ evaluations: [question, wrong] }));
    expect(error.kind).toBe('invalid');
    expect(error.errors).toEqual([
      { member: 'evaluations.1.subject.type', rule: 'type', detail: 'evaluations.1.subject.type must be a string' },
      { member: 'evaluations.1.action.name', rule: 'type', detail: 'evaluations.1.action.name must be a string' },
      { member: 'evaluations.1.resource.id', rule: 'required', detail: 'evaluations.1.resource.id is required' },
    ]);
    expect(JSON.stringify(error.errors) + error.message).not.toContain('eva@');
  });

  test('a million items cost no million complaints', () => {
    const error = refusal(() => readEvaluations({ evaluations: Array.from({ length: 1_000_000 }, () => 1) }));
    expect(error.errors).toEqual([
      { member: 'evaluations', rule: 'size', detail: 'evaluations must be at most 1000 items' },
    ]);
  });
});
