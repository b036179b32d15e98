/** One machine with its agent, and a service and depot that can be killed: all in virtual time. For this folder's tests. */
import {
  createAgentSession,
  type HelloMessage,
  type InventoryDisk,
  type KeptMessage,
  type RefuseMessage,
  type SegmentStep,
  type SessionEffect,
  type SessionOrder,
} from '@bessemer/agent-protocol';
import { silentLog, type MessageChannel } from '@bessemer/ports';
import { ManualClock, seededRandom, settle } from '@bessemer/ports/testing';
import { createAgent, type Agent } from './agent.ts';
import { ImageSourceError } from './ports.ts';
import {
  createFakeDepot,
  createFakeDisks,
  createFakeHardware,
  fakeDisk,
  imageOf,
  memoryChannel,
  type FakeDepot,
  type FakeDisks,
  type FakeDisksOptions,
  type FakeHardware,
  type FakeMedium,
} from './testing.ts';

const MIB = 1024 * 1024;
export const TOKEN = 'token-of-16-chars-or-more';

/** An image whose every used page is different, with holes, and something in its first and last MiB. */
export function sampleContent(sizeBytes = 16 * MIB): Uint8Array {
  const content = new Uint8Array(sizeBytes);
  const random = seededRandom(42);
  for (let offset = 0; offset < sizeBytes; offset += MIB)
    if ((offset / MIB) % 4 !== 2 || offset + MIB >= sizeBytes)
      content.set(random.bytes(Math.min(64 * 1024, sizeBytes - offset)), offset);
  content.set(random.bytes(4096), sizeBytes - 4096);
  content.set([0x55, 0xaa], 510);
  return content;
}

export interface World {
  readonly clock: ManualClock;
  readonly agent: Agent;
  readonly disks: FakeDisks;
  readonly seen: InventoryDisk[];
  readonly hardware: FakeHardware;
  readonly depot: FakeDepot;
  readonly image: ReturnType<typeof imageOf>;
  readonly service: TestService;
  /** Lets virtual time pass until it is so; fails after an hour of it. */
  until(what: string, condition: () => boolean): Promise<void>;
  segment(steps: SegmentStep[], changes?: { run?: string; fence?: number; segment?: string }): void;
  writeStep(attempt?: string): SegmentStep;
  end(): Promise<void>;
}

/** The part of a service that a session needs; what it stored survives `kill`. */
export interface TestService {
  up: boolean;
  /** While false, what is kept is not stored and not acknowledged. */
  storing: boolean;
  knowsKeys: boolean;
  knowsToken: boolean;
  readonly hellos: HelloMessage[];
  readonly stored: KeptMessage[];
  readonly shown: Array<Extract<SessionEffect, { kind: 'show' }>['message']>;
  readonly refusals: RefuseMessage[];
  readonly states: Array<Extract<SessionEffect, { kind: 'state' }>['journal']>;
  readonly connected: () => boolean;
  order(message: SessionOrder): void;
  /** What was stored, in short: `started a`, `done a`, `failed a CODE`, `segment done`; not which disk was chosen. */
  readonly story: () => string[];
  kill(): void;
}

