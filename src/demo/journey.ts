import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Credentials, DeskState } from './community-desk.ts';
import { brief, narrator } from './narrator.ts';
import type { Stage } from './stage.ts';

/** Something came out otherwise than the story says. */
class Differs extends Error {
  constructor(what: string, expected: unknown, was: unknown) {
    super(`${what} should be ${brief(expected)}, but is ${brief(was)}`);
  }
}

const expect = (what: string, was: unknown, expected: unknown): void => {
  if (was !== expected) throw new Differs(what, expected, was);
};

// oxlint-disable-next-line typescript/no-explicit-any -- what comes over the wire is looked at, member by member, as any caller would
type Json = any;
type Answer = { status: number; body: Json; elapsedMs: number };

type Sent = { method?: string; headers?: Record<string, string>; body?: URLSearchParams; json?: unknown };

const send = async (url: string, { json, headers, ...rest }: Sent = {}): Promise<Answer> => {
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
    elapsedMs: Math.round(performance.now() - startedAt),
  };
};

const customer = 'crm:4711';
const facebook = 'facebook:1029384756';
const forum = 'forum:2718';
const consent = { subject: customer, purpose: 'profile-linking', scope: { platform: 'facebook' } };

/** The question of the story as AuthZEN wants it; `context` says what the desk knows beyond the two sides. */
export const linkQuestion = (identity: string, context: object = {}) => ({
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: identity },
  context: { purpose: 'profile-linking', customer, ...context },
});

/** What a step is about, said before it is played. */
type Step = (title: string, story: string) => void;
type Outcome = { decisionId: string };

/** Plays the journey on the stage and tells it; answers the last decision. Throws at the first thing that comes out otherwise. */
export const play = async (stage: Stage): Promise<Outcome> => {
  let number = 0;
  try {
    return await journey(stage, (title, story) => narrator.step(++number, title, story));
  } catch (error) {
    throw new Error(`Step ${number} differs: ${(error as Error).message}`, { cause: error });
  }
};

