import type { Clock } from '../kernel/clock.ts';
import type { KeyStore } from '../kernel/crypto/key-store.ts';
import type { Database } from '../kernel/database/client.ts';
import { AppError } from '../kernel/errors.ts';
import { createQueueWorker, type QueueWorker } from '../kernel/queue-worker.ts';
import { acknowledgeObligation, type Informed, type OnAcknowledged } from './acknowledge-obligation.ts';
import { createDeliverySlots } from './delivery-slots.ts';
import { openSecrets } from './endpoint-secret.ts';
import { leaseForDelivery, leaseSeconds, releaseObligations, type Addressed } from './lease-obligations.ts';
import { obligationMessage, type Described } from './obligation.ts';
import type { Describe } from './pull-obligations.ts';
import { bringForward, recordDelivery } from './record-delivery.ts';
import { retryDelaySeconds } from './retry-delay.ts';
import { informedSchema } from './schema.ts';
import type { SendOutcome, SendWebhook } from './send-webhook.ts';
import { webhookHeaders } from './sign-webhook.ts';

type Deps = {
  database: Database;
  keys: Pick<KeyStore, 'secret'>;
  clock: Clock;
  log: { warn(about: object, message: string): void };
  describe: Describe;
  /** What the active policy set says of each system: one that became `pull` or `manual` keeps an endpoint that is not to be told any more. */
  systems(): Promise<ReadonlyMap<string, { kind: 'webhook' | 'pull' | 'manual' }>>;
  onAcknowledged: OnAcknowledged;
  send: SendWebhook;
};

const lookEveryMs = 1_000;
const maxInFlight = 64;
const maxPerSystem = 8;
const answerWithinMs = 10_000;
/** What a lease must leave for writing back. */
const writeBackMs = 5_000;

/** Answers by which a gateway says that the system behind it is not there, or wants less (429). */
const awayStatuses = new Set([429, 502, 503, 504]);

/** What an answer says beyond its status: that the obligation is done, and of one to inform also with which words. */
const readAnswer = (outcome: SendOutcome): { acknowledged: boolean; informed?: Informed | undefined } => {
  if (outcome.status === null) return { acknowledged: false };
  try {
    const { acknowledged, ...rest } = (JSON.parse(outcome.body) ?? {}) as Record<string, unknown>;
    return { acknowledged: acknowledged === true, informed: informedSchema.safeParse(rest).data };
  } catch {
    return { acknowledged: false };
  }
};

const problemOf = (outcome: SendOutcome): string | null => {
  if (outcome.status === null) return outcome.problem;
  if (outcome.status >= 200 && outcome.status < 300) return null;
  return outcome.status >= 300 && outcome.status < 400 ? `redirect (${outcome.status})` : `HTTP ${outcome.status}`;
};

/**
 * Delivers obligations to the endpoints of their systems, at least once and until they are acknowledged. Any number of instances may run
 * one: an obligation has one holder at a time. `{"acknowledged": true}` in a 2xx answer confirms at once; another 2xx is a receipt, after
 * which the system confirms by its own call. What fails is tried again, for ever.
 */
export const createDeliveryWorker = (deps: Deps): QueueWorker => {
  const { database, clock, log } = deps;
  const slots = createDeliverySlots(clock, maxPerSystem);
  let key: Buffer | undefined;

  const attempt = async (
    obligation: Addressed,
    described: Described | undefined,
    leasedAt: number,
  ): Promise<'answered' | 'unreachable' | 'untried'> => {
    const { id, system, attempts } = obligation;
    // Whoever was held up for so long that the lease may end must not send: somebody else will.
    const leftMs = leaseSeconds * 1_000 - writeBackMs - (performance.now() - leasedAt);
    if (leftMs <= 0) return 'untried';
    const nowMs = clock.now().epochMilliseconds;
    const body = JSON.stringify(obligationMessage(obligation, described));
    const headers = webhookHeaders(id, nowMs, body, openSecrets(key!, system, obligation, nowMs));
    const timeoutMs = Math.min(answerWithinMs, leftMs);
    const outcome = await deps.send({ url: obligation.url, headers, body, timeoutMs });
    const answer = readAnswer(outcome);
    let problem = problemOf(outcome);
    let done = problem === null && answer.acknowledged;
    if (done)
      await acknowledgeObligation(deps, system, id, answer.informed).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.kind !== 'unprocessable') throw error;
        [problem, done] = [`acknowledged with what does not hold (${error.code})`, false];
      });
    if (!done) {
      const delay = retryDelaySeconds(attempts, problem === null, Math.random());
      await recordDelivery(database, obligation, problem, delay);
    }
    if (problem === null && slots.mayBringForward(system)) await bringForward(database, system);
    if (problem !== null) log.warn({ obligationId: id, system, attempts, problem }, 'an obligation was not delivered');
    return outcome.status === null || awayStatuses.has(outcome.status) ? 'unreachable' : 'answered';
  };

  const deliver = async (obligations: Addressed[], leasedAt: number): Promise<void> => {
    for (const { system } of obligations) slots.take(system);
    let described: Map<string, Described> | undefined;
    try {
      key ??= (await deps.keys.secret('endpoints')).key;
      described = await deps.describe(obligations);
    } catch (error) {
      log.warn({ err: error, count: obligations.length }, 'obligations wait: their identifiers cannot be opened');
      await releaseObligations(database, obligations).catch(() => {}); // else their leases run out
      for (const { system } of obligations) slots.give(system, 'untried');
      return;
    }
    await Promise.all(
      obligations.map(async (obligation) => {
        let outcome: 'answered' | 'unreachable' | 'untried' = 'untried';
        try {
          outcome = await attempt(obligation, described.get(obligation.id), leasedAt);
        } catch (error) {
          // Sent or not, nobody knows any more: the lease runs out and it is sent again under the same id.
          log.warn({ err: error, obligationId: obligation.id }, 'the outcome of a delivery was not recorded');
        }
        slots.give(obligation.system, outcome);
        worker.wake();
      }),
    );
  };

  /** All that was leased is one piece of work; each delivery that ends wakes us, so that a slow system holds up no other. */
  const take = async (): Promise<(() => Promise<void>)[]> => {
    const total = maxInFlight - slots.inFlight();
    if (total <= 0) return [];
    const systems = [...(await deps.systems())].filter(([, { kind }]) => kind === 'webhook').map(([id]) => id);
    const leasedAt = performance.now();
    const limits = { systems, total, perSystem: maxPerSystem, limits: slots.limits() };
    const obligations = await leaseForDelivery(database, limits);
    return obligations.length === 0 ? [] : [() => deliver(obligations, leasedAt)];
  };

  const worker = createQueueWorker({
    everyMs: lookEveryMs,
    maxInFlight,
    take,
    failed: (error) => log.warn({ err: error }, 'obligations wait: the queue cannot be read'),
  });
  return worker;
};
