/**
 * The IPMI v1.5 session wrapper (IPMI v2.0 section 13.6, table 13-8), without authentication: only what is asked before a
 * session exists (Get Channel Authentication Capabilities) travels in it.
 */
import { concat, readUint32, uint32 } from './bytes.ts';
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';
import { rmcpHeader } from './rmcp.ts';

const AUTH_TYPE_NONE = 0x00;
const HEADER_BYTES = 10;

export interface Session15Packet {
  readonly sequence: number;
  readonly sessionId: number;
  readonly payload: Uint8Array;
}

export function encodeSession15(packet: Session15Packet): Uint8Array {
  return concat(
    rmcpHeader(),
    Uint8Array.of(AUTH_TYPE_NONE),
    uint32(packet.sequence),
    uint32(packet.sessionId),
    Uint8Array.of(packet.payload.length),
    packet.payload,
  );
}

/** `body` is what follows the RMCP header. One trailing byte of legacy padding is allowed (section 13.6). */
export function decodeSession15(body: Uint8Array): Result<Session15Packet> {
  if (body.length < HEADER_BYTES) return malformed(`IPMI v1.5 session header of 10 bytes expected, got ${body.length}`);
  if (body[0] !== AUTH_TYPE_NONE)
    return malformed(`IPMI v1.5 authentication type 0x${body[0]!.toString(16)}: only none is spoken`);
  const length = body[9]!;
  const rest = body.length - HEADER_BYTES;
  if (rest !== length && rest !== length + 1)
    return malformed(`IPMI v1.5 payload of ${length} bytes announced, ${rest} came`);
  return ok({
    sequence: readUint32(body, 1),
    sessionId: readUint32(body, 5),
    payload: body.slice(HEADER_BYTES, HEADER_BYTES + length),
  });
}
