/** The shape of an IPMI command: one object per command, one file each. */
import type { Result } from '../codec/result.ts';

/** Network functions of requests (IPMI v2.0 section 5.1, table 5-1). */
export const NETFN = { chassis: 0x00, app: 0x06, storage: 0x0a, transport: 0x0c } as const;

export interface Command<Req, Res> {
  /** As the specification calls it. */
  readonly name: string;
  readonly netFn: number;
  readonly cmd: number;
  /** Whether carrying the request out twice is the same as once. */
  readonly isIdempotent: (request: Req) => boolean;
  /** The request's data bytes. Throws RangeError on a value that does not fit its field. */
  readonly encode: (request: Req) => Uint8Array;
  /** Reads the data bytes after completion code 00h. */
  readonly decode: (data: Uint8Array) => Result<Res>;
  /** What 80h to BEh mean for this command (section 5.2). */
  readonly completionCodes?: Readonly<Record<number, string>>;
}

/** Requests without data take no argument. */
export const NO_DATA = new Uint8Array(0);

export const always = (): boolean => true;
