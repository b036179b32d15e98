/** Power orders that meet a run which rests. */
import { afterEach, describe, expect, it } from 'vitest';
import { asSessionId, type Node, type PowerTarget, type Run, ServiceError, type Step } from '@bessemer/core';
import type { Conductor } from './conductor.ts';
import { wayOf } from './power-orders.ts';
import { agentStep, conductorStep, driverStep, segmentsOf } from './steps/catalogue.ts';
import { createWorld, quiet, request, type World } from './testing.ts';
import { createScriptedAgent, mintToken, type ScriptedAgent } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const IMAGE = { image_source: 'http://images.test/debian.qcow2', image_checksum: 'a'.repeat(64) };
let world: World;
let conductor: Conductor;
let node: Node;
let asked = 0;
afterEach(() => world.close());

async function deploying(deploySteps: readonly object[] | null = null): Promise<void> {
  world = await createWorld();
  conductor = world.conductor();
  await conductor.start();
  node = await world.node({ interfaces: { deploy: 'direct' }, instanceInfo: IMAGE, automatedClean: false });
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
  await world.reaches(node.uuid, 'manageable');
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request('p'));
  await world.db.write('test', (tx) => tx.boots.setAddress(MAC, '192.0.2.77'));
  await world.reaches(node.uuid, 'available');
  const order = { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: deploySteps as never };
  await conductor.handlers.doNodeDeploy(order, request('d'));
}
const power = (target: PowerTarget, id = `p${asked++}`, timeoutS: number | null = null) =>
  conductor.handlers.changeNodePowerState({ nodeUuid: node.uuid, target, timeoutS }, request(id));
const waitsFor = (what: string, from = '') =>
  world.until(async () => {
    const { waitingFor } = await world.run(node.uuid);
    return waitingFor?.what === what && waitingFor.from.includes(from);
  }, 600_000);
/** The agent of a boot, which hangs in the step `hangsIn`. */
async function boots(bootId: string, hangsIn = ''): Promise<ScriptedAgent> {
  await waitsFor('boot');
  const agent = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId });
  agent.script = (step) => (step === hangsIn ? 'hang' : { result: {} });
  agent.connect(conductor.agents);
  return agent;
}
async function writing(): Promise<ScriptedAgent> {
  await deploying();
  const agent = await boots('boot-1', 'write_image');
  await world.until(async () => agent.done.size === 1);
  await quiet();
  expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'wait call-back', reservation: null });
  return agent;
}
/** The BMC's orders, from the first on. */
const orders = async (): Promise<unknown[]> =>
  (await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['power.ordered'] }, 100)).map(
    (event) => event.data['action'],
  );
const states = async () => {
  const { provisionState, powerState, targetPowerState, lastError } = await world.get(node.uuid);
  return { provisionState, powerState, targetPowerState, lastError };
};

