import { Secret } from '@bessemer/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket } from '../codec/packet.ts';
import { chassisControl } from '../commands/chassis-control.ts';
import { getChassisStatus } from '../commands/get-chassis-status.ts';
import { getDeviceId } from '../commands/get-device-id.ts';
import { IpmiError } from '../errors.ts';
import { seededRandom } from '@bessemer/ports/testing';
import { createWorld } from '../testing/world.ts';
import { getBootDevice, setBootDevice } from './boot-device.ts';
import { getPowerState, setPower } from './power.ts';

const CHASSIS_CONTROL = 0x02;
const isControl = (request: { netFn: number; cmd: number }): boolean =>
  request.netFn === 0 && request.cmd === CHASSIS_CONTROL;
const code = (error: unknown): string => (error instanceof IpmiError ? error.code : String(error));

describe('a held session', () => {
  it('serves many requests, and the endpoint asked for twice is the same', async () => {
    const world = await createWorld();
    expect(world.endpoint()).toBe(world.endpoint());
    for (let i = 0; i < 50; i++) await world.run(getPowerState(world.endpoint()));
    expect(world.bmc.stats.sessionsOpened).toBe(1);
    expect(world.bmc.stats.commands).toBe(52); // capabilities and privilege besides
  });

  it('has one request in flight at a time, in order', async () => {
    const world = await createWorld();
    const order: number[] = [];
    let inFlight = 0;
    world.tricks.link = (toBmc) => {
      inFlight += toBmc ? 1 : -1;
      expect(inFlight).toBeLessThanOrEqual(1);
      return [5];
    };
    const all = Array.from({ length: 20 }, (_, i) => getPowerState(world.endpoint()).then(() => order.push(i)));
    await world.run(Promise.all(all));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('is kept alive for an hour without requests', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    await world.clock.advance(3_600_000);
    expect(world.endpoint().hasSession).toBe(true);
    await world.run(getPowerState(world.endpoint()));
    expect(world.bmc.stats.sessionsOpened).toBe(1);
  });

  it('without keep-alive sends nothing, and is opened again before it is used', async () => {
    const world = await createWorld({ client: { keepAliveMs: 0 } });
    await world.run(getPowerState(world.endpoint()));
    const sent = world.sentToBmc.length;
    await world.clock.advance(600_000);
    expect(world.sentToBmc.length).toBe(sent);
    const startMs = world.clock.monotonicMs();
    await world.run(getPowerState(world.endpoint()));
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(10);
    expect(world.bmc.stats.sessionsOpened).toBe(2);
  });

  it('that the BMC has forgotten is opened again, and the request repeated', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    await world.bmc.stop();
    await world.bmc.start();
    const startMs = world.clock.monotonicMs();
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    expect(world.bmc.stats.sessionsOpened).toBe(2);
    // Two time-outs of a second, then the new session.
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(2100);
  });

  it('is closed on request, so that the BMC has its slot again', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    expect(world.bmc.stats.activeSessions).toBe(1);
    await world.run(world.client.close());
    expect(world.bmc.stats.activeSessions).toBe(0);
    expect(world.client.stats.endpoints).toBe(0);
  });
});

