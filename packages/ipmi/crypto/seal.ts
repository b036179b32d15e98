/** Messages inside a session: AES-CBC-128 confidentiality and the AuthCode of the trailer (IPMI v2.0 sections 13.28.4, 13.29). */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { concat } from '../codec/bytes.ts';
import { malformed, ok } from '../codec/result.ts';
import type { Result } from '../codec/result.ts';
import { encodeSession20, NEXT_HEADER } from '../codec/session20.ts';
import type { Session20Packet } from '../codec/session20.ts';
import { RMCP_HEADER_BYTES } from '../codec/rmcp.ts';
import { hmac, sameBytes } from './rakp-keys.ts';
import type { SessionKeys } from './rakp-keys.ts';

const BLOCK_BYTES = 16;

/** Confidentiality trailer: pad bytes 01h, 02h, .. and their count, up to a whole block (section 13.29.2). */
export function encryptPayload(aesKey: KeyObject, iv: Uint8Array, plain: Uint8Array): Uint8Array {
  const padBytes = (BLOCK_BYTES - ((plain.length + 1) % BLOCK_BYTES)) % BLOCK_BYTES;
  const padded = new Uint8Array(plain.length + padBytes + 1);
  padded.set(plain);
  for (let i = 0; i < padBytes; i++) padded[plain.length + i] = i + 1;
  padded[padded.length - 1] = padBytes;
  const cipher = createCipheriv('aes-128-cbc', aesKey, iv);
  cipher.setAutoPadding(false);
  return concat(iv, cipher.update(padded), cipher.final());
}

/** The inverse. Pad bytes are checked, as section 13.29.2 asks. */
export function decryptPayload(aesKey: KeyObject, payload: Uint8Array): Result<Uint8Array> {
  if (payload.length < 2 * BLOCK_BYTES || payload.length % BLOCK_BYTES !== 0)
    return malformed(`AES payload of ${payload.length} bytes is not an initialisation vector and whole blocks`);
  const decipher = createDecipheriv('aes-128-cbc', aesKey, payload.subarray(0, BLOCK_BYTES));
  decipher.setAutoPadding(false);
  const padded = concat(decipher.update(payload.subarray(BLOCK_BYTES)), decipher.final());
  const padBytes = padded[padded.length - 1]!;
  if (padBytes >= BLOCK_BYTES) return malformed(`confidentiality pad of ${padBytes} bytes, at most 15 allowed`);
  const end = padded.length - 1 - padBytes;
  for (let i = 0; i < padBytes; i++)
    if (padded[end + i] !== i + 1) return malformed('confidentiality pad with wrong bytes');
  return ok(padded.slice(0, end));
}

export interface SealedMessage {
  readonly payloadType: number;
  /** The session id of the receiver. */
  readonly sessionId: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** An encrypted and authenticated datagram. `iv` is 16 unpredictable bytes, never used twice under one key. */
export function seal(keys: SessionKeys, message: SealedMessage, iv: Uint8Array): Uint8Array {
  const payload = encryptPayload(keys.aesKey, iv, message.payload);
  // The pad brings everything from the authentication type to the next header to a multiple of 4 (section 13.6).
  const padBytes = (4 - ((12 + payload.length + 2) % 4)) % 4;
  const trailer = new Uint8Array(padBytes + 2 + keys.suite.integrityBytes).fill(0xff, 0, padBytes);
  trailer[padBytes] = padBytes;
  trailer[padBytes + 1] = NEXT_HEADER;
  const datagram = encodeSession20({ ...message, encrypted: true, authenticated: true, payload, trailer });
  const signedEnd = datagram.length - keys.suite.integrityBytes;
  const code = hmac(keys.suite.hash, keys.k1, datagram.subarray(RMCP_HEADER_BYTES, signedEnd));
  datagram.set(code.subarray(0, keys.suite.integrityBytes), signedEnd);
  return datagram;
}

/**
 * Checks and decrypts a packet of a session. `datagram` is the whole datagram that `packet` was decoded from: the AuthCode
 * covers its bytes as they came. A packet without encryption or AuthCode is refused: the suites here always use both.
 */
export function unseal(keys: SessionKeys, packet: Session20Packet, datagram: Uint8Array): Result<Uint8Array> {
  if (!packet.authenticated || !packet.encrypted)
    return malformed('packet of a session without AuthCode or encryption');
  const { integrityBytes, hash } = keys.suite;
  const padBytes = packet.trailer.length - 2 - integrityBytes;
  if (padBytes < 0) return malformed(`session trailer of ${packet.trailer.length} bytes is too short`);
  const signedEnd = datagram.length - integrityBytes;
  const expected = hmac(hash, keys.k1, datagram.subarray(RMCP_HEADER_BYTES, signedEnd));
  if (!sameBytes(expected.subarray(0, integrityBytes), datagram.subarray(signedEnd)))
    return malformed('AuthCode does not match');
  if (packet.trailer[padBytes] !== padBytes) return malformed('session trailer with a wrong pad length');
  return decryptPayload(keys.aesKey, packet.payload);
}
