/** The RAKP authenticated key exchange (IPMI v2.0 sections 13.19 to 13.23, 13.31, 13.32): pure functions of their arguments. */
import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { concat, uint32 } from '../codec/bytes.ts';
import type { CipherSuite } from './cipher-suites.ts';

/** What both sides know once RAKP 2 is there. Names as in section 13.19. */
export interface RakpExchange {
  readonly suite: CipherSuite;
  /** SID_M. */
  readonly consoleSessionId: number;
  /** SID_C. */
  readonly bmcSessionId: number;
  /** R_M. */
  readonly consoleRandom: Uint8Array;
  /** R_C. */
  readonly bmcRandom: Uint8Array;
  /** GUID_C. */
  readonly bmcGuid: Uint8Array;
  /** Role_M, the whole byte as sent in RAKP 1. */
  readonly role: number;
  /** UName_M. */
  readonly username: Uint8Array;
  /** K_uid: the password, padded to 20 bytes with zeroes. */
  readonly userKey: Uint8Array;
  /** K_G: the BMC key; undefined means one-key log-in, where K_uid takes its place (section 13.33). */
  readonly bmcKey?: Uint8Array | undefined;
}

/** The keys of a session that stands. As key objects: OpenSSL takes in a raw key anew with every packet, which costs more than the packet. */
export interface SessionKeys {
  readonly suite: CipherSuite;
  /** Integrity key. */
  readonly k1: KeyObject;
  /** The first 16 bytes of K2: the AES key. */
  readonly aesKey: KeyObject;
}

const KEY_BYTES = 20;

/** K_uid and K_G are 20 bytes, padded with zeroes (section 22.30). The caller has checked that the text fits. */
export function keyOf(text: string): Uint8Array {
  const out = new Uint8Array(KEY_BYTES);
  out.set(new TextEncoder().encode(text).subarray(0, KEY_BYTES));
  return out;
}

export function hmac(hash: 'sha1' | 'sha256', key: Uint8Array | KeyObject, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac(hash, key).update(data).digest());
}

/** Constant-time comparison; different lengths are simply unequal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function roleAndName(x: RakpExchange): Uint8Array {
  return concat(Uint8Array.of(x.role, x.username.length), x.username);
}

/** HMAC_Kuid(SID_M, SID_C, R_M, R_C, GUID_C, Role_M, ULength_M, UName_M), section 13.31. */
export function rakp2AuthCode(x: RakpExchange): Uint8Array {
  return hmac(
    x.suite.hash,
    x.userKey,
    concat(uint32(x.consoleSessionId), uint32(x.bmcSessionId), x.consoleRandom, x.bmcRandom, x.bmcGuid, roleAndName(x)),
  );
}

/** HMAC_Kuid(R_C, SID_M, Role_M, ULength_M, UName_M), section 13.31. */
export function rakp3AuthCode(x: RakpExchange): Uint8Array {
  return hmac(x.suite.hash, x.userKey, concat(x.bmcRandom, uint32(x.consoleSessionId), roleAndName(x)));
}

/** SIK = HMAC_KG(R_M, R_C, Role_M, ULength_M, UName_M), section 13.31. */
export function sessionIntegrityKey(x: RakpExchange): Uint8Array {
  return hmac(x.suite.hash, x.bmcKey ?? x.userKey, concat(x.consoleRandom, x.bmcRandom, roleAndName(x)));
}

/** HMAC_SIK(R_M, SID_C, GUID_C), cut to the integrity algorithm's length, section 13.31. */
export function rakp4IntegrityCheck(x: RakpExchange, sik: Uint8Array): Uint8Array {
  const full = hmac(x.suite.hash, sik, concat(x.consoleRandom, uint32(x.bmcSessionId), x.bmcGuid));
  return full.subarray(0, x.suite.integrityBytes);
}

/** K1 = HMAC_SIK(20 bytes of 01h), K2 = HMAC_SIK(20 bytes of 02h), section 13.32. */
export function sessionKeys(suite: CipherSuite, sik: Uint8Array): SessionKeys {
  const k1 = hmac(suite.hash, sik, new Uint8Array(KEY_BYTES).fill(0x01));
  const k2 = hmac(suite.hash, sik, new Uint8Array(KEY_BYTES).fill(0x02));
  return { suite, k1: createSecretKey(k1), aesKey: createSecretKey(k2.subarray(0, 16)) };
}
