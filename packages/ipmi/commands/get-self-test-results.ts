/** Get Self Test Results (IPMI v2.0 section 20.4). */
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN, NO_DATA } from './command.ts';
import type { Command } from './command.ts';

export interface SelfTestResults {
  readonly result: 'passed' | 'not implemented' | 'corrupt or inaccessible data' | 'fatal hardware error' | 'other';
  /** The second byte: for corrupt data, which; else device-specific. */
  readonly detail: number;
}

const RESULTS: Readonly<Record<number, SelfTestResults['result']>> = {
  0x55: 'passed',
  0x56: 'not implemented',
  0x57: 'corrupt or inaccessible data',
  0x58: 'fatal hardware error',
};

export const getSelfTestResults: Command<void, SelfTestResults> = {
  name: 'Get Self Test Results',
  netFn: NETFN.app,
  cmd: 0x04,
  isIdempotent: always,
  encode: () => NO_DATA,
  decode: (data) =>
    data.length < 2
      ? malformed(`2 data bytes expected, got ${data.length}`)
      : ok({ result: RESULTS[data[0]!] ?? 'other', detail: data[1]! }),
};
