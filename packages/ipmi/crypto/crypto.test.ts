import { createSecretKey, KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket } from '../codec/packet.ts';
import { ok } from '../codec/result.ts';
import { CIPHER_SUITES, suiteOfAlgorithms } from './cipher-suites.ts';
import { hmac, keyOf, sameBytes, sessionKeys } from './rakp-keys.ts';
import { decryptPayload, encryptPayload, seal, unseal } from './seal.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

describe('keyed hashes', () => {
  it('are those of RFC 2202 test 2 and RFC 4231 test 2', () => {
    const key = new TextEncoder().encode('Jefe');
    const data = new TextEncoder().encode('what do ya want for nothing?');
    expect(hex(hmac('sha1', key, data))).toBe('effcdf6ae5eb2fa2d27416d5f184df9c259a7c79');
    expect(hex(hmac('sha256', key, data))).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  });

  it('compare by content, and never with another length', () => {
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  });

  it('take passwords of 20 bytes padded with zeroes', () => {
    expect(hex(keyOf('password'))).toBe('70617373776f7264000000000000000000000000');
  });
});

describe('AES payloads', () => {
  it('are those of NIST SP 800-38A, F.2.1, block 1, behind their vector', () => {
    const key = createSecretKey('2b7e151628aed2a6abf7158809cf4f3c', 'hex');
    const iv = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
    const plain = Buffer.from('6bc1bee22e409f96e93d7e117393172a', 'hex');
    // 16 bytes and the pad length byte make two blocks: the first is the standard's.
    const sealed = encryptPayload(key, iv, plain);
    expect(hex(sealed.subarray(0, 32))).toBe(`${hex(iv)}7649abac8119b246cee98e9b12e9197d`);
    expect(sealed.length).toBe(48);
    expect(decryptPayload(key, sealed)).toEqual(ok(new Uint8Array(plain)));
  });

  it('come back as they were, at every length', () => {
    fc.assert(
      fc.property(bytes(16, 16), bytes(16, 16), bytes(0, 100), (raw, iv, plain) => {
        const key = createSecretKey(raw);
        const sealed = encryptPayload(key, iv, plain);
        expect(sealed.length % 16).toBe(0);
        expect(decryptPayload(key, sealed)).toEqual(ok(plain));
      }),
    );
  });

  it('of noise give a result', () => {
    fc.assert(
      fc.property(bytes(16, 16), bytes(0, 100), (raw, noise) => {
        expect(decryptPayload(createSecretKey(raw), noise)).toHaveProperty('ok');
      }),
    );
  });
});

describe.each([CIPHER_SUITES[3], CIPHER_SUITES[17]])('packets sealed at suite $id', (suite) => {
  const keys = sessionKeys(suite, new Uint8Array(suite.authCodeBytes).fill(7));
  const message = { payloadType: 0, sessionId: 0x01020304, sequence: 9 };

  it('are sealed with key objects, made once for the session', () => {
    expect(keys.k1).toBeInstanceOf(KeyObject);
    expect(keys.aesKey).toBeInstanceOf(KeyObject);
    expect(keys.aesKey.symmetricKeySize).toBe(16);
    const { k1, aesKey } = sessionKeys(suite, new Uint8Array(suite.authCodeBytes).fill(7));
    expect([k1.equals(keys.k1), aesKey.equals(keys.aesKey)]).toEqual([true, true]);
  });

  it('open with the same keys, and are whole words long', () => {
    fc.assert(
      fc.property(bytes(0, 120), bytes(16, 16), (payload, iv) => {
        const datagram = seal(keys, { ...message, payload }, iv);
        expect((datagram.length - 4 - suite.integrityBytes) % 4).toBe(0);
        const packet = decodePacket(datagram);
        if (!packet.ok || packet.value.kind !== 'v20') throw new Error('not an RMCP+ packet');
        expect(unseal(keys, packet.value.packet, datagram)).toEqual(ok(payload));
      }),
    );
  });

  it('do not open with any bit turned, nor cut at any length', () => {
    const datagram = seal(keys, { ...message, payload: Uint8Array.of(1, 2, 3) }, new Uint8Array(16));
    const opens = (changed: Uint8Array): boolean => {
      const packet = decodePacket(changed);
      return packet.ok && packet.value.kind === 'v20' && unseal(keys, packet.value.packet, changed).ok;
    };
    expect(opens(datagram)).toBe(true);
    for (let bit = 4 * 8; bit < datagram.length * 8; bit++) {
      const changed = Uint8Array.from(datagram);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(opens(changed), `bit ${bit}`).toBe(false);
    }
    for (let length = 0; length < datagram.length; length++) expect(opens(datagram.subarray(0, length))).toBe(false);
  });

  it('are found by their algorithms', () => {
    expect(suiteOfAlgorithms(suite)).toBe(suite);
    expect(suiteOfAlgorithms({ ...suite, confidentiality: 0 })).toBeUndefined();
  });
});
