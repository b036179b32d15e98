/** The packets of TFTP as bytes and as values (RFC 1350 section 5, RFC 2347). No IO, and no throw on any input. */

/** RFC 1350 appendix and RFC 2347: what an ERROR packet's number means. */
export const ERROR_CODES = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransferId: 5,
  fileExists: 6,
  noSuchUser: 7,
  optionsRefused: 8,
} as const;
export type TftpErrorCode = (typeof ERROR_CODES)[keyof typeof ERROR_CODES];

export type TftpPacket =
  /** RRQ and WRQ. Option names are lower case, in the order of the packet. */
  | { kind: 'read' | 'write'; path: string; mode: string; options: ReadonlyMap<string, string> }
  | { kind: 'data'; block: number; payload: Uint8Array }
  | { kind: 'ack'; block: number }
  | { kind: 'error'; code: number; message: string }
  /** OACK (RFC 2347). */
  | { kind: 'option-ack'; options: ReadonlyMap<string, string> };

export type DecodeResult = { ok: true; packet: TftpPacket } | { ok: false; reason: string };

const OPCODES = { read: 1, write: 2, data: 3, ack: 4, error: 5, 'option-ack': 6 } as const;
/** RFC 2347 allows 512 octets for a request; some firmware sends more, none a whole Ethernet frame. */
const MAX_REQUEST_BYTES = 1500;
const MAX_OPTIONS = 32;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/**
 * One packet as bytes. Strings must be free of NUL, blocks and codes below 65536.
 * @throws RangeError when they are not: that is a mistake of the caller, never of the wire.
 */
export function encodePacket(packet: TftpPacket): Uint8Array {
  const opcode = OPCODES[packet.kind];
  switch (packet.kind) {
    case 'read':
    case 'write':
      return withStrings([0, opcode], [packet.path, packet.mode, ...flatten(packet.options)]);
    case 'option-ack':
      return withStrings([0, opcode], flatten(packet.options));
    case 'error':
      return withStrings([0, opcode, ...uint16(packet.code)], [packet.message]);
    case 'ack':
      return Uint8Array.from([0, opcode, ...uint16(packet.block)]);
    case 'data': {
      const bytes = new Uint8Array(4 + packet.payload.length);
      bytes.set([0, opcode, ...uint16(packet.block)]);
      bytes.set(packet.payload, 4);
      return bytes;
    }
  }
}

/** Bytes as a packet, or the reason why they are none. */
export function decodePacket(bytes: Uint8Array): DecodeResult {
  if (bytes.length < 2) return malformed('shorter than an opcode');
  const opcode = readUint16(bytes, 0);
  switch (opcode) {
    case OPCODES.read:
    case OPCODES.write:
      return decodeRequest(bytes, opcode === OPCODES.read ? 'read' : 'write');
    case OPCODES.data:
      if (bytes.length < 4) return malformed('DATA without a block number');
      return { ok: true, packet: { kind: 'data', block: readUint16(bytes, 2), payload: bytes.slice(4) } };
    case OPCODES.ack:
      // Some firmware pads a short datagram: what follows the number is not looked at.
      if (bytes.length < 4) return malformed('ACK without a block number');
      return { ok: true, packet: { kind: 'ack', block: readUint16(bytes, 2) } };
    case OPCODES.error: {
      if (bytes.length < 4) return malformed('ERROR without a code');
      // The closing NUL is missing in the wild often enough that its absence is no reason to ignore an abort.
      const end = bytes.indexOf(0, 4);
      const text = bytes.subarray(4, Math.min(end === -1 ? bytes.length : end, 4 + MAX_REQUEST_BYTES));
      return { ok: true, packet: { kind: 'error', code: readUint16(bytes, 2), message: decoder.decode(text) } };
    }
    case OPCODES['option-ack']: {
      const strings = readStrings(bytes, 2);
      if (!strings.ok) return strings;
      const options = pairUp(strings.values);
      return options ? { ok: true, packet: { kind: 'option-ack', options } } : malformed('an option without a value');
    }
    default:
      return malformed(`unknown opcode ${opcode}`);
  }
}

function decodeRequest(bytes: Uint8Array, kind: 'read' | 'write'): DecodeResult {
  if (bytes.length > MAX_REQUEST_BYTES) return malformed(`a request longer than ${MAX_REQUEST_BYTES} bytes`);
  const strings = readStrings(bytes, 2);
  if (!strings.ok) return strings;
  const [path, mode, ...rest] = strings.values;
  if (path === undefined || mode === undefined) return malformed('a request without file name and mode');
  if (path === '') return malformed('a request with an empty file name');
  const options = pairUp(rest);
  if (!options) return malformed('an option without a value');
  return { ok: true, packet: { kind, path, mode: mode.toLowerCase(), options } };
}

function malformed(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}

function readStrings(bytes: Uint8Array, from: number): { ok: true; values: string[] } | { ok: false; reason: string } {
  const values: string[] = [];
  for (let at = from; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    if (end === -1) return malformed('a string without its closing NUL');
    if (values.length === 2 + 2 * MAX_OPTIONS) return malformed(`more than ${MAX_OPTIONS} options`);
    values.push(decoder.decode(bytes.subarray(at, end)));
    at = end + 1;
  }
  return { ok: true, values };
}

/** Names and values as a map; of an option named twice (RFC 2347 forbids it) the first counts; padding NULs end the list. */
function pairUp(values: readonly string[]): Map<string, string> | undefined {
  const options = new Map<string, string>();
  for (let i = 0; i < values.length; i += 2) {
    const name = values[i]!.toLowerCase();
    if (name === '') break;
    const value = values[i + 1];
    if (value === undefined) return undefined;
    if (!options.has(name)) options.set(name, value);
  }
  return options;
}

function flatten(options: ReadonlyMap<string, string>): string[] {
  return [...options].flat();
}

function withStrings(head: readonly number[], strings: readonly string[]): Uint8Array {
  const parts = strings.map((s) => {
    if (s.includes('\0')) throw new RangeError('a TFTP string cannot hold NUL');
    return encoder.encode(s);
  });
  const bytes = new Uint8Array(head.length + parts.reduce((sum, p) => sum + p.length + 1, 0));
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length + 1;
  }
  return bytes;
}

function uint16(value: number): [number, number] {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw new RangeError(`${value} is no 16-bit number`);
  return [value >> 8, value & 0xff];
}

function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
