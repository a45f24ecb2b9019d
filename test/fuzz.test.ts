/**
 * Every operation of the API reference, asked with what is valid, nearly valid and wild: the real service in a process of
 * its own, over HTTP. `FUZZ_SEED` repeats a run.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCatalogue, type Catalogue } from '../src/policies/index.ts';
import { testSettings } from './support/app.ts';
import { createJudge } from './support/openapi-checks.ts';
import { readOperations } from './support/openapi-operations.ts';
import { anyRequest, canaries, type FuzzRequest, type World } from './support/openapi-requests.ts';
import { startFuzzTarget, type FuzzTarget } from './support/openapi-target.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const wantedRequests = 20_000;

const { document, operations } = readOperations();
const byId = new Map(operations.map((operation) => [operation.id, operation]));
const judge = createJudge(document, operations);

/** Takes whatever comes and changes with it; tells which requests are refused. */
let open: FuzzTarget;
/** Only ever gets what `open` has refused. */
let guarded: FuzzTarget;
let requests: fc.Arbitrary<FuzzRequest>;
/** Answers by operation and status. */
const tally = new Map<string, Map<number, number>>();

const worldOf = (catalogue: Catalogue): World => {
  const purposes = [...catalogue.purposes.values()];
  const values = (dimension: 'channel' | 'topic' | 'form' | 'recipient'): string[] => [
    ...new Set(purposes.flatMap((one) => (one.values[dimension] ?? []).map((v) => (typeof v === 'string' ? v : v.id)))),
    'none-such',
  ];
  const lexicon = {
    purpose: [...purposes.map(({ id }) => id), '*', 'none-such'],
    platform: [...catalogue.platforms.keys(), 'none-such'],
    channel: values('channel'),
    topic: values('topic'),
    form: values('form'),
    recipient: values('recipient'),
    name: ['link', 'contact', 'collect', 'reply', 'reply_automatically', 'profile', 'publish_aggregate', 'none-such'],
    type: ['system', 'social_identity', 'customer', 'aggregate', 'none-such'],
    url: [
      'https://crm.example.org/askfirst',
      'http://127.0.0.1:9/hook',
      'https://u:p@example.org/',
      'javascript:alert(1)',
    ],
    grant_type: ['client_credentials', 'password', ''],
    scope: ['decisions:evaluate', 'consents:write consents:read', 'none:such'],
    client_id: ['crm', canaries.word],
    client_secret: [canaries.word],
  };
  const desk = { type: 'system', id: 'community-desk' };
  const account = { type: 'social_identity', id: 'facebook:1029384756' };
  const link = {
    subject: desk,
    action: { name: 'link' },
    resource: account,
    context: { purpose: 'profile-linking', customer: 'crm:4711' },
  };
  const informed = {
    subject: 'crm:4711',
    purpose: 'customer-service',
    decision: 'informed',
    notice: { version: 1, language: 'fr' },
    method: 'phone',
    evidence: `${canaries.evidence} on tape`,
  };
  const bodies = {
    evaluate: [
      link,
      link,
      { ...link, context: { ...link.context, customer: 'crm:4712' }, resource: { ...account, id: 'x:44196397' } },
      {
        ...link,
        subject: { ...desk, id: 'crm' },
        action: { name: 'contact' },
        context: { purpose: 'customer-service' },
      },
      { ...link, action: { name: 'reply_automatically' }, context: { purpose: 'automated-reply', automated: true } },
    ],
    confirmLink: [{ leaseId: '«leaseId:0»', customer: '«customer:0»', identity: '«identity:0»' }],
    evaluateMany: [{ ...link, evaluations: [{}, { resource: { ...account, id: 'x:44196397' } }] }],
    recordConsent: [
      informed,
      { ...informed, subject: 'crm:4713' },
      { ...informed, subject: 'crm:4712', purpose: 'profile-linking', decision: 'given', scope: { platform: 'x' } },
    ],
    searchResources: [
      { ...link, resource: { type: 'social_identity' } },
      // The token of another query, in the form that ours have.
      { ...link, page: { token: Buffer.from('[null,5,"x"]').toString('base64url') } },
    ],
    // crm:4713 is erased: nothing may come to be there again.
    withdrawConsent: [
      { subject: 'crm:4713', purpose: '*', method: 'paper', evidence: `${canaries.evidence} on paper` },
    ],
    openChallenge: [{ customer: 'crm:4713', account: 'forum:4713' }],
    addIdentifiers: [{ identifiers: [{ identifier: 'crm:4713' }, { identifier: 'email:again@example.org' }] }],
    registerSubject: [
      { identifiers: [{ identifier: 'crm:4713' }, { identifier: 'email:again@example.org' }] },
      { identifiers: [{ identifier: 'crm:4715' }, { identifier: 'x:@eva', observedAt: '2026-01-01T00:00:00Z' }] },
    ],
  };
  return {
    lexicon,
    bodies,
    systems: [
      'crm',
      'crm',
      'crm',
      'community-desk',
      'community-desk',
      'community-desk',
      'listening',
      'newsletter',
      'analytics',
    ],
  };
};

