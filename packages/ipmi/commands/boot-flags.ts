/** The boot flags as bytes (IPMI v2.0 section 28.13, table 28-14, parameter 5). */
import { malformed, ok } from '../codec/result.ts';
import type { Result } from '../codec/result.ts';
import type { BootDevice, BootOptions } from './chassis-words.ts';

export const BOOT_FLAGS_BYTES = 5;

/** Data 2, bits 5:2. */
const SELECTOR: Readonly<Record<BootDevice, number>> = {
  none: 0x0,
  pxe: 0x1,
  disk: 0x2,
  safe: 0x3,
  diagnostic: 0x4,
  cdrom: 0x5,
  bios: 0x6,
  floppy: 0xf,
};

/** Remote media (7h to Bh) are read as what the machine sees: a floppy, an optical drive or a disk. */
const DEVICE: Readonly<Record<number, BootDevice>> = {
  0x0: 'none',
  0x1: 'pxe',
  0x2: 'disk',
  0x3: 'safe',
  0x4: 'diagnostic',
  0x5: 'cdrom',
  0x6: 'bios',
  0x7: 'floppy',
  0x8: 'cdrom',
  0x9: 'cdrom',
  0xb: 'disk',
  0xf: 'floppy',
};

export function encodeBootFlags(options: BootOptions): Uint8Array {
  const flags = (options.valid ? 0x80 : 0) | (options.persistent ? 0x40 : 0) | (options.efi ? 0x20 : 0);
  return Uint8Array.of(flags, SELECTOR[options.device] << 2, 0, 0, 0);
}

/** Some clients leave trailing bytes away: two are enough to know the device. */
export function decodeBootFlags(data: Uint8Array): Result<BootOptions> {
  if (data.length < 2) return malformed(`boot flags of at least 2 bytes expected, got ${data.length}`);
  const selector = (data[1]! >> 2) & 0x0f;
  const device = DEVICE[selector];
  if (!device) return malformed(`boot device selector 0x${selector.toString(16)} is reserved`);
  return ok({
    device,
    persistent: (data[0]! & 0x40) !== 0,
    efi: (data[0]! & 0x20) !== 0,
    valid: (data[0]! & 0x80) !== 0,
  });
}
