import { asNodeId, type JsonObject, type Node } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';

let world: World;
let conductor: Conductor;
beforeEach(async () => {
  world = await createWorld();
  conductor = world.conductor();
  await conductor.start();
});
afterEach(() => world.close());

let requests = 0;
const next = () => request(`r${++requests}`);
type Action = 'manage' | 'provide' | 'adopt' | 'abort' | 'unhold';
const act = (node: Node, action: Action) =>
  conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action }, next());
const clean = (node: Node, cleanSteps: JsonObject[], disableRamdisk = false) =>
  conductor.handlers.doNodeClean({ nodeUuid: node.uuid, cleanSteps, disableRamdisk }, next());
const service = (node: Node, serviceSteps: JsonObject[], disableRamdisk = false) =>
  conductor.handlers.doNodeService({ nodeUuid: node.uuid, serviceSteps, disableRamdisk }, next());
const deploy = (node: Node, deploySteps: JsonObject[] | null = null, rebuild = false) =>
  conductor.handlers.doNodeDeploy({ nodeUuid: node.uuid, rebuild, configDrive: null, deploySteps }, next());
const rescue = (node: Node) =>
  conductor.handlers.doNodeRescue({ nodeUuid: node.uuid, rescuePassword: 'hunter2' }, next());
const unrescue = (node: Node) => conductor.handlers.doNodeUnrescue({ nodeUuid: node.uuid }, next());
const inspect = (node: Node) => conductor.handlers.inspectHardware({ nodeUuid: node.uuid }, next());
const undeploy = (node: Node) => conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, next());
const change = (node: Node, patch: Partial<Node>) =>
  world.db.write('test', (tx) => tx.nodes.update(node.uuid, patch as JsonObject));

async function manageable(patch: Partial<Node> = {}): Promise<Node> {
  const node = await world.node({ automatedClean: false, ...patch });
  await act(node, 'manage');
  return world.reaches(node.uuid, 'manageable');
}
async function active(patch: Partial<Node> = {}): Promise<Node> {
  const { driverInfo, ...rest } = patch;
  const node = await manageable(rest);
  await act(node, 'provide');
  await world.reaches(node.uuid, 'available');
  await deploy(node);
  const deployed = await world.reaches(node.uuid, 'active');
  if (driverInfo) await change(deployed, { driverInfo });
  await quiet();
  return deployed;
}
const step = (id: string, args: JsonObject = {}, priority?: number): JsonObject => {
  const [kind, name] = id.split('.');
  return { interface: kind!, step: name!, args, ...(priority === undefined ? {} : { priority }) };
};
const stepsOf = async (node: Node, type = 'step.done'): Promise<unknown[]> => {
  const run = await world.run(node.uuid);
  const events = await world.db.read.events.listLast({ runId: run.id, types: [type] }, 100);
  return events.map((event) => `${String(event.data['interface'])}.${String(event.data['step'])}`);
};
/** What holds for every node that rests. */
async function rests(node: Node): Promise<Node> {
  await quiet();
  const now = await world.get(node.uuid);
  expect(now.reservation).toBeNull();
  expect([now.cleanStep, now.deployStep, now.serviceStep]).toEqual([{}, {}, {}]);
  return now;
}

describe('manage', () => {
  it('goes back to enroll with the words of a BMC that does not answer', async () => {
    const node = await world.node({ driverInfo: { fake_power_fail: 'wrong password' } });
    await act(node, 'manage');
    await world.until(async () => (await world.get(node.uuid)).lastError !== null);
    expect(await rests(node)).toMatchObject({ provisionState: 'enroll', lastError: 'wrong password' });
  });
  it('works when the trouble passes', async () => {
    const node = await world.node({ driverInfo: { fake_power_fail: 1 } });
    await act(node, 'manage');
    await world.until(async () => (await world.get(node.uuid)).lastError !== null);
    await act(node, 'manage');
    await world.reaches(node.uuid, 'manageable');
  });
});