/** Somebody said yes and proved an account, and the desk may link the two. Answers the lease, which lasts seconds. */
const permitted = async (target: FuzzTarget, customer: string, account: string): Promise<string> => {
  await target.call('POST', '/v1/consents', 'crm', {
    subject: customer,
    purpose: 'profile-linking',
    scope: { platform: account.split(':')[0] },
    decision: 'given',
    notice: { version: 1, language: 'de' },
    method: 'web-form',
    evidence: `${canaries.evidence} of the world`,
    actor: canaries.actor,
  });
  const { code } = await target.call('POST', '/v1/challenges', 'crm', { customer, account });
  await target.call('POST', '/v1/challenges/seen', 'community-desk', { account, code });
  const permit = await target.call('POST', '/access/v1/evaluation', 'community-desk', {
    subject: { type: 'system', id: 'community-desk' },
    action: { name: 'link' },
    resource: { type: 'social_identity', id: account },
    context: { purpose: 'profile-linking', customer },
  });
  return permit.context.lease.id as string;
};

let newcomers = 0;
/** A lease nobody has used yet lasts for seconds only: without newcomers no link would ever be confirmed. */
const welcome = async (target: FuzzTarget): Promise<void> => {
  const [customer, account] = [`crm:9${newcomers}`, `facebook:8880${newcomers++}`];
  await permitted(target, customer, account);
  target.harvest.offer('customer', customer);
  target.harvest.offer('identity', account);
};

/** One of everything: consent, proof, a link, one that is over, what is owed, a person who is erased and one who is restricted. */
const settle = async (target: FuzzTarget): Promise<void> => {
  const linked = async (customer: string, account: string) => {
    const leaseId = await permitted(target, customer, account);
    await target.call('POST', '/v1/links', 'community-desk', { leaseId, customer, identity: account });
  };
  const register = (...identifiers: string[]) =>
    target.call('POST', '/v1/subjects', 'crm', { identifiers: identifiers.map((identifier) => ({ identifier })) });
  const erased = await register('crm:4713');
  const restricted = await register('crm:4714');
  await register('crm:4711', 'email:eva@example.org');
  await linked('crm:4712', 'x:44196397');
  const withdrawal = { subject: 'crm:4712', purpose: 'profile-linking', method: 'app' };
  await target.call('POST', '/v1/consents/withdraw', 'crm', withdrawal);
  await linked('crm:4711', 'facebook:1029384756');
  await target.call('GET', '/v1/obligations', 'community-desk');
  await target.call('POST', '/v1/challenges', 'crm', { customer: 'crm:4711', account: 'forum:4711' });
  await target.stored.asOwner(`update subject_state set erased_at = now() where subject_id = '${erased.subjectId}'`);
  await target.stored.asOwner(`delete from subject_key where subject_id = '${erased.subjectId}'`, 'keys');
  await target.stored.asOwner(
    `update subject_state set restricted_at = now() where subject_id = '${restricted.subjectId}'`,
  );
};

beforeAll(async () => {
  const catalogue = await loadCatalogue(testSettings.policiesFolder);
  const world = worldOf(catalogue);
  requests = anyRequest(document, operations, world);
  const start = () => startFuzzTarget(catalogue, world.systems);
  [open, guarded] = await Promise.all([start(), start()]);
  await Promise.all([settle(open), settle(guarded)]);
});
afterAll(async () => {
  await Promise.all([open?.close(), guarded?.close()]);
});

let sentRequests = 0;

/** Sends a batch, up to 32 at a time, and holds each answer against what every answer must be. Answers the statuses. */
const sendAll = async (target: FuzzTarget, batch: readonly FuzzRequest[]): Promise<number[]> => {
  const outcomes = await Promise.all(
    batch.map(async (request) => {
      const operation = byId.get(request.operation)!;
      try {
        const { sent, answer } = await target.send(request, operation.scope);
        const breaches = judge(operation, request.exact, sent, answer).map(
          (breach) =>
            `${breach}\n    ${sent.method} ${sent.path} (${operation.id})\n    sent ${sent.body?.toString().slice(0, 600)}\n    got ${answer.status} ${answer.text.slice(0, 600)}`,
        );
        return { id: operation.id, status: answer.status, breaches };
      } catch (error) {
        const about = `${request.method} ${request.path} was not answered: ${String(error)}`;
        return { id: operation.id, status: 0, breaches: [about] };
      }
    }),
  );
  sentRequests += batch.length;
  for (const { id, status } of outcomes) {
    const statuses = tally.get(id) ?? new Map<number, number>();
    tally.set(id, statuses.set(status, (statuses.get(status) ?? 0) + 1));
  }
  const breaches = outcomes.flatMap((one) => one.breaches);
  if (breaches.length > 0) throw new Error(breaches.slice(0, 3).join('\n  '));
  return outcomes.map(({ status }) => status);
};

const isRefused = (status: number): boolean => status >= 400;

/** Whether an answer of this status says that nothing was done: a refusal, or a mere look (a pull takes a lease). */
const leavesAlone = ({ method, operation }: FuzzRequest, status: number): boolean =>
  isRefused(status) || (method === 'GET' && operation !== 'pullObligations');

