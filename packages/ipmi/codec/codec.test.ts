import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../testing/captures.ts';
import * as byHand from '../testing/bytes-by-hand.ts';
import { decodeLanRequest, decodeLanResponse, encodeLanRequest, encodeLanResponse } from './lan-message.ts';
import { decodePacket } from './packet.ts';
import * as rakp from './rakp-messages.ts';
import { ok } from './result.ts';
import type { Result } from './result.ts';
import { decodeRmcp, encodeAsfPing, encodeAsfPong } from './rmcp.ts';
import { acceptSequence, FRESH_WINDOW, nextSequence } from './sequence-window.ts';
import { decodeSession15, encodeSession15 } from './session15.ts';
import { decodeSession20, encodeOutsideSession, encodeSession20, PAYLOAD_TYPE } from './session20.ts';

const byte = fc.integer({ min: 0, max: 0xff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

const requests = fc.record({
  rsAddr: byte,
  netFn: fc.integer({ min: 0, max: 31 }).map((n) => n * 2),
  rsLun: fc.integer({ min: 0, max: 3 }),
  rqAddr: byte,
  rqSeq: fc.integer({ min: 0, max: 63 }),
  rqLun: fc.integer({ min: 0, max: 3 }),
  cmd: byte,
  data: bytes(0, 200),
});
const responses = fc.record({
  rqAddr: byte,
  netFn: fc.integer({ min: 0, max: 31 }).map((n) => n * 2 + 1),
  rqLun: fc.integer({ min: 0, max: 3 }),
  rsAddr: byte,
  rqSeq: fc.integer({ min: 0, max: 63 }),
  rsLun: fc.integer({ min: 0, max: 3 }),
  cmd: byte,
  completionCode: byte,
  data: bytes(0, 200),
});
const algorithm = fc.integer({ min: 0, max: 0x3f });
const suite = { authentication: algorithm, integrity: algorithm, confidentiality: algorithm };
const zero = fc.constant(0 as const);

const MESSAGES: readonly {
  name: string;
  values: fc.Arbitrary<unknown>;
  encode: (value: never) => Uint8Array;
  decode: (data: Uint8Array) => Result<unknown>;
}[] = [
  { name: 'LAN request', values: requests, encode: encodeLanRequest, decode: decodeLanRequest },
  { name: 'LAN response', values: responses, encode: encodeLanResponse, decode: decodeLanResponse },
  {
    name: 'v1.5 packet',
    values: fc.record({ sequence: uint32, sessionId: uint32, payload: bytes(0, 255) }),
    encode: encodeSession15,
    decode: (data) => decodeSession15(data.subarray(4)),
  },
  {
    name: 'RMCP+ packet',
    values: fc.record({
      payloadType: fc.constantFrom(...Object.values(PAYLOAD_TYPE)),
      encrypted: fc.boolean(),
      authenticated: fc.constant(true),
      sessionId: uint32,
      sequence: uint32,
      payload: bytes(0, 300),
      trailer: bytes(0, 40),
    }),
    encode: encodeSession20,
    decode: (data) => decodeSession20(data.subarray(4)),
  },
  {
    name: 'Open Session Request',
    values: fc.record({ tag: byte, maxPrivilege: fc.integer({ min: 0, max: 15 }), consoleSessionId: uint32, ...suite }),
    encode: rakp.encodeOpenSessionRequest,
    decode: rakp.decodeOpenSessionRequest,
  },
  {
    name: 'Open Session Response',
    values: fc.record({
      tag: byte,
      status: zero,
      maxPrivilege: fc.integer({ min: 0, max: 15 }),
      consoleSessionId: uint32,
      bmcSessionId: uint32,
      ...suite,
    }),
    encode: rakp.encodeOpenSessionResponse,
    decode: rakp.decodeOpenSessionResponse,
  },
  {
    name: 'RAKP 1',
    values: fc.record({
      tag: byte,
      bmcSessionId: uint32,
      consoleRandom: bytes(16, 16),
      role: byte,
      username: bytes(0, 16),
    }),
    encode: rakp.encodeRakp1,
    decode: rakp.decodeRakp1,
  },
  {
    name: 'RAKP 2',
    values: fc.record({
      tag: byte,
      status: zero,
      consoleSessionId: uint32,
      bmcRandom: bytes(16, 16),
      bmcGuid: bytes(16, 16),
      authCode: bytes(0, 32),
    }),
    encode: rakp.encodeRakp2,
    decode: rakp.decodeRakp2,
  },
  {
    name: 'RAKP 3',
    values: fc.record({ tag: byte, status: byte, bmcSessionId: uint32, authCode: bytes(0, 32) }),
    encode: rakp.encodeRakp3,
    decode: rakp.decodeRakp3,
  },
  {
    name: 'RAKP 4',
    values: fc.record({ tag: byte, status: zero, consoleSessionId: uint32, integrityCheck: bytes(0, 16) }),
    encode: rakp.encodeRakp4,
    decode: rakp.decodeRakp4,
  },
  {
    name: 'a refusal',
    values: fc.record({
      tag: byte,
      status: fc.integer({ min: 1, max: 255 }),
      consoleSessionId: fc.option(uint32, { nil: undefined }),
    }),
    encode: rakp.encodeRakpFailure,
    decode: rakp.decodeRakp4,
  },
];

describe.each(MESSAGES)('$name', ({ values, encode, decode }) => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encode(value as never))).toEqual(ok(value));
      }),
    );
  });

  it('cut short or made of noise gives a result, never an exception', () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 400 }), (value, length) => {
        expect(decode(encode(value as never).subarray(0, length))).toHaveProperty('ok');
      }),
    );
    fc.assert(
      fc.property(bytes(0, 400), (noise) => {
        expect(decode(noise)).toHaveProperty('ok');
      }),
    );
  });
});