describe('inspect', () => {
  it('stores times, inventory and plugin data', async () => {
    const node = await manageable({ properties: { cpus: 8, memory_mb: 4096 } });
    await inspect(node);
    await world.reaches(node.uuid, 'manageable');
    const after = await rests(node);
    expect(after).toMatchObject({ inspectionStartedAt: null, inspectionFinishedAt: world.clock.nowMs() });
    expect(await world.db.read.nodes.getInventory(node.uuid)).toMatchObject({
      inventory: {
        cpu: { count: 8 },
        memory: { physical_mb: 4096 },
        interfaces: [{ mac_address: '52:54:00:00:00:01' }],
      },
      pluginData: { configuration: { collectors: ['default'] } },
    });
  });
  it('says since when it runs, can be aborted, and tried again', async () => {
    const node = await manageable({ driverInfo: { fake_inspect_delay: 30 } });
    await inspect(node);
    const waiting = await world.reaches(node.uuid, 'inspect wait');
    expect(waiting).toMatchObject({ reservation: null, inspectionFinishedAt: null });
    expect(waiting.inspectionStartedAt).not.toBeNull();
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({
      provisionState: 'inspect failed',
      lastError: 'Inspection was aborted by request.',
      inspectionStartedAt: null,
      maintenance: false,
    });
    await inspect(node);
    await world.reaches(node.uuid, 'manageable');
    expect((await world.get(node.uuid)).inspectionFinishedAt).not.toBeNull();
  });
  it('fails in words', async () => {
    const node = await manageable({ driverInfo: { fake_inspect_fail: 'no such machine' } });
    await inspect(node);
    await world.reaches(node.uuid, 'inspect failed');
    expect(await rests(node)).toMatchObject({ lastError: 'no such machine', inspectionStartedAt: null });
    await act(node, 'manage');
    expect((await world.get(node.uuid)).provisionState).toBe('manageable');
  });
});

describe('automated cleaning', () => {
  it('does the steps of all interfaces that have a priority', async () => {
    const node = await manageable({ automatedClean: true });
    await act(node, 'provide');
    await world.reaches(node.uuid, 'available');
    expect(await stepsOf(node)).toEqual(['vendor.log_passthrough']);
    expect(await rests(node)).toMatchObject({ lastError: null, targetProvisionState: null });
  });
  it('follows the switch of the configuration where the node has none of its own', async () => {
    const other = await createWorld({ 'conductor.automated_clean': 'false' });
    const second = other.conductor();
    await second.start();
    const node = await other.node();
    await second.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, next());
    await other.reaches(node.uuid, 'manageable');
    await second.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, next());
    await other.reaches(node.uuid, 'available');
    expect(await other.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.done'] }, 10)).toHaveLength(1);
    await other.close();
  });
  it('keeps a node from use when a step fails, until somebody has looked', async () => {
    const node = await manageable({ automatedClean: true, driverInfo: { fake_vendor_fail: 'the disk smokes' } });
    await act(node, 'provide');
    await world.reaches(node.uuid, 'clean failed');
    expect(await rests(node)).toMatchObject({
      ...{
        maintenance: true,
        fault: 'clean failure',
        maintenanceReason: 'the disk smokes',
        lastError: 'the disk smokes',
      },
      targetProvisionState: 'available',
    });
    await act(node, 'manage');
    expect((await world.get(node.uuid)).provisionState).toBe('manageable');
  });
  it('lets a step end that cannot be aborted, and aborts then', async () => {
    const node = await manageable({ automatedClean: true, driverInfo: { fake_vendor_delay: 20 } });
    await act(node, 'provide');
    await world.reaches(node.uuid, 'clean wait');
    await act(node, 'abort');
    expect((await world.get(node.uuid)).provisionState).toBe('clean wait');
    await world.reaches(node.uuid, 'clean failed');
    expect(await rests(node)).toMatchObject({
      maintenance: false,
      lastError: expect.stringMatching(/^By request, the clean operation was aborted .* "vendor.log_passthrough"$/),
    });
  });
});

