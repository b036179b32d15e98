/** Chassis Control (IPMI v2.0 section 28.3). */
import { ok } from '../codec/result.ts';
import type { ChassisControl } from './chassis-words.ts';
import { NETFN } from './command.ts';
import type { Command } from './command.ts';

/** Data byte 1, bits 3:0. */
export const CHASSIS_CONTROL_NUMBER: Readonly<Record<ChassisControl, number>> = {
  off: 0x00,
  on: 0x01,
  cycle: 0x02,
  reset: 0x03,
  diag: 0x04,
  soft: 0x05,
};

/** Done twice, these interrupt the machine twice. */
const NOT_REPEATABLE: ReadonlySet<ChassisControl> = new Set(['cycle', 'reset', 'diag']);

export const chassisControl: Command<{ readonly action: ChassisControl }, void> = {
  name: 'Chassis Control',
  netFn: NETFN.chassis,
  cmd: 0x02,
  isIdempotent: ({ action }) => !NOT_REPEATABLE.has(action),
  encode: ({ action }) => Uint8Array.of(CHASSIS_CONTROL_NUMBER[action]),
  decode: () => ok(undefined),
  completionCodes: { 0xd5: 'not possible in the present power state' },
};
