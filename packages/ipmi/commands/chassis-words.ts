/** The words for power and boot order, shared by the client's commands and the reference BMC. */

export type PowerState = 'on' | 'off';

/** Chassis Control actions (IPMI v2.0 section 28.3, data byte 1). */
export type ChassisControl = 'off' | 'on' | 'cycle' | 'reset' | 'diag' | 'soft';

/** Boot device selectors (section 28.13, table 28-14, parameter 5, data 2 bits 5:2). `none` is "no override". */
export type BootDevice = 'none' | 'pxe' | 'disk' | 'safe' | 'diagnostic' | 'cdrom' | 'bios' | 'floppy';

/** The boot flags (section 28.13, table 28-14, parameter 5). */
export interface BootOptions {
  readonly device: BootDevice;
  /** Applies to every boot from here on, not only the next. */
  readonly persistent: boolean;
  /** Boot by UEFI rather than by legacy BIOS. */
  readonly efi: boolean;
  /** False: the flags are to be ignored (none were set, or a one-shot override is spent). */
  readonly valid: boolean;
}