describe('manual cleaning', () => {
  it('does what was asked for, in that order, with its arguments', async () => {
    const raid = { logical_disks: [{ size_gb: 10, raid_level: '1' }] };
    const node = await manageable({ targetRaidConfig: raid });
    await clean(node, [
      step('power.power_on'),
      step('raid.create_configuration', { create_root_volume: true }),
      step('bios.apply_configuration', { settings: [{ name: 'a', value: 'b' }] }),
      step('deploy.wait', { seconds: 5 }),
      step('firmware.update', { settings: [] }),
    ]);
    const { targetProvisionState } = await world.reaches(node.uuid, 'clean wait');
    expect(targetProvisionState).toBe('manageable');
    await world.reaches(node.uuid, 'manageable');
    expect(await stepsOf(node)).toEqual([
      'power.power_on',
      'raid.create_configuration',
      'bios.apply_configuration',
      'deploy.wait',
      'firmware.update',
    ]);
    expect(await rests(node)).toMatchObject({ raidConfig: raid, powerState: 'power on' });
  });
  it.each<[string, JsonObject[], boolean, string]>([
    [
      'an unknown step',
      [step('deploy.nosuch')],
      false,
      "node does not support this clean step: {'interface': 'deploy', 'step': 'nosuch'}",
    ],
    [
      'an argument that the step does not take',
      [step('raid.delete_configuration', { x: 1 })],
      false,
      'unexpected arguments: x',
    ],
    ['a missing argument', [step('firmware.update')], false, 'is missing these required arguments: settings'],
    ['no steps', [], false, 'clean_steps must name at least one step'],
    ['a step of the ramdisk without one', [step('bios.factory_reset')], true, 'requires booting a ramdisk'],
  ])('refuses %s before anything is changed', async (_, steps, disableRamdisk, words) => {
    const node = await manageable();
    await expect(clean(node, steps, disableRamdisk)).rejects.toMatchObject({
      status: 400,
      publicMessage: expect.stringContaining(words),
    });
    expect(await world.get(node.uuid)).toEqual(node);
  });
  it('is refused in maintenance', async () => {
    const node = await manageable({ maintenance: true });
    await expect(clean(node, [step('raid.delete_configuration')])).rejects.toMatchObject({
      code: 'NODE_IN_MAINTENANCE',
    });
  });
  it('holds where it is told to, without a lease and without a deadline, and goes on when it is told to', async () => {
    const node = await manageable();
    await clean(node, [step('deploy.hold'), step('raid.delete_configuration')]);
    const held = await world.reaches(node.uuid, 'clean hold');
    expect(held).toMatchObject({ reservation: null, cleanStep: { step: 'hold' } });
    await world.clock.advance(8 * 3_600_000);
    await quiet();
    expect((await world.get(node.uuid)).provisionState).toBe('clean hold');
    await act(node, 'unhold');
    await world.reaches(node.uuid, 'manageable');
    expect(await stepsOf(node)).toEqual(['deploy.hold', 'raid.delete_configuration']);
    await rests(node);
    await expect(act(node, 'unhold')).rejects.toMatchObject({ code: 'INVALID_STATE_REQUESTED' });
  });
  it('is aborted while it holds', async () => {
    const node = await manageable();
    await clean(node, [step('raid.hold')]);
    await world.reaches(node.uuid, 'clean hold');
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({
      provisionState: 'clean failed',
      targetProvisionState: 'manageable',
      lastError: expect.stringContaining('"raid.hold"'),
    });
    expect((await world.run(node.uuid)).state).toBe('aborted');
  });
  it('never waits longer than the configuration allows', async () => {
    const node = await manageable();
    await clean(node, [step('deploy.wait', { seconds: 86_400 })]);
    const begun = world.clock.nowMs();
    await world.reaches(node.uuid, 'manageable');
    expect(world.clock.nowMs() - begun).toBe(30_000);
  });
});

