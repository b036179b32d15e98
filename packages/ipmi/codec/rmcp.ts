/** RMCP (IPMI v2.0 section 13.1.3; DSP0136 section 3.2): the four bytes before everything on port 623, and ASF presence. */
import { concat, uint32 } from './bytes.ts';
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';

const RMCP_VERSION = 0x06;
/** Sequence number of a message that wants no RMCP acknowledge: IPMI always uses it (section 13.1.3). */
const NO_ACK_SEQUENCE = 0xff;
export const RMCP_HEADER_BYTES = 4;

const CLASS_BITS = 0x1f;
const CLASS_ASF = 0x06;
const CLASS_IPMI = 0x07;

/** IANA enterprise number of the ASF RMCP messages (DSP0136 section 3.2.2.3). */
const ASF_IANA = Uint8Array.of(0x00, 0x00, 0x11, 0xbe);
const ASF_PING = 0x80;
const ASF_PONG = 0x40;

export type RmcpMessage =
  | { readonly class: 'ipmi'; readonly body: Uint8Array }
  | { readonly class: 'asf'; readonly type: 'ping' | 'pong'; readonly tag: number };

/** The header of an IPMI class message. */
export function rmcpHeader(): Uint8Array {
  return Uint8Array.of(RMCP_VERSION, 0x00, NO_ACK_SEQUENCE, CLASS_IPMI);
}

/** Splits a datagram into its RMCP class and the rest. */
export function decodeRmcp(bytes: Uint8Array): Result<RmcpMessage> {
  if (bytes.length < RMCP_HEADER_BYTES) return malformed(`RMCP header of 4 bytes expected, got ${bytes.length}`);
  if (bytes[0] !== RMCP_VERSION) return malformed(`RMCP version 0x06 expected, got 0x${bytes[0]!.toString(16)}`);
  // Bit 7 marks an RMCP acknowledge: it has no body and nobody waits for it.
  if (bytes[3]! & 0x80) return malformed('RMCP acknowledge');
  switch (bytes[3]! & CLASS_BITS) {
    case CLASS_IPMI:
      return ok({ class: 'ipmi', body: bytes.subarray(RMCP_HEADER_BYTES) });
    case CLASS_ASF: {
      if (bytes.length < 12) return malformed(`ASF message of at least 12 bytes expected, got ${bytes.length}`);
      if (ASF_IANA.some((byte, i) => bytes[4 + i] !== byte)) return malformed('ASF message of another enterprise');
      const type = bytes[8];
      if (type !== ASF_PING && type !== ASF_PONG) return malformed(`ASF message type 0x${type!.toString(16)}`);
      return ok({ class: 'asf', type: type === ASF_PING ? 'ping' : 'pong', tag: bytes[9]! });
    }
    default:
      return malformed(`RMCP class 0x${bytes[3]!.toString(16)} is neither IPMI nor ASF`);
  }
}

/** RMCP/ASF Presence Ping (section 13.2.3). */
export function encodeAsfPing(tag: number): Uint8Array {
  return concat(
    Uint8Array.of(RMCP_VERSION, 0x00, NO_ACK_SEQUENCE, CLASS_ASF),
    ASF_IANA,
    Uint8Array.of(ASF_PING, tag, 0x00, 0x00),
  );
}

/** RMCP/ASF Pong (section 13.2.4), with the bit that says "IPMI supported". */
export function encodeAsfPong(tag: number): Uint8Array {
  return concat(
    Uint8Array.of(RMCP_VERSION, 0x00, NO_ACK_SEQUENCE, CLASS_ASF),
    ASF_IANA,
    Uint8Array.of(ASF_PONG, tag, 0x00, 0x10),
    ASF_IANA,
    uint32(0), // OEM-defined
    Uint8Array.of(0x81, 0x00), // supported entities: IPMI, ASF version 1.0; supported interactions: none
    new Uint8Array(6),
  );
}
