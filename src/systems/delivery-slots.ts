import type { Clock } from '../kernel/clock.ts';

const longestPauseMs = 60_000;
const bringForwardEveryMs = 60_000;

type Health = { inFlight: number; failures: number; pausedUntil: number; broughtForwardAt: number };

/**
 * What one worker knows of each system: how many deliveries are under way, and whether it can be reached. A system that cannot be reached is
 * paused (1 s, 2 s, … 1 min) and then probed by one delivery at a time, so that ten thousand waiting obligations do not
 * become ten thousand time-outs. Forgetting all this costs one probe.
 */
export type DeliverySlots = {
  inFlight(): number;
  /** Systems that may take fewer than `perSystem` further deliveries now. */
  limits(): { system: string; free: number }[];
  take(system: string): void;
  /** Ends a delivery: `answered` by HTTP, `unreachable`, or `untried`. */
  give(system: string, outcome: 'answered' | 'unreachable' | 'untried'): void;
  /** Whether a success should bring the system's other obligations forward: at most once a minute, or one that always fails would be tried at each success of another. */
  mayBringForward(system: string): boolean;
};

export const createDeliverySlots = (clock: Clock, perSystem: number): DeliverySlots => {
  const systems = new Map<string, Health>();
  let total = 0;
  const of = (system: string): Health => {
    const known = systems.get(system) ?? { inFlight: 0, failures: 0, pausedUntil: 0, broughtForwardAt: 0 };
    systems.set(system, known);
    return known;
  };
  const now = () => clock.now().epochMilliseconds;
  return {
    inFlight: () => total,
    limits: () =>
      [...systems].map(([system, { inFlight, failures, pausedUntil }]) => {
        const allowed = failures === 0 ? perSystem : pausedUntil > now() ? 0 : 1;
        return { system, free: Math.max(0, allowed - inFlight) };
      }),
    take: (system) => {
      of(system).inFlight++;
      total++;
    },
    give: (system, outcome) => {
      const health = of(system);
      health.inFlight--;
      total--;
      if (outcome === 'answered') health.failures = 0;
      // Deliveries that were under way when the pause began tell nothing new.
      if (outcome !== 'unreachable' || health.pausedUntil > now()) return;
      health.pausedUntil = now() + Math.min(longestPauseMs, 1_000 * 2 ** health.failures);
      health.failures++;
    },
    mayBringForward: (system) => {
      const health = of(system);
      if (now() - health.broughtForwardAt < bringForwardEveryMs) return false;
      health.broughtForwardAt = now();
      return true;
    },
  };
};
