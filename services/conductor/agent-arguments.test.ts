import { describe, expect, it } from 'vitest';
import type { JsonObject } from '@bessemer/core';
import { rootDeviceHintsOf } from './agent-arguments.ts';

describe('root device hints', () => {
  const hints = (instance: JsonObject, own: JsonObject) =>
    rootDeviceHintsOf({ instanceInfo: instance, properties: own });
  const serial = { serial: 's1' };

  it('of the instance win; an empty object there does not open all disks', () => {
    expect(hints({ root_device: { wwn: 'w' } }, { root_device: serial })).toEqual({ wwn: 'w' });
    expect(hints({ root_device: {} }, { root_device: serial })).toEqual(serial);
    expect(hints({ root_device: null }, { root_device: serial })).toEqual(serial);
    expect(hints({}, {})).toBeUndefined();
  });

  it('that are no object are refused, not left out', () => {
    expect(() => hints({}, { root_device: '/dev/sda' })).toThrow('properties/root_device must be an object');
    expect(() => hints({ root_device: [] }, { root_device: serial })).toThrow('instance_info/root_device');
  });
});
