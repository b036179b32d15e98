/**
 * A conductor dies at every single write it makes, right before and right after it is durable, and another one starts: the work
 * goes on to its end, and nothing is done twice that may not be.
 */
import { describe, expect, it } from 'vitest';
import type { JsonObject, Node } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { buildConfigDrive } from '@bessemer/image-format';
import type { Conductor } from './conductor.ts';
import type { PowerInterface } from './drivers/interfaces.ts';
import { createWorld, quiet, request, type World } from './testing.ts';
import { createScriptedAgent, mintToken, type ScriptedAgent } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const never = <T>(): Promise<T> => new Promise<T>(() => {});

/** A database whose user dies at its n-th write. A dead process neither reads nor writes. */
function mortalDb(db: Db, deathAt: number, when: 'before' | 'after', onDeath: () => void) {
  let writes = 0;
  let isDead = false;
  const die = (): void => {
    isDead = true;
    onDeath();
  };
  const mortal: Db = {
    ...db,
    engine: db.engine,
    read: db.read,
    async write(name, fn) {
      if (isDead) return never();
      writes++;
      if (writes < deathAt) {
        const result = await db.write(name, fn);
        return isDead ? never() : result;
      }
      if (when === 'before') {
        die();
        return never();
      }
      await db.write(name, fn);
      die();
      return never();
    },
  };
  return { mortal, wasReached: () => isDead };
}

interface Scenario {
  readonly name: string;
  readonly node: Partial<Node>;
  /** Where the node is when it begins: `available` unless told. */
  readonly from?: 'manageable' | 'available' | 'active' | 'rescue';
  /** The step in which the first agent that works hangs. */
  readonly hangsIn?: string;
  /** What an operator does meanwhile. */
  meanwhile?(conductor: Conductor, node: Node): Promise<unknown>;
  begin(conductor: Conductor, node: Node): Promise<unknown>;
  isOver(world: World, node: Node): Promise<boolean>;
  check(world: World, node: Node, agents: readonly ScriptedAgent[]): Promise<void>;
}

const drive = buildConfigDrive({ metaData: {} }, { timeMs: 0 });
const DRIVE = drive.ok ? drive.value : expect.fail();
const deployed = { instanceInfo: { image_source: 'http://images.test/x', image_checksum: 'a'.repeat(64) } };
const finished = async (world: World, node: Node): Promise<boolean> =>
  (await world.db.read.runs.latest(node.uuid))?.finishedAt != null;

const step = (id: string, priority = 0): JsonObject => {
  const [kind, name] = id.split('.') as [string, string];
  return { interface: kind, step: name, args: name === 'wait' ? { seconds: 2 } : {}, priority };
};
const deploy =
  ({
    configDrive = null,
    deploySteps = null,
  }: {
    configDrive?: string | null;
    deploySteps?: JsonObject[] | null;
  } = {}) =>
  (conductor: Conductor, node: Node): Promise<unknown> =>
    conductor.handlers.doNodeDeploy({ nodeUuid: node.uuid, rebuild: false, configDrive, deploySteps }, request('once'));
const unhold = async (conductor: Conductor, node: Node): Promise<unknown> =>
  node.provisionState.endsWith(' hold')
    ? conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'unhold' }, request('u'))
    : undefined;

