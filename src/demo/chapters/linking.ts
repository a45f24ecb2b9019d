import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DeskState } from '../community-desk.ts';
import { narrator } from '../narrator.ts';
import { expect, send, type Json, type Question, type Scene, type Verdict } from '../scene.ts';

const customer = 'crm:4711';
const facebook = 'facebook:1029384756';
const forum = 'forum:2718';
const consent = { subject: customer, purpose: 'profile-linking', scope: { platform: 'facebook' } };

/** May this account be tied to the customer? `context` says what the desk knows beyond the two sides. */
export const linkQuestion = (identity: string, context: object = {}): Question => ({
  action: 'link',
  resource: { type: 'social_identity', id: identity },
  context: { purpose: 'profile-linking', customer, ...context },
});

/** The main job: ask first, then link, and unlink when Eva says so. Answers the last decision. */
export const linking = async ({ crm, desk, deskUrl, folder, url, ...scene }: Scene): Promise<string> => {
  const { step, call, signIn } = scene;
  const { note, good } = narrator;
  const ask = (identity: string, context: object, expected: Verdict): Promise<Json> =>
    scene.check(desk, linkQuestion(identity, context), expected);
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
  const cli = join(import.meta.dirname, '..', '..', 'cli.ts');
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
  return decisionId;

  /** Waits for the acknowledgement, then has the service say how long it took. */
  async function untilSilent(): Promise<number> {
    const headers = { authorization: scene.token(desk) };
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
    throw new Error('the link should be gone within 10 s, but is still there');
  }
};
