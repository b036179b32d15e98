/** Get Channel Authentication Capabilities (IPMI v2.0 section 22.13). */
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN } from './command.ts';
import type { Command } from './command.ts';

export interface ChannelAuthenticationCapabilities {
  readonly channel: number;
  /** The extended data is there: bit 7 of the authentication type support byte. */
  readonly isExtended: boolean;
  readonly supportsV15: boolean;
  readonly supportsV20: boolean;
  /** K_G is not all zeroes: a two-key log-in wants it. */
  readonly hasBmcKey: boolean;
  readonly hasNamedUsers: boolean;
  readonly hasNullUsers: boolean;
  readonly hasAnonymousLogin: boolean;
}

/** Channel 0Eh is "the channel this is asked on"; bit 7 asks for the IPMI v2.0 extended data. */
export const getChannelAuthenticationCapabilities: Command<
  { readonly channel?: number; readonly privilege: number },
  ChannelAuthenticationCapabilities
> = {
  name: 'Get Channel Authentication Capabilities',
  netFn: NETFN.app,
  cmd: 0x38,
  isIdempotent: always,
  encode: ({ channel = 0x0e, privilege }) => Uint8Array.of(0x80 | channel, privilege),
  decode(data) {
    if (data.length < 8) return malformed(`8 data bytes expected, got ${data.length}`);
    const isExtended = (data[1]! & 0x80) !== 0;
    return ok({
      channel: data[0]! & 0x0f,
      isExtended,
      supportsV15: !isExtended || (data[3]! & 0x01) !== 0,
      supportsV20: isExtended && (data[3]! & 0x02) !== 0,
      hasBmcKey: (data[2]! & 0x20) !== 0,
      hasNamedUsers: (data[2]! & 0x04) !== 0,
      hasNullUsers: (data[2]! & 0x02) !== 0,
      hasAnonymousLogin: (data[2]! & 0x01) !== 0,
    });
  },
};
