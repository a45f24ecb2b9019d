import { Hono } from 'hono';
import { Registry, type Metric } from 'prom-client';
import { answer } from './answer.ts';
import type { HttpEnv } from './env.ts';

/** Counts one answered request. */
export type Answered = (method: string, status: number, ms: number) => void;

export type Metrics = {
  /** Where others register their own metrics. */
  registry: Registry;
  /** The counter of a route. Its label is the pattern, so that nobody's id becomes one. */
  answeredOn(pattern: string): Answered;
};

/** In milliseconds, from a decision's half to the limit of a request. */
const bounds = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1000, 2500, 10_000];

type Series = { method: string; route: string; status: number; buckets: number[]; sum: number };

const name = 'http_server_request_duration_seconds';

/** A series in the form of prom-client: buckets that each hold those below, sum and count. */
const valuesOf = ({ method, route, status, buckets, sum }: Series) => {
  const labels = { method, route, status };
  let below = 0;
  const cumulated = buckets.map((count, index) => {
    below += count;
    const le = index < bounds.length ? bounds[index]! / 1000 : '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  });
  return [
    ...cumulated,
    { metricName: `${name}_sum`, labels, value: sum / 1000 },
    { metricName: `${name}_count`, labels, value: below },
  ];
};

/**
 * Durations of requests by method, pattern and status. prom-client's own histogram hashes the labels at each request;
 * here every route holds its series, and only a scrape puts them together.
 */
export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const all: Series[] = [];
  const get = () =>
    Promise.resolve({
      name,
      help: 'Time from the arrival of a request to its answer',
      type: 'histogram',
      aggregator: 'sum',
      values: all.flatMap(valuesOf),
    });
  registry.registerMetric({ name, get } as unknown as Metric);

  const newSeries = (method: string, route: string, status: number): Series => {
    const series = { method, route, status, buckets: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 };
    all.push(series);
    return series;
  };

  return {
    registry,
    answeredOn: (pattern) => {
      const own: Series[] = [];
      return (method, status, ms) => {
        const series =
          own.find((one) => one.status === status && one.method === method) ??
          own[own.push(newSeries(method, pattern, status)) - 1]!;
        let bucket = 0;
        while (bucket < bounds.length && ms > bounds[bucket]!) bucket++;
        series.buckets[bucket]!++;
        series.sum += ms;
      };
    },
  };
};

/** `GET /metrics` in Prometheus's text format: patterns and counts only, so who may scrape it is the network's matter. */
export const metricsRoutes = ({ registry }: Metrics): Hono<HttpEnv> =>
  new Hono<HttpEnv>().get('/metrics', async (c) => answer(c, 200, await registry.metrics(), registry.contentType));
