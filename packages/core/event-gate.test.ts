import { expect, it } from 'vitest';
import { createEventGate } from './event-gate.ts';

it('lets one of a key through per interval, and each key for itself', () => {
  const admits = createEventGate({ perKeyMs: 60_000 });
  expect([admits('a', 0), admits('a', 59_999), admits('b', 59_999), admits('a', 60_000)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

it('bounds invented keys together, and begins anew with the next window', () => {
  const admits = createEventGate({ perKeyMs: 1_000, most: 3, windowMs: 60_000 });
  const admitted = (from: number, at: number) =>
    Array.from({ length: 10 }, (_, i) => admits(`key ${from + i}`, at)).filter(Boolean).length;
  expect([admitted(0, 0), admitted(10, 59_999), admitted(20, 60_000)]).toEqual([3, 0, 3]);
});

it('remembers a bounded number of keys', () => {
  const admits = createEventGate({ perKeyMs: 60_000 });
  for (let i = 0; i <= 10_000; i++) admits(`${i}`, 0);
  expect([admits('0', 1), admits('10000', 1)]).toEqual([true, false]);
});
