import type { PowerState } from '@bessemer/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { Conductor } from './conductor.ts';
import { bmcFailure } from './drivers/errors.ts';
import type { PowerInterface } from './drivers/interfaces.ts';
import { createWorld, request, type World } from './testing.ts';

let world: World;
afterEach(() => world.close());

/** Conductors whose nodes have a power interface that partly does what the test says. */
async function begin(overrides: Partial<PowerInterface>, config: Record<string, string> = {}): Promise<Conductor> {
  world = await createWorld(config);
  const get = world.drivers.get;
  const drivers = {
    ...world.drivers,
    get: ((node, kind) => (kind === 'power' ? { ...get(node, kind), ...overrides } : get(node, kind))) as typeof get,
  };
  const conductor = world.conductor({ drivers });
  await conductor.start();
  return conductor;
}
async function manageable(conductor: Conductor, patch = {}) {
  const node = await world.node(patch);
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
  return world.reaches(node.uuid, 'manageable');
}

describe('power state sync', () => {
  it('brings a node back to the stored state and says so', async () => {
    let state: PowerState = 'power off';
    const orders: string[] = [];
    const conductor = await begin({
      getPowerState: async () => state,
      async setPowerState(task, target) {
        await task.checkMayOrder();
        orders.push(target);
        state = target === 'power on' ? 'power on' : 'power off';
      },
    });
    const node = await manageable(conductor);
    state = 'power on';
    await world.until(async () => orders.length > 0, 180_000);
    await world.clock.advance(120_000);
    expect(orders).toEqual(['power off']);
    expect(await world.get(node.uuid)).toMatchObject({
      powerState: 'power off',
      reservation: null,
      maintenance: false,
    });
    const [event] = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['power.ordered'] }, 1);
    expect(event?.data).toEqual({ action: 'power off', cause: 'sync', was: 'power on' });
  });

  it('puts a node that cannot be brought back into maintenance, with the state that it has', async () => {
    let state: PowerState = 'power off';
    let orders = 0;
    const conductor = await begin(
      { getPowerState: async () => state, setPowerState: async () => void orders++ },
      { 'conductor.power_sync_max_retries': '2' },
    );
    const node = await manageable(conductor);
    state = 'power on';
    await world.until(async () => (await world.get(node.uuid)).fault !== null, 600_000);
    expect(orders).toBe(2);
    expect(await world.get(node.uuid)).toMatchObject({
      maintenance: true,
      fault: 'power failure',
      powerState: 'power on',
      maintenanceReason: expect.stringContaining("node state 'power on' does not match expected state 'power off'"),
    });
  });

  it.each([
    ['where forcing is switched off', { 'conductor.force_power_state_during_sync': 'false' }, {}],
    ['of a node that may not be powered off', {}, { disablePowerOff: true }],
  ])('takes over what was changed at the machine %s', async (_, config, patch) => {
    let state: PowerState = 'power off';
    const conductor = await begin({ getPowerState: async () => state }, config);
    const node = await manageable(conductor, patch);
    state = 'power on';
    await world.until(async () => (await world.get(node.uuid)).powerState === 'power on', 120_000);
    const [event] = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['node.power_state'] }, 1);
    expect(event?.data).toEqual({ from: 'power off', to: 'power on', cause: 'sync' });
  });

  it('puts a node whose BMC fails too often into maintenance, and takes it out when it answers', async () => {
    let isDead = false;
    const conductor = await begin({
      async getPowerState() {
        if (isDead) throw bmcFailure('the BMC at 192.0.2.9 does not answer.', true);
        return 'power off';
      },
    });
    const node = await manageable(conductor);
    isDead = true;
    const startedAtMs = world.clock.nowMs();
    await world.until(async () => (await world.get(node.uuid)).maintenance, 600_000);
    expect(world.clock.nowMs() - startedAtMs).toBeGreaterThan(120_000);
    expect(await world.get(node.uuid)).toMatchObject({
      fault: 'power failure',
      maintenanceReason: expect.stringContaining('does not answer'),
    });
    isDead = false;
    await world.until(async () => !(await world.get(node.uuid)).maintenance, 600_000);
    expect((await world.get(node.uuid)).fault).toBeNull();
  });
});
