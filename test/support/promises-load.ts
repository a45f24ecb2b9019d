import { setTimeout as sleep } from 'node:timers/promises';
import type { Check, Confirmation, Look, Saying, Seen } from './promises-checker.ts';
import type { Answer, Instance, Sender } from './promises-instances.ts';

/** One customer and one account, with all that was seen of them. */
export type Pair = {
  customer: string;
  account: string;
  subjectId: string;
  seen: { [K in keyof Seen]: Seen[K][number][] };
  /** Which side said no last, as far as the load knows: it gives the yeses a direction, and proves nothing. */
  saidNo: Set<Saying['side']>;
};

export type Load = {
  instances: readonly Instance[];
  sender: Sender;
  token(system: string): string;
};

const platform = 'facebook';
const scope = { platform };
const notice = { version: 1, language: 'en' };

const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

const post = (
  { instances, sender, token }: Load,
  system: string,
  path: string,
  body: object,
  { url } = any(instances),
): Promise<Answer> => sender.send(url, 'POST', path, token(system), body);

const consent = (subject: string) => ({
  subject,
  purpose: 'profile-linking',
  scope,
  decision: 'given',
  notice,
  method: 'app',
});

const question = ({ customer, account }: Pair) => ({
  resource: { type: 'social_identity', id: account },
  context: { purpose: 'profile-linking', customer },
});
const asker = { subject: { type: 'system', id: 'community-desk' }, action: { name: 'link' } };

/** Registers a customer who says yes and proves the account. */
export const createPair = async (load: Load, number: number): Promise<Pair> => {
  const [customer, account] = [`crm:load-${number}`, `${platform}:${20_000_000 + number}`];
  const expectStatus = (answer: Answer, status: number): any => {
    if (answer.status !== status) throw new Error(`set-up was answered with ${answer.status}`);
    return answer.body;
  };
  const identifiers = [{ identifier: customer }];
  const { subjectId } = expectStatus(await post(load, 'crm', '/v1/subjects', { identifiers }), 201);
  expectStatus(await post(load, 'crm', '/v1/consents', consent(customer)), 201);
  const { code } = expectStatus(await post(load, 'crm', '/v1/challenges', { customer, account }), 201);
  expectStatus(await post(load, 'community-desk', '/v1/challenges/seen', { account, code }), 200);
  const seen = { sayings: [], checks: [], confirmations: [], looks: [] };
  return { customer, account, subjectId, seen, saidNo: new Set() };
};

const say = async (load: Load, pair: Pair, act: 'yes' | 'no'): Promise<void> => {
  const side =
    act === 'yes'
      ? (any([...pair.saidNo]) ?? 'customer')
      : Math.random() < 0.25
        ? ('account' as const)
        : ('customer' as const);
  const subject = side === 'customer' ? pair.customer : pair.account;
  const asNo = any([
    { purpose: 'profile-linking', scope },
    { purpose: 'profile-linking', scope: {} },
    { purpose: '*', scope: {} },
  ]);
  const answer = await (act === 'yes'
    ? post(load, 'crm', '/v1/consents', consent(subject))
    : post(load, 'crm', any(['/v1/consents/withdraw', '/v1/consents/object']), {
        subject,
        method: 'app',
        ...asNo,
      }));
  const { status, body, start, end } = answer;
  if (status === 201) {
    const { id, subjectSeq: seq } = (body as { event: { id: string; subjectSeq: number } }).event;
    pair.seen.sayings.push({ side, act, start, end, id, seq });
    if (act === 'yes') pair.saidNo.delete(side);
    else pair.saidNo.add(side);
  } else if (status === 503 || status === 0) pair.seen.sayings.push({ side, act, start });
  else throw new Error(`a ${act} was answered with ${status}: ${JSON.stringify(body)}`);
};

type Permit = { check: Check; pair: Pair; leaseId: string; linkId: string };

/** Records one decision; answers what can be confirmed with it. */
const seeDecision = (pair: Pair, decision: any, { start, end }: Answer): Permit | undefined => {
  const check: Check = { start, end, permit: decision.decision === true };
  pair.seen.checks.push(check);
  if (!check.permit) return undefined;
  return { check, pair, leaseId: decision.context.lease.id, linkId: decision.context.decisionId };
};

const expectAnswered = (answer: Answer): boolean => {
  if (answer.status === 200) return true;
  if (answer.status === 503 || answer.status === 0) return false;
  throw new Error(`a check was answered with ${answer.status}`);
};

const checkOne = async (load: Load, pair: Pair, instance?: Instance): Promise<Permit | undefined> => {
  const body = { ...asker, ...question(pair) };
  const answer = await post(load, 'community-desk', '/access/v1/evaluation', body, instance);
  return expectAnswered(answer) ? seeDecision(pair, answer.body, answer) : undefined;
};

