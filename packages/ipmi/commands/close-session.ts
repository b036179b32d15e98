/** Close Session (IPMI v2.0 section 22.19): BMCs have few session slots, so each is given back. */
import { uint32 } from '../codec/bytes.ts';
import { ok } from '../codec/result.ts';
import { always, NETFN } from './command.ts';
import type { Command } from './command.ts';

export const closeSession: Command<{ readonly bmcSessionId: number }, void> = {
  name: 'Close Session',
  netFn: NETFN.app,
  cmd: 0x3c,
  isIdempotent: always,
  encode: ({ bmcSessionId }) => uint32(bmcSessionId),
  decode: () => ok(undefined),
  completionCodes: { 0x87: 'invalid session id in request', 0x88: 'invalid session handle in request' },
};