describe('retransmission', () => {
  it('repeats the first datagram after 250 ms, everything else after a second at least', async () => {
    const world = await createWorld();
    let drop = 1;
    world.tricks.link = (toBmc) => (toBmc && drop-- > 0 ? [] : [0]);
    await world.run(getPowerState(world.endpoint()));
    expect(world.sentToBmc[1]!.atMs - world.sentToBmc[0]!.atMs).toBe(250);
    // Each later datagram lost once in turn.
    for (let lost = 1; lost < 6; lost++) {
      const next = await createWorld();
      let count = 0;
      next.tricks.link = (toBmc) => (toBmc && count++ === lost ? [] : [0]);
      await next.run(getPowerState(next.endpoint()));
      const gaps = next.sentToBmc.slice(1).map(({ atMs }, i) => atMs - next.sentToBmc[i]!.atMs);
      expect(Math.max(...gaps), `datagram ${lost} lost`).toBe(1000);
      expect(next.bmc.stats.sessionsOpened).toBe(1);
    }
  });

  it('waits longer for a BMC that has shown to be slow', async () => {
    const world = await createWorld();
    world.tricks.link = () => [900];
    for (let i = 0; i < 5; i++) await world.run(getPowerState(world.endpoint()));
    world.tricks.link = (toBmc) => (toBmc ? [] : [900]);
    const before = world.sentToBmc.length;
    await world.run(getPowerState(world.endpoint()).catch(code));
    const [first, second] = world.sentToBmc.slice(before);
    expect(second!.atMs - first!.atMs).toBeGreaterThan(1800);
  });

  it('uses a new session sequence number each time, so that nothing is dropped as a repeat', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    let drops = 1;
    world.tricks.link = (toBmc) => (!toBmc && drops-- > 0 ? [] : [0]);
    const before = world.sentToBmc.length;
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    const sequences = world.sentToBmc.slice(before).map(({ data }) => {
      const packet = decodePacket(data);
      return packet.ok && packet.value.kind === 'v20' ? packet.value.packet.sequence : 0;
    });
    expect(new Set(sequences).size).toBe(2);
    expect(world.bmc.stats.outOfWindow).toBe(0);
  });

  it('takes a late answer to an earlier try of the same request', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    let delays = 1;
    world.tricks.link = (toBmc) => (!toBmc && delays-- > 0 ? [1200] : [0]);
    world.tricks.lie = () => (delays < 1 ? { kind: 'drop' } : undefined);
    const startMs = world.clock.monotonicMs();
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    expect(world.clock.monotonicMs() - startMs).toBe(1200);
  });

  it('does not take a late answer for that of a later request', async () => {
    const world = await createWorld({ client: { tries: 1 } });
    const endpoint = world.endpoint();
    await world.run(getPowerState(endpoint));
    // The answer "off" to a request that is given up after a second comes while the machine is already on.
    world.tricks.lie = () => ({ kind: 'delay', delayMs: 1500 });
    const first = getPowerState(endpoint, { signal: AbortSignal.abort() }).catch(code);
    expect(await first).toBe('ABORTED');
    const stop = new AbortController();
    const given = getPowerState(endpoint, { signal: stop.signal }).catch(code);
    await world.clock.advance(10);
    stop.abort();
    expect(await given).toBe('ABORTED');
    world.tricks.lie = undefined;
    await world.chassis.control('on');
    for (let i = 0; i < 70; i++) expect(await world.run(getPowerState(endpoint))).toBe('on');
    await world.clock.advance(1600);
    expect(await world.run(getPowerState(endpoint))).toBe('on');
  });

  it('asks a busy BMC again after a pause', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    let busy = 2;
    world.tricks.lie = () => (busy-- > 0 ? { kind: 'completion', code: 0xc0 } : undefined);
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    world.tricks.lie = () => ({ kind: 'completion', code: 0xc0 });
    await expect(world.run(getPowerState(world.endpoint()))).rejects.toMatchObject({
      code: 'COMPLETION_CODE',
      details: { completionCode: 0xc0 },
    });
  });
});

describe('a command that must not be repeated', () => {
  it.each(['dropReply', 'drop'] as const)('goes out once when the BMC says nothing (%s)', async (kind) => {
    const world = await createWorld();
    await world.run(setPower(world.endpoint(), 'on'));
    world.tricks.lie = (request) => (isControl(request) ? { kind } : undefined);
    await expect(world.run(setPower(world.endpoint(), 'reset'))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      details: { mayHaveBeenReceived: true, powerState: 'on', attempts: 1 },
    });
    const resets = world.chassis.history.filter(({ action }) => action === 'reset').length;
    expect(resets).toBe(kind === 'dropReply' ? 1 : 0);
  });

  it('is preceded by a probe when the session has been silent', async () => {
    const world = await createWorld();
    await world.run(setPower(world.endpoint(), 'on'));
    await world.clock.advance(10_000);
    await world.bmc.stop();
    await world.bmc.start();
    await world.run(world.endpoint().send(chassisControl, { action: 'cycle' }));
    expect(world.chassis.history.map(({ action }) => action)).toEqual(['on', 'cycle']);
  });

  it('is refused by a BMC whose machine is off', async () => {
    const world = await createWorld();
    await expect(world.run(setPower(world.endpoint(), 'reset'))).rejects.toMatchObject({
      code: 'COMPLETION_CODE',
      details: { completionCode: 0xd5 },
    });
  });

  it('is repeated where the caller says that it may be', async () => {
    const world = await createWorld();
    await world.run(setPower(world.endpoint(), 'on'));
    let drops = 1;
    world.tricks.lie = (request) => (isControl(request) && drops-- > 0 ? { kind: 'drop' } : undefined);
    await world.run(world.endpoint().send(chassisControl, { action: 'diag' }, { idempotent: true }));
    expect(world.chassis.history.at(-1)?.action).toBe('diag');
  });
});

