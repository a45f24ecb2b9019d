import { expect, test } from 'vitest';
import { testClock } from '../kernel/clock.ts';
import { createDeliverySlots } from './delivery-slots.ts';

test('a system that cannot be reached is left alone ever longer, then probed by one delivery at a time', () => {
  const clock = testClock('2026-06-01T00:00:00Z');
  const slots = createDeliverySlots(clock, 8);
  const free = () => slots.limits()[0]?.free;
  for (let i = 0; i < 8; i++) slots.take('crm');
  expect(free()).toBe(0);
  for (let i = 0; i < 8; i++) slots.give('crm', 'unreachable');
  expect(free()).toBe(0);
  clock.advance({ milliseconds: 999 });
  expect(free()).toBe(0);
  clock.advance({ milliseconds: 1 });
  expect(free()).toBe(1);
  slots.take('crm');
  expect(free()).toBe(0);
  slots.give('crm', 'unreachable');
  clock.advance({ seconds: 1 });
  expect(free()).toBe(0);
  clock.advance({ seconds: 1 });
  expect(free()).toBe(1);
  for (let i = 0; i < 20; i++) {
    slots.take('crm');
    slots.give('crm', 'unreachable');
    clock.advance({ minutes: 1 });
    expect(free()).toBe(1);
  }
  slots.take('crm');
  slots.give('crm', 'answered');
  expect(free()).toBe(8);
  expect(slots.inFlight()).toBe(0);
});

test('an untried delivery says nothing about its system', () => {
  const clock = testClock('2026-06-01T00:00:00Z');
  const slots = createDeliverySlots(clock, 8);
  slots.take('crm');
  slots.give('crm', 'untried');
  expect(slots.limits()).toEqual([{ system: 'crm', free: 8 }]);
});

test('successes bring the rest forward at most once a minute', () => {
  const clock = testClock('2026-06-01T00:00:00Z');
  const slots = createDeliverySlots(clock, 8);
  expect(slots.mayBringForward('crm')).toBe(true);
  expect(slots.mayBringForward('crm')).toBe(false);
  expect(slots.mayBringForward('newsletter')).toBe(true);
  clock.advance({ minutes: 1 });
  expect(slots.mayBringForward('crm')).toBe(true);
});
