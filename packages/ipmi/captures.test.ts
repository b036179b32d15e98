/** Captured conversations of foreign programs, read and written again byte by byte, keys derived from the password alone. */
import { describe, expect, it } from 'vitest';
import { decodeLanRequest, decodeLanResponse, encodeLanRequest, encodeLanResponse } from './codec/lan-message.ts';
import { decodePacket } from './codec/packet.ts';
import * as rakp from './codec/rakp-messages.ts';
import type { Result } from './codec/result.ts';
import { encodeSession15 } from './codec/session15.ts';
import { encodeOutsideSession, encodeSession20, PAYLOAD_TYPE } from './codec/session20.ts';
import type { CipherSuiteId } from './crypto/cipher-suites.ts';
import { CIPHER_SUITES } from './crypto/cipher-suites.ts';
import * as keys from './crypto/rakp-keys.ts';
import { seal, unseal } from './crypto/seal.ts';
import { bytesOf, readCapture } from './testing/captures.ts';
import type { CapturedDatagram } from './testing/captures.ts';

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

/** Walks one conversation, checks every byte of it, and returns "netFn/cmd" of each request seen. */
function walk(session: readonly CapturedDatagram[], suiteId: CipherSuiteId, password: string): string[] {
  const suite = CIPHER_SUITES[suiteId];
  const seen: string[] = [];
  let open: rakp.OpenSessionResponse | undefined;
  let rakp1: rakp.Rakp1 | undefined;
  let exchange: keys.RakpExchange | undefined;
  let sik: Uint8Array | undefined;
  for (const { from, hex } of session) {
    const datagram = bytesOf(hex);
    const packet = must(decodePacket(datagram));
    if (packet.kind === 'v15') {
      expect(encodeSession15(packet.packet)).toEqual(datagram);
      const { payload } = packet.packet;
      if (from === 'console') expect(encodeLanRequest(must(decodeLanRequest(payload)))).toEqual(payload);
      else expect(encodeLanResponse(must(decodeLanResponse(payload)))).toEqual(payload);
      continue;
    }
    if (packet.kind !== 'v20') throw new Error('an ASF message in the capture');
    const { packet: v20 } = packet;
    expect(encodeSession20(v20)).toEqual(datagram);
    const check = (payload: Uint8Array): void =>
      expect(encodeOutsideSession(v20.payloadType, payload)).toEqual(datagram);
    switch (v20.payloadType) {
      case PAYLOAD_TYPE.openSessionRequest:
        check(rakp.encodeOpenSessionRequest(must(rakp.decodeOpenSessionRequest(v20.payload))));
        break;
      case PAYLOAD_TYPE.openSessionResponse:
        open = must(rakp.decodeOpenSessionResponse(v20.payload)) as rakp.OpenSessionResponse;
        check(rakp.encodeOpenSessionResponse(open));
        break;
      case PAYLOAD_TYPE.rakp1:
        rakp1 = must(rakp.decodeRakp1(v20.payload));
        check(rakp.encodeRakp1(rakp1));
        break;
      case PAYLOAD_TYPE.rakp2: {
        const rakp2 = must(rakp.decodeRakp2(v20.payload)) as rakp.Rakp2;
        check(rakp.encodeRakp2(rakp2));
        exchange = {
          suite,
          consoleSessionId: open!.consoleSessionId,
          bmcSessionId: open!.bmcSessionId,
          consoleRandom: rakp1!.consoleRandom,
          bmcRandom: rakp2.bmcRandom,
          bmcGuid: rakp2.bmcGuid,
          role: rakp1!.role,
          username: rakp1!.username,
          userKey: keys.keyOf(password),
        };
        expect(keys.rakp2AuthCode(exchange)).toEqual(rakp2.authCode);
        break;
      }
      case PAYLOAD_TYPE.rakp3: {
        const rakp3 = must(rakp.decodeRakp3(v20.payload));
        check(rakp.encodeRakp3(rakp3));
        expect(keys.rakp3AuthCode(exchange!)).toEqual(rakp3.authCode);
        break;
      }
      case PAYLOAD_TYPE.rakp4: {
        const rakp4 = must(rakp.decodeRakp4(v20.payload)) as rakp.Rakp4;
        check(rakp.encodeRakp4(rakp4));
        sik = keys.sessionIntegrityKey(exchange!);
        expect(keys.rakp4IntegrityCheck(exchange!, sik)).toEqual(rakp4.integrityCheck);
        break;
      }
      case PAYLOAD_TYPE.ipmi: {
        const sessionKeys = keys.sessionKeys(suite, sik!);
        const payload = must(unseal(sessionKeys, v20, datagram));
        expect(seal(sessionKeys, { ...v20, payload }, v20.payload.slice(0, 16))).toEqual(datagram);
        if (from === 'bmc') {
          expect(encodeLanResponse(must(decodeLanResponse(payload)))).toEqual(payload);
          break;
        }
        const request = must(decodeLanRequest(payload));
        expect(encodeLanRequest(request)).toEqual(payload);
        seen.push(`${request.netFn.toString(16)}/${request.cmd.toString(16)}`);
        break;
      }
      default:
        throw new Error(`payload type ${v20.payloadType} in the capture`);
    }
  }
  return seen;
}

describe.each([3, 17] as const)('a capture of ipmitool at suite %i', (suite) => {
  const capture = readCapture(suite);

  it('is read and written again byte by byte', () => {
    const seen = capture.sessions.map((session) => walk(session, suite, capture.password));
    expect(seen[0]).toContain('0/1');
    expect(seen[1]).toContain('0/2');
    expect(seen[2]).toContain('0/8');
    for (const commands of seen) expect(commands.at(-1)).toBe('6/3c');
  });

  it('does not open with another password', () => {
    expect(() => walk(capture.sessions[0]!, suite, 'passwort')).toThrow();
  });

  it('cut at any length is refused, never thrown at', () => {
    for (const { hex } of capture.sessions.flat()) {
      const datagram = bytesOf(hex);
      for (let length = 0; length < datagram.length; length++) {
        const cut = decodePacket(datagram.subarray(0, length));
        // Only an authenticated packet can lose bytes of its trailer unnoticed here: its AuthCode tells.
        if (cut.ok) expect(cut.value.kind === 'v20' && cut.value.packet.authenticated).toBe(true);
      }
      const whole = must(decodePacket(datagram));
      if (whole.kind === 'asf') continue;
      const { payload } = whole.packet;
      const readers = Object.entries(rakp).filter(([name]) => name.startsWith('decode')) as [
        string,
        (bytes: Uint8Array) => Result<unknown>,
      ][];
      for (let length = 0; length < payload.length; length++)
        for (const read of [decodeLanRequest, decodeLanResponse, ...readers.map(([, reader]) => reader)])
          expect(read(payload.subarray(0, length))).toHaveProperty('ok');
    }
  });
});
