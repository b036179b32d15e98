/** Get Chassis Status (IPMI v2.0 section 28.2). */
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN, NO_DATA } from './command.ts';
import type { Command } from './command.ts';
import type { PowerState } from './chassis-words.ts';

export interface ChassisStatus {
  readonly power: PowerState;
  readonly hasPowerOverload: boolean;
  readonly hasPowerFault: boolean;
  readonly restorePolicy: 'stays off' | 'previous state' | 'powers up' | 'unknown';
  readonly isIntrusionActive: boolean;
  readonly hasDriveFault: boolean;
  readonly hasCoolingFault: boolean;
}

const RESTORE_POLICIES = ['stays off', 'previous state', 'powers up', 'unknown'] as const;

export const getChassisStatus: Command<void, ChassisStatus> = {
  name: 'Get Chassis Status',
  netFn: NETFN.chassis,
  cmd: 0x01,
  isIdempotent: always,
  encode: () => NO_DATA,
  decode(data) {
    if (data.length < 3) return malformed(`at least 3 data bytes expected, got ${data.length}`);
    return ok({
      power: data[0]! & 0x01 ? 'on' : 'off',
      hasPowerOverload: (data[0]! & 0x02) !== 0,
      hasPowerFault: (data[0]! & 0x18) !== 0,
      restorePolicy: RESTORE_POLICIES[(data[0]! >> 5) & 0x03]!,
      isIntrusionActive: (data[2]! & 0x01) !== 0,
      hasDriveFault: (data[2]! & 0x04) !== 0,
      hasCoolingFault: (data[2]! & 0x08) !== 0,
    });
  },
};