const journey = async ({ url, deskUrl, crm, desk, folder }: Stage, step: Step): Promise<Outcome> => {
  const { note, good } = narrator;
  const tokens = new Map<Credentials, string>();
  const nameOf = (who: Credentials) => (who === crm ? 'crm' : 'community-desk');

  const signIn = async (who: Credentials): Promise<void> => {
    const basic = Buffer.from(`${who.clientId}:${who.clientSecret}`).toString('base64');
    narrator.call(nameOf(who), 'POST /oauth/token', { grant_type: 'client_credentials' });
    const { status, body, elapsedMs } = await send(`${url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    narrator.answer(status, { token_type: body.token_type, expires_in: body.expires_in }, elapsedMs);
    expect('the status', status, 200);
    tokens.set(who, `Bearer ${body.access_token}`);
  };

  /** One call, told with what `shown` keeps of its body and of its answer. */
  const call = async (
    who: Credentials,
    method: string,
    path: string,
    {
      json,
      shown = json,
      answers,
      status,
    }: { json?: unknown; shown?: unknown; answers(body: Json): unknown; status: number },
  ): Promise<Json> => {
    narrator.call(nameOf(who), `${method} ${path}`, shown);
    const answer = await send(url + path, {
      method,
      headers: { authorization: tokens.get(who)! },
      ...(json === undefined ? {} : { json }),
    });
    narrator.answer(answer.status, answer.status === status ? answers(answer.body) : answer.body, answer.elapsedMs);
    expect('the status', answer.status, status);
    return answer.body;
  };

  /** Asks whether the desk may link, and tells the answer by the rule that it is about. */
  const ask = async (identity: string, context: object, expected: { permit: boolean; rule: string }): Promise<Json> => {
    const body = await call(desk, 'POST', '/access/v1/evaluation', {
      json: linkQuestion(identity, context),
      shown: { action: 'link', resource: identity, context: { customer, ...context } },
      answers: ({ decision }) => ({ decision }),
      status: 200,
    });
    const words: Record<string, string> = body.context?.reason_admin ?? {};
    const rule = expected.rule in words ? expected.rule : (Object.keys(words)[0] ?? 'no reason');
    const others = Object.keys(words).filter((other) => other !== rule);
    narrator.verdict(body.decision, rule, words[rule] ?? '', others);
    expect('the decision', body.decision ? 'permit' : 'deny', expected.permit ? 'permit' : 'deny');
    expect('the reason', rule, expected.rule);
    return body.context;
  };

  const deskState = async (): Promise<DeskState> => (await send(deskUrl)).body as DeskState;

  step('Two systems get in', 'Each has its own client, may do only what its scopes say, and acts only as itself.');
  await signIn(crm);
  await signIn(desk);

  step('Nobody has asked Eva', 'The community desk sees a Facebook account and would like to tie it to customer 4711.');
  await ask(facebook, {}, { permit: false, rule: 'person-unknown' });

  step('Eva says yes, for Facebook only', 'She ticks a box below a notice in German. She gets a signed receipt.');
  const { subjectId } = await call(crm, 'POST', '/v1/subjects', {
    json: { identifiers: [{ identifier: customer }, { identifier: 'email:eva@example.org' }] },
    shown: { identifiers: [customer, 'email:eva@example.org'] },
    answers: (body) => ({ subjectId: body.subjectId }),
    status: 201,
  });
  const recorded = await call(crm, 'POST', '/v1/consents', {
    json: { ...consent, decision: 'given', notice: { version: 1, language: 'de' }, method: 'web-form' },
    answers: ({ event, receipt }) => ({
      action: event.action,
      until: event.expiresAt,
      receipt: `${receipt.slice(0, 16)}…`,
    }),
    status: 201,
  });
  const [receiptFile, keysFile] = [join(folder, 'receipt.jws'), join(folder, 'jwks.json')];
  await writeFile(receiptFile, recorded.receipt);
  await writeFile(keysFile, JSON.stringify((await send(`${url}/.well-known/jwks.json`)).body));
  const cli = join(import.meta.dirname, '..', 'cli.ts');
  narrator.command('Eva, offline', 'askfirst receipts verify receipt.jws --jwks jwks.json');
  const { stdout } = await promisify(execFile)(process.execPath, [
    cli,
    'receipts',
    'verify',
    receiptFile,
    '--jwks',
    keysFile,
  ]);
  const [proof, , ...lines] = stdout.split('\n');
  expect('the receipt', proof, 'PROVED');
  good(proof!);
  for (const line of lines.filter((one) => /^ +(Act|For|When|Valid until) /.test(one))) narrator.note(line.trim());

  step('Claimed is not proved', 'In a chat, somebody told the desk that the account is Eva’s.');
  await ask(facebook, { match: { method: 'declared' } }, { permit: false, rule: 'link-needs-proof' });

  step('Eva proves it', 'She gets a code and posts it from the account. The desk sees it there.');
  const { code } = await call(crm, 'POST', '/v1/challenges', {
    json: { customer, account: facebook },
    answers: (body) => ({ code: body.code }),
    status: 201,
  });
  await call(desk, 'POST', '/v1/challenges/seen', {
    json: { account: facebook, code },
    answers: (body) => ({ provedAt: body.provedAt }),
    status: 200,
  });
  const permit = await ask(facebook, { match: { method: 'declared' } }, { permit: true, rule: 'proved-account' });
  note(`The permit is on disk before it is answered, and rests on Eva’s yes ${permit.consent.id}.`);

  step(
    'The link is confirmed',
    'Within its lease of five seconds, and only because it would be permitted anew right now.',
  );
  const link = await call(desk, 'POST', '/v1/links', {
    json: { leaseId: permit.lease.id, customer, identity: facebook },
    answers: (body) => ({ linkId: body.linkId, status: body.status }),
    status: 201,
  });
  expect('the link', link.status, 'active');
  await send(`${deskUrl}/links/${link.linkId}`, { method: 'PUT', json: { customer, identity: facebook } });
  expect('what the desk holds', (await deskState()).links.length, 1);
  note('The desk keeps the link.');

  step(
    'A nickname stays a nickname',
    'On the forum, people go by nicknames. Eva’s yes for Facebook unmasks nobody there.',
  );
  await ask(forum, { match: { method: 'inferred' } }, { permit: false, rule: 'nobody-is-unmasked' });

  step(
    'A chain with a missing hop',
    'Her e-mail led to an account on X, that one to Facebook. Nobody asked her about X.',
  );
  const chain = ['email:eva@example.org', 'x:2244994945'];
  const hops = await ask(facebook, { chain }, { permit: false, rule: 'every-hop-is-asked' });
  expect('the hop that is named', /: (X)\./.exec(hops.reason_admin['every-hop-is-asked'])?.[1], 'X');

  step('Probably is not yes', 'A program is 93 % sure. It may not link; it may ask a human to ask Eva.');
  const match = { method: 'probabilistic', confidence: 0.93 };
  const probable = await ask(facebook, { match }, { permit: false, rule: 'a-likely-match-asks-a-human' });
  expect('the obligation', probable.obligations?.join(), 'human-review');
  note(`obligation: ${probable.obligations.join()}`);

  step('Eva changes her mind', 'Withdrawing is as easy as saying yes: one call, never limited.');
  await call(crm, 'POST', '/v1/consents/withdraw', {
    json: { ...consent, method: 'web-form' },
    answers: ({ event }) => ({ action: event.action, recordedAt: event.recordedAt }),
    status: 201,
  });

  step(
    'From then on, no',
    'Consent is never cached. Every check that starts after the withdrawal was answered denies.',
  );
  const { decisionId } = await ask(facebook, { match: { method: 'declared' } }, { permit: false, rule: 'no-means-no' });

  step('And the desk unlinks', 'Askfirst has told it by a signed webhook, which it verifies before it acts.');
  const silenceMs = await untilSilent();
  const unlink = { type: 'obligation.unlink', customer, identity: facebook };
  narrator.call('askfirst', `POST ${deskUrl}/askfirst`, unlink);
  narrator.answer(200, { acknowledged: true });
  expect('what the desk holds', (await deskState()).links.length, 0);
  good(`${silenceMs} ms from withdrawal to silence.`);
  const forged = await send(`${deskUrl}/askfirst`, { method: 'POST', json: unlink });
  expect('the answer to a forged webhook', forged.status, 401);
  note('The same without the signature is answered with 401.');
  return { decisionId };

  /** Waits for the acknowledgement, then has the service say how long it took. */
  async function untilSilent(): Promise<number> {
    const headers = { authorization: tokens.get(desk)! };
    for (let waited = 0; waited < 10_000; waited += 10) {
      const { links } = (await send(`${url}/v1/subjects/${subjectId}/links`, { headers })).body;
      const undone = (await deskState()).done.find(({ linkId }) => linkId === link.linkId);
      if (undone && links.length === 0) {
        const path = `/v1/obligations/${undone.obligationId}/acknowledge`;
        const { body } = await send(url + path, { method: 'POST', headers });
        return Math.round(body.withdrawalToSilenceMs);
      }
      await sleep(10);
    }
    throw new Differs('the link', 'gone within 10 s', 'still there');
  }
};