/** One order under one request id, whatever its conductor answered. */
const reboot = async (conductor: Conductor, node: Node): Promise<unknown> =>
  node.reservation === null && /wait|hold/.test(node.provisionState)
    ? conductor.handlers.changeNodePowerState(
        { nodeUuid: node.uuid, target: 'soft rebooting', timeoutS: 5 },
        request('reboot'),
      )
    : undefined;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a deployment of pretended hardware',
    node: { driverInfo: { fake_delay_ms: 1_000, fake_power_delay_ms: 500 } },
    begin: deploy(),
    isOver: finished,
    check: async (world, node) => expect((await world.get(node.uuid)).provisionState).toBe('active'),
  },
  {
    name: 'a deployment through the agent',
    node: { ...deployed, interfaces: { deploy: 'direct' } },
    begin: deploy(),
    isOver: finished,
    async check(world, node, agents) {
      expect((await world.get(node.uuid)).provisionState).toBe('active');
      for (const agent of agents) for (const count of agent.done.values()) expect(count).toBe(1);
      const written = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['image.written'] }, 10);
      expect(written).toHaveLength(1);
    },
  },
  {
    name: 'a deployment through the agent of a machine that must stay on',
    node: { ...deployed, interfaces: { deploy: 'direct' }, disablePowerOff: true },
    begin: deploy(),
    isOver: finished,
    async check(world, node, agents) {
      expect((await world.get(node.uuid)).provisionState).toBe('active');
      for (const agent of agents) for (const count of agent.done.values()) expect(count).toBe(1);
      const orders = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['power.ordered'] }, 50);
      expect(new Set(orders.map(({ data }) => data['action']))).toEqual(new Set(['rebooting']));
    },
  },
  {
    name: 'a deployment whose config drive is fetched',
    node: {},
    begin: deploy({ configDrive: 'http://drives.test/d' }),
    isOver: finished,
    async check(world, node) {
      expect((await world.get(node.uuid)).provisionState).toBe('active');
      expect(await world.db.read.nodes.getConfigDrive(node.uuid)).toMatchObject({ url: 'http://drives.test/d' });
    },
  },
  {
    name: 'a deployment through the agent whose machine is rebooted meanwhile',
    node: { ...deployed, interfaces: { deploy: 'direct' } },
    begin: deploy(),
    hangsIn: 'write_image',
    meanwhile: async (conductor, node) =>
      node.deployStep['step'] === 'write_image' ? reboot(conductor, node) : undefined,
    isOver: finished,
    async check(world, node, agents) {
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'active', targetPowerState: null });
      for (const agent of agents) for (const count of agent.done.values()) expect(count).toBe(1);
      expect(agents.filter((agent) => agent.done.size > 0)).toHaveLength(2);
      const kicks = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.failed'] }, 10);
      expect(kicks).toHaveLength(1);
    },
  },
  {
    name: 'a deployment that holds while its machine is rebooted',
    node: { driverInfo: { fake_power_delay_ms: 500 } },
    begin: deploy({ deploySteps: [step('deploy.hold', 50)] }),
    meanwhile: async (conductor, node) => {
      await reboot(conductor, node);
      await unhold(conductor, node);
    },
    isOver: finished,
    check: async (world, node) =>
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'active', targetPowerState: null }),
  },
  {
    name: 'undeploying with cleaning by the agent',
    node: { ...deployed, interfaces: { deploy: 'direct' } },
    from: 'active',
    begin: (conductor, node) => conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, request('once')),
    isOver: finished,
    check: async (world, node) =>
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'available', powerState: 'power off' }),
  },
  {
    name: 'an inspection that takes its time',
    node: { driverInfo: { fake_inspect_delay: 2 } },
    from: 'manageable',
    begin: (conductor, node) => conductor.handlers.inspectHardware({ nodeUuid: node.uuid }, request('once')),
    isOver: finished,
    async check(world, node) {
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'manageable', inspectionStartedAt: null });
      expect(await world.db.read.nodes.getInventory(node.uuid)).not.toBeNull();
    },
  },
  {
    name: 'manual cleaning that waits, holds and goes on',
    node: { driverInfo: { fake_raid_delay: 2 }, targetRaidConfig: { wanted: true } },
    from: 'manageable',
    begin: (conductor, node) =>
      conductor.handlers.doNodeClean(
        {
          nodeUuid: node.uuid,
          cleanSteps: [step('raid.create_configuration'), step('deploy.hold'), step('bios.wait')],
          disableRamdisk: false,
        },
        request('once'),
      ),
    meanwhile: unhold,
    isOver: finished,
    check: async (world, node) =>
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'manageable', raidConfig: { wanted: true } }),
  },
  {
    name: 'a deployment that holds between its steps',
    node: {},
    begin: deploy({ deploySteps: [step('deploy.hold', 50)] }),
    meanwhile: unhold,
    isOver: finished,
    check: async (world, node) => expect((await world.get(node.uuid)).provisionState).toBe('active'),
  },
  {
    name: 'a rescue',
    node: { driverInfo: { fake_rescue_delay: 2 } },
    from: 'active',
    begin: (conductor, node) =>
      conductor.handlers.doNodeRescue({ nodeUuid: node.uuid, rescuePassword: 'x' }, request('once')),
    isOver: finished,
    check: async (world, node) => expect((await world.get(node.uuid)).provisionState).toBe('rescue'),
  },
  {
    name: 'the way back from a rescue',
    node: { driverInfo: { fake_rescue_delay: 2 } },
    from: 'rescue',
    begin: (conductor, node) => conductor.handlers.doNodeUnrescue({ nodeUuid: node.uuid }, request('once')),
    isOver: finished,
    check: async (world, node) => expect((await world.get(node.uuid)).provisionState).toBe('active'),
  },
  {
    name: 'a service that waits and holds',
    node: { driverInfo: { fake_bios_delay: 2 } },
    from: 'active',
    begin: (conductor, node) =>
      conductor.handlers.doNodeService(
        {
          nodeUuid: node.uuid,
          serviceSteps: [step('bios.factory_reset'), step('vendor.hold'), step('raid.wait')],
          disableRamdisk: false,
        },
        request('once'),
      ),
    meanwhile: unhold,
    isOver: finished,
    check: async (world, node) =>
      expect(await world.get(node.uuid)).toMatchObject({
        provisionState: 'active',
        serviceStep: {},
        maintenance: false,
      }),
  },
  {
    name: 'cleaning that is aborted in a step that has to end',
    node: { driverInfo: { fake_vendor_delay: 2 } },
    from: 'manageable',
    begin: (conductor, node) =>
      conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request('once')),
    meanwhile: async (conductor, node) => {
      if (node.provisionState === 'clean wait')
        await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('a'));
    },
    isOver: finished,
    check: async (world, node) =>
      expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'clean failed', cleanStep: {} }),
  },
];