export function createWorld(
  options: {
    seen?: InventoryDisk[];
    media?: Map<string, FakeMedium>;
    content?: Uint8Array;
    sectorSizeBytes?: 512 | 4096;
    bootMode?: 'bios' | 'uefi';
    onWrite?: FakeDisksOptions['onWrite'];
    zeroesByItself?: boolean;
    damage?: (data: Uint8Array, from: number) => void;
    depotUp?: () => boolean;
    bytesPerSecond?: number;
    urls?: string[];
  } = {},
): World {
  const clock = new ManualClock();
  const seen = options.seen ?? [fakeDisk({ name: '/dev/vda', serial: 'disk-1', size: 4 * 1024 * MIB })];
  const disks = createFakeDisks({
    clock,
    disks: seen,
    ...(options.media ? { media: options.media } : {}),
    zeroesByItself: options.zeroesByItself ?? true,
    ...(options.onWrite ? { onWrite: options.onWrite } : {}),
  });
  const hardware = createFakeHardware({ bootId: 'boot-1', disks, bootMode: options.bootMode ?? 'bios' });
  const image = imageOf(options.content ?? sampleContent(), {
    extentBytes: MIB,
    sectorSizeBytes: options.sectorSizeBytes ?? 512,
  });
  const depot = createFakeDepot({
    image,
    clock,
    bytesPerSecond: options.bytesPerSecond ?? MIB,
    before: () => {
      if (options.depotUp && !options.depotUp()) throw new ImageSourceError('the depot cannot be reached', false);
    },
    ...(options.damage ? { damage: options.damage } : {}),
  });
  const service = createService(clock);
  const agent = createAgent({
    connect: async (url) => {
      if (!service.up) throw new Error(`${url} refused the connection`);
      const [near, far] = memoryChannel(clock, 2);
      service.accept(far);
      return near;
    },
    clock,
    random: seededRandom(7),
    log: silentLog,
    hardware,
    disks,
    http: depot,
    cmdline: { urls: options.urls ?? ['wss://service'], token: TOKEN, pin: 'ab'.repeat(32) },
  });
  const running = agent.run();

  return {
    clock,
    agent,
    disks,
    seen,
    hardware,
    depot,
    image,
    service,
    async until(what, condition) {
      for (let i = 0; i < 72_000; i++) {
        if (condition()) return;
        await clock.advance(50);
      }
      throw new Error(
        `an hour went by and not: ${what}; ${JSON.stringify(service.story())} ${JSON.stringify(service.refusals)}`,
      );
    },
    segment(steps, changes = {}) {
      service.order({ type: 'segment', run: 'run-1', fence: 1, segment: 'seg-1', ...changes, steps });
    },
    writeStep: (attempt = 'write-1') => ({
      id: 'write',
      name: 'write_image',
      interface: 'deploy',
      attempt,
      onRepeat: 'safe',
      args: {
        image: {
          baseUrl: 'http://depot',
          exitId: 'exit-1',
          token: 't',
          sizeBytes: image.map.sizeBytes,
          mapSha256: image.map.sha256,
        },
      },
    }),
    async end() {
      const stopped = agent.stop();
      await clock.advance(60_000);
      await stopped;
      await running;
      await settle();
    },
  };
}

function createService(clock: ManualClock): TestService & { accept(channel: MessageChannel): void } {
  const keys = new Set<string>();
  let current:
    | {
        channel: MessageChannel;
        run: (input: Parameters<ReturnType<typeof createAgentSession>['step']>[0]) => void;
        open: boolean;
      }
    | undefined;
  const service: TestService & { accept(channel: MessageChannel): void } = {
    up: true,
    storing: true,
    knowsKeys: true,
    knowsToken: true,
    hellos: [],
    stored: [],
    shown: [],
    refusals: [],
    states: [],
    connected: () => current?.open ?? false,
    order(message) {
      if (!current?.open) throw new Error('no agent is connected');
      current.run({ kind: 'order', message });
    },
    story: () =>
      service.stored.flatMap((message) => {
        if (message.type === 'segmentDone') return `segment ${message.outcome}`;
        if (message.kind === 'started' && message.data.disk) return [];
        return message.kind === 'failed'
          ? `failed ${message.step} ${message.data.code}`
          : `${message.kind} ${message.step}`;
      }),
    kill() {
      service.up = false;
      current?.channel.close('killed');
      current = undefined;
    },
    accept(channel) {
      const session = createAgentSession({ nowMs: clock.monotonicMs() });
      const lastSeq = (): number => service.stored.at(-1)?.seq ?? 0;
      const act = (effect: SessionEffect): void => {
        if (effect.kind === 'send') channel.send(effect.text);
        else if (effect.kind === 'close') channel.close(effect.reason);
        else if (effect.kind === 'show') service.shown.push(effect.message);
        else if (effect.kind === 'state') service.states.push(effect.journal);
        else if (effect.kind === 'orderRefused') service.refusals.push(effect.message);
        else if (effect.kind === 'opened') connection.open = true;
        else if (effect.kind === 'keep' && service.storing) {
          service.stored.push(effect.message);
          connection.run({ kind: 'stored', seq: effect.message.seq });
        } else if (effect.kind === 'authenticate') {
          service.hellos.push(effect.hello);
          const { key, token } = effect.hello;
          if (key !== undefined ? !(service.knowsKeys && keys.has(key)) : !service.knowsToken || token !== TOKEN)
            return connection.run({ kind: 'refuse', reason: 'unknown credential', retry: false });
          const fresh = `session-key-number-${keys.size}`;
          keys.add(fresh);
          connection.run({ kind: 'accept', key: fresh, node: { uuid: 'node-1' }, lastSeq: lastSeq() });
        }
      };
      const connection = {
        channel,
        open: false,
        run: (input: Parameters<typeof session.step>[0]): void => {
          for (const effect of session.step(input, clock.monotonicMs())) act(effect);
        },
      };
      current?.channel.close('replaced');
      current = connection;
      channel.onMessage((text) => connection.run({ kind: 'text', text }));
      channel.onClose(() => {
        connection.open = false;
        connection.run({ kind: 'closed' });
      });
    },
  };
  return service;
}
