import { asNodeId } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { World } from './testing.ts';
import { createVerbs, step, type Verbs } from './testing-verbs.ts';

let world: World;
let act: Verbs['act'];
let clean: Verbs['clean'];
let service: Verbs['service'];
let deploy: Verbs['deploy'];
let rescue: Verbs['rescue'];
let unrescue: Verbs['unrescue'];
let inspect: Verbs['inspect'];
let undeploy: Verbs['undeploy'];
let change: Verbs['change'];
let manageable: Verbs['manageable'];
let available: Verbs['available'];
let active: Verbs['active'];
let stepsOf: Verbs['stepsOf'];
let rests: Verbs['rests'];
let handlers: Verbs['handlers'];
let next: Verbs['next'];
beforeEach(async () => {
  ({
    world,
    act,
    clean,
    service,
    deploy,
    rescue,
    unrescue,
    inspect,
    undeploy,
    change,
    manageable,
    available,
    active,
    stepsOf,
    rests,
    handlers,
    next,
  } = await createVerbs());
});
afterEach(() => world.close());

describe('deployment', () => {
  it('does templates and requested steps around the core step', async () => {
    const node = await available({ traits: ['CUSTOM_RAID'], instanceInfo: { traits: ['CUSTOM_RAID'] } });
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
    const node = await available();
    await expect(deploy(node, [step('deploy.nosuch', {}, 50)])).rejects.toMatchObject({
      status: 400,
      publicMessage: expect.stringContaining('Validation of deploy steps from "deploy steps" argument failed.'),
    });
    expect(await world.get(node.uuid)).toEqual(node);
    await change(node, { instanceInfo: { traits: ['CUSTOM_X'] } });
    await expect(deploy(node)).rejects.toMatchObject({
      publicMessage: expect.stringContaining('is missing traits CUSTOM_X'),
    });
    // A scheduler asks before it deploys.
    const validated = await handlers.validateDriverInterfaces({ nodeUuid: node.uuid }, next());
    expect(validated['deploy']).toEqual({
      result: false,
      reason: expect.stringContaining('is missing traits CUSTOM_X'),
    });
    expect(validated['power']).toEqual({ result: true });
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
    await change(broken, { driverInfo: { fake_power_delay: 'x' } });
    await act(broken, 'adopt');
    await world.reaches(broken.uuid, 'adopt failed');
    expect(await rests(broken)).toMatchObject({
      powerState: null,
      lastError: expect.stringMatching(/^Error while attempting to adopt node .*fake_power_delay.*[^.]\.$/),
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
    const events = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['node.provision_state'] }, 100);
    expect(events.filter((event) => event.data['error'] != null).length).toBe(1);
  });
  it('a step that waits for ever ends with the whole service', async () => {
    const node = await active();
    await service(node, [step('vendor.trigger_servicewait')]);
    await world.reaches(node.uuid, 'service failed', 4 * 3_600_000);
    expect(await rests(node)).toMatchObject({ maintenance: true, fault: 'service failure' });
  });
  it('fails in words and into maintenance; after that an abort makes the node active again', async () => {
    const node = await active({ driverInfo: { fake_raid_fail: { message: 'a disk is missing', times: 1 } } });
    await service(node, [step('raid.create_configuration')]);
    await world.reaches(node.uuid, 'service failed');
    expect(await rests(node)).toMatchObject({ lastError: 'a disk is missing', fault: 'service failure' });
    await expect(act(node, 'abort')).rejects.toThrow('Please remove the node from maintenance');
    await change(node, { maintenance: false });
    await act(node, 'abort');
    expect(await rests(node)).toMatchObject({ provisionState: 'active' });
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
    await handlers.changeNodePowerState({ nodeUuid: node.uuid, target: 'power on', timeoutS: null }, next());
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