/** Brings a machine that waits for a boot to life, and its agent back to whoever conducts. */
function machineOf(world: World, node: Node, hangsIn?: string) {
  const agents: ScriptedAgent[] = [];
  let conductor: Conductor | undefined;
  return {
    agents,
    serveBy(next: Conductor | undefined): void {
      conductor = next;
      agents.at(-1)?.cut();
    },
    async tick(): Promise<void> {
      const run = await world.db.read.runs.current(node.uuid);
      if (!conductor || !run) return;
      const power = (await world.drivers.get(node, 'power').getPowerState({
        node: await world.get(node.uuid),
        ports: [],
        log: { debug() {}, info() {}, warn() {}, error() {}, child: () => expect.fail() },
        checkMayOrder: async () => Number.POSITIVE_INFINITY,
      })) as string;
      const agent = agents.at(-1);
      if (agent && !agent.isConnected && power === 'power on') agent.connect(conductor.agents);
      if (run.waitingFor?.what !== 'boot' || power !== 'power on' || run.notes['agent']) return;
      const bootId = `boot-${agents.length}`;
      const next = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId });
      const { script } = next;
      const isFirst = (): boolean => agents.every((other) => other === next || other.done.size === 0);
      next.script = (name) => (name === hangsIn && isFirst() ? 'hang' : script(name));
      agents.push(next);
      // It may have died while the machine booted.
      if (conductor) next.connect(conductor.agents);
    },
  };
}

/** Brings a node into the state of the scenario without a conductor. */
async function bring(world: World, node: Node, state: NonNullable<Scenario['from']>): Promise<void> {
  const way = [
    ['manageable', ['manage', 'done']],
    ['available', ['provide', 'done']],
    ['active', ['deploy', 'done']],
    ['rescue', ['rescue', 'done']],
  ] as const;
  await world.db.write('test', async (tx) => {
    for (const [there, events] of way) {
      for (const event of events) await tx.nodes.processEvent(node.uuid, event, {});
      if (there === state) return;
    }
  });
}