describe('while an agent works', () => {
  it('a reboot boots the ramdisk again, and the agent of the boot before has no say any more', async () => {
    const first = await writing();
    const before = (await orders()).length;
    await power('rebooting');
    await quiet();
    expect(first.isConnected).toBe(false);
    first.connect(conductor.agents);
    await quiet();
    expect(first.refused).toHaveLength(1);
    const second = await boots('boot-2');
    await world.reaches(node.uuid, 'active');
    expect((await orders()).slice(before, before + 2)).toEqual(['power off', 'power on']);
    expect([...second.done.values()]).toEqual([1, 1, 1]);
    expect(await states()).toMatchObject({ powerState: 'power on', targetPowerState: null, lastError: null });
    const [told] = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.failed'] }, 1);
    expect(told!.data['error']).toBe('"rebooting" was ordered during write_image: the ramdisk is booted again.');
  });

  it('an order to switch off holds until it is to be on again', async () => {
    await writing();
    await power('soft power off', 'off', 5);
    await waitsFor('power', 'an operator');
    const off = { provisionState: 'wait call-back', powerState: 'power off', targetPowerState: null };
    expect(await states()).toMatchObject(off);
    const before = (await orders()).length;
    await world.clock.advance(600_000);
    expect(await states()).toMatchObject(off);
    expect((await world.get(node.uuid)).reservation).toBeNull();
    expect(await orders()).toHaveLength(before);
    await power('power on');
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
    expect((await states()).targetPowerState).toBeNull();
  });

  it('a node that stays off fails with a word about who switched it off', async () => {
    await writing();
    await power('power off');
    const failed = await world.reaches(node.uuid, 'deploy failed', 24 * 3_600_000);
    expect(failed.lastError).toContain('for power (an operator), which did not come. It was switched off by request.');
    expect(failed).toMatchObject({ targetPowerState: null, reservation: null });
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
  });

  it('an order for what is so already does nothing, and a repeated one is one', async () => {
    const agent = await writing();
    const before = (await orders()).length;
    expect(await power('power on')).toEqual({ runId: null });
    await quiet();
    expect([agent.isConnected, (await orders()).length]).toEqual([true, before]);
    const first = await power('rebooting', 'same');
    await waitsFor('boot');
    const ordered = (await orders()).length;
    expect(await power('rebooting', 'same')).toEqual(first);
    await world.clock.advance(1_000);
    expect((await orders()).length).toBe(ordered);
    expect(await power('rebooting', 'other')).toEqual(first);
  });

  it('an order to switch on is one while another is about to switch it off', async () => {
    await writing();
    const power0 = world.drivers.get(node, 'power');
    const { setPowerState } = power0;
    // Nobody in the machine hears the button.
    const deaf: typeof setPowerState = async (task, to) =>
      to === 'soft power off' ? undefined : setPowerState.call(power0, task, to);
    Object.assign(power0, { setPowerState: deaf });
    try {
      await power('soft power off', 'off', 600);
      await waitsFor('power', 'the operating system');
      await power('power on');
      expect((await states()).targetPowerState).toBe('power on');
      await boots('boot-2');
      await world.reaches(node.uuid, 'active');
    } finally {
      Object.assign(power0, { setPowerState });
    }
    expect(await states()).toMatchObject({ powerState: 'power on', targetPowerState: null });
  });

  it('a machine that must not be switched off may be rebooted', async () => {
    await writing();
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { disablePowerOff: true }));
    for (const target of ['power off', 'soft power off'] as const)
      await expect(power(target)).rejects.toMatchObject({ code: 'POWER_STATE_FAILURE' });
    await power('rebooting');
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
  });

  it('of one request that comes twice at a time only one is carried out', async () => {
    await writing();
    // It has looked before the answer of the first was there.
    const { read } = world.db;
    const early = { ...read, requests: { ...read.requests, get: async () => undefined } };
    const other = world.conductor({
      host: 'conductor-2',
      db: { ...world.db, engine: world.db.engine, read: early as typeof read },
    });
    await other.start();
    await power('rebooting', 'same');
    await waitsFor('boot');
    const order = { nodeUuid: node.uuid, target: 'rebooting', timeoutS: null } as const;
    await expect(other.handlers.changeNodePowerState(order, request('same'))).rejects.toMatchObject({
      code: 'NODE_LOCKED',
    });
    const told = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.failed'] }, 10);
    expect(told).toHaveLength(1);
  });

  it('a successor goes on with an order that its conductor took', async () => {
    await writing();
    await power('rebooting');
    conductor.abandon();
    conductor = world.conductor({ host: 'conductor-2' });
    await conductor.start();
    await boots('boot-2');
    await world.reaches(node.uuid, 'active', 600_000);
    expect((await states()).targetPowerState).toBeNull();
  });

  it('an abort ends the run, with the order that it was given', async () => {
    await writing();
    await power('power off');
    await waitsFor('power', 'an operator');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('a'));
    expect(await states()).toMatchObject({ provisionState: 'deploy failed', targetPowerState: null });
  });
});

describe('while the ramdisk boots', () => {
  it('a reboot begins the boot again; the token of the boot before is closed', async () => {
    await deploying();
    await waitsFor('boot');
    await world.clock.advance(5_000);
    const stale = createScriptedAgent({
      token: await mintToken(world, node, MAC),
      mac: MAC,
      bootId: 'boot-1',
    });
    await power('rebooting');
    await waitsFor('boot');
    stale.connect(conductor.agents);
    await quiet();
    expect(stale.refused).toHaveLength(1);
    expect((await states()).provisionState).toBe('wait call-back');
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
  });
});

