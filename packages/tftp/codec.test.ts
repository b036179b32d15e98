import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, encodePacket } from './codec.ts';
import type { TftpPacket } from './codec.ts';
import { requestBytes } from './testing.ts';
import vectors from './testdata/packets.json' with { type: 'json' };

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((s) => !s.includes('\0') && s.isWellFormed());
const name = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
const options = fc.array(fc.tuple(name, text), { maxLength: 8 }).map((pairs) => new Map(pairs));
const block = fc.nat(0xffff);
const packets: fc.Arbitrary<TftpPacket> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('read' as const, 'write' as const),
    path: text.filter((s) => s !== ''),
    mode: fc.constantFrom('octet', 'netascii'),
    options,
  }),
  fc.record({ kind: fc.constant('data' as const), block, payload: fc.uint8Array({ maxLength: 1500 }) }),
  fc.record({ kind: fc.constant('ack' as const), block }),
  fc.record({ kind: fc.constant('error' as const), code: block, message: text }),
  fc.record({ kind: fc.constant('option-ack' as const), options }),
);

describe('codec', () => {
  for (const vector of vectors)
    it(`reads ${vector.name}`, () => {
      const decoded = decodePacket(bytesOf(vector.hex));
      expect(decoded.ok).toBe(true);
      if (!decoded.ok) return;
      const { packet } = decoded;
      const plain = {
        ...packet,
        ...('options' in packet ? { options: Object.fromEntries(packet.options) } : {}),
        ...('payload' in packet ? { payload: Buffer.from(packet.payload).toString('hex') } : {}),
      };
      expect(plain).toEqual(vector.packet);
      if (vector.exact) expect(Buffer.from(encodePacket(packet)).toString('hex')).toBe(vector.hex.replaceAll(' ', ''));
    });

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        expect(decodePacket(encodePacket(packet))).toEqual({ ok: true, packet });
      }),
    );
  });

  it('writes what an independent builder writes', () => {
    const packet: TftpPacket = { kind: 'read', path: 'a/b', mode: 'octet', options: new Map([['blksize', '1468']]) };
    expect(Buffer.from(encodePacket(packet))).toEqual(requestBytes(1, 'a/b', 'octet', 'blksize', '1468'));
  });

  it('never throws, whatever it is fed', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void decodePacket(bytes)));
    const request = fc.uint8Array({ maxLength: 600 }).map((rest) => Uint8Array.from([0, 1, ...rest]));
    fc.assert(fc.property(request, (bytes) => void decodePacket(bytes)));
  });

  it('takes every vector cut at every length without a throw', () => {
    for (const vector of vectors) {
      const whole = bytesOf(vector.hex);
      for (let length = 0; length < whole.length; length++) {
        const decoded = decodePacket(whole.subarray(0, length));
        if (!decoded.ok) expect(decoded.reason).not.toBe('');
      }
    }
  });

  it.each([
    ['no file name', requestBytes(1, '', 'octet'), 'empty file name'],
    ['no mode', requestBytes(1, 'x'), 'file name and mode'],
    ['an option without a value', requestBytes(1, 'x', 'octet', 'tsize'), 'without a value'],
    ['a string that does not end', Buffer.from('\0\x01file'), 'closing NUL'],
    ['a request of 2 kB', requestBytes(1, 'x'.repeat(2000), 'octet'), 'longer than'],
    ['a hundred options', requestBytes(1, 'x', 'octet', ...Array.from({ length: 200 }, () => 'a')), 'more than'],
    ['opcode 9', Buffer.from([0, 9, 0, 0]), 'unknown opcode 9'],
  ])('refuses %s and says why', (_case, bytes, why) => {
    expect(decodePacket(bytes)).toEqual({ ok: false, reason: expect.stringContaining(why) });
  });

  it('lets the first of two equal options count, and ends the list at padding', () => {
    const bytes = requestBytes(1, 'x', 'OCTET', 'BLKSIZE', '8', 'blksize', '9', '', '', '');
    expect(decodePacket(bytes)).toMatchObject({
      ok: true,
      packet: { mode: 'octet', options: new Map([['blksize', '8']]) },
    });
  });

  it('refuses to write what cannot be read back', () => {
    expect(() => encodePacket({ kind: 'ack', block: 65_536 })).toThrow(RangeError);
    expect(() => encodePacket({ kind: 'error', code: 0, message: 'a\0b' })).toThrow(RangeError);
  });
});
