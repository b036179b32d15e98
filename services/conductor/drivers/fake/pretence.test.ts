import type { JsonObject, Node } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { describe, expect, it } from 'vitest';
import { createPretence } from './pretence.ts';

const nodeWith = (driverInfo: JsonObject, uuid = 'n'): Node => ({ uuid, driverInfo }) as unknown as Node;

describe('what a pretended interface is told', () => {
  const pretence = createPretence(new ManualClock());

  it.each<[string, JsonObject, Array<string | null>]>([
    ['nothing', {}, [null]],
    ['a message', { fake_bios_fail: 'the battery is empty' }, ['the battery is empty', 'the battery is empty']],
    ['a number of times', { fake_bios_fail: '2' }, [expect.stringContaining('told to fail'), expect.any(String), null]],
    ['a message and a number', { fake_bios_fail: { message: 'no', times: 1 } }, ['no', null]],
    ['to fail', { fake_bios_fail: true }, [expect.stringContaining('fake_bios_fail')]],
    ['not to fail', { fake_bios_fail: false }, [null]],
    ['the name of a step', { fake_fail_step: 'reset' }, [expect.stringContaining('reset was told to fail')]],
  ])('%s', (name, driverInfo, expected) => {
    for (const outcome of expected)
      expect(pretence.failure(nodeWith(driverInfo, name), 'bios', 'reset')).toEqual(outcome);
    expect(pretence.failure(nodeWith(driverInfo, `${name} of another kind`), 'raid', 'other')).toBeNull();
  });

  it.each<[JsonObject, string]>([
    [{ fake_bios_delay: 'soon' }, 'driver_info/fake_bios_delay must be seconds'],
    [{ fake_bios_delay: '1,2,3' }, 'driver_info/fake_bios_delay'],
    [{ fake_bios_delay: -1 }, 'driver_info/fake_bios_delay'],
    [{ fake_bios_fail: { times: 'often' } }, 'driver_info/fake_bios_fail must be'],
    [{ fake_bios_fail: [] }, 'driver_info/fake_bios_fail must be'],
    [{ fake_delay_ms: 'x' }, 'driver_info/fake_delay_ms must be a number of milliseconds'],
  ])('%j is refused by name', (driverInfo, words) => {
    expect(() => pretence.check(nodeWith(driverInfo), 'bios')).toThrow(words);
  });

  it('a range is a time within it, the same for one attempt and another for the next', () => {
    const wait = (id: string) => {
      const outcome = pretence.step(
        {
          node: nodeWith({ fake_raid_delay: '10,20' }),
          attempt: { id, startedAt: 0, number: 1 },
          step: { step: 'create' },
          nowMs: 0,
        } as never,
        'raid',
      );
      return outcome.kind === 'wait' ? outcome.checkAfterMs! : 0;
    };
    const waits = Array.from({ length: 200 }, (_, i) => wait(`attempt-${i}`));
    expect(wait('attempt-7')).toBe(waits[7]);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20_000);
    expect(new Set(waits).size).toBeGreaterThan(100);
    // Mostly near the minimum.
    expect(waits.filter((ms) => ms < 15_000).length).toBeGreaterThan(120);
  });

  it('a call takes its time, but never so long that a lease could end under it', async () => {
    const clock = new ManualClock();
    const slow = createPretence(clock);
    let isOver = false;
    void slow.call(nodeWith({ fake_power_delay: 3600 }), 'power', 'get_power_state').then(() => (isOver = true));
    await clock.advance(4_000);
    expect(isOver).toBe(false);
    await clock.advance(1_000);
    expect(isOver).toBe(true);
  });
});
