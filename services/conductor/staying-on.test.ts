/** Nodes that must stay on (`disable_power_off`): each way to another boot is a hard reset. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Node, PowerTarget } from '@bessemer/core';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';
import { createScriptedAgent, mintToken, type ScriptedAgent } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const IMAGE = { image_source: 'http://images.test/debian.qcow2', image_checksum: 'a'.repeat(64) };
let world: World;
let conductor: Conductor;
let node: Node;
let asked = 0;
afterEach(() => world.close());

const act = (action: 'manage' | 'provide') =>
  conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action }, request(`r${asked++}`));
const power = (target: PowerTarget) =>
  conductor.handlers.changeNodePowerState({ nodeUuid: node.uuid, target, timeoutS: null }, request(`r${asked++}`));
const waitsForBoot = () => world.until(async () => (await world.run(node.uuid)).waitingFor?.what === 'boot', 600_000);

async function available(): Promise<void> {
  world = await createWorld();
  conductor = world.conductor();
  await conductor.start();
  node = await world.node({
    interfaces: { deploy: 'direct' },
    instanceInfo: IMAGE,
    automatedClean: false,
    disablePowerOff: true,
    powerState: 'power on',
  });
  await act('manage');
  await world.reaches(node.uuid, 'manageable');
  await act('provide');
  await world.reaches(node.uuid, 'available');
  await world.db.write('test', (tx) => tx.boots.setAddress(MAC, '192.0.2.77'));
}
const deploy = () =>
  conductor.handlers.doNodeDeploy(
    { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: null },
    request(`r${asked++}`),
  );
async function boots(bootId: string, hangsIn = ''): Promise<ScriptedAgent> {
  await waitsForBoot();
  const agent = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId });
  agent.script = (step) => (step === hangsIn ? 'hang' : { result: {} });
  agent.connect(conductor.agents);
  return agent;
}
const orders = async (): Promise<unknown[]> =>
  (await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['power.ordered'] }, 100)).map(
    (event) => event.data['action'],
  );
const RESET = 'rebooting';

describe('a node that must stay on', () => {
  it('lives its life by resets', async () => {
    await available();
    await deploy();
    await boots('boot-1');
    await world.reaches(node.uuid, 'active');
    expect(await orders()).toEqual([RESET, RESET]);
    await conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, request('t'));
    const torn = await world.reaches(node.uuid, 'available');
    expect([torn.powerState, torn.lastError]).toEqual(['power on', null]);
    expect(await orders()).toEqual([RESET, RESET, RESET]);
  });

  it('is reset again when its boot was not seen', async () => {
    await available();
    await deploy();
    await waitsForBoot();
    const failed = await world.reaches(node.uuid, 'deploy failed', 3_600_000);
    expect(failed.lastError).toContain('never seen on the network, 2 times');
    expect(await orders()).toEqual([RESET, RESET]);
    const told = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['boot.ordered'] }, 10);
    // Some BMCs lose an order for one start at a reset.
    expect(told.map(({ data }) => data['persistent'])).toEqual([false, true]);
  });

  it('takes no order that would switch it off, and a reboot as a reset', async () => {
    await available();
    for (const target of ['power off', 'soft power off', 'soft rebooting'] as const)
      await expect(power(target)).rejects.toMatchObject({
        code: 'POWER_STATE_FAILURE',
        publicMessage: `Node ${node.uuid} must not be powered off (disable_power_off is set).`,
      });
    await deploy();
    await boots('boot-1', 'write_image');
    await world.until(async () => (await world.get(node.uuid)).deployStep['step'] === 'write_image');
    await quiet();
    await expect(power('soft rebooting')).rejects.toMatchObject({ code: 'POWER_STATE_FAILURE' });
    await power(RESET);
    await boots('boot-2');
    await world.reaches(node.uuid, 'active');
    expect(await orders()).toEqual([RESET, RESET, RESET]);
  });
});
