/** The IPMI v2.0 / RMCP+ session wrapper (IPMI v2.0 section 13.6, table 13-8), before and after its trailer. */
import { readUint16, readUint32 } from './bytes.ts';
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';
import { RMCP_HEADER_BYTES } from './rmcp.ts';

/** Authentication type / format that marks RMCP+ (section 13.6). */
export const AUTH_TYPE_RMCP_PLUS = 0x06;
/** "Next header" of the trailer: always 07h in IPMI v2.0 (section 13.6). */
export const NEXT_HEADER = 0x07;
const HEADER_BYTES = 12;
const ENCRYPTED = 0x80;
const AUTHENTICATED = 0x40;
const TYPE_BITS = 0x3f;

/** Payload type numbers (section 13.27.3, table 13-16). */
export const PAYLOAD_TYPE = {
  ipmi: 0x00,
  sol: 0x01,
  openSessionRequest: 0x10,
  openSessionResponse: 0x11,
  rakp1: 0x12,
  rakp2: 0x13,
  rakp3: 0x14,
  rakp4: 0x15,
} as const;

export interface Session20Packet {
  readonly payloadType: number;
  readonly encrypted: boolean;
  readonly authenticated: boolean;
  readonly sessionId: number;
  readonly sequence: number;
  /** As on the wire: ciphertext when `encrypted`. */
  readonly payload: Uint8Array;
  /** What follows the payload: integrity pad, pad length, next header, AuthCode. Empty outside an authenticated session. */
  readonly trailer: Uint8Array;
}

/** RMCP header, session header, payload and trailer as one datagram. */
export function encodeSession20(packet: Session20Packet): Uint8Array {
  const start = RMCP_HEADER_BYTES;
  const payloadStart = start + HEADER_BYTES;
  const out = new Uint8Array(payloadStart + packet.payload.length + packet.trailer.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 0x0600ff07);
  out[start] = AUTH_TYPE_RMCP_PLUS;
  out[start + 1] = packet.payloadType | (packet.encrypted ? ENCRYPTED : 0) | (packet.authenticated ? AUTHENTICATED : 0);
  view.setUint32(start + 2, packet.sessionId, true);
  view.setUint32(start + 6, packet.sequence, true);
  view.setUint16(start + 10, packet.payload.length, true);
  out.set(packet.payload, payloadStart);
  out.set(packet.trailer, payloadStart + packet.payload.length);
  return out;
}

/** `body` is what follows the RMCP header. */
export function decodeSession20(body: Uint8Array): Result<Session20Packet> {
  if (body.length < HEADER_BYTES) return malformed(`RMCP+ session header of 12 bytes expected, got ${body.length}`);
  if (body[0] !== AUTH_TYPE_RMCP_PLUS)
    return malformed(`RMCP+ format 0x06 expected, got authentication type 0x${body[0]!.toString(16)}`);
  const type = body[1]!;
  const payloadType = type & TYPE_BITS;
  // Payload type 2 (OEM explicit) has six more header bytes; nobody here speaks it.
  if (payloadType === 0x02) return malformed('RMCP+ OEM explicit payload');
  const length = readUint16(body, 10);
  const end = HEADER_BYTES + length;
  if (body.length < end)
    return malformed(`RMCP+ payload of ${length} bytes announced, ${body.length - HEADER_BYTES} came`);
  const authenticated = (type & AUTHENTICATED) !== 0;
  if (!authenticated && body.length > end + 1)
    return malformed(`${body.length - end} bytes after the payload of an unauthenticated RMCP+ message`);
  return ok({
    payloadType,
    encrypted: (type & ENCRYPTED) !== 0,
    authenticated,
    sessionId: readUint32(body, 2),
    sequence: readUint32(body, 6),
    payload: body.slice(HEADER_BYTES, end),
    trailer: authenticated ? body.slice(end) : new Uint8Array(0),
  });
}

/** A message outside a session (section 13.6: session id and sequence 0, neither encrypted nor authenticated). */
export function encodeOutsideSession(payloadType: number, payload: Uint8Array): Uint8Array {
  return encodeSession20({
    payloadType,
    encrypted: false,
    authenticated: false,
    sessionId: 0,
    sequence: 0,
    payload,
    trailer: new Uint8Array(0),
  });
}
