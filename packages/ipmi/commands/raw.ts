/** Any command by its numbers. */
import { ok } from '../codec/result.ts';
import type { Command } from './command.ts';

/**
 * A command given by numbers: data bytes in, data bytes after the completion code out. What it does is unknown, so it is
 * sent once unless the caller says `idempotent: true` when sending. Throws RangeError when a number does not fit.
 */
export function rawCommand(netFn: number, cmd: number): Command<Uint8Array, Uint8Array> {
  if (!Number.isInteger(netFn) || netFn < 0 || netFn > 0x3e || netFn & 1)
    throw new RangeError(`netFn must be an even number from 0 to 0x3e (a request), got ${netFn}`);
  if (!Number.isInteger(cmd) || cmd < 0 || cmd > 0xff) throw new RangeError(`cmd must be a byte, got ${cmd}`);
  return {
    name: `raw 0x${netFn.toString(16).padStart(2, '0')} 0x${cmd.toString(16).padStart(2, '0')}`,
    netFn,
    cmd,
    isIdempotent: () => false,
    encode(data) {
      if (data.length > 200) throw new RangeError(`raw data must be at most 200 bytes, got ${data.length}`);
      return data;
    },
    decode: (data) => ok(data),
  };
}
