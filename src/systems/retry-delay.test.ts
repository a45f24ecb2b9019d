import { expect, test } from 'vitest';
import { retryDelaySeconds } from './retry-delay.ts';

test('retries come quickly, then hourly for five days, then daily for ever', () => {
  const delays = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => retryDelaySeconds(from + index, false, 0.5));
  expect(delays(1, 5)).toEqual([5, 30, 120, 600, 3600]);
  expect(new Set(delays(5, 124))).toEqual(new Set([3600]));
  expect(new Set(delays(125, 500))).toEqual(new Set([86_400]));
});

test('what was delivered is not repeated before ten minutes', () => {
  expect(retryDelaySeconds(1, true, 0.5)).toBe(600);
  expect(retryDelaySeconds(9, true, 0.5)).toBe(3600);
});

test('chance spreads a delay by a fifth either way', () => {
  expect(retryDelaySeconds(5, false, 0)).toBeCloseTo(2880);
  expect(retryDelaySeconds(5, false, 1)).toBeCloseTo(4320);
});