describe('while the run waits for what is no business of the BMC', () => {
  async function waitingForSsh(): Promise<void> {
    await deploying();
    world.ssh.answers = false;
    await boots('boot-1');
    await waitsFor('ssh');
    expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'wait call-back', reservation: null });
  }
  it('it is done beside the run, which goes on', async () => {
    await waitingForSsh();
    const before = (await orders()).length;
    await power('soft rebooting', 'soft', 10);
    expect(await world.get(node.uuid)).toMatchObject({
      targetPowerState: 'power on',
      reservation: { purpose: 'power' },
      provisionState: 'wait call-back',
    });
    await expect(power('power off')).rejects.toMatchObject({ code: 'NODE_LOCKED' });
    await world.until(async () => (await world.get(node.uuid)).targetPowerState === null, 60_000);
    expect((await orders()).slice(before)).toEqual(['soft power off', 'power on']);
    expect(await world.get(node.uuid)).toMatchObject({ powerState: 'power on', reservation: null });
    expect(await power('soft rebooting', 'soft', 10)).toEqual({ runId: null });
    await quiet();
    expect((await states()).targetPowerState).toBeNull();
    world.ssh.answers = true;
    await world.reaches(node.uuid, 'active', 60_000);
  });

  it('what the BMC refuses is the last error of the node, and in its record; the run goes on', async () => {
    await waitingForSsh();
    const power0 = world.drivers.get(node, 'power');
    const { setPowerState } = power0;
    Object.assign(power0, {
      setPowerState: () => Promise.reject(new ServiceError('BMC_FAILURE', 'the BMC says no')),
    });
    try {
      await power('power off');
      await world.until(async () => (await states()).targetPowerState === null, 60_000);
    } finally {
      Object.assign(power0, { setPowerState });
    }
    const lastError = "Failed to change power state to 'power off' by 'power off': the BMC says no";
    expect(await states()).toMatchObject({ lastError, powerState: 'power on', provisionState: 'wait call-back' });
    const [told] = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['node.power_state'] }, 1);
    expect([told!.severity, told!.data['error']]).toEqual(['error', lastError]);
    world.ssh.answers = true;
    expect((await world.reaches(node.uuid, 'active', 60_000)).lastError).toBeNull();
  });

  it('an order that has begun does not end because the database cannot be read for a moment', async () => {
    await waitingForSsh();
    let isAway = false;
    const { read } = world.db;
    const list: typeof read.ports.list = (...args) =>
      isAway ? Promise.reject(new Error('the database is away')) : read.ports.list(...args);
    const write: typeof world.db.write = async (name, fn) => {
      const result = await world.db.write(name, fn);
      isAway ||= name === 'reserve.power';
      return result;
    };
    conductor.abandon();
    const db = { ...world.db, engine: world.db.engine, write, read: { ...read, ports: { ...read.ports, list } } };
    conductor = world.conductor({ isOnlyProcess: true, db });
    await conductor.start();
    await waitsFor('ssh');
    await power('power off');
    await quiet();
    expect(isAway).toBe(true);
    isAway = false;
    expect(await states()).toMatchObject({ powerState: 'power off', targetPowerState: null });
  });

  it('a machine that stays off does not answer: the run fails and says so', async () => {
    await waitingForSsh();
    await power('power off');
    await world.until(async () => (await world.get(node.uuid)).powerState === 'power off', 60_000);
    const failed = await world.reaches(node.uuid, 'deploy failed', 24 * 3_600_000);
    expect(failed.lastError).toContain('for ssh');
    expect(failed).toMatchObject({ reservation: null, targetPowerState: null, powerState: 'power off' });
  });

  it('an order that a conductor took with it is given up by the one that goes on with the run', async () => {
    await waitingForSsh();
    await power('soft power off', 'soft', 600);
    expect((await states()).targetPowerState).toBe('power off');
    conductor.abandon();
    conductor = world.conductor({ host: 'conductor-2' });
    await conductor.start();
    await world.until(async () => (await states()).targetPowerState === null, 600_000);
    expect((await states()).lastError).toBe('Pending power operation was aborted due to conductor restart');
    world.ssh.answers = true;
    await world.reaches(node.uuid, 'active', 60_000);
  });
});

