/** IPMI LAN messages (IPMI v2.0 section 13.8, table 13-8): what a session carries, with its two checksums. */
import { checksum } from './bytes.ts';
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';

/** Slave address of the BMC (section 5.5, "responder's address"). */
export const BMC_ADDRESS = 0x20;
/** Software id of a remote console (section 5.5, table 5-4), as `rqAddr`. */
export const REMOTE_CONSOLE_ADDRESS = 0x81;

export interface LanRequest {
  readonly rsAddr: number;
  readonly netFn: number;
  readonly rsLun: number;
  readonly rqAddr: number;
  /** 6 bits: pairs a response with its request. */
  readonly rqSeq: number;
  readonly rqLun: number;
  readonly cmd: number;
  readonly data: Uint8Array;
}

export interface LanResponse {
  readonly rqAddr: number;
  /** The response's own network function: the request's plus one (section 5.1). */
  readonly netFn: number;
  readonly rqLun: number;
  readonly rsAddr: number;
  readonly rqSeq: number;
  readonly rsLun: number;
  readonly cmd: number;
  readonly completionCode: number;
  readonly data: Uint8Array;
}

const REQUEST_OVERHEAD_BYTES = 7;
const RESPONSE_OVERHEAD_BYTES = 8;

export function encodeLanRequest(message: LanRequest): Uint8Array {
  const out = new Uint8Array(REQUEST_OVERHEAD_BYTES + message.data.length);
  out[0] = message.rsAddr;
  out[1] = (message.netFn << 2) | message.rsLun;
  out[2] = checksum(out, 0, 2);
  out[3] = message.rqAddr;
  out[4] = (message.rqSeq << 2) | message.rqLun;
  out[5] = message.cmd;
  out.set(message.data, 6);
  out[out.length - 1] = checksum(out, 3, out.length - 1);
  return out;
}

export function encodeLanResponse(message: LanResponse): Uint8Array {
  const out = new Uint8Array(RESPONSE_OVERHEAD_BYTES + message.data.length);
  out[0] = message.rqAddr;
  out[1] = (message.netFn << 2) | message.rqLun;
  out[2] = checksum(out, 0, 2);
  out[3] = message.rsAddr;
  out[4] = (message.rqSeq << 2) | message.rsLun;
  out[5] = message.cmd;
  out[6] = message.completionCode;
  out.set(message.data, 7);
  out[out.length - 1] = checksum(out, 3, out.length - 1);
  return out;
}

function checkEnvelope(bytes: Uint8Array, minimumBytes: number): string | undefined {
  if (bytes.length < minimumBytes)
    return `IPMI message of at least ${minimumBytes} bytes expected, got ${bytes.length}`;
  if (checksum(bytes, 0, 3) !== 0) return 'IPMI message with a wrong header checksum';
  if (checksum(bytes, 3, bytes.length) !== 0) return 'IPMI message with a wrong data checksum';
  return undefined;
}

/** A request has an even network function (section 5.1). */
export function decodeLanRequest(bytes: Uint8Array): Result<LanRequest> {
  const problem = checkEnvelope(bytes, REQUEST_OVERHEAD_BYTES);
  if (problem) return malformed(problem);
  const netFn = bytes[1]! >> 2;
  if (netFn & 1) return malformed(`IPMI request expected, got network function 0x${netFn.toString(16)} of a response`);
  return ok({
    rsAddr: bytes[0]!,
    netFn,
    rsLun: bytes[1]! & 3,
    rqAddr: bytes[3]!,
    rqSeq: bytes[4]! >> 2,
    rqLun: bytes[4]! & 3,
    cmd: bytes[5]!,
    data: bytes.slice(6, -1),
  });
}

/** A response has an odd network function (section 5.1) and carries a completion code. */
export function decodeLanResponse(bytes: Uint8Array): Result<LanResponse> {
  const problem = checkEnvelope(bytes, RESPONSE_OVERHEAD_BYTES);
  if (problem) return malformed(problem);
  const netFn = bytes[1]! >> 2;
  if (!(netFn & 1))
    return malformed(`IPMI response expected, got network function 0x${netFn.toString(16)} of a request`);
  return ok({
    rqAddr: bytes[0]!,
    netFn,
    rqLun: bytes[1]! & 3,
    rsAddr: bytes[3]!,
    rqSeq: bytes[4]! >> 2,
    rsLun: bytes[4]! & 3,
    cmd: bytes[5]!,
    completionCode: bytes[6]!,
    data: bytes.slice(7, -1),
  });
}
