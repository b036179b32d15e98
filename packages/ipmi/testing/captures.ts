/** Captured conversations as they lie in testdata/. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CapturedDatagram {
  readonly from: 'console' | 'bmc';
  readonly hex: string;
}

export interface Capture {
  /** Which programs said this. */
  readonly source: string;
  readonly suite: number;
  readonly username: string;
  readonly password: string;
  /** One list per session. */
  readonly sessions: readonly (readonly CapturedDatagram[])[];
}

export function readCapture(suite: 3 | 17): Capture {
  const file = join(import.meta.dirname, '..', 'testdata', `ipmitool-suite-${suite}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as Capture;
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
}
