/** A datagram on port 623 as one union: RMCP class, then the session wrapper by its authentication type. */
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';
import { decodeRmcp } from './rmcp.ts';
import { decodeSession15 } from './session15.ts';
import type { Session15Packet } from './session15.ts';
import { AUTH_TYPE_RMCP_PLUS, decodeSession20 } from './session20.ts';
import type { Session20Packet } from './session20.ts';

/** A LAN datagram fits one Ethernet frame; anything longer is no IPMI (section 13.7 leaves no room for more). */
const MAX_DATAGRAM_BYTES = 1472;

export type Packet =
  | { readonly kind: 'asf'; readonly type: 'ping' | 'pong'; readonly tag: number }
  | { readonly kind: 'v15'; readonly packet: Session15Packet }
  | { readonly kind: 'v20'; readonly packet: Session20Packet };

/** Reads any datagram; never throws. */
export function decodePacket(bytes: Uint8Array): Result<Packet> {
  if (bytes.length > MAX_DATAGRAM_BYTES) return malformed(`datagram of ${bytes.length} bytes, at most 1472 expected`);
  const rmcp = decodeRmcp(bytes);
  if (!rmcp.ok) return rmcp;
  if (rmcp.value.class === 'asf') return ok({ kind: 'asf', type: rmcp.value.type, tag: rmcp.value.tag });
  const body = rmcp.value.body;
  if (body.length === 0) return malformed('RMCP message of class IPMI without a session header');
  if (body[0] === AUTH_TYPE_RMCP_PLUS) {
    const packet = decodeSession20(body);
    return packet.ok ? ok({ kind: 'v20', packet: packet.value }) : packet;
  }
  const packet = decodeSession15(body);
  return packet.ok ? ok({ kind: 'v15', packet: packet.value }) : packet;
}
