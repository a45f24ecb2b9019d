/** What to send: all about different customers, in the random order of `shuffled(total)` from place `from` on. */
export type Load = {
  kind: 'echo' | 'evaluation' | 'evaluations' | 'consent' | 'insert';
  port: number;
  tokens: string[];
  total: number;
  from: number;
  connections: number;
  warmUpMs: number;
  measureMs: number;
  /** Requests a second on a fixed timetable, whatever the answers do; without it each connection asks again when it was answered. */
  perSecond?: number;
};

/** What came of it, in the measured time. Latencies in milliseconds; on a timetable from the scheduled moment. */
export type Outcome = {
  requests: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  cpuSeconds: number;
  /** How many customers were asked about, warm-up included. */
  used: number;
};

export const batchSize = 1_000;