describe('datagrams', () => {
  it('of noise give a result, never an exception', () => {
    const header = fc.constantFrom(
      ...['', '0600ff07', '0600ff0700', '0600ff0706', '0600ff0706c0', '0600ff06000011be80'].map(bytesOf),
    );
    fc.assert(
      fc.property(header, bytes(0, 100), (start, noise) => {
        expect(decodePacket(Uint8Array.from([...start, ...noise]))).toHaveProperty('ok');
      }),
      { numRuns: 2000 },
    );
  });

  it('longer than a frame are refused', () => {
    expect(decodePacket(new Uint8Array(1473))).toEqual({ ok: false, error: expect.stringContaining('1473') });
  });

  it.each([
    ['nothing', '', /4 bytes expected, got 0/],
    ['another RMCP version', '0500ff07', /version 0x06 expected, got 0x5/],
    ['an acknowledge', '0600ff87', /acknowledge/],
    ['another class', '0600ff08', /neither IPMI nor ASF/],
    ['no session header', '0600ff07', /without a session header/],
    ['authentication type MD5', '0600ff07 02 00000000 00000000 00', /authentication type 0x2/],
    ['an OEM payload', '0600ff07 06 02 00000000 00000000 0000', /OEM/],
    ['a payload that is not there', '0600ff07 06 00 00000000 00000000 0500 01', /5 bytes announced, 1 came/],
  ])('with %s say what is wrong', (_what, hex, message) => {
    const result = decodePacket(bytesOf(hex));
    expect(result.ok ? '' : result.error).toMatch(message);
  });

  it('of the specification are written as its tables say', () => {
    // Section 13.2.3, 13.2.4 (ASF presence), tables 13-6 and 13-7.
    expect(encodeAsfPing(0x11)).toEqual(bytesOf('0600ff06 000011be 80 11 00 00'));
    expect(encodeAsfPong(0x11)).toEqual(bytesOf('0600ff06 000011be 40 11 00 10 000011be 00000000 81 00 000000000000'));
    expect(decodeRmcp(encodeAsfPing(7))).toEqual(ok({ class: 'asf', type: 'ping', tag: 7 }));
    expect(decodeRmcp(encodeAsfPong(7))).toEqual(ok({ class: 'asf', type: 'pong', tag: 7 }));
  });
});

