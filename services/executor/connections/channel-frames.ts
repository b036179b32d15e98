/** Frames of the channel to a runtime: two big-endian 32-bit lengths (JSON, payload), the JSON, the payload. */

const LENGTHS_BYTES = 8;
/** A module's output is at most 16 MiB, and registered results travel once at the end of a play. */
export const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 1024 * 1024;

export type ChannelFrame = { readonly [key: string]: unknown };

export function encodeChannelFrame(header: ChannelFrame, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(JSON.stringify(header), 'utf8');
  const frame = Buffer.allocUnsafe(LENGTHS_BYTES + json.length + payload.length);
  frame.writeUInt32BE(json.length, 0);
  frame.writeUInt32BE(payload.length, 4);
  json.copy(frame, LENGTHS_BYTES);
  frame.set(payload, LENGTHS_BYTES + json.length);
  return frame;
}

export type ChannelResult =
  | { readonly ok: true; readonly header: ChannelFrame }
  | { readonly ok: false; readonly error: string };

/** Takes bytes as they come, gives whole frames. The target is not trusted: sizes are bounded and nothing throws. */
export function createChannelReader(): (bytes: Uint8Array) => ChannelResult[] {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let wantedBytes = LENGTHS_BYTES;
  let broken = false;
  return (bytes) => {
    const frames: ChannelResult[] = [];
    if (broken) return frames;
    held.push(bytes);
    heldBytes += bytes.length;
    while (heldBytes >= wantedBytes) {
      const all = held.length === 1 ? Buffer.from(held[0]!) : Buffer.concat(held);
      held = [all];
      const headerBytes = all.readUInt32BE(0);
      const payloadBytes = all.readUInt32BE(4);
      if (headerBytes > MAX_HEADER_BYTES || payloadBytes > MAX_PAYLOAD_BYTES) {
        broken = true;
        frames.push({ ok: false, error: `a frame of ${headerBytes} + ${payloadBytes} bytes is over the limit` });
        return frames;
      }
      const end = LENGTHS_BYTES + headerBytes + payloadBytes;
      wantedBytes = end;
      if (heldBytes < end) break;
      let header: unknown;
      try {
        header = JSON.parse(all.toString('utf8', LENGTHS_BYTES, LENGTHS_BYTES + headerBytes));
      } catch {
        header = undefined;
      }
      if (typeof header !== 'object' || header === null || Array.isArray(header)) {
        broken = true;
        frames.push({ ok: false, error: 'a frame holds no JSON object' });
        return frames;
      }
      frames.push({ ok: true, header: header as ChannelFrame });
      const rest = all.subarray(end);
      held = rest.length > 0 ? [rest] : [];
      heldBytes = rest.length;
      wantedBytes = LENGTHS_BYTES;
    }
    return frames;
  };
}
