import { visit, submit, type Form, type Visited } from './browser.ts';
import { brief, narrator } from './narrator.ts';
import type { Client, Stage } from './stage.ts';

/** Something came out otherwise than the story says. */
class Differs extends Error {
  constructor(what: string, expected: unknown, was: unknown) {
    super(`${what} should be ${brief(expected)}, but is ${brief(was)}`);
  }
}

export const expect = (what: string, was: unknown, expected: unknown): void => {
  if (was !== expected) throw new Differs(what, expected, was);
};

// oxlint-disable-next-line typescript/no-explicit-any -- what comes over the wire is looked at, member by member, as any caller would
export type Json = any;
type Answer = { status: number; body: Json; elapsedMs: number };

type Sent = { method?: string; headers?: Record<string, string>; body?: URLSearchParams; json?: unknown };

export const elapsedSince = (startedAt: number): number => Math.round(performance.now() - startedAt);

export const send = async (url: string, { json, headers, ...rest }: Sent = {}): Promise<Answer> => {
  const startedAt = performance.now();
  const answer = await fetch(url, {
    ...rest,
    headers: { ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    body: text === '' ? undefined : JSON.parse(text),
    elapsedMs: elapsedSince(startedAt),
  };
};

/** The code that a mail asks to be typed. */
export const codeIn = (text: string): string => {
  const code = /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/.exec(text)?.[0];
  if (code === undefined) throw new Differs('the mail', 'one with a code', 'one without');
  return code;
};

/** A question as AuthZEN wants it, without the system that asks. */
export type Question = { action: string; resource: { type: string; id: string }; context: Record<string, unknown> };
export type Verdict = { permit: boolean; rule: string };

type Call = { json?: unknown; shown?: unknown; answers?(body: Json): unknown; status: number };

/** What every chapter plays with: whatever it does is told, and throws when it comes out otherwise. */
export type Scene = Stage & {
  /** What a step is about, said before it is played. */
  step(title: string, story: string): void;
  signIn(who: Client): Promise<void>;
  /** `Bearer …` of a system that signed in. */
  token(who: Client): string;
  /** One call of a system, told with what `shown` keeps of its body and `answers` of its answer; answers the body. */
  call(who: Client, method: string, path: string, options: Call): Promise<Json>;
  /** Asks whether a system may do something, and tells the answer by the rule that it is about; answers the context. */
  check(who: Client, question: Question, expected: Verdict): Promise<Json>;
  /** Opens a page as a browser without scripts. */
  open(whose: string, url: string, headers?: Record<string, string>): Promise<Visited>;
  /** Fills in what is visible in a form and presses one of its buttons, as a browser sends it; `press` is the button's value. */
  fillIn(whose: string, form: Form, filled: Record<string, string | string[]>, press?: string): Promise<Visited>;
};

export const createScene = (stage: Stage, step: Scene['step']): Scene => {
  const tokens = new Map<Client, string>();

  const told = async (whose: string, what: string, shown: unknown, visiting: () => Promise<Visited>) => {
    narrator.call(whose, what, shown);
    const startedAt = performance.now();
    const page = await visiting();
    narrator.answer(page.status, { page: page.title }, elapsedSince(startedAt));
    expect('the status', page.status, 200);
    return page;
  };
  /** Without what only machines read. */
  const pathOf = (url: string): string => new URL(url).pathname.replace(/[\w-]{40,}/, '…');

  const scene: Scene = {
    ...stage,
    step,
    signIn: async (who) => {
      const basic = Buffer.from(`${who.clientId}:${who.clientSecret}`).toString('base64');
      narrator.call(who.system, 'POST /oauth/token', { grant_type: 'client_credentials' });
      const { status, body, elapsedMs } = await send(`${stage.url}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      narrator.answer(status, { token_type: body.token_type, expires_in: body.expires_in }, elapsedMs);
      expect('the status', status, 200);
      tokens.set(who, `Bearer ${body.access_token}`);
    },
    token: (who) => tokens.get(who)!,
    call: async (who, method, path, { json, shown = json, answers = () => undefined, status }) => {
      narrator.call(who.system, `${method} ${path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')}`, shown);
      const answer = await send(stage.url + path, {
        method,
        headers: { authorization: scene.token(who) },
        ...(json === undefined ? {} : { json }),
      });
      narrator.answer(answer.status, answer.status === status ? answers(answer.body) : answer.body, answer.elapsedMs);
      expect('the status', answer.status, status);
      return answer.body;
    },
    check: async (who, { action, resource, context }, { permit, rule: expected }) => {
      const body = await scene.call(who, 'POST', '/access/v1/evaluation', {
        json: { subject: { type: 'system', id: who.system }, action: { name: action }, resource, context },
        shown: { action, resource: resource.id, context },
        answers: ({ decision }) => ({ decision }),
        status: 200,
      });
      const words: Record<string, string> = body.context?.reason_admin ?? {};
      const rule = expected in words ? expected : (Object.keys(words)[0] ?? 'no reason');
      const others = Object.keys(words).filter((other) => other !== rule);
      narrator.verdict(body.decision, rule, words[rule] ?? '', others);
      expect('the decision', body.decision ? 'permit' : 'deny', permit ? 'permit' : 'deny');
      expect('the reason', rule, expected);
      return body.context;
    },
    open: (whose, url, headers = {}) => {
      const signals = Object.keys(headers).length === 0 ? undefined : headers;
      return told(whose, `GET ${pathOf(url)}`, signals, () => visit(url, headers));
    },
    fillIn: (whose, form, filled, press) => {
      for (const [name, values] of Object.entries(filled))
        for (const value of [values].flat()) {
          // What is typed goes into an empty field; what is ticked is there with its value.
          const offered = form.inputs.some((input) => input.name === name && ['', value].includes(input.value));
          expect(`whether the page offers ${name} ${value}`, offered, true);
        }
      const button = form.buttons.find(({ value }) => value === (press ?? ''));
      if (!button)
        throw new Differs(
          'the button',
          press,
          form.buttons.map(({ value }) => value),
        );
      const pressed = press === undefined ? {} : { [button.name]: button.value };
      return told(whose, `POST ${pathOf(form.action)}`, { ...filled, pressed: `“${button.words}”` }, () =>
        submit(form, { ...filled, ...pressed }),
      );
    },
  };
  return scene;
};