describe('soft off', () => {
  it('whose answer was lost is no error when the repeat finds the machine off', async () => {
    const world = await createWorld();
    await world.run(setPower(world.endpoint(), 'on'));
    let drops = 1;
    world.tricks.lie = (request) => (isControl(request) && drops-- > 0 ? { kind: 'dropReply' } : undefined);
    await world.run(setPower(world.endpoint(), 'soft'));
    expect(world.chassis.history.map(({ action }) => action)).toEqual(['on', 'soft']);
    await world.run(setPower(world.endpoint(), 'soft'));
  });
});

describe('a BMC that is not there', () => {
  it('costs 3.25 s, twice, then nothing until a probe finds it back', async () => {
    const world = await createWorld();
    const { clock } = world;
    await world.bmc.stop();
    const timed = async (): Promise<[string, number]> => {
      const startMs = clock.monotonicMs();
      const result = await world.run(getPowerState(world.endpoint()).catch(code));
      return [result, clock.monotonicMs() - startMs];
    };
    expect(await timed()).toEqual(['TIMEOUT', 3250]);
    expect(await timed()).toEqual(['TIMEOUT', 3250]);
    expect(await timed()).toEqual(['CIRCUIT_OPEN', 0]);
    await clock.advance(15_000);
    // One probe goes; who comes meanwhile is told at once; after the failed probe the pause has doubled.
    const probe = getPowerState(world.endpoint()).catch(code);
    expect(await world.run(getPowerState(world.endpoint()).catch(code))).toBe('CIRCUIT_OPEN');
    expect(await world.run(probe)).toBe('TIMEOUT');
    await clock.advance(15_000);
    expect(await timed()).toEqual(['CIRCUIT_OPEN', 0]);
    await clock.advance(15_000);
    await world.bmc.start();
    expect(await timed()).toEqual(['off', 0]);
    expect(await timed()).toEqual(['off', 0]);
  });

  it('fails everyone in its queue with the first time-out', async () => {
    const world = await createWorld();
    await world.bmc.stop();
    const all = Array.from({ length: 5 }, () => getPowerState(world.endpoint()).catch(code));
    expect(await world.run(Promise.all(all))).toEqual(Array.from({ length: 5 }, () => 'TIMEOUT'));
    expect(world.clock.monotonicMs()).toBe(3250);
  });

  it('loses its held session quietly, without filling the network', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    await world.bmc.stop();
    const before = world.sentToBmc.length;
    await world.clock.advance(600_000);
    // Two keep-alives and a Close Session.
    expect(world.sentToBmc.length - before).toBe(3);
    expect(world.endpoint().hasSession).toBe(false);
  });
});

