import { afterEach, describe, expect, it } from 'vitest';
import type { Node } from '@bessemer/core';
import type { Conductor } from './conductor.ts';
import { createWorld, request, type World } from './testing.ts';
import { createScriptedAgent, mintToken } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const IMAGE = { image_source: 'http://images.test/debian.qcow2', image_checksum: 'a'.repeat(64) };
let world: World;
let conductor: Conductor;
let node: Node;
afterEach(() => world.close());

async function deploying(overrides: Record<string, string> = {}, drivers?: World['drivers']): Promise<void> {
  world = await createWorld(overrides);
  conductor = world.conductor({ drivers: drivers ?? world.drivers });
  await conductor.start();
  node = await world.node({
    powerState: 'power off',
    interfaces: { deploy: 'direct' },
    instanceInfo: IMAGE,
    automatedClean: false,
  });
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
  await world.reaches(node.uuid, 'manageable');
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request('p'));
  await world.db.write('test', (tx) => tx.boots.setAddress(MAC, '192.0.2.77'));
  await world.reaches(node.uuid, 'available');
  const order = { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: null };
  await conductor.handlers.doNodeDeploy(order, request('d'));
}
const waitsFor = (what: string) =>
  world.until(async () => (await world.run(node.uuid)).waitingFor?.what === what, 600_000);
async function agentBoots(): Promise<void> {
  await waitsFor('boot');
  createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC }).connect(conductor.agents);
}
/** The conductor dies, nobody looks for so long, then another one starts. */
async function successorAfter(ms: number): Promise<void> {
  conductor.abandon();
  await world.clock.advance(ms);
  conductor = world.conductor({ isOnlyProcess: true });
  await conductor.start();
}

describe('a retry', () => {
  it('waits for SSH as long as the first try did', async () => {
    await deploying();
    world.ssh.answers = false;
    await agentBoots();
    await world.reaches(node.uuid, 'deploy failed');
    await world.clock.advance(3_600_000);
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await world.clock.advance(60_000);
    const { waitingFor } = await world.run(node.uuid);
    expect(waitingFor!.until - waitingFor!.since).toBe(world.config.conductor.ssh_timeout_ms);
    world.ssh.answers = true;
    await world.reaches(node.uuid, 'active', 10_000);
  });
});

describe('what was awaited when the conductor died', () => {
  const QUIET_MS = 3_000_000;

  it('gets a minute more: SSH', async () => {
    await deploying();
    world.ssh.answers = false;
    await agentBoots();
    await waitsFor('ssh');
    await successorAfter(QUIET_MS);
    await world.clock.advance(50_000);
    world.ssh.answers = true;
    await world.reaches(node.uuid, 'active', 5_000);
  });

  it('gets a minute more: the boot of the ramdisk', async () => {
    await deploying({ 'conductor.boot_seen_timeout_ms': '7200000' });
    await waitsFor('boot');
    await world.clock.advance(5_000);
    await successorAfter(QUIET_MS);
    await world.clock.advance(50_000);
    await agentBoots();
    await world.reaches(node.uuid, 'active', 600_000);
  });

  it('is not given up for signs that nobody could see: the machine is looked for again', async () => {
    await deploying({ 'conductor.boot_timeout_ms': '7200000' });
    await waitsFor('boot');
    await world.clock.advance(5_000);
    await successorAfter(QUIET_MS);
    await world.clock.advance(world.config.conductor.boot_seen_timeout_ms - 1_000);
    const unseen = () => world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['boot.never_seen'] }, 5);
    expect(await unseen()).toEqual([]);
    await world.clock.advance(10_000);
    expect(await unseen()).toHaveLength(1);
  });

  it('may be an order that was saved and never sent: it is given, and has its time', async () => {
    const never = new Promise<void>(() => {});
    const pretended = await createWorld();
    const { get } = pretended.drivers;
    await pretended.close();
    const dying = {
      ...pretended.drivers,
      get: ((of, kind) =>
        kind === 'power' ? { ...get(of, 'power'), setPowerState: () => never } : get(of, kind)) as typeof get,
    };
    await deploying({}, dying);
    await waitsFor('boot');
    await successorAfter(60_000);
    await world.until(async () => (await world.get(node.uuid)).powerState === 'power on', 30_000);
    await agentBoots();
    await world.reaches(node.uuid, 'active', 600_000);
  });
});