describe('deployment', () => {
  it('does templates and requested steps around the core step', async () => {
    const node = await manageable({ traits: ['CUSTOM_RAID'], instanceInfo: { traits: ['CUSTOM_RAID'] } });
    await act(node, 'provide');
    await world.reaches(node.uuid, 'available');
    await world.db.write('test', async (tx) => {
      for (const [name, kind] of [
        ['CUSTOM_RAID', 'raid'],
        ['CUSTOM_OTHER', 'nosuch'],
      ] as const)
        await tx.deployTemplates.create({
          uuid: asNodeId(`2000000${kind.length % 10}-0000-4000-8000-000000000000`),
          name,
          steps: [{ interface: kind, step: 'apply_configuration', args: { raid_config: { a: 1 } }, priority: 120 }],
        });
    });
    await deploy(node, [step('bios.factory_reset', {}, 10), step('deploy.hold', {}, 110)]);
    await world.reaches(node.uuid, 'deploy hold');
    await act(node, 'unhold');
    await world.reaches(node.uuid, 'active');
    expect(await stepsOf(node)).toEqual([
      'raid.apply_configuration',
      'deploy.hold',
      'deploy.validate',
      'deploy.fake_boot_ramdisk',
      'deploy.fake_write_image',
      'boot.boot_disk',
      'deploy.finish',
      'bios.factory_reset',
    ]);
    expect(await rests(node)).toMatchObject({ raidConfig: { a: 1 } });
  });
  it('refuses an unknown step, and traits that the node has not, before anything is changed', async () => {
    const node = await manageable();
    await act(node, 'provide');
    const available = await world.reaches(node.uuid, 'available');
    await expect(deploy(node, [step('deploy.nosuch', {}, 50)])).rejects.toMatchObject({
      status: 400,
      publicMessage: expect.stringContaining('Validation of deploy steps from "deploy steps" argument failed.'),
    });
    expect(await world.get(node.uuid)).toEqual(available);
    await change(node, { instanceInfo: { traits: ['CUSTOM_X'] } });
    await expect(deploy(node)).rejects.toMatchObject({
      publicMessage: expect.stringContaining('is missing traits CUSTOM_X'),
    });
  });
  it('is aborted while it holds, and rebuilt', async () => {
    const node = await active();
    await deploy(node, [step('deploy.hold', {}, 200)], true);
    await world.reaches(node.uuid, 'deploy hold');
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({
      provisionState: 'deploy failed',
      lastError: 'By request, the deploy operation was aborted during or after the completion of step "deploy.hold"',
    });
    await deploy(node, null, true);
    await world.reaches(node.uuid, 'active');
    await change(node, { protected: true });
    await expect(deploy(node, null, true)).rejects.toMatchObject({ code: 'NODE_PROTECTED' });
  });
});

describe('adopt', () => {
  it('takes over a running node, and says what is wrong with one', async () => {
    const node = await manageable();
    await act(node, 'adopt');
    await world.reaches(node.uuid, 'active');
    const broken = await manageable({ interfaces: {}, driverInfo: {} });
    await change(broken, { driverInfo: { fake_boot_delay: 'x' } });
    await act(broken, 'adopt');
    await world.reaches(broken.uuid, 'adopt failed');
    expect(await rests(broken)).toMatchObject({
      powerState: null,
      lastError: expect.stringMatching(/^Error while attempting to adopt node .*fake_boot_delay/),
    });
    await change(broken, { driverInfo: {} });
    await act(broken, 'adopt');
    await world.reaches(broken.uuid, 'active');
  });
});