/** Refusals that depend on what is stored stand in small groups: what one world refuses, the other may take. */
const groupsOf = (refused: readonly (readonly [FuzzRequest, number])[]): FuzzRequest[][] => {
  const dependsOnState = (status: number) => [404, 409, 422].includes(status);
  const rest = refused.filter(([, status]) => dependsOnState(status)).map(([request]) => request);
  const groups = [refused.filter(([, status]) => !dependsOnState(status)).map(([request]) => request)];
  for (let at = 0; at < rest.length; at += 5) groups.push(rest.slice(at, at + 5));
  return groups.filter((group) => group.length > 0);
};

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a refused call changes nothing that is stored, neither data nor keys', async () => {
  let before = await guarded.stored.settled();
  let compared = 0;
  const expectUnchanged = async (group: readonly FuzzRequest[]) => {
    const [was, is] = [before, await guarded.stored.digest()];
    before = is;
    const changed = Object.keys(is).filter((table) => is[table] !== was[table]);
    const said = group.map(({ method, path, body }) => `${method} ${path} ${body?.slice(0, 300) ?? ''}`);
    // A change that can happen once only cannot be shrunk: so it is told here which few calls it was.
    expect(changed, `changed by one of\n  ${said.slice(0, 10).join('\n  ')}`).toEqual([]);
  };
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 200, size: 'max' }), async (batch) => {
      const statuses = await sendAll(open, batch);
      const refused = batch
        .map((request, index) => [request, statuses[index]!] as const)
        .filter(([, s]) => isRefused(s));
      for (const group of groupsOf(refused)) {
        const again = await sendAll(guarded, group);
        if (group.every((request, index) => leavesAlone(request, again[index]!))) {
          await expectUnchanged(group);
          compared += group.length;
        } else before = await guarded.stored.settled();
      }
      // Whatever a refusal might have left behind to be written a moment later.
      await later(120);
      await expectUnchanged(batch);
    }),
    { seed, numRuns: 60, interruptAfterTimeLimit: 35_000, markInterruptAsFailure: false },
  );
  console.log(`fuzz: ${compared} refused calls compared, seed ${seed}`);
  expect(compared).toBeGreaterThan(500);
}, 600_000);

test(`no request of ${wantedRequests} brings the service out of its manners`, async () => {
  for (let round = 1; sentRequests < wantedRequests; round++) {
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 128, size: 'max' }), async (batch) => {
        if (sentRequests % 4 === 0) await welcome(open);
        await sendAll(open, batch);
      }),
      { seed: seed + round, numRuns: 50 },
    );
  }
}, 600_000);

/** What takes a colleague's session, a code that went to somebody's mailbox, or a link that no other call has ended by then. */
const beyondGuessing = new Set([
  'beginStaffSignIn',
  'completeStaffSignIn',
  'listReviews',
  'readStaff',
  'staffSignOut',
  'readReview',
  'answerReview',
  'confirmConsent',
  'unlink',
  'requestReview',
]);

test('every operation was asked, was answered well and was refused', () => {
  const lines = operations.map(({ id }) => {
    const statuses = [...(tally.get(id) ?? [])].toSorted(([a], [b]) => a - b);
    return `  ${id}: ${statuses.map(([status, count]) => `${status}×${count}`).join(' ')}`;
  });
  console.log(`fuzz: ${sentRequests} requests to ${operations.length} operations, seed ${seed}\n${lines.join('\n')}`);
  for (const { id } of operations) {
    const statuses = [...(tally.get(id)?.keys() ?? [])];
    if (!beyondGuessing.has(id))
      expect(
        statuses.some((status) => status >= 200 && status < 300),
        `${id} never succeeded`,
      ).toBe(true);
    expect(statuses.some(isRefused), `${id} was never refused`).toBe(true);
  }
});

const levelOf = (line: string): string => {
  try {
    return (JSON.parse(line) as { level: string }).level;
  } catch {
    return 'not a line of the log';
  }
};

test('nothing that was planted reached a log, nor can anybody read it in the database', async () => {
  const planted = [canaries.word, canaries.phone, canaries.account, canaries.evidence, canaries.actor];
  for (const target of [open, guarded]) {
    await later(500);
    const lines = target.service.output().split('\n').slice(0, -1);
    expect(lines.filter((line) => line.includes('"msg":"request"')).length).toBeGreaterThan(1_000);
    // Every line is one of the log's: nothing else, a warning of Node or a trace, was ever written.
    expect(lines.filter((line) => !['debug', 'info', 'warn'].includes(levelOf(line)))).toEqual([]);
    expect(lines.filter((line) => planted.some((canary) => line.toLowerCase().includes(canary)))).toEqual([]);
    const columns = await target.stored.columnsWith(planted);
    // Who acted is told by an id that the system gives (audit), and where a system listens is no person's data.
    expect(columns.filter((one) => !['data.audit_event.actor', 'data.endpoint.url'].includes(one))).toEqual([]);
  }
});
