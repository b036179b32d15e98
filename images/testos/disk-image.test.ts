import { expect, test } from 'vitest';
import { placeGrub } from './disk-image.ts';

test('GRUB’s first sector and core image are told where the core is, and nothing else changes', () => {
  const boot = new Uint8Array(512).fill(0xee);
  const core = new Uint8Array(2048).fill(0xdd);
  const placed = placeGrub(boot, core, 2048);
  expect(placed.boot.readBigUInt64LE(0x5c)).toBe(2048n);
  expect(placed.boot.subarray(0x66, 0x68)).toEqual(Buffer.from([0x90, 0x90]));
  expect(placed.core.readBigUInt64LE(0x1f4)).toBe(2049n);
  const changed = (before: Uint8Array, after: Uint8Array): number[] =>
    [...before.keys()].filter((index) => before[index] !== after[index]);
  expect(changed(boot, placed.boot).every((at) => (at >= 0x5c && at < 0x64) || (at >= 0x66 && at < 0x68))).toBe(true);
  expect(changed(core, placed.core).every((at) => at >= 0x1f4 && at < 0x1fc)).toBe(true);
});
