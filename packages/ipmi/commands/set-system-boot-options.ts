/** Set System Boot Options (IPMI v2.0 section 28.12; parameters in section 28.13, table 28-14). */
import { concat } from '../codec/bytes.ts';
import { ok } from '../codec/result.ts';
import { always, NETFN } from './command.ts';
import type { Command } from './command.ts';

/** Parameter selectors. */
export const BOOT_PARAMETER = {
  setInProgress: 0,
  servicePartitionSelector: 1,
  servicePartitionScan: 2,
  validBitClearing: 3,
  infoAcknowledge: 4,
  bootFlags: 5,
  initiatorInfo: 6,
  initiatorMailbox: 7,
} as const;

/** Values of parameter 0. */
export const SET_STATE = { complete: 0, inProgress: 1, commitWrite: 2 } as const;

export const setSystemBootOptions: Command<{ readonly parameter: number; readonly data: Uint8Array }, void> = {
  name: 'Set System Boot Options',
  netFn: NETFN.chassis,
  cmd: 0x08,
  isIdempotent: always,
  encode: ({ parameter, data }) => concat(Uint8Array.of(parameter & 0x7f), data),
  decode: () => ok(undefined),
  completionCodes: {
    0x80: 'parameter not supported',
    0x81: 'another party is setting the boot options',
    0x82: 'attempt to write a read-only parameter',
  },
};