describe('against bytes built by hand', () => {
  it('LAN messages have their checksums', () => {
    fc.assert(
      fc.property(requests, responses, (request, response) => {
        const plain = { ...request, rsAddr: 0x20, rsLun: 0, rqAddr: 0x81, rqLun: 0 };
        expect([...encodeLanRequest(plain)]).toEqual(
          byHand.lanRequest(plain.netFn, plain.cmd, plain.rqSeq, [...plain.data]),
        );
        const answer = { ...response, rsAddr: 0x20, rsLun: 0, rqAddr: 0x81, rqLun: 0 };
        expect([...encodeLanResponse(answer)]).toEqual(
          byHand.lanResponse(answer.netFn - 1, answer.cmd, answer.rqSeq, answer.completionCode, [...answer.data]),
        );
      }),
    );
  });

  it('a wrong checksum is noticed, whichever', () => {
    const message = byHand.lanRequest(0x06, 0x01, 5, [1, 2, 3]);
    for (let at = 0; at < message.length; at++) {
      const changed = message.map((value, i) => (i === at ? value ^ 0x10 : value));
      expect(decodeLanRequest(Uint8Array.from(changed)).ok, `byte ${at}`).toBe(false);
    }
  });

  it('session headers are where the tables put them', () => {
    const request = byHand.lanRequest(0x06, 0x38, 1, [0x8e, 0x04]);
    const payload = Uint8Array.from(request);
    expect([...encodeSession15({ sequence: 0, sessionId: 0, payload })]).toEqual(byHand.v15(request));
    expect([...encodeOutsideSession(0x10, payload)]).toEqual(byHand.v20(0x10, request));
  });

  it('session establishment is laid out as sections 13.17 to 13.23 say', () => {
    const random = Array.from({ length: 16 }, (_, i) => i);
    const suite17 = { authentication: 3, integrity: 4, confidentiality: 1 };
    const records = [0, 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 8, 1, 0, 0, 0];
    const open = { tag: 9, maxPrivilege: 4, consoleSessionId: 0xa1b2c3d4, ...suite17 };
    expect([...rakp.encodeOpenSessionRequest(open)]).toEqual([9, 4, 0, 0, ...byHand.le32(0xa1b2c3d4), ...records]);
    expect([...rakp.encodeOpenSessionResponse({ ...open, status: 0, bmcSessionId: 0x01020304 })]).toEqual([
      ...[9, 0, 4, 0],
      ...byHand.le32(0xa1b2c3d4),
      ...byHand.le32(0x01020304),
      ...records,
    ]);
    const username = new TextEncoder().encode('root');
    const consoleRandom = Uint8Array.from(random);
    expect([...rakp.encodeRakp1({ tag: 1, bmcSessionId: 2, consoleRandom, role: 0x14, username })]).toEqual([
      ...[1, 0, 0, 0],
      ...byHand.le32(2),
      ...random,
      ...[0x14, 0, 0, 4, 0x72, 0x6f, 0x6f, 0x74],
    ]);
  });
});

describe('the sequence window', () => {
  it('takes 15 in front and 15 behind, each once', () => {
    let window = acceptSequence(FRESH_WINDOW, 15, 16)!;
    expect(window).toBeDefined();
    expect(acceptSequence(window, 15 + 16, 16)).toBeUndefined();
    window = acceptSequence(window, 15 + 15, 16)!;
    expect(acceptSequence(window, 30, 16)).toBeUndefined();
    expect(acceptSequence(window, 30 - 16, 16)).toBeUndefined();
    expect(acceptSequence(window, 30 - 15, 16)).toBeUndefined(); // 15 was seen
    expect(acceptSequence(window, 30 - 14, 16)).toBeDefined();
    expect(acceptSequence(window, 0, 16)).toBeUndefined();
  });

  it('never takes a number twice, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }), (numbers) => {
        let window = FRESH_WINDOW;
        const taken = new Set<number>();
        for (const number of numbers) {
          const next = acceptSequence(window, number, 16);
          if (!next) continue;
          expect(taken.has(number)).toBe(false);
          taken.add(number);
          window = next;
        }
      }),
    );
  });

  it('goes round past 32 bits without 0', () => {
    expect(nextSequence(0xffff_ffff)).toBe(1);
    const window = { highest: 0xffff_fffe, seen: 1 };
    expect(acceptSequence(window, 3, 16)).toEqual({ highest: 3, seen: (1 << 5) | 1 });
  });
});