describe('refusals', () => {
  it.each([
    ['a wrong password', { password: new Secret('wrong') }],
    ['an unknown user', { username: 'nobody' }],
  ])('%s is told at once, and the BMC is left alone for a while', async (_what, wrong) => {
    const world = await createWorld();
    const endpoint = world.endpoint(wrong);
    await expect(world.run(getPowerState(endpoint))).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(world.clock.monotonicMs()).toBe(0);
    const sent = world.sentToBmc.length;
    await expect(world.run(getPowerState(endpoint))).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      details: { retryAfterMs: 30_000 },
    });
    expect(world.sentToBmc.length).toBe(sent);
    await world.clock.advance(30_000);
    await expect(world.run(getPowerState(endpoint))).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(world.sentToBmc.length).toBeGreaterThan(sent);
  });

  it('a wrong password is noticed before the BMC is asked to check it', async () => {
    const world = await createWorld();
    await expect(world.run(getPowerState(world.endpoint({ password: new Secret('wrong') })))).rejects.toThrow();
    expect(world.bmc.stats.authenticationFailures).toBe(0);
  });

  it('never prints a password', async () => {
    const world = await createWorld();
    const error = await world.run(getPowerState(world.endpoint({ password: new Secret('hunter2') })).catch((e) => e));
    expect(`${error.stack} ${JSON.stringify(error)} ${error.message}`).not.toContain('hunter2');
  });

  it('falls back from suite 17 to 3 only where 3 is listed', async () => {
    const world = await createWorld({ limits: { cipherSuites: [3] } });
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
    await expect(world.run(getPowerState(world.endpoint({ cipherSuites: [17] })))).rejects.toMatchObject({
      code: 'CIPHER_SUITE_REFUSED',
      details: { status: 4 },
    });
  });

  it('of slots do not follow from sessions that a bad network made it give up', async () => {
    const world = await createWorld({ client: { tries: 2, breaker: { threshold: 1000 } } });
    for (let i = 0; i < 10; i++) {
      world.tricks.link = () => [0];
      expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
      world.tricks.link = (toBmc) => (toBmc ? [0] : []);
      expect(await world.run(getPowerState(world.endpoint()).catch(code))).toBe('TIMEOUT');
    }
    expect(world.bmc.stats.sessionsOpened).toBe(10);
  });

  it('does not fall back where the suite is merely not answered', async () => {
    const world = await createWorld({ limits: { cipherSuites: [3], answersRefusedSuites: false } });
    await expect(world.run(getPowerState(world.endpoint()))).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('of a fifth session says so, and passes once a slot is free', async () => {
    const world = await createWorld();
    const users = ['OPERATOR', 'USER', 'ADMINISTRATOR'] as const;
    const others = [...users.map((privilege) => world.endpoint({ privilege })), world.endpoint({ cipherSuites: [3] })];
    for (const other of others) await world.run(getPowerState(other));
    const fifth = world.endpoint({ cipherSuites: [17] });
    await expect(world.run(getPowerState(fifth))).rejects.toMatchObject({ code: 'SESSION_LIMIT' });
    await world.run(others[0]!.close());
    expect(await world.run(getPowerState(fifth))).toBe('off');
  });

  it('of a privilege level are told at log-in and at the command', async () => {
    const watcher = { name: 'watcher', password: new Secret('look'), privilege: 'USER' } as const;
    const world = await createWorld({ users: [watcher] });
    const who = { username: 'watcher', password: watcher.password };
    await expect(world.run(getPowerState(world.endpoint(who)))).rejects.toMatchObject({ code: 'PRIVILEGE_REFUSED' });
    const looking = world.endpoint({ ...who, privilege: 'USER' });
    expect(await world.run(getPowerState(looking))).toBe('off');
    await expect(world.run(setPower(looking, 'on'))).rejects.toMatchObject({ code: 'PRIVILEGE_REFUSED' });
  });

  it('of a privilege level by a lying BMC give the session back', async () => {
    const world = await createWorld();
    world.tricks.lie = ({ cmd }) => (cmd === 0x3b ? { kind: 'completion', code: 0x81 } : undefined);
    await expect(world.run(getPowerState(world.endpoint()))).rejects.toMatchObject({ code: 'PRIVILEGE_REFUSED' });
    await world.clock.advance(10);
    expect(world.bmc.stats.activeSessions).toBe(0);
  });

  it('of a two-key log-in name the key that is wrong', async () => {
    const world = await createWorld({ kgKey: 'a BMC key' });
    expect(await world.run(getPowerState(world.endpoint({ kgKey: new Secret('a BMC key') })))).toBe('off');
    await expect(world.run(getPowerState(world.endpoint()))).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      message: expect.stringContaining('K_G'),
    });
  });

  it('of names, passwords and suites that cannot be are immediate', async () => {
    const { endpoint } = await createWorld();
    expect(() => endpoint({ username: 'a name of 17 byte' })).toThrow(/at most 16/);
    expect(() => endpoint({ password: new Secret('a password of 21 byte') })).toThrow(/at most 20/);
    expect(() => endpoint({ cipherSuites: [] })).toThrow(/no cipher suite/);
    expect(() => endpoint({ cipherSuites: [0 as 3] })).toThrow(/cipher suite 0 is not supported/);
  });
});