describe('rescue and unrescue', () => {
  it('go there and back', async () => {
    const node = await active();
    await rescue(node);
    await world.reaches(node.uuid, 'rescue');
    await rests(node);
    await unrescue(node);
    await world.reaches(node.uuid, 'active');
    await rests(node);
  });
  it('keep the password out of everything that is shown', async () => {
    const node = await active();
    await rescue(node);
    await world.reaches(node.uuid, 'rescue');
    const events = await world.db.read.events.listLast({ nodeUuid: node.uuid }, 1000);
    expect(JSON.stringify([await world.get(node.uuid), events, (await world.run(node.uuid)).notes])).not.toContain(
      'hunter2',
    );
  });
  it('can be aborted while the node waits, and tried again', async () => {
    const node = await active({ driverInfo: { fake_rescue_delay: '20,40' } });
    await rescue(node);
    const waiting = await world.reaches(node.uuid, 'rescue wait');
    expect(waiting).toMatchObject({ reservation: null, targetProvisionState: 'rescue' });
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({
      provisionState: 'rescue failed',
      lastError: 'By request, the rescue operation was aborted.',
    });
    await rescue(node);
    await world.reaches(node.uuid, 'rescue');
    await undeploy(node);
    await world.reaches(node.uuid, 'available');
  });
  it('fail in words, and undeploying gets the node back', async () => {
    const node = await active({ driverInfo: { fake_rescue_fail: 'no rescue today' } });
    await rescue(node);
    await world.reaches(node.uuid, 'rescue failed');
    expect(await rests(node)).toMatchObject({ lastError: 'no rescue today', maintenance: false });
    await unrescue(node);
    await world.reaches(node.uuid, 'unrescue failed');
    await change(node, { driverInfo: {} });
    await unrescue(node);
    await world.reaches(node.uuid, 'active');
  });
  it('are refused where the node has no such interface, and in maintenance', async () => {
    const node = await active({ interfaces: { rescue: 'no-rescue' } });
    await expect(rescue(node)).rejects.toMatchObject({
      code: 'UNSUPPORTED_DRIVER_EXTENSION',
      publicMessage: `Failed to rescue instance None for node ${node.uuid}: Validation failed: Driver fake-hardware does not support rescue (disabled or not implemented).`,
    });
    await change(node, { maintenance: true });
    await expect(rescue(node)).rejects.toMatchObject({ code: 'NODE_IN_MAINTENANCE' });
    await expect(unrescue(node)).rejects.toMatchObject({ code: 'INVALID_STATE_REQUESTED' });
    expect((await world.get(node.uuid)).provisionState).toBe('active');
  });
});

describe('service', () => {
  it('does the requested steps on a node in use, and leaves it in use', async () => {
    const node = await active();
    await service(node, [step('bios.factory_reset'), step('vendor.log_passthrough')]);
    await world.reaches(node.uuid, 'active');
    expect(await stepsOf(node)).toEqual(['bios.factory_reset', 'vendor.log_passthrough']);
    expect(await rests(node)).toMatchObject({ lastError: null });
  });
  it('goes without a ramdisk where its steps do', async () => {
    const node = await active();
    await service(node, [step('vendor.log_passthrough'), step('power.reboot')], true);
    await world.reaches(node.uuid, 'active');
    await expect(service(node, [step('bios.factory_reset')], true)).rejects.toMatchObject({
      publicMessage: expect.stringContaining('requires booting a ramdisk'),
    });
    await expect(service(node, [])).rejects.toMatchObject({ code: 'MISSING_PARAMETER' });
    await expect(service(node, [step('raid.nosuch')])).rejects.toMatchObject({
      publicMessage: "node does not support this service step: {'interface': 'raid', 'step': 'nosuch'}",
    });
  });
  it('is aborted while a step waits, and the node is in use again', async () => {
    const node = await active();
    await service(node, [step('vendor.trigger_servicewait')]);
    const waiting = await world.reaches(node.uuid, 'service wait');
    expect(waiting).toMatchObject({ reservation: null, serviceStep: { step: 'trigger_servicewait' } });
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({
      provisionState: 'active',
      targetProvisionState: null,
      maintenance: false,
      lastError: expect.stringMatching(/^By request, the service operation was aborted/),
    });
  });
  it('a step that waits for ever ends with the whole service', async () => {
    const node = await active();
    await service(node, [step('vendor.trigger_servicewait')]);
    await world.reaches(node.uuid, 'service failed', 4 * 3_600_000);
    expect(await rests(node)).toMatchObject({ maintenance: true, fault: 'service failure' });
  });
  it('fails in words and into maintenance; an abort makes the node active again', async () => {
    const node = await active({ driverInfo: { fake_raid_fail: { message: 'a disk is missing', times: 1 } } });
    await service(node, [step('raid.create_configuration')]);
    await world.reaches(node.uuid, 'service failed');
    expect(await rests(node)).toMatchObject({ lastError: 'a disk is missing', fault: 'service failure' });
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({ provisionState: 'active' });
    await change(node, { maintenance: false });
    await service(node, [step('raid.create_configuration')]);
    await world.reaches(node.uuid, 'active');
  });
  it('holds, and goes on or takes another service', async () => {
    const node = await active();
    await service(node, [step('deploy.hold'), step('vendor.log_passthrough')]);
    await world.reaches(node.uuid, 'service hold');
    await act(node, 'unhold');
    await world.reaches(node.uuid, 'active');
    await service(node, [step('deploy.hold')]);
    await world.reaches(node.uuid, 'service hold');
    await service(node, [step('vendor.log_passthrough')]);
    await world.reaches(node.uuid, 'active');
    expect(await stepsOf(node)).toEqual(['vendor.log_passthrough']);
    await rests(node);
  });
});