const checkMany = async (load: Load, pairs: readonly Pair[]): Promise<void> => {
  const evaluations = pairs.map(question);
  const answer = await post(load, 'community-desk', '/access/v1/evaluations', { ...asker, evaluations });
  if (!expectAnswered(answer)) return;
  pairs.forEach((pair, index) => seeDecision(pair, answer.body.evaluations[index], answer));
};

const confirm = async (load: Load, { check, pair, leaseId, linkId }: Permit): Promise<void> => {
  const body = { leaseId, customer: pair.customer, identity: pair.account };
  const { status, start, end } = await post(load, 'community-desk', '/v1/links', body);
  const known = status === 201 || status === 404 || status === 409;
  if (!known && status !== 503 && status !== 0) throw new Error(`a confirmation was answered with ${status}`);
  const confirmation: Confirmation = { start, end: known ? end : undefined, linkId, check, linked: status === 201 };
  pair.seen.confirmations.push(confirmation);
};

const look = async ({ instances, sender, token }: Load, pair: Pair): Promise<void> => {
  const path = `/v1/subjects/${pair.subjectId}/links`;
  const { status, body, start, end } = await sender.send(any(instances).url, 'GET', path, token('community-desk'));
  if (status !== 200) return;
  const links = (body as { links: { linkId: string; status: string }[] }).links;
  const seen: Look = { start, end, active: links.flatMap((one) => (one.status === 'active' ? [one.linkId] : [])) };
  pair.seen.looks.push(seen);
};

/** A system that does what it is obliged to, so that what was unlinked does not pile up. */
const obey = async ({ instances, sender, token }: Load, isOver: () => boolean): Promise<number> => {
  let acknowledged = 0;
  while (!isOver()) {
    const { url } = any(instances);
    const { body } = await sender.send(url, 'GET', '/v1/obligations?limit=100', token('community-desk'));
    const obligations = (body?.obligations ?? []) as { data: { obligationId: string } }[];
    await Promise.all(
      obligations.map(({ data }) =>
        sender.send(
          any(instances).url,
          'POST',
          `/v1/obligations/${data.obligationId}/acknowledge`,
          token('community-desk'),
        ),
      ),
    );
    acknowledged += obligations.length;
    if (obligations.length === 0) await sleep(100);
  }
  return acknowledged;
};

/** Asks once more about everybody, on every instance, now that nothing is under way. */
export const lookAgain = async (load: Load, pairs: readonly Pair[]): Promise<void> => {
  for (const instance of load.instances)
    for (const pair of pairs) {
      await checkOne(load, pair, instance);
      await look({ ...load, instances: [instance] }, pair);
    }
};

const batch = 20;

/**
 * Runs `operations` against the instances with `atOnce` in flight: mostly checks (singly, and in batches of 20 each of which
 * counts as 20), then yeses, noes, confirmations and looks. Answers how many of each were done.
 */
export const runLoad = async (
  load: Load,
  pairs: readonly Pair[],
  { operations, atOnce }: { operations: number; atOnce: number },
): Promise<Record<string, number>> => {
  const done = { operations: 0, yeses: 0, noes: 0, checks: 0, confirmations: 0, looks: 0, acknowledged: 0 };
  const add = (name: keyof typeof done, by = 1) => {
    done[name] += by;
    done.operations += by;
  };
  /** Some are asked about all the time, as in life; it is there that a stale answer would show. */
  const busy = (): Pair => pairs[Math.floor(Math.random() ** 3 * pairs.length)]!;
  const act = async (): Promise<void> => {
    const pair = busy();
    const dice = Math.random();
    if (dice < 0.15) {
      add('noes');
      let acknowledged = false;
      const said = say(load, pair, 'no').finally(() => (acknowledged = true));
      // Every instance is asked while the no is under way and at once after it: the moment at which a stale permit would show.
      const asked = load.instances.map(async (instance) => {
        for (let last = false; !last;) {
          last = acknowledged;
          add('checks');
          await checkOne(load, pair, instance);
        }
      });
      await Promise.all([said, ...asked]);
    } else if (dice < 0.4) {
      add('yeses');
      await say(load, pair, 'yes');
    } else if (dice < 0.48) {
      add('checks', batch);
      await checkMany(load, Array.from({ length: batch }, busy));
    } else {
      add('checks');
      const permit = await checkOne(load, pair);
      if (permit && dice > 0.7) {
        if (dice > 0.9) await sleep(Math.random() * 20);
        add('confirmations');
        await confirm(load, permit);
      }
      if (dice > 0.85) {
        add('looks');
        await look(load, pair);
      }
    }
  };
  const obeying = obey(load, () => done.operations >= operations);
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (done.operations < operations) await act();
    }),
  );
  done.acknowledged = await obeying;
  return done;
};
