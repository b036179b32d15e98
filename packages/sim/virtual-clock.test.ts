import { sleep } from '@bessemer/ports';
import { describe, expect, it } from 'vitest';
import { createParty } from './party.ts';
import { createVirtualClock } from './virtual-clock.ts';

const fail = (error: unknown): never => {
  throw error;
};
const HOUR_MS = 3_600_000;

describe('the virtual clock', () => {
  it('fires timers in order of time, then of creation, and knows when nothing is left', async () => {
    const clock = createVirtualClock(fail);
    const fired: string[] = [];
    for (const [name, ms] of [
      ['c', 30],
      ['a', 10],
      ['b', 10],
      ['z', 5],
    ] as const) {
      const timer = clock.setTimer(ms, () => fired.push(`${name}@${clock.monotonicMs()}`));
      if (name === 'z') timer.cancel();
    }
    expect(await clock.run(() => false, HOUR_MS)).toBe('idle');
    expect(fired).toEqual(['a@10', 'b@10', 'c@30']);
    expect(clock.nowMs() - clock.monotonicMs()).toBe(1_767_225_600_000);
  });

  it('lets no time pass while promises can settle', async () => {
    const clock = createVirtualClock(fail);
    const at: number[] = [];
    const work = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await Promise.resolve();
      at.push(clock.monotonicMs());
      await sleep(clock, 50);
      for (let i = 0; i < 100; i++) await Promise.resolve();
      at.push(clock.monotonicMs());
    };
    void work();
    clock.setTimer(1, () => {});
    clock.setTimer(51, () => {});
    await clock.run(() => false, HOUR_MS);
    expect(at).toEqual([0, 50]);
  });

  it('stands still while a registered effect is under way', async () => {
    const clock = createVirtualClock(fail);
    const { promise, resolve } = Promise.withResolvers<void>();
    let at = -1;
    clock.setTimer(10, () => {
      void clock.effect(promise).then(() => {
        at = clock.monotonicMs();
      });
      // A real turn of the event loop later, as an answer of a thread would come.
      setImmediate(() => setImmediate(resolve));
    });
    clock.setTimer(20, () => {});
    await clock.run(() => false, HOUR_MS);
    expect(at).toBe(10);
  });

  it('stops at its limit, and goes on after what a timer threw', async () => {
    const errors: unknown[] = [];
    const clock = createVirtualClock((error) => errors.push(error));
    clock.setTimer(1, () => {
      throw new Error('thrown');
    });
    clock.setTimer(HOUR_MS + 1, () => {});
    expect(await clock.run(() => false, HOUR_MS)).toBe('late');
    expect(errors).toHaveLength(1);
    expect(clock.fired).toBe(1);
  });
});

describe('a party', () => {
  it('is late with everything after a pause, in order, and does nothing after its death', async () => {
    const clock = createVirtualClock(fail);
    const party = createParty(clock);
    const seen: string[] = [];
    const note = (text: string): void => void seen.push(`${text}@${clock.monotonicMs()}`);
    party.clock.setTimer(10, () => note('timer'));
    const cancelled = party.clock.setTimer(12, () => note('never'));
    clock.setTimer(5, () => party.pause());
    clock.setTimer(8, () => party.enter(() => note('message')));
    clock.setTimer(100, () => {
      cancelled.cancel();
      party.resume();
    });
    party.clock.setTimer(200, () => note('after death'));
    clock.setTimer(150, () => party.kill());
    await clock.run(() => false, HOUR_MS);
    expect(seen).toEqual(['message@100', 'timer@100']);
  });
});
