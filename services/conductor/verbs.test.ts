import type { JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quiet, type World } from './testing.ts';
import { createVerbs, step, type Verbs } from './testing-verbs.ts';

let world: World;
let act: Verbs['act'];
let clean: Verbs['clean'];
let inspect: Verbs['inspect'];
let change: Verbs['change'];
let manageable: Verbs['manageable'];
let stepsOf: Verbs['stepsOf'];
let rests: Verbs['rests'];
beforeEach(async () => {
  ({ world, act, clean, inspect, change, manageable, stepsOf, rests } = await createVerbs());
});
afterEach(() => world.close());

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
    const other = await createVerbs({ 'conductor.automated_clean': 'false' });
    const node = await other.available({ automatedClean: null });
    const done = await other.world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.done'] }, 10);
    expect(done.map((event) => event.data['step'])).toEqual(['verify']);
    await other.world.close();
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
  it('keeps the BIOS settings that it is told, until a reset', async () => {
    const node = await manageable();
    const settings = async () => (await world.db.read.nodes.getDocument(node.uuid, 'bios')) ?? {};
    const apply = (...list: JsonObject[]) => step('bios.apply_configuration', { settings: list });
    await clean(node, [apply({ name: 'a', value: '1' }, { name: 'b', value: '2' }), apply({ name: 'a', value: '3' })]);
    await world.reaches(node.uuid, 'manageable');
    await rests(node);
    expect(await settings()).toMatchObject({ a: { value: '3' }, b: { value: '2', updated_at: null } });
    await clean(node, [step('bios.factory_reset')]);
    await world.until(async () => Object.keys(await settings()).length === 0);
  });
  it.each([[{ value: '1' }], [{ name: 'a' }], ['a']])('fails with BIOS settings that are none: %j', async (setting) => {
    const node = await manageable();
    await clean(node, [step('bios.apply_configuration', { settings: [setting] })]);
    await world.reaches(node.uuid, 'clean failed');
    expect(await rests(node)).toMatchObject({ fault: 'clean failure', maintenance: true });
  });
  it('keeps the arguments of steps out of what is stored in the clear', async () => {
    const node = await manageable({ driverInfo: { fake_raid_delay: 5 } });
    await clean(node, [step('raid.create_configuration', { create_root_volume: 'hunter2' })]);
    await world.reaches(node.uuid, 'clean wait');
    const run = await world.run(node.uuid);
    const events = await world.db.read.events.listLast({ nodeUuid: node.uuid }, 1000);
    expect(JSON.stringify([await world.get(node.uuid), events, run.segments, run.notes])).not.toContain('hunter2');
    await world.reaches(node.uuid, 'manageable');
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
    ['no steps', [], false, '"clean_steps" is required when setting target provision state to clean'],
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

describe('steps on child nodes', () => {
  const onChildren = (id: string, more: JsonObject = {}): JsonObject => ({
    ...step(id, id.startsWith('bios') ? { settings: [{ name: 'a', value: '1' }] } : {}),
    execute_on_child_nodes: true,
    ...more,
  });
  it('are done on all of them, or on those that are named, and never on the parent', async () => {
    const parent = await manageable();
    const child = await manageable({ parentNode: parent.uuid, driverInfo: { fake_power_delay_ms: 3_000 } });
    const other = await manageable({ parentNode: parent.uuid });
    await clean(parent, [
      onChildren('power.power_on'),
      onChildren('power.reboot', { limit_child_node_execution: [child.uuid] }),
      onChildren('bios.apply_configuration', { limit_child_node_execution: [other.uuid] }),
    ]);
    await world.reaches(parent.uuid, 'clean wait');
    expect((await world.run(parent.uuid)).waitingFor).toMatchObject({
      what: 'power',
      from: `child node ${child.uuid}`,
    });
    await world.reaches(parent.uuid, 'manageable');
    expect((await rests(parent)).powerState).not.toBe('power on');
    for (const node of [child, other]) expect((await rests(node)).powerState).toBe('power on');
    expect(await world.db.read.nodes.getDocument(other.uuid, 'bios')).toMatchObject({ a: { value: '1' } });
    expect(await world.db.read.nodes.getDocument(child.uuid, 'bios')).toBeNull();
  });
  it('reset a child that must stay on, and do not switch it off', async () => {
    const parent = await manageable();
    const child = await manageable({ parentNode: parent.uuid, powerState: 'power on', disablePowerOff: true });
    await clean(parent, [onChildren('power.reboot')]);
    await world.reaches(parent.uuid, 'manageable');
    expect((await rests(child)).powerState).toBe('power on');
    await clean(parent, [onChildren('power.power_off')]);
    await world.reaches(parent.uuid, 'clean failed');
    expect((await rests(parent)).lastError).toContain('must not be powered off (disable_power_off is set)');
    expect((await rests(child)).powerState).toBe('power on');
  });
  it('fail with the name of the child', async () => {
    const parent = await manageable();
    const child = await manageable({ parentNode: parent.uuid });
    await clean(parent, [onChildren('raid.nosuch')]);
    await world.reaches(parent.uuid, 'clean failed');
    expect((await rests(parent)).lastError).toBe(
      `Step nosuch failed on child node ${child.uuid}: node does not support this step: raid.nosuch`,
    );
    await act(parent, 'manage');
    await change(parent, { maintenance: false });
    const stranger = await manageable();
    await clean(parent, [onChildren('power.power_on', { limit_child_node_execution: [stranger.uuid] })]);
    await world.reaches(parent.uuid, 'clean failed');
    expect((await rests(parent)).lastError).toContain(`no children of this one: ${stranger.uuid}`);
  });
});
