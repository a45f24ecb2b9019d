import { expect, test } from 'vitest';
import { answer } from './answer.ts';
import { createMetrics, metricsRoutes } from './metrics.ts';
import { appOf, routes } from './test-support.ts';

test('requests are counted by method, pattern and status, in the format of Prometheus', async () => {
  const { app, metrics } = appOf([
    routes({ '/v1/subjects/{subjectId}': (c) => answer(c, 200, '{}', 'application/json') }),
  ]);
  await app.request('/v1/subjects/canary-1');
  await app.request('/v1/subjects/canary-2');
  await app.request('/canary-3');
  const text = await metrics.registry.metrics();
  expect(text).toContain('# TYPE http_server_request_duration_seconds histogram');
  const counts = text.split('\n').filter((line) => line.startsWith('http_server_request_duration_seconds_count'));
  expect(counts).toEqual([
    'http_server_request_duration_seconds_count{method="GET",route="/v1/subjects/:subjectId",status="200"} 2',
    'http_server_request_duration_seconds_count{method="GET",route="none",status="404"} 1',
  ]);
  expect(text).not.toContain('canary');
});

test('each bucket holds the ones below it, a bound belongs to its bucket, the rest is +Inf', async () => {
  const { registry, answeredOn } = createMetrics();
  const answered = answeredOn('/x');
  for (const ms of [0.2, 0.5, 3, 60_000]) answered('GET', 200, ms);
  const [metric] = (await registry.getMetricsAsJSON()) as unknown as {
    values: { metricName: string; labels: { le?: number | string }; value: number }[];
  }[];
  const value = (le: number | string) => metric!.values.find(({ labels }) => labels.le === le)?.value;
  expect([value(0.0005), value(0.001), value(0.005), value(10), value('+Inf')]).toEqual([2, 2, 3, 3, 4]);
  expect(metric!.values.find(({ metricName }) => metricName.endsWith('_sum'))?.value).toBeCloseTo(60.0037);
});

test('/metrics shows what others have registered too', async () => {
  const metrics = createMetrics();
  const { app } = appOf([metricsRoutes(metrics)]);
  const response = await app.request('/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toContain('http_server_request_duration_seconds');
});