describe('cancelling', () => {
  it('takes a queued request back unsent', async () => {
    const world = await createWorld();
    const stop = new AbortController();
    const first = getPowerState(world.endpoint());
    const second = world
      .endpoint()
      .send(chassisControl, { action: 'on' }, { signal: stop.signal })
      .catch((error: IpmiError) => error);
    await Promise.resolve();
    stop.abort();
    expect(await world.run(first)).toBe('off');
    expect(await world.run(second)).toMatchObject({ code: 'ABORTED', details: { mayHaveBeenReceived: false } });
    await world.clock.advance(1000);
    expect(world.chassis.history).toEqual([]);
  });

  it('of a request in flight says that it may have been received, and the next goes on', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    world.tricks.link = () => [50];
    const stop = new AbortController();
    const sent = world.endpoint().send(chassisControl, { action: 'on' }, { signal: stop.signal });
    const caught = sent.catch((error: IpmiError) => error);
    await world.clock.advance(20);
    stop.abort();
    expect(await world.run(caught)).toMatchObject({ code: 'ABORTED', details: { mayHaveBeenReceived: true } });
    expect(await world.run(getPowerState(world.endpoint()))).toBe('on');
  });

  it('by closing rejects what is queued, and what is asked afterwards', async () => {
    const world = await createWorld();
    const endpoint = world.endpoint();
    await world.run(getPowerState(endpoint));
    world.tricks.link = () => [5];
    const results = Promise.all([1, 2, 3].map(() => getPowerState(endpoint).catch(code)));
    await world.clock.advance(1);
    const closed = endpoint.close();
    expect(await world.run(results)).toEqual(['off', 'ABORTED', 'ABORTED']);
    await world.run(closed);
    expect(await world.run(getPowerState(endpoint).catch(code))).toBe('ABORTED');
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
  });
});

describe('an order that may leave only until a moment', () => {
  it('is taken back from the queue, and from behind the session set-up', async () => {
    const world = await createWorld();
    world.tricks.link = () => [50];
    const notAfterMs = world.clock.monotonicMs() + 300;
    const orders = [1, 2].map(() => setPower(world.endpoint(), 'on', { notAfterMs }).catch((error: unknown) => error));
    for (const error of await world.run(Promise.all(orders)))
      expect(error).toMatchObject({ code: 'EXPIRED', details: { mayHaveBeenReceived: false } });
    expect(world.chassis.history).toEqual([]);
    expect(await world.run(getPowerState(world.endpoint()))).toBe('off');
  });

  it('is not repeated after it, and says that it may have been received', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    world.tricks.link = (toBmc) => (toBmc ? [] : [0]);
    const before = world.sentToBmc.length;
    const notAfterMs = world.clock.monotonicMs() + 500;
    const error = await world.run(setPower(world.endpoint(), 'on', { notAfterMs }).catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: 'EXPIRED', details: { attempts: 1, mayHaveBeenReceived: true } });
    expect(world.sentToBmc.length).toBe(before + 1);
  });

  it('ends a sequence: what waits for its turn when the process stood still is not sent', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    const sets: number[] = [];
    world.tricks.lie = ({ netFn, cmd }) => {
      if (netFn === 0 && cmd === 0x08) sets.push(world.clock.monotonicMs());
      return undefined;
    };
    world.tricks.link = () => [100];
    const startMs = world.clock.monotonicMs();
    const order = setBootDevice(
      world.endpoint(),
      { device: 'pxe', persistent: false, efi: true },
      { notAfterMs: startMs + 500 },
    );
    expect(await world.run(order.catch(code))).toBe('EXPIRED');
    expect(sets.map((atMs) => atMs - startMs)).toEqual([100, 300, 500]);
  });

  it('is answered late all the same', async () => {
    const world = await createWorld();
    await world.run(getPowerState(world.endpoint()));
    world.tricks.link = () => [300];
    await world.run(setPower(world.endpoint(), 'on', { notAfterMs: world.clock.monotonicMs() + 1 }));
    expect(world.chassis.history).toHaveLength(1);
  });
});

