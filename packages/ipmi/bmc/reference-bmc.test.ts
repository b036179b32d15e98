import { Secret } from '@bessemer/ports';
import { describe, expect, it } from 'vitest';
import { getPowerState, setPower } from '../client/power.ts';
import { getBootDevice, setBootDevice } from '../client/boot-device.ts';
import { openedSession, sealRequest } from '../client/session.ts';
import type { Session } from '../client/session.ts';
import { startHandshake, onHandshakePacket } from '../client/handshake.ts';
import type { Handshake, HandshakeConfig } from '../client/handshake.ts';
import { UNKNOWN_ROUND_TRIP } from '../client/rtt.ts';
import { decodePacket } from '../codec/packet.ts';
import { encodeAsfPing, encodeAsfPong } from '../codec/rmcp.ts';
import { getDeviceId } from '../commands/get-device-id.ts';
import { getSelfTestResults } from '../commands/get-self-test-results.ts';
import { rawCommand } from '../commands/raw.ts';
import { keyOf } from '../crypto/rakp-keys.ts';
import { ManualClock, memoryDatagrams, seededRandom } from '@bessemer/ports/testing';
import { silentLog } from '@bessemer/ports';
import { ADMIN, BMC_PEER, createWorld } from '../testing/world.ts';
import { createMemoryChassis } from './memory-chassis.ts';
import { createReferenceBmc } from './reference-bmc.ts';
import type { BmcLimits } from './options.ts';

const CONFIG: HandshakeConfig = {
  bmc: 'bmc',
  username: new TextEncoder().encode('admin'),
  userKey: keyOf('password'),
  bmcKey: undefined,
  privilege: 4,
  cipherSuites: [17],
  tries: 4,
};

/** A socket that speaks to the BMC byte by byte. */
async function createProbe(limits?: BmcLimits) {
  const clock = new ManualClock();
  const random = seededRandom(5);
  const datagrams = memoryDatagrams(clock);
  const bmc = createReferenceBmc({
    datagrams,
    clock,
    random,
    log: silentLog,
    ...BMC_PEER,
    users: [ADMIN],
    chassis: createMemoryChassis(clock),
    ...(limits ? { limits } : {}),
  });
  await bmc.start();
  const socket = await datagrams.bind({ address: '10.0.0.2', port: 1000 });
  let inbox: Uint8Array[] = [];
  socket.onMessage((data) => inbox.push(data));
  /** Sends and gives back what came within a millisecond. */
  async function ask(data: Uint8Array): Promise<Uint8Array[]> {
    inbox = [];
    socket.send(data, BMC_PEER);
    await clock.advance(1);
    return inbox;
  }
  const input = (freshSessionId: number) => ({ nowMs: clock.monotonicMs(), entropy: random.bytes(16), freshSessionId });
  async function open(id: number, onDatagram: (handshake: Handshake) => Promise<void> = async () => {}) {
    let handshake = startHandshake(CONFIG, input(id), true);
    for (;;) {
      const [answer] = await ask(handshake.datagram);
      await onDatagram(handshake);
      const packet = decodePacket(answer!);
      if (!packet.ok) throw new Error(packet.error);
      const outcome = onHandshakePacket(CONFIG, handshake, packet.value, input(id), UNKNOWN_ROUND_TRIP);
      if (outcome.kind === 'established') return openedSession(outcome.established, clock.monotonicMs());
      if (outcome.kind !== 'send') throw new Error(JSON.stringify(outcome));
      handshake = outcome.handshake;
    }
  }
  const request = { id: 1, name: 'id', netFn: 6, cmd: 1, data: new Uint8Array(0), isIdempotent: true };
  const query = (session: Session): Uint8Array => sealRequest(session, request, 0, random.bytes(16)).datagram;
  return { clock, bmc, ask, open, query };
}

describe('the sequence window', () => {
  it('takes +15, drops +16 and repeats in silence', async () => {
    const { bmc, ask, open, query } = await createProbe();
    const session = await open(1);
    const first = query({ ...session, outSequence: 14 });
    expect(await ask(first)).toHaveLength(1);
    expect(await ask(first)).toHaveLength(0);
    expect(await ask(query({ ...session, outSequence: 15 + 15 }))).toHaveLength(0);
    expect(await ask(query({ ...session, outSequence: 15 + 14 }))).toHaveLength(1);
    expect(bmc.stats.outOfWindow).toBe(2);
  });
});

