import { denial, readDecision, type Decision, type Language } from './decision.ts';
import { AskfirstError, AskfirstRefused } from './errors.ts';
import { asUse, questionOf, type Action, type LinkRequest, type Question, type UseRequest } from './request.ts';
import type { Transport } from './transport.ts';

/** `enforce` answers what the service answers. `observe` asks, reports what would be denied and permits: for adoption. */
export type Mode = 'enforce' | 'observe';

/** In mode `observe`: told each denial and, without an identifier, what was asked. */
export type OnWouldDeny = (decision: Decision, asked: { action: Action; purpose: string }) => void | Promise<void>;

/** The checks of a component. None of them throws: whatever goes wrong denies. */
export type Checks = {
  /** May this identity be linked to this customer? */
  mayLink(request: LinkRequest): Promise<Decision>;
  /** May this be done for this purpose with this person's data, or with this aggregate? */
  mayUse(request: UseRequest): Promise<Decision>;
  /** Many checks, answered in their order; asked by the thousand, and `timeoutMs` bounds each thousand. */
  mayUseAll(requests: readonly UseRequest[]): Promise<Decision[]>;
};

/** The service refuses a larger batch whole. */
const batchSize = 1_000;

export const createChecks = (settings: {
  call: Transport;
  system: string;
  timeoutMs: number;
  language: Language;
  mode: Mode;
  onWouldDeny: OnWouldDeny;
}): Checks => {
  const { call, timeoutMs, language, mode, onWouldDeny } = settings;
  const subject = { type: 'system', id: settings.system };

  /** The answer of status 200 (AuthZEN 1.0 section 10.1.2); any other success is none. */
  const ask = async (path: string, body: object): Promise<unknown> => {
    const headers = { 'accept-language': language };
    const answer = await call({ method: 'POST', path, timeoutMs, headers, body: { subject, ...body } });
    return answer.status === 200 ? answer.body : undefined;
  };

  const askOne = async ({ evaluation, expects }: Question): Promise<Decision> =>
    readDecision(await ask('/access/v1/evaluation', evaluation), expects, language);

  const askMany = async (questions: readonly Question[]): Promise<Decision[]> => {
    const body = await ask('/access/v1/evaluations', { evaluations: questions.map(({ evaluation }) => evaluation) });
    const answers = (body as { evaluations?: unknown } | null | undefined)?.evaluations;
    // With one answer missing it is not known which question the others belong to.
    const complete = Array.isArray(answers) && answers.length === questions.length;
    return questions.map(({ expects }, index) =>
      readDecision(complete ? answers[index] : undefined, expects, language),
    );
  };

  /** The mode's last word. */
  const settle = (decision: Decision, request: UseRequest): Decision => {
    if (mode === 'enforce') return decision;
    if (!decision.permit) {
      // A callback that throws, at once or later, must not stop what it only observes.
      const report = async () => onWouldDeny(decision, { action: request?.action, purpose: request?.purpose });
      report().catch(() => undefined);
    }
    return { ...decision, permit: true, observed: { wouldDeny: !decision.permit } };
  };

  const mayUse = async (request: UseRequest): Promise<Decision> => {
    try {
      return settle(await askOne(questionOf(request)), request);
    } catch (error) {
      return settle(denialFor(error, language), request);
    }
  };

  const mayUseThousand = async (requests: readonly UseRequest[]): Promise<Decision[]> => {
    try {
      const decisions = await askMany(requests.map(questionOf));
      return requests.map((request, index) => settle(decisions[index]!, request));
    } catch (error) {
      return requests.map((request) => settle(denialFor(error, language), request));
    }
  };

  return {
    mayUse,
    mayLink: (request) => mayUse(asUse(request)),
    mayUseAll: async (requests) => {
      const decisions: Decision[] = [];
      for (let start = 0; start < requests.length; start += batchSize)
        decisions.push(...(await mayUseThousand(requests.slice(start, start + batchSize))));
      return decisions;
    },
  };
};

const denialFor = (error: unknown, language: Language): Decision => {
  // Of an unforeseen error only the name is told: its message may repeat the request.
  if (!(error instanceof AskfirstError))
    return denial('askfirst.failed', `the check failed${error instanceof Error ? ` (${error.name})` : ''}`, language);
  const own = error instanceof AskfirstRefused ? 'askfirst.refused' : 'askfirst.unreachable';
  return denial(error.code.startsWith('askfirst.') ? error.code : own, error.message, language);
};
