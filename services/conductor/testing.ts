/** For tests of any room: a conductor over a database in memory, time that is moved by hand, and outside parties that are told what to do. */
import { asNodeId, asPortId, type Config, type Node, type NodeId, resolveConfig, type Run } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { createIpmiClient, type IpmiClient } from '@bessemer/ipmi';
import { type Log, silentLog } from '@bessemer/ports';
import { ManualClock, memoryDatagrams, seededRandom, settle } from '@bessemer/ports/testing';
import { createConductor, type Conductor } from './conductor.ts';
import { createDefaultRegistry } from './drivers/index.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import type { ConfigureResult, Configurer, ImageDepot, ReadyImage, SshProbe } from './ports.ts';

/** A depot whose images are ready when told. */
export interface FakeDepot extends ImageDepot {
  /** What `ensure` does; replace it to delay or to fail. */
  answer: (source: string) => Promise<ReadyImage>;
  /** Likewise for small files: nothing is there unless told. */
  file: (href: string, signal: AbortSignal) => Promise<Uint8Array>;
  readonly open: Set<string>;
  readonly ensured: string[];
}

export function createFakeDepot(): FakeDepot {
  const open = new Set<string>();
  const ensured: string[] = [];
  const depot: FakeDepot = {
    open,
    ensured,
    answer: async (source) => ({
      imageId: `id-of-${source}`,
      sizeBytes: 4096,
      usedBytes: 1024,
      mapSha256: 'ab'.repeat(32),
    }),
    ensure(request) {
      ensured.push(request.source);
      return depot.answer(request.source);
    },
    file: (href) => Promise.reject(new Error(`${href} does not exist`)),
    read: (href, { signal }) => depot.file(href.href, signal),
    async openExit({ runId }) {
      const exitId = `exit-${runId}`;
      open.add(exitId);
      return {
        baseUrl: 'http://192.0.2.1:6387',
        exitId,
        token: 'token-of-the-exit',
        sizeBytes: 4096,
        mapSha256: 'ab'.repeat(32),
      };
    },
    closeExit: async (exitId) => (open.delete(exitId) ? { servedBytes: 1024 } : undefined),
  };
  return depot;
}

export interface FakeConfigurer extends Configurer {
  answer: () => Promise<ConfigureResult>;
  readonly plays: Parameters<Configurer['run']>[0][];
}

export function createFakeConfigurer(): FakeConfigurer {
  const plays: FakeConfigurer['plays'] = [];
  const configurer: FakeConfigurer = {
    plays,
    answer: async () => ({ ok: 10, changed: 5, failed: 0, skipped: 0, error: null, resume: null }),
    servicePublicKey: async () => 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBessemer service',
    async check(playbook) {
      if (!playbook.includes('tasks')) throw new Error('playbook.yml: there are no tasks');
      return { tasks: 10 };
    },
    async run(play, onTask) {
      plays.push(play);
      onTask({ task: 0, name: 'first', outcome: 'changed' });
      return configurer.answer();
    },
  };
  return configurer;
}

export interface World {
  readonly clock: ManualClock;
  readonly db: Db;
  readonly config: Config;
  readonly depot: FakeDepot;
  readonly configurer: FakeConfigurer;
  readonly ipmi: IpmiClient;
  /** The drivers of all conductors of this world: the pretended hardware outlives them. */
  readonly drivers: DriverRegistry;
  /** Whether the deployed system answers. */
  ssh: { answers: boolean };
  /** Another conductor on the same database. */
  conductor(options?: {
    host?: string;
    seed?: number;
    isOnlyProcess?: boolean;
    db?: Db;
    log?: Log;
    drivers?: DriverRegistry;
  }): Conductor;
  node(patch?: Partial<Node>): Promise<Node>;
  get(uuid: NodeId): Promise<Node>;
  run(uuid: NodeId): Promise<Run>;
  /** Lets promises settle; then moves time on until `condition` holds. @throws Error after `limitMs` of virtual time. */
  until(condition: () => Promise<boolean>, limitMs?: number): Promise<void>;
  reaches(uuid: NodeId, state: Node['provisionState'], limitMs?: number): Promise<Node>;
  close(): Promise<void>;
}

/** Lets everything settle that needs no time; the database's writer may need several turns of the loop. */
export async function quiet(turns = 12): Promise<void> {
  for (let i = 0; i < turns; i++) await settle();
}

export async function createWorld(overrides: Record<string, string> = {}): Promise<World> {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const db = await memoryDb({ clock, random });
  const config = resolveConfig([overrides]);
  const datagrams = memoryDatagrams(clock);
  const ipmi = createIpmiClient({ datagrams, clock, random: seededRandom(3), log: silentLog });
  const drivers = createDefaultRegistry({
    clock,
    enabledTypes: config.conductor.enabled_hardware_types,
    ipmi: {
      client: ipmi,
      clock,
      cipherSuites: config.ipmi.default_cipher_suites,
      commandTimeoutMs: config.ipmi.command_timeout_ms,
    },
  });
  const depot = createFakeDepot();
  const configurer = createFakeConfigurer();
  const conductors: Conductor[] = [];
  const ssh = { answers: true };
  const probe: SshProbe = { answers: async () => ssh.answers };
  let made = 0;

  const world: World = {
    clock,
    db,
    config,
    depot,
    configurer,
    ipmi,
    drivers,
    ssh,
    conductor(options = {}) {
      const conductor = createConductor({
        db: options.db ?? db,
        ipmi,
        drivers: options.drivers ?? drivers,
        depot,
        configurer,
        ssh: probe,
        clock,
        random: seededRandom(options.seed ?? 11 + conductors.length),
        log: options.log ?? silentLog,
        config,
        host: options.host ?? 'conductor-1',
        isOnlyProcess: options.isOnlyProcess ?? false,
      });
      conductors.push(conductor);
      return conductor;
    },
    async node(patch = {}) {
      const index = ++made;
      const uuid = asNodeId(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`);
      const { provisionState: _, ...rest } = patch;
      return db.write('test', async (tx) => {
        const node = await tx.nodes.create({ driver: 'fake-hardware', name: `n${index}`, ...rest, uuid });
        await tx.ports.create({
          uuid: asPortId(`10000000-0000-4000-8000-${String(index).padStart(12, '0')}`),
          nodeUuid: uuid,
          address: `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`,
        });
        return node;
      });
    },
    async get(uuid) {
      return (await db.read.nodes.get(uuid))!;
    },
    async run(uuid) {
      return (await db.read.runs.latest(uuid))!;
    },
    async until(condition, limitMs = 3_600_000) {
      const end = clock.nowMs() + limitMs;
      for (;;) {
        await quiet();
        if (await condition()) return;
        if (clock.nowMs() <= end && clock.step()) continue;
        // Looking may have set something off that needs no time.
        await quiet();
        if (await condition()) return;
        throw new Error(`the condition did not come within ${limitMs} ms`);
      }
    },
    async reaches(uuid, state, limitMs) {
      await world
        .until(async () => (await world.get(uuid)).provisionState === state, limitMs)
        .catch(async (error) => {
          const run = await db.read.runs.latest(uuid);
          throw new Error(
            `node is ${(await world.get(uuid)).provisionState}, not ${state}; run ${run?.state} ${run?.error}; ${JSON.stringify(run?.cursor)} ${JSON.stringify(run?.waitingFor)}`,
            { cause: error },
          );
        });
      return world.get(uuid);
    },
    async close() {
      for (const conductor of conductors) conductor.abandon();
      await quiet();
      await db.close();
    },
  };
  return world;
}

export const request = (id: string): { requestId: string } => ({ requestId: id });
