/** A simulated server: the shipped reference BMC in front of a machine that boots, runs the shipped agent, and has disks. */
import type { InventoryDisk } from '@bessemer/agent-protocol';
import type { BootDirectory } from '@bessemer/boot';
import { createReferenceBmc, type BootOptions, type ChassisControl, type ReferenceBmc } from '@bessemer/ipmi/bmc';
import { Secret, silentLog, type Clock, type DatagramPeer, type Datagrams, type Random } from '@bessemer/ports';
import { seededRandom } from '@bessemer/ports/testing';
import { createAgent } from '@bessemer/ramdisk-agent';
import {
  createFakeDisks,
  createFakeHardware,
  fakeDisk,
  memoryChannel,
  type FakeMedium,
} from '@bessemer/ramdisk-agent/testing';
import type { Chaos } from './chaos.ts';
import type { ConductorProcess } from './conductor-process.ts';
import type { SimDepot } from './depot.ts';
import { createSparseMedium, isBootable } from './image.ts';
import { channelOf, createParty, type Cable, type Party } from './party.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 16 * MIB;
const WRITE_BYTES_PER_SECOND = 1024 * 1024;
const NO_OVERRIDE: BootOptions = { device: 'none', persistent: false, efi: false, valid: false };
const NETFN_CHASSIS = 0x00;
const CHASSIS_CONTROL = 0x02;
const SET_BOOT_OPTIONS = 0x08;
/** What a buffer of the agent holds at most here: images are smaller. */
const BUFFER_BYTES = MIB;

export interface MachineOptions {
  readonly name: string;
  readonly nodeUuid: string;
  readonly mac: string;
  readonly address: string;
  readonly bmcAddress: string;
  readonly password: string;
  /** Nobody may switch it off. */
  readonly mustStayOn: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly chaos: Chaos;
  readonly datagrams: Datagrams;
  readonly directory: BootDirectory;
  readonly depot: SimDepot;
  /** The verb of a run. */
  readonly verbOf: (runId: string) => Promise<string>;
  /** Host names of conductors, for the agent's list of addresses. */
  readonly hosts: readonly string[];
  readonly conductorAt: (host: string) => ConductorProcess | undefined;
  /** An order arrived at the BMC from there. */
  readonly onOrder: (from: DatagramPeer, order: string) => void;
  readonly trace: (line: string) => void;
  readonly violate: (text: string) => void;
}

export interface Machine {
  readonly name: string;
  readonly nodeUuid: string;
  readonly rootSerial: string;
  readonly mustStayOn: boolean;
  readonly isOn: boolean;
  readonly doing: 'nothing' | 'firmware' | 'ramdisk' | 'system';
  medium(serial: string): FakeMedium;
  start(): Promise<void>;
  /** The mains fail for a moment. */
  cutPower(): void;
  /** The power goes at the n-th write to a disk from now. */
  cutPowerAtWrite(writes: number): void;
  /** The agent's process dies and is started again in the same boot. */
  crashAgent(): void;
  /** The agent's connection ends; `isDark`: without anybody being told. */
  cutConnection(isDark: boolean): void;
  /** The BMC neither hears nor says anything for so long. */
  silenceBmc(ms: number): void;
  readonly isBmcSilent: boolean;
}

interface Boot {
  readonly id: string;
  readonly token: string;
  /** The verb of the run that ordered it. */
  readonly verb: string;
}

