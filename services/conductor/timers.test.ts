import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '@bessemer/ports/testing';
import { createTimers } from './timers.ts';

describe('timers', () => {
  it('fire once each, in order of time, on one timer of the clock', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.integer({ min: 0, max: 9 }), inMs: fc.integer({ min: 0, max: 99 }) }), {
          maxLength: 60,
        }),
        (orders) => {
          const clock = new ManualClock(0);
          const timers = createTimers(clock);
          const fired: Array<{ key: number; atMs: number }> = [];
          const expected = new Map<number, number>();
          for (const { key, inMs } of orders) {
            expected.set(key, inMs);
            timers.set(String(key), inMs, () => fired.push({ key, atMs: clock.nowMs() }));
            expect(clock.pendingTimers).toBe(1);
          }
          while (clock.step());
          expect(new Map(fired.map(({ key, atMs }) => [key, atMs]))).toEqual(expected);
          expect(fired).toHaveLength(expected.size);
          expect(fired.map((f) => f.atMs)).toEqual(fired.map((f) => f.atMs).toSorted((a, b) => a - b));
          expect(timers.size).toBe(0);
        },
      ),
    );
  });
  it('do not fire when cleared or closed', () => {
    const clock = new ManualClock(0);
    const timers = createTimers(clock);
    const fired: string[] = [];
    timers.set('a', 5, () => fired.push('a'));
    timers.set('b', 6, () => fired.push('b'));
    timers.clear('a');
    expect(clock.nextTimerInMs()).toBe(6);
    timers.close();
    expect(clock.pendingTimers).toBe(0);
    while (clock.step());
    expect(fired).toEqual([]);
  });
});