describe('undeploying', () => {
  it('forgets the instance, its allocation and its networks', async () => {
    const node = await active();
    const uuid = '30000000-0000-4000-8000-000000000000';
    await world.db.write('test', async (tx) => {
      await tx.allocations.create({ uuid, name: 'a', nodeUuid: node.uuid, state: 'active', resourceClass: 'x' });
      const change = { instanceUuid: uuid, allocationUuid: uuid, instanceInfo: { a: 1 }, instanceName: 'i' };
      await tx.nodes.update(node.uuid, change);
      const [port] = await tx.ports.list({ nodeUuid: node.uuid }, { limit: 1 });
      await tx.ports.update(port!.uuid, { internalInfo: { tenant_vif_port_id: 'v', kept: 1 } });
    });
    await undeploy(node);
    await world.reaches(node.uuid, 'available');
    expect(await rests(node)).toMatchObject({
      ...{ instanceUuid: null, instanceName: null, instanceInfo: {}, allocationUuid: null, powerState: 'power off' },
    });
    expect(await world.db.read.allocations.find(uuid)).toBeUndefined();
    expect((await world.db.read.ports.list({ nodeUuid: node.uuid }, { limit: 1 }))[0]?.internalInfo).toEqual({
      kept: 1,
    });
  });
  it('ends in error when the node cannot be powered off, and can be tried again', async () => {
    const node = await active({ driverInfo: { fake_power_fail: 'no power to the button' } });
    await undeploy(node);
    await world.reaches(node.uuid, 'error');
    expect(await rests(node)).toMatchObject({ lastError: 'no power to the button', maintenance: false });
    await change(node, { driverInfo: {} });
    await undeploy(node);
    await world.reaches(node.uuid, 'available');
  });
  it('cleans, and a retired node is kept from use afterwards', async () => {
    const node = await active();
    await change(node, { automatedClean: true, retired: true });
    await undeploy(node);
    await world.reaches(node.uuid, 'manageable');
    expect(await stepsOf(node)).toEqual(['power.power_off', 'deploy.tear_down', 'vendor.log_passthrough']);
    await expect(act(node, 'provide')).rejects.toMatchObject({
      status: 400,
      publicMessage: `The providing operation can't be performed on node ${node.uuid} because it is retired.`,
    });
  });
});

describe('manual-management', () => {
  it('takes the power state as it is ordered, and offers what a ramdisk can do', async () => {
    const node = await manageable({ driver: 'manual-management' });
    await conductor.handlers.changeNodePowerState({ nodeUuid: node.uuid, target: 'power on', timeoutS: null }, next());
    await world.until(async () => (await world.get(node.uuid)).powerState === 'power on');
    await act(node, 'provide');
    await world.reaches(node.uuid, 'available');
    await act(node, 'manage');
    await expect(clean(node, [step('raid.create_configuration')])).rejects.toMatchObject({
      publicMessage: expect.stringContaining('node does not support this clean step'),
    });
    await clean(node, [step('deploy.erase_devices_metadata')]);
    const waiting = await world.reaches(node.uuid, 'clean wait');
    expect((await world.run(node.uuid)).waitingFor?.what).toBe('boot');
    await act(waiting, 'abort');
    expect((await rests(node)).provisionState).toBe('clean failed');
    await act(node, 'manage');
    await expect(clean(node, [step('deploy.power_off'), step('deploy.erase_devices_metadata')])).rejects.toMatchObject({
      publicMessage: expect.stringContaining('cannot follow power_off'),
    });
    await expect(inspect(node)).rejects.toMatchObject({ code: 'UNSUPPORTED_DRIVER_EXTENSION' });
  });
});
