/** Get System Boot Options (IPMI v2.0 section 28.13). */
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN } from './command.ts';
import type { Command } from './command.ts';

export interface SystemBootOption {
  readonly parameter: number;
  /** The parameter is marked invalid or locked. */
  readonly isLocked: boolean;
  readonly data: Uint8Array;
}

export const getSystemBootOptions: Command<
  { readonly parameter: number; readonly set?: number; readonly block?: number },
  SystemBootOption
> = {
  name: 'Get System Boot Options',
  netFn: NETFN.chassis,
  cmd: 0x09,
  isIdempotent: always,
  encode: ({ parameter, set = 0, block = 0 }) => Uint8Array.of(parameter & 0x7f, set, block),
  decode(data) {
    if (data.length < 2) return malformed(`at least 2 data bytes expected, got ${data.length}`);
    return ok({ parameter: data[1]! & 0x7f, isLocked: (data[1]! & 0x80) !== 0, data: data.slice(2) });
  },
  completionCodes: { 0x80: 'parameter not supported' },
};