describe('of another conductor than the one that goes on with the run', () => {
  let other: Conductor;
  /** The other one takes an order that lasts, and is gone. */
  async function lostWithOrder(): Promise<void> {
    let isDead = false;
    const write: typeof world.db.write = (name, fn) => (isDead ? new Promise(() => {}) : world.db.write(name, fn));
    other = world.conductor({ host: 'conductor-2', db: { ...world.db, engine: world.db.engine, write } });
    await other.start();
    await other.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'soft power off', timeoutS: 600 },
      request('other'),
    );
    isDead = true;
    other.abandon();
    await quiet();
    expect(await world.get(node.uuid)).toMatchObject({
      reservation: { purpose: 'power' },
      targetPowerState: 'power off',
    });
  }
  const LEFT = { targetPowerState: null, lastError: 'Pending power operation was aborted due to conductor restart' };

  it('a node that holds is not locked for ever when that one is gone', async () => {
    await deploying([{ interface: 'deploy', step: 'hold', args: {}, priority: 90 }]);
    await boots('boot-1');
    await world.reaches(node.uuid, 'deploy hold');
    await lostWithOrder();
    await world.clock.advance(world.config.conductor.session_ttl_ms * 2);
    await quiet();
    expect(await world.get(node.uuid)).toMatchObject({ ...LEFT, reservation: null });
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'unhold' }, request('u'));
    await world.reaches(node.uuid, 'active');
  });

  it('the order does not stay with the node when the run goes on', async () => {
    await deploying();
    world.ssh.answers = false;
    await boots('boot-1');
    await waitsFor('ssh');
    await lostWithOrder();
    // The run takes the lease before anybody looks for those that are left.
    await world.db.write('test', (tx) => tx.conductors.endOthers('conductor-2', asSessionId('none')));
    world.ssh.answers = true;
    await world.reaches(node.uuid, 'active');
    expect((await states()).targetPowerState).toBeNull();
  });

  it('the image is fetched by the depot of the one that goes on, when it is not there', async () => {
    await writing();
    const { openExit } = world.depot;
    const before = world.depot.ensured.length;
    world.depot.openExit = (exit) =>
      world.depot.ensured.length > before
        ? openExit(exit)
        : Promise.reject(Object.assign(new Error('image abc is not in the store'), { code: 'NOT_FOUND' }));
    other = world.conductor({ host: 'conductor-2' });
    await other.start();
    await other.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'rebooting', timeoutS: null },
      request('other'),
    );
    conductor = other;
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
    expect(world.depot.ensured).toHaveLength(before + 1);
  });

  it('an agent of the boot before, at that one, has no say any more', async () => {
    const first = await writing();
    other = world.conductor({ host: 'conductor-2' });
    await other.start();
    await other.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'rebooting', timeoutS: null },
      request('other'),
    );
    first.finish('write_image');
    await quiet();
    expect(first.isConnected).toBe(false);
    first.connect(other.agents);
    await quiet();
    expect(first.refused).toHaveLength(1);
    conductor = other;
    const second = await boots('boot-2');
    await world.reaches(node.uuid, 'active');
    expect([...second.done.values()]).toEqual([1, 1, 1]);
  });
});

describe('how an order meets a run', () => {
  const boot = conductorStep('boot_ramdisk');
  const own = driverStep('bios', { step: 'factory_reset', onRepeat: 'safe', abortable: true }, {}, 50);
  const run = (at: readonly [segment: number, step: number], ...rows: Step[]): Run =>
    ({
      state: 'running',
      segments: segmentsOf(rows),
      cursor: { segment: at[0], step: at[1], attempt: null },
    }) as unknown as Run;
  it.each<[what: string, run: Run, way: ReturnType<typeof wayOf>]>([
    ['a boot', run([0, 1], conductorStep('validate'), boot), { kind: 'restart', at: { segment: 0, step: 1 } }],
    ['an agent', run([1, 0], boot, agentStep('write_image')), { kind: 'restart', at: { segment: 0, step: 0 } }],
    [
      'an agent after a pause',
      run([1, 0], boot, conductorStep('wait'), agentStep('write_image')),
      { kind: 'restart', at: { segment: 0, step: 0 } },
    ],
    ['an agent after a step that is not done twice', run([1, 0], boot, own, agentStep('write_image')), undefined],
    ['an agent without a boot', run([0, 0], agentStep('write_image')), undefined],
    ['a step of a driver', run([0, 0], own), undefined],
    ['a hold', run([0, 1], boot, conductorStep('hold')), { kind: 'beside' }],
    ['a config drive that is fetched', run([0, 0], conductorStep('fetch_config_drive'), boot), { kind: 'beside' }],
    ['a queue', { ...run([0, 0], boot), state: 'queued' }, { kind: 'beside' }],
    ['a power order', run([0, 0], conductorStep('change_power')), undefined],
  ])('%s', (_what, met, way) => {
    expect(wayOf(met)).toEqual(way);
  });
});

describe('in the middle of a step of a driver', () => {
  it('it is refused', async () => {
    await deploying([{ interface: 'deploy', step: 'hold', args: {}, priority: 90 }]);
    await boots('boot-1');
    await world.reaches(node.uuid, 'deploy hold');
    const run = await world.run(node.uuid);
    const { cursor, segments } = run;
    const changed = segments.map((segment, i) =>
      i === cursor.segment
        ? { ...segment, steps: segment.steps.map((step) => ({ ...step, source: 'driver' as const })) }
        : segment,
    );
    await power('rebooting');
    await world.until(async () => (await states()).targetPowerState === null, 60_000);
    await world.db.write('test', (tx) => tx.runs.update(run.id, run.fence, { segments: changed }));
    await expect(power('rebooting')).rejects.toMatchObject({
      code: 'INVALID_STATE',
      publicMessage: expect.stringContaining('has work under way'),
    });
  });
});
