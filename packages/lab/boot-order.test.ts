import type { BootOptions } from '@bessemer/ipmi/bmc';
import { expect, test } from 'vitest';
import { bootTarget, NO_OVERRIDE, orderCommands, spend } from './boot-order.ts';

const pxe: BootOptions = { device: 'pxe', persistent: false, efi: false, valid: true };

test('boots from the disk unless PXE is ordered', () => {
  expect(bootTarget(NO_OVERRIDE)).toBe('disk');
  expect(bootTarget(pxe)).toBe('network');
  expect(bootTarget({ ...pxe, device: 'disk' })).toBe('disk');
  expect(bootTarget({ ...pxe, device: 'bios' })).toBe('disk');
  expect(bootTarget({ ...pxe, valid: false })).toBe('disk');
});

test('a one-shot override is spent by a boot, a persistent one stays', () => {
  expect(spend(pxe)).toEqual(NO_OVERRIDE);
  expect(spend({ ...pxe, persistent: true })).toEqual({ ...pxe, persistent: true });
  expect(spend({ ...pxe, persistent: true, valid: false })).toEqual(NO_OVERRIDE);
});

test.each(['network', 'disk'] as const)('at no moment do two devices hold one index (%s)', (target) => {
  for (const before of ['network', 'disk'] as const) {
    const indexes = new Map<string, number>();
    for (const set of orderCommands(before)) indexes.set(set.path, set.value);
    for (const set of orderCommands(target)) {
      indexes.set(set.path, set.value);
      const taken = [...indexes.values()].filter((value) => value >= 0);
      expect(new Set(taken).size).toBe(taken.length);
    }
    const first = [...indexes].find(([, value]) => value === 1)?.[0];
    expect(first).toBe(target === 'network' ? '/machine/peripheral/nic0' : '/machine/peripheral/disk0');
  }
});
