import { startChild } from './children.ts';
import { cpuOfFamily, cpuOfProcess, parentOf } from './cpu.ts';
import type { Target } from './deployment.ts';
import type { Load, Outcome } from './load-shape.ts';
import { monotonicMicros, type Window } from './profile.ts';
import type { Server } from './server.ts';

/** One load on one server. CPU in microseconds per request (NaN where it cannot be seen): of the server, of all PostgreSQL, of the generator. */
export type Measured = Outcome & {
  perSecond: number;
  serverMicros: number;
  postgresMicros: number;
  generatorMicros: number;
  window: Window;
};

export type Timing = Pick<Load, 'warmUpMs' | 'measureMs' | 'perSecond'>;

const connectionsOf: Record<Load['kind'], number> = {
  echo: 64,
  evaluation: 64,
  evaluations: 4,
  consent: 64,
  insert: 64,
};

/** The load generator, in a process of its own, and the clocks of the processes that it keeps busy. */
export const createMeter = async (server: Server) => {
  const generator = startChild(new URL('./generator-process.ts', import.meta.url));
  const [backend] = await server.admin.query<{ pid: number }>('select pg_backend_pid() as pid');
  const postmaster = parentOf(backend!.pid);
  let from = 0;
  let consents = 0;

  /** Each measurement goes on in the order of customers where the last one stopped. Throws at a wrong answer. */
  const measure = async (kind: Load['kind'], target: Target, total: number, timing: Timing): Promise<Measured> => {
    const { port, tokens, child } = target;
    const load: Load = { kind, port, tokens: await tokens(), total, from, connections: connectionsOf[kind], ...timing };
    await generator.ask(load, 60_000 + timing.warmUpMs);
    const clocks = () => [cpuOfProcess(child.pid), cpuOfFamily(postmaster)] as const;
    const [serverBefore, postgresBefore] = clocks();
    const began = monotonicMicros();
    const outcome = await generator.next<Outcome>(60_000 + timing.measureMs);
    const [serverAfter, postgresAfter] = clocks();
    const { requests, seconds } = outcome;
    from = (from + outcome.used) % total;
    if (kind === 'consent') consents += outcome.used;
    const each = (cpuSeconds: number): number => (cpuSeconds * 1e6) / requests;
    return {
      ...outcome,
      perSecond: requests / seconds,
      serverMicros: each(serverAfter - serverBefore),
      postgresMicros: each(postgresAfter - postgresBefore),
      generatorMicros: each(outcome.cpuSeconds),
      window: { from: began, to: began + timing.measureMs * 1000 },
    };
  };
  return {
    measure,
    /** Consents that were acknowledged so far, outside of the measured times too. */
    consents: () => consents,
    end: () => generator.end(),
  };
};

export type Meter = Awaited<ReturnType<typeof createMeter>>;