async function liveThrough(scenario: Scenario, deathAt: number, when: 'before' | 'after'): Promise<boolean> {
  const world = await createWorld();
  try {
    world.depot.file = async () => DRIVE;
    const node = await world.node(scenario.node);
    await bring(world, node, scenario.from ?? 'available');
    await world.db.write('test', (tx) => tx.boots.setAddress(MAC, '192.0.2.77'));
    const machine = machineOf(world, node, scenario.hangsIn);
    let first: Conductor | undefined;
    const { mortal, wasReached } = mortalDb(world.db, deathAt, when, () => {
      first?.abandon();
      machine.serveBy(undefined);
    });
    first = world.conductor({ db: mortal });
    let accepted: Promise<unknown> | undefined;
    void first.start().then(() => {
      machine.serveBy(first);
      accepted = scenario.begin(first!, node);
      accepted.catch(() => undefined);
    });
    let begun: Promise<unknown> | undefined;
    /** The operator's own call may never be answered: his conductor has died. */
    const meanwhile = async (conductor: Conductor): Promise<void> => {
      begun ??= scenario
        .meanwhile?.(conductor, await world.get(node.uuid))
        .catch(() => undefined)
        .finally(() => (begun = undefined));
    };
    await world.until(async () => {
      await machine.tick();
      if (accepted && !wasReached()) await meanwhile(first!);
      return wasReached() || (await scenario.isOver(world, node));
    });
    if (wasReached()) {
      const second = world.conductor({ isOnlyProcess: true, seed: 99 });
      await second.start();
      machine.serveBy(second);
      // The client that got no answer asks again, under the same request id.
      await scenario.begin(second, node).catch((error: { code?: string }) => {
        expect(error.code).toMatch(/NODE_LOCKED|INVALID_STATE/);
      });
      begun = undefined;
      await world.until(async () => {
        await machine.tick();
        await meanwhile(second);
        return scenario.isOver(world, node);
      });
    }
    await quiet();
    await scenario.check(world, node, machine.agents);
    const after = await world.get(node.uuid);
    expect(after.reservation).toBeNull();
    const starts = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['run.started'] }, 10);
    expect(starts).toHaveLength(1);
    return wasReached();
  } finally {
    await world.close();
  }
}

describe('a conductor that dies', () => {
  for (const scenario of SCENARIOS)
    for (const when of ['before', 'after'] as const)
      it(`${when} any write of ${scenario.name}`, { timeout: 120_000 }, async () => {
        let deaths = 0;
        for (let deathAt = 1; ; deathAt++) {
          const died = await liveThrough(scenario, deathAt, when).catch((error: unknown) => {
            throw new Error(`died ${when} write ${deathAt}`, { cause: error });
          });
          if (!died) break;
          deaths++;
        }
        expect(deaths).toBeGreaterThan(3);
      });

  it('in the middle of a reset never lets it be done twice', async () => {
    const world = await createWorld();
    const node = await world.node({ powerState: 'power on' });
    let resets = 0;
    const power: PowerInterface = {
      ...world.drivers.get(node, 'power'),
      getPowerState: async () => 'power on',
      reboot: () => {
        resets++;
        return never();
      },
    };
    const get = world.drivers.get;
    const drivers = { ...world.drivers, get: ((n, kind) => (kind === 'power' ? power : get(n, kind))) as typeof get };
    const first = world.conductor({ drivers });
    await first.start();
    await first.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'rebooting', timeoutS: null },
      request('r'),
    );
    await world.until(async () => resets === 1);
    first.abandon();
    const second = world.conductor({ drivers, isOnlyProcess: true });
    await second.start();
    await world.until(() => finished(world, node));
    expect(resets).toBe(1);
    expect((await world.run(node.uuid)).error).toContain('may not be done twice');
    expect(await world.get(node.uuid)).toMatchObject({ reservation: null, targetPowerState: null });
    await world.close();
  });
});