describe('session slots', () => {
  it('end after 60 s of silence, and not before', async () => {
    const { clock, bmc, ask, open, query } = await createProbe();
    const session = await open(1);
    await clock.advance(59_000);
    expect(await ask(query(session))).toHaveLength(1);
    await clock.advance(59_000);
    expect(bmc.stats.activeSessions).toBe(1);
    await clock.advance(2000);
    expect(bmc.stats.activeSessions).toBe(0);
    expect(await ask(query({ ...session, outSequence: 5 }))).toHaveLength(0);
  });

  it('are not used up by a handshake whose every datagram comes twice', async () => {
    const { bmc, ask, open, query } = await createProbe();
    const session = await open(1, async (handshake) => {
      expect(await ask(handshake.datagram)).toHaveLength(1);
    });
    expect(await ask(query(session))).toHaveLength(1);
    expect(bmc.stats.sessionsOpened).toBe(1);
    expect(bmc.stats.activeSessions).toBe(1);
  });

  it('cannot be filled by those who never finish', async () => {
    const { ask, open } = await createProbe();
    const started = (id: number) =>
      startHandshake(CONFIG, { nowMs: 0, entropy: new Uint8Array(16), freshSessionId: id }, true).datagram;
    for (let id = 1; id < 200; id++) expect(await ask(started(id))).toHaveLength(1);
    expect((await open(500)).keys.suite.id).toBe(17);
  });
});

describe('strangers', () => {
  it('get a pong for a ping and silence for everything else', async () => {
    const { bmc, ask, open, query } = await createProbe();
    expect(await ask(encodeAsfPing(3))).toEqual([encodeAsfPong(3)]);
    for (const noise of [new Uint8Array(0), new Uint8Array(2000), Uint8Array.of(6, 0, 0xff, 7)])
      expect(await ask(noise)).toEqual([]);
    const session = await open(1);
    const forged = query(session);
    forged[forged.length - 1]! ^= 1;
    expect(await ask(forged)).toEqual([]);
    expect(bmc.stats.strangers).toBe(1);
  });
});

describe('a real BMC’s ways', () => {
  it('show the former power state for two seconds', async () => {
    const world = await createWorld({ limits: { powerLagMs: 2000 } });
    await world.run(setPower(world.endpoint(), 'on'));
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    await world.clock.advance(1990);
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    await world.clock.advance(20);
    expect(await world.run(getPowerState(world.endpoint()))).toBe('on');
  });

  it('spend a one-shot override at the next start, and keep a persistent one', async () => {
    const world = await createWorld();
    const endpoint = world.endpoint();
    await world.run(setBootDevice(endpoint, { device: 'pxe', persistent: false, efi: true }));
    await world.run(setPower(endpoint, 'on'));
    expect((await world.run(getBootDevice(endpoint))).valid).toBe(false);
    await world.run(setPower(endpoint, 'reset'));
    await world.run(setBootDevice(endpoint, { device: 'disk', persistent: true, efi: true }));
    await world.run(setPower(endpoint, 'cycle'));
    await world.run(setPower(endpoint, 'reset'));
    expect(world.chassis.boots.map(({ device }) => device)).toEqual(['pxe', 'none', 'disk', 'disk']);
  });

  it('lose a one-shot override at a reset, where they are told to', async () => {
    const world = await createWorld({ limits: { losesOneShotOnReset: true } });
    const endpoint = world.endpoint();
    await world.run(setPower(endpoint, 'on'));
    await world.run(setBootDevice(endpoint, { device: 'pxe', persistent: false, efi: true }));
    await world.run(setPower(endpoint, 'reset'));
    expect(world.chassis.boots.at(-1)?.device).toBe('none');
  });

  it('answer C1h to what they do not know, and FFh when the machine fails', async () => {
    const world = await createWorld();
    const unknown = world.endpoint().send(rawCommand(0x2c, 0x3e), Uint8Array.of(0), { idempotent: true });
    await expect(world.run(unknown)).rejects.toMatchObject({ details: { completionCode: 0xc1 } });
    world.chassis.control = () => Promise.reject(new Error('no such machine'));
    await expect(world.run(setPower(world.endpoint(), 'on'))).rejects.toMatchObject({
      details: { completionCode: 0xff },
    });
  });

  it('answer what they are', async () => {
    const world = await createWorld();
    expect(await world.run(world.endpoint().send(getDeviceId, undefined))).toMatchObject({
      isAvailable: true,
      firmwareRevision: '1.00',
      ipmiVersion: '2.0',
    });
    expect(await world.run(world.endpoint().send(getSelfTestResults, undefined))).toEqual({
      result: 'passed',
      detail: 0,
    });
  });

  it('forget every session at a cold reset', async () => {
    const world = await createWorld();
    const coldReset = world.endpoint().send(rawCommand(0x06, 0x02), new Uint8Array(0));
    await world.run(coldReset);
    expect(world.bmc.stats.activeSessions).toBe(0);
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
  });

  it('do not accept a user who could never log in', async () => {
    const long = { ...ADMIN, password: new Secret('a password of 21 byte') };
    await expect(createWorld({ users: [long] })).rejects.toThrow(/at most 20 bytes/);
  });
});
