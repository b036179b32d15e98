/**
 * Which device a virtual server boots from, as pure functions.
 *
 * QEMU rebuilds the firmware's boot order (the fw_cfg file `bootorder`) from the `bootindex` properties at every reset, the
 * guest's or ours; the order of the first boot is fixed by the command line. So the indexes that are set now always
 * describe the *next* reset, and a one-shot override is spent as soon as a boot has begun with it.
 */
import type { BootOptions } from '@bessemer/ipmi/bmc';

export type BootTarget = 'network' | 'disk';

/** The ids of the two bootable devices on the command line. */
export const NIC_ID = 'nic0';
export const DISK_ID = 'disk0';

export const NO_OVERRIDE: BootOptions = { device: 'none', persistent: false, efi: false, valid: false };

/** What boots first. Anything but PXE means the disk: the lab's servers have no other device. */
export function bootTarget(options: BootOptions): BootTarget {
  return options.valid && options.device === 'pxe' ? 'network' : 'disk';
}

/** `bootindex` of each device: the other device stays as the fallback, as on a real server. */
export function bootIndexes(target: BootTarget): Record<typeof NIC_ID | typeof DISK_ID, number> {
  return target === 'network' ? { [NIC_ID]: 1, [DISK_ID]: 2 } : { [NIC_ID]: 2, [DISK_ID]: 1 };
}

/** The override that is left once a boot has begun: a persistent one stays, a one-shot one is spent. */
export function spend(options: BootOptions): BootOptions {
  return options.valid && options.persistent ? options : NO_OVERRIDE;
}

export interface QomSet {
  readonly path: string;
  readonly property: 'bootindex';
  readonly value: number;
}

/** The `qom-set` calls that order the next boot. Two devices may never hold one index, so both are first taken out. */
export function orderCommands(target: BootTarget): QomSet[] {
  const set = (id: string, value: number): QomSet => ({
    path: `/machine/peripheral/${id}`,
    property: 'bootindex',
    value,
  });
  const indexes = bootIndexes(target);
  return [set(NIC_ID, -1), set(DISK_ID, -1), set(NIC_ID, indexes[NIC_ID]), set(DISK_ID, indexes[DISK_ID])];
}