export function createMachine(options: MachineOptions): Machine {
  const { clock, random, chaos, trace, name, mac } = options;
  const rootSerial = `${name}-root`;
  const dataSerial = `${name}-data`;
  const media = new Map([rootSerial, dataSerial].map((serial) => [serial, createSparseMedium()]));
  media.get(dataSerial)!.write(4 * MIB, Buffer.from(`the data of ${name}`));
  const inventoryDisks: InventoryDisk[] = [
    fakeDisk({ name: '/dev/vda', serial: dataSerial, size: DISK_BYTES }),
    fakeDisk({ name: '/dev/vdb', serial: rootSerial, size: DISK_BYTES }),
  ];
  let isOn = false;
  let doing: Machine['doing'] = 'nothing';
  let override = NO_OVERRIDE;
  /** Grows with each start and each loss of power: what was begun before it is void. */
  let era = 0;
  let ramdisk: { readonly boot: Boot; process: Party; cable: Cable; hangUp: (reason: string) => void } | undefined;
  let boots = 0;
  let bmcSilentUntilMs = 0;
  let cutAtWrite = 0;

  /** Does it later, unless the machine was switched off or started again meanwhile. */
  function later(lowMs: number, highMs: number, fn: () => Promise<void> | void): void {
    const born = era;
    clock.setTimer(chaos.between(lowMs, highMs), () => {
      if (born === era) void fn();
    });
  }
  function dropRamdisk(isDark: boolean): void {
    if (!ramdisk) return;
    ramdisk.process.kill();
    if (isDark) ramdisk.cable.isDark = true;
    else ramdisk.hangUp('connection reset');
    ramdisk = undefined;
  }
  function off(): void {
    era++;
    isOn = false;
    doing = 'nothing';
    dropRamdisk(random.float() < 0.4);
  }
  function on(): void {
    era++;
    isOn = true;
    doing = 'firmware';
    const ordered = override.valid ? override.device : 'none';
    if (override.valid && !override.persistent) override = NO_OVERRIDE;
    const isIgnored = chaos.strikes('boot order ignored', 0.03);
    const device = isIgnored ? 'none' : ordered;
    trace(`machine ${name} starts from ${device}`);
    if (chaos.strikes('machine that never boots', 0.03)) return;
    later(2_000, 8_000, () => {
      const fromDisk = device === 'disk' || (device === 'none' && isBootable(media.get(rootSerial)!));
      return fromDisk ? bootDisk() : bootNetwork();
    });
  }
  function bootDisk(): void {
    if (!isBootable(media.get(rootSerial)!)) return;
    later(3_000, 9_000, () => {
      doing = 'system';
      trace(`machine ${name} runs its system`);
    });
  }
  async function bootNetwork(): Promise<void> {
    const born = era;
    const { directory, address } = options;
    await directory.recordBoot({
      type: 'boot.dhcp',
      mac,
      address,
      data: { message: 'ack', mac, address, stage: 'ipxe' },
    });
    const answer = await directory.lookup({ mac, serial: name });
    trace(`machine ${name} is told ${answer.kind}`);
    if (born !== era) return;
    const seen = { mac, address, ...(answer.kind === 'unknown' ? {} : { nodeUuid: answer.nodeUuid }) };
    await directory.recordBoot({ type: 'boot.script', ...seen, data: { mac, answer: answer.kind } });
    if (answer.kind === 'local') {
      await directory.recordBoot({ type: 'boot.local', ...seen, data: { mac, reason: answer.reason } });
      return bootDisk();
    }
    if (answer.kind === 'unknown') return;
    const verb = await options.verbOf(answer.runId);
    const token = await directory.mintToken({ nodeUuid: answer.nodeUuid, runId: answer.runId, mac });
    if (answer.nodeUuid !== options.nodeUuid) options.violate(`machine ${name} was given the boot of another node`);
    if (chaos.strikes('ramdisk that never comes up', 0.02)) return;
    later(2_000, 6_000, () => {
      doing = 'ramdisk';
      startAgent({ id: `boot-${name}-${++boots}`, token, verb });
    });
  }

  function startAgent(boot: Boot): void {
    const process = createParty(clock);
    const cable: Cable = { isDark: false };
    const own = { boot, process, cable, hangUp: (_reason: string): void => {} };
    ramdisk = own;
    const disks = createFakeDisks({
      clock: process.clock,
      disks: inventoryDisks,
      media,
      writeBytesPerSecond: WRITE_BYTES_PER_SECOND,
      zeroesByItself: random.float() < 0.5,
      onWrite(disk) {
        if (process.state === 'dead') throw new Error('the machine is off');
        if (cutAtWrite > 0 && --cutAtWrite === 0) {
          chaos.count('power cut in the middle of a write');
          mainsFail();
          throw new Error('the machine is off');
        }
        if (chaos.strikes('disk write error', 0.004)) throw new Error('EIO: i/o error, write');
        if (boot.verb === 'deploy' && disk.serial !== rootSerial)
          options.violate(`machine ${name}: a deployment wrote to ${disk.serial}, its root disk is ${rootSerial}`);
      },
    });
    const agent = createAgent({
      clock: process.clock,
      random: seededRandom(Math.floor(random.float() * 0xffff_ffff)),
      log: silentLog,
      disks: {
        ...disks,
        buffers: (count, size) => Array.from({ length: count }, () => new Uint8Array(Math.min(size, BUFFER_BYTES))),
      },
      hardware: createFakeHardware({
        bootId: boot.id,
        disks,
        bootMode: 'uefi',
        mac,
        serial: name,
        onPower: (action) =>
          clock.setTimer(0, () =>
            process.state === 'dead' ? undefined : control(action === 'reboot' ? 'reset' : 'off'),
          ),
      }),
      http: options.depot.forAgent(process.clock),
      cmdline: { urls: options.hosts.map((host) => `wss://${host}/agent`), token: boot.token, pin: 'ab'.repeat(32) },
      connect: async (url) => {
        const peer = options.conductorAt(new URL(url).hostname);
        if (!peer || peer.party.state === 'dead') throw new Error(`${url} refused the connection`);
        own.cable = { isDark: false };
        const [near, far] = memoryChannel(clock, 1 + Math.floor(random.float() * 5));
        own.hangUp = (reason) => near.close(reason);
        const service = channelOf(far, peer.party, own.cable);
        peer.party.enter(() => peer.conductor.agents.accept(service, { address: options.address }));
        return channelOf(near, process, own.cable);
      },
    });
    trace(`agent ${boot.id} starts`);
    agent.run().catch((error: unknown) => options.violate(`the agent of ${name} threw: ${String(error)}`));
  }

  function control(action: ChassisControl): void {
    trace(`machine ${name} ${action}`);
    if (action === 'off') off();
    else if (action === 'on' && !isOn) on();
    else if (action === 'reset' || action === 'cycle') {
      off();
      on();
    } else if (action === 'soft' && doing === 'system') later(1_000, 5_000, off);
  }
  /** Most machines come back by themselves when the power does. */
  function mainsFail(): void {
    trace(`machine ${name} loses its power`);
    off();
    if (random.float() < 0.5) later(1_000, 4_000, on);
  }

  const bmcDatagrams: Datagrams = {
    async bind(wanted) {
      const socket = await options.datagrams.bind(wanted);
      return {
        ...socket,
        onMessage: (listener) =>
          socket.onMessage((data, from) => {
            sender = from;
            listener(data, from);
            sender = undefined;
          }),
      };
    },
  };
  let sender: DatagramPeer | undefined;
  const bmc: ReferenceBmc = createReferenceBmc({
    datagrams: bmcDatagrams,
    clock,
    random: seededRandom(Math.floor(random.float() * 0xffff_ffff)),
    log: silentLog,
    address: options.bmcAddress,
    users: [{ name: 'admin', password: new Secret(options.password), privilege: 'ADMINISTRATOR' }],
    chassis: {
      getPower: () => (isOn ? 'on' : 'off'),
      async control(action) {
        if (options.mustStayOn && isOn && ['off', 'cycle', 'soft'].includes(action))
          options.violate(`node ${name} must stay on, and its BMC was ordered "${action}"`);
        control(action);
      },
      setBootOptions(wanted) {
        override = wanted.valid ? wanted : NO_OVERRIDE;
        if (wanted.valid && !wanted.persistent && chaos.strikes('BMC that loses a one-shot override', 0.03))
          override = NO_OVERRIDE;
      },
      getBootOptions: () => override,
    },
    limits: { powerLagMs: random.float() < 0.3 ? 2_000 : 0, losesOneShotOnReset: random.float() < 0.3 },
    lie: ({ netFn, cmd, data }) => {
      const isOrder = netFn === NETFN_CHASSIS && (cmd === CHASSIS_CONTROL || cmd === SET_BOOT_OPTIONS);
      if (isOrder && sender)
        options.onOrder(sender, `${cmd === CHASSIS_CONTROL ? 'power' : 'boot'} ${Buffer.from(data).toString('hex')}`);
      if (chaos.strikes('BMC that does and does not answer', 0.005)) return { kind: 'dropReply' };
      if (chaos.strikes('BMC that answers late', 0.01)) return { kind: 'delay', delayMs: chaos.between(300, 4_000) };
      if (chaos.strikes('BMC that is busy', 0.005)) return { kind: 'completion', code: 0xc0 };
      return undefined;
    },
  });

  return {
    name,
    nodeUuid: options.nodeUuid,
    rootSerial,
    mustStayOn: options.mustStayOn,
    get isOn() {
      return isOn;
    },
    get doing() {
      return doing;
    },
    medium: (serial) => media.get(serial)!,
    start: () => bmc.start(),
    cutPower: mainsFail,
    cutPowerAtWrite(writes) {
      cutAtWrite = writes;
    },
    crashAgent() {
      if (!ramdisk) return;
      const { boot } = ramdisk;
      dropRamdisk(false);
      later(500, 3_000, () => startAgent(boot));
    },
    cutConnection(isDark) {
      if (!ramdisk) return;
      if (isDark) ramdisk.cable.isDark = true;
      else ramdisk.hangUp('connection reset');
    },
    silenceBmc(ms) {
      bmcSilentUntilMs = clock.monotonicMs() + ms;
    },
    get isBmcSilent() {
      return clock.monotonicMs() < bmcSilentUntilMs;
    },
  };
}