describe('answers that cannot be read', () => {
  it('name the command and the BMC', async () => {
    const world = await createWorld();
    const short = { ...getDeviceId, netFn: getChassisStatus.netFn, cmd: getChassisStatus.cmd };
    await expect(world.run(world.endpoint().send(short, undefined))).rejects.toMatchObject({ code: 'MALFORMED' });
  });
});

describe('boot device', () => {
  it('is set and read back in every combination', async () => {
    const world = await createWorld();
    for (const device of ['pxe', 'disk', 'cdrom', 'bios', 'safe', 'none', 'floppy', 'diagnostic'] as const)
      for (const persistent of [false, true])
        for (const efi of [false, true]) {
          await world.run(setBootDevice(world.endpoint(), { device, persistent, efi }));
          const read = await world.run(getBootDevice(world.endpoint()));
          expect(read).toEqual({ device, persistent, efi, valid: true });
        }
  });

  it('is set on a BMC that knows the boot flags and nothing else', async () => {
    const world = await createWorld();
    world.tricks.lie = ({ netFn, cmd, data }) =>
      netFn === 0 && cmd === 0x08 && data[0] !== 5 ? { kind: 'completion', code: 0x80 } : undefined;
    await world.run(setBootDevice(world.endpoint(), { device: 'pxe', persistent: false, efi: true }));
    expect(world.chassis.getBootOptions().device).toBe('pxe');
  });

  it('takes the "in progress" mark back when the flags are refused', async () => {
    const world = await createWorld();
    const seen: number[][] = [];
    world.tricks.lie = ({ netFn, cmd, data }) => {
      if (netFn !== 0 || cmd !== 0x08) return undefined;
      seen.push([...data.subarray(0, 2)]);
      return data[0] === 5 ? { kind: 'completion', code: 0xcc } : undefined;
    };
    const set = setBootDevice(world.endpoint(), { device: 'pxe', persistent: false, efi: false });
    await expect(world.run(set)).rejects.toMatchObject({ code: 'COMPLETION_CODE' });
    expect(seen.at(-1)).toEqual([0, 0]);
  });
});

describe('a bad network', () => {
  it('never makes the client wrong, hang, or act twice (by property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        fc.array(fc.constantFrom('on', 'off', 'reset', 'cycle', 'status', 'pxe'), { minLength: 1, maxLength: 12 }),
        async (seed, badness, actions) => {
          const chance = seededRandom(seed);
          const delay = (): number => (chance.float() < badness ? chance.float() * 1500 : chance.float() * 5);
          const world = await createWorld({
            seed,
            client: { breaker: { threshold: 1000 } },
            link: () => {
              if (chance.float() < badness) return [];
              return chance.float() < badness ? [delay(), delay()] : [delay()];
            },
          });
          const done = { reset: 0, cycle: 0 };
          for (const action of actions) {
            const endpoint = world.endpoint();
            const startMs = world.clock.monotonicMs();
            try {
              if (action === 'status') {
                const shown = await world.run(getPowerState(endpoint));
                expect(shown).toBe(world.chassis.getPower());
              } else if (action === 'pxe')
                await world.run(setBootDevice(endpoint, { device: 'pxe', persistent: true, efi: true }));
              else {
                await world.run(setPower(endpoint, action));
                if (action === 'on' || action === 'off') expect(world.chassis.getPower()).toBe(action);
              }
            } catch (error) {
              expect(error).toBeInstanceOf(IpmiError);
              expect(['TIMEOUT', 'OUTCOME_UNKNOWN', 'COMPLETION_CODE', 'SESSION_LIMIT']).toContain(code(error));
              // Stragglers of a request that failed must not be mistaken for the next one's doing.
              await world.clock.advance(2000);
            }
            if (action === 'reset' || action === 'cycle') done[action]++;
            expect(world.clock.monotonicMs() - startMs).toBeLessThan(120_000);
          }
          for (const action of ['reset', 'cycle'] as const)
            expect(world.chassis.history.filter((entry) => entry.action === action).length).toBeLessThanOrEqual(
              done[action],
            );
        },
      ),
      { numRuns: 150 },
    );
  });
});
