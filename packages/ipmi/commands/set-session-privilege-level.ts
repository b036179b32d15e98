/** Set Session Privilege Level (IPMI v2.0 section 22.18): a session starts at USER and is raised by it. */
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN } from './command.ts';
import type { Command } from './command.ts';

export const setSessionPrivilegeLevel: Command<{ readonly privilege: number }, { readonly privilege: number }> = {
  name: 'Set Session Privilege Level',
  netFn: NETFN.app,
  cmd: 0x3b,
  isIdempotent: always,
  encode: ({ privilege }) => Uint8Array.of(privilege),
  decode: (data) =>
    data.length < 1 ? malformed('1 data byte expected, got none') : ok({ privilege: data[0]! & 0x0f }),
  completionCodes: {
    0x80: 'requested level not available for this user',
    0x81: "requested level exceeds the channel's or the user's limit",
    0x82: 'cannot disable user level authentication',
  },
};
