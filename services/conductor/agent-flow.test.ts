import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DiskIdentity } from '@bessemer/agent-protocol';
import type { Node } from '@bessemer/core';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';
import { createScriptedAgent, inventoryOf, mintToken, RESULTS, type ScriptedAgent } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const IMAGE = { image_source: 'http://images.test/debian.qcow2', image_checksum: 'a'.repeat(64) };

describe('a deployment through the agent', () => {
  let world: World;
  let conductor: Conductor;
  let node: Node;
  beforeEach(async () => {
    world = await createWorld();
    conductor = world.conductor();
    await conductor.start();
    node = await prepared();
  });
  afterEach(() => world.close());

  async function prepared(): Promise<Node> {
    const made = await world.node({ interfaces: { deploy: 'direct' }, instanceInfo: IMAGE, automatedClean: false });
    await conductor.handlers.doProvisioningAction({ nodeUuid: made.uuid, action: 'manage' }, request('m'));
    await world.reaches(made.uuid, 'manageable');
    await conductor.handlers.doProvisioningAction({ nodeUuid: made.uuid, action: 'provide' }, request('p'));
    await world.db.write('test', (tx) => tx.boots.setAddress(MAC, '192.0.2.77'));
    return world.reaches(made.uuid, 'available');
  }
  const deploy = () =>
    conductor.handlers.doNodeDeploy(
      { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: null },
      request(`d${world.clock.nowMs()}`),
    );
  const waitsFor = (what: string) =>
    world.until(async () => (await world.run(node.uuid)).waitingFor?.what === what, 600_000);
  async function booted(bootId = 'boot-1'): Promise<ScriptedAgent> {
    await waitsFor('boot');
    return createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId });
  }
  const typesOf = async () =>
    (await world.db.read.events.listLast({ nodeUuid: node.uuid }, 500)).map((event) => event.type);

  it('writes the image, tells the host key, boots the disk and sees SSH', async () => {
    await deploy();
    const agent = await booted();
    expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'wait call-back', reservation: null });
    agent.connect(conductor.agents);
    const active = await world.reaches(node.uuid, 'active');
    expect(active.driverInternalInfo['agent_ssh_host_key']).toBe('ssh-ed25519 AAAAhost');
    expect(active).toMatchObject({ powerState: 'power on', bootMode: 'uefi', deployStep: {} });
    const run = await world.run(node.uuid);
    expect(run.notes['wayIn']).toMatchObject({ address: '192.0.2.77', source: 'dhcp' });
    expect(world.depot.open.size).toBe(0);
    const types = await typesOf();
    for (const type of ['image.ready', 'agent.hello', 'image.written', 'ssh.answered', 'image.served', 'run.finished'])
      expect(types, type).toContain(type);
    expect([...agent.done.values()].every((count) => count === 1)).toBe(true);
    const segment = agent.orders.find((order) => order.type === 'segment');
    expect(segment).toMatchObject({
      steps: [
        { name: 'write_image', args: { image: { mapSha256: 'ab'.repeat(32) } } },
        { name: 'configdrive', args: { hostname: 'n1', servicePublicKey: expect.stringContaining('ssh-ed25519') } },
        { name: 'prepare_boot' },
      ],
    });
  });

  it('orders the image and the boot at the same time and joins before the image is written', async () => {
    let ready = (): void => {};
    world.depot.answer = (source) =>
      new Promise((resolve) => {
        ready = () => resolve({ imageId: source, sizeBytes: 1, usedBytes: 1, mapSha256: 'ab'.repeat(32) });
      });
    await deploy();
    const agent = await booted();
    expect(world.depot.ensured).toEqual([IMAGE.image_source]);
    agent.connect(conductor.agents);
    await waitsFor('image');
    expect(agent.orders.some((order) => order.type === 'segment')).toBe(false);
    ready();
    await world.reaches(node.uuid, 'active');
  });

  it('fails with the words of the depot when the image is not what was promised', async () => {
    world.depot.answer = () =>
      Promise.reject(Object.assign(new Error('its SHA-256 is bbb, expected aaa'), { code: 'CHECKSUM_MISMATCH' }));
    await deploy();
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toContain('is not usable: CHECKSUM_MISMATCH: its SHA-256 is bbb');
    expect(failed.reservation).toBeNull();
  });

  it('fails with the words of the agent, and a retry goes on at the failed step in the same boot', async () => {
    await deploy();
    const agent = await booted();
    let isBroken = true;
    agent.script = (step) =>
      step === 'configdrive' && isBroken ? { error: 'the disk is full' } : { result: RESULTS[step]! };
    agent.connect(conductor.agents);
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toContain('the disk is full');
    isBroken = false;
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await world.reaches(node.uuid, 'active');
    const segments = agent.orders.filter((order) => order.type === 'segment');
    expect(segments).toHaveLength(2);
    expect((await typesOf()).filter((type) => type === 'image.written')).toHaveLength(1);
  });

  it('goes on when the connection is cut and comes back, without a step done twice', async () => {
    await deploy();
    const agent = await booted();
    agent.script = (step) => (step === 'write_image' ? 'hang' : { result: {} });
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    await quiet();
    agent.cut();
    await quiet();
    agent.finish('write_image');
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    expect([...agent.done.values()]).toEqual([1, 1, 1]);
    expect((await typesOf()).filter((type) => type === 'image.written')).toHaveLength(1);
  });

  it('outlives its conductor: the next one takes over and the agent never notices but for a new fence', async () => {
    await deploy();
    const agent = await booted();
    agent.script = (step) => (step === 'write_image' ? 'hang' : { result: {} });
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    await quiet();
    conductor.abandon();
    agent.cut();
    const successor = world.conductor({ host: 'conductor-2' });
    await successor.start();
    await world.until(async () => (await typesOf()).includes('run.taken_over'), 60_000);
    agent.connect(successor.agents);
    await quiet();
    agent.finish('write_image');
    await world.reaches(node.uuid, 'active');
    expect([...agent.done.values()]).toEqual([1, 1, 1]);
    const fences = agent.orders.flatMap((order) => (order.type === 'segment' ? [order.fence] : []));
    expect(fences[1]).toBeGreaterThan(fences[0]!);
  });

  it('boots the ramdisk again, once, when the machine lost its power in the middle of the write', async () => {
    await deploy();
    const agent = await booted();
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    agent.cut();
    await world.db.write('test', (tx) =>
      tx.events.append({ type: 'boot.script', nodeUuid: node.uuid, runId: null, data: { mac: MAC, answer: 'local' } }),
    );
    await waitsFor('boot');
    const second = await booted('boot-2');
    second.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    expect((await world.run(node.uuid)).notes['restarts']).toBe(1);
  });

  it('writes the image that the node asks for when it is retried', async () => {
    await deploy();
    const agent = await booted();
    let isBroken = true;
    agent.script = (step) =>
      step === 'write_image' && isBroken ? { error: 'it is too large' } : { result: RESULTS[step]! };
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'deploy failed');
    isBroken = false;
    const instanceInfo = { ...IMAGE, image_source: 'http://images.test/smaller.qcow2' };
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { instanceInfo }));
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await world.reaches(node.uuid, 'active');
    expect(world.depot.ensured).toEqual([IMAGE.image_source, instanceInfo.image_source]);
    expect((await world.run(node.uuid)).notes['image']).toMatchObject({
      imageId: `id-of-${instanceInfo.image_source}`,
    });
  });

  it('takes no renewal of an address for a machine that begins again', async () => {
    await deploy();
    const agent = await booted();
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    agent.cut();
    await world.db.write('test', (tx) =>
      tx.events.append({ type: 'boot.dhcp', nodeUuid: node.uuid, runId: null, data: { mac: MAC, message: 'ack' } }),
    );
    await world.clock.advance(60_000);
    expect((await typesOf()).filter((type) => type === 'step.failed')).toEqual([]);
    agent.connect(conductor.agents);
    await quiet();
    agent.script = (step) => ({ result: RESULTS[step]! });
    agent.finish('write_image');
    await world.reaches(node.uuid, 'active');
  });

  it('names the disk that an agent had chosen before its machine lost its power in the first write', async () => {
    await deploy();
    const agent = await booted();
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    const disk = RESULTS['write_image']!['disk'];
    agent.choose('write_image', disk as DiskIdentity);
    await quiet();
    const started = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.started'] }, 100);
    expect(started.filter((event) => event.data['step'] === 'write_image')).toHaveLength(1);
    agent.cut();
    await world.db.write('test', (tx) =>
      tx.events.append({ type: 'boot.script', nodeUuid: node.uuid, runId: null, data: { mac: MAC, answer: 'local' } }),
    );
    await waitsFor('boot');
    const second = await booted('boot-2');
    second.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    const segment = second.orders.find((order) => order.type === 'segment');
    expect(segment?.steps[0]).toMatchObject({ name: 'write_image', args: { disk } });
  });

  it('names the disk of the first boot to an agent of a later one', async () => {
    await deploy();
    const agent = await booted();
    agent.script = (step) => (step === 'prepare_boot' ? { error: 'no loader' } : { result: RESULTS[step]! });
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'deploy failed');
    agent.cut();
    await quiet();
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    const second = await booted('boot-2');
    second.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    const segment = second.orders.find((order) => order.type === 'segment');
    expect(segment?.steps[0]).toMatchObject({ name: 'write_image', args: { disk: RESULTS['write_image']!['disk'] } });
  });

  it('stops an agent whose work ran out of time', async () => {
    await deploy();
    const agent = await booted();
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'deploy failed', 48 * 3_600_000);
    await quiet();
    expect(agent.orders.at(-1)).toMatchObject({ type: 'cancel' });
  });

  it('stops an agent whose work was aborted at another conductor', async () => {
    await deploy();
    const agent = await booted();
    agent.script = (step) => (step === 'write_image' ? 'hang' : { result: RESULTS[step]! });
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    const other = world.conductor({ host: 'conductor-2' });
    await other.start();
    await other.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('a'));
    await quiet();
    agent.finish('write_image');
    await quiet();
    expect(agent.orders.some((order) => order.type === 'cancel')).toBe(true);
  });

  it('closes the image and stops the agent when the node is deleted while it is written', async () => {
    await deploy();
    const agent = await booted();
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    expect(world.depot.open.size).toBe(1);
    const run = await world.run(node.uuid);
    await world.db.write('test', async (tx) => {
      await tx.runs.update(run.id, run.fence, { state: 'aborted', waitingFor: null, finishedAt: world.clock.nowMs() });
      await tx.nodes.remove(node.uuid);
    });
    await conductor.handlers.wakeRun({ runId: run.id }, request('w'));
    await quiet();
    expect(world.depot.open.size).toBe(0);
    expect(agent.orders.at(-1)).toMatchObject({ type: 'cancel' });
  });

  it('fails at once, in words, when the image cannot be offered or the hints cannot be read', async () => {
    world.depot.openExit = () => Promise.reject(new Error('image x is not in the store'));
    await deploy();
    (await booted()).connect(conductor.agents);
    const failed = await world.reaches(node.uuid, 'deploy failed', 120_000);
    expect(failed.lastError).toBe('The image cannot be offered to the node: image x is not in the store');
  });

  it('refuses a second boot, a used token, a wrong key and a foreign machine, and says so', async () => {
    await deploy();
    const agent = await booted();
    const token = await mintToken(world, node, '52:54:00:00:00:99');
    const foreign = createScriptedAgent({ token, mac: MAC });
    foreign.connect(conductor.agents);
    await quiet();
    expect(foreign.refused[0]).toContain('do not have the MAC address');
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await world.until(async () => agent.done.size === 1);
    const thief = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId: 'boot-9' });
    thief.connect(conductor.agents);
    await quiet();
    expect(thief.refused[0]).toContain('another boot');
    thief.connect(conductor.agents, { key: 'k'.repeat(43) });
    await quiet();
    expect(thief.refused[1]).toContain('not known');
    const refusals = async () => (await typesOf()).filter((type) => type === 'agent.refused').length;
    expect(await refusals()).toBe(3);
    for (let i = 0; i < 5; i++) {
      thief.connect(conductor.agents, { key: 'k'.repeat(43) });
      await quiet();
    }
    expect([thief.refused.length, await refusals()]).toEqual([7, 3]);
    await world.clock.advance(60_000);
    thief.connect(conductor.agents, { key: 'k'.repeat(43) });
    await quiet();
    expect(await refusals()).toBe(4);
  });

  it('accepts a token again from the boot that used it, until its key was used', async () => {
    await deploy();
    await waitsFor('boot');
    const token = await mintToken(world, node, MAC);
    const agent = createScriptedAgent({ token, mac: MAC });
    agent.script = () => 'hang';
    agent.connect(conductor.agents);
    await quiet();
    agent.cut();
    agent.connect(conductor.agents, { token });
    await quiet();
    expect(agent.refused).toEqual([]);
    agent.cut();
    agent.connect(conductor.agents);
    await quiet();
    agent.cut();
    agent.connect(conductor.agents, { token });
    await quiet();
    expect(agent.refused[0]).toContain('boot token');
  });

  it('refuses a machine whose serial number is not the one that was inspected', async () => {
    await world.db.write('test', (tx) =>
      tx.nodes.setInventory(node.uuid, { inventory: JSON.parse(JSON.stringify(inventoryOf(MAC))), pluginData: {} }),
    );
    await deploy();
    await waitsFor('boot');
    const inventory = inventoryOf(MAC, { serial_number: 'other' });
    const agent = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, inventory });
    agent.connect(conductor.agents);
    await quiet();
    expect(agent.refused[0]).toContain('serial number is other');
  });

  it('tells a boot that was never seen, tries once more, then fails and says what to look at', async () => {
    await deploy();
    await waitsFor('boot');
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect((await typesOf()).filter((type) => type === 'boot.never_seen')).toHaveLength(1);
    expect(failed.lastError).toMatch(/never seen on the network, 2 times.*cable/s);
  });

  it('fails within seconds when the boot service has ended the wait for a boot that cannot come', async () => {
    await deploy();
    await waitsFor('boot');
    const run = await world.run(node.uuid);
    const waitingFor = { ...run.waitingFor!, until: world.clock.nowMs(), hint: 'Its boot script was refused: why.' };
    await world.db.write('test', (tx) => tx.runs.update(run.id, run.fence, { waitingFor }));
    const failed = await world.reaches(node.uuid, 'deploy failed', 60_000);
    expect(failed.lastError).toMatch(/^Waited \d+ s for boot .*Its boot script was refused: why\.$/);
  });

  it('names what was awaited when SSH never answers', async () => {
    world.ssh.answers = false;
    await deploy();
    (await booted()).connect(conductor.agents);
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toMatch(/Waited \d+ s for ssh \(the deployed system at 192\.0\.2\.77:22\)/);
  });

  it('runs the play of instance_info, and a retry goes on at the task that failed', async () => {
    const configure = { playbook: '- tasks: []', variables: { colour: 'blue' } };
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { instanceInfo: { ...IMAGE, configure } }));
    world.configurer.answer = async () => ({
      ok: 1,
      changed: 1,
      failed: 1,
      skipped: 0,
      error: 'task 3 (install) failed: no such package',
      resume: { startAt: 3 },
    });
    await deploy();
    (await booted()).connect(conductor.agents);
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toBe('task 3 (install) failed: no such package');
    world.configurer.answer = async () => ({ ok: 9, changed: 1, failed: 0, skipped: 0, error: null, resume: null });
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await world.reaches(node.uuid, 'active');
    expect(world.configurer.plays.map((play) => play.resume)).toEqual([null, { startAt: 3 }]);
    expect(world.configurer.plays[1]).toMatchObject({ hostKey: 'ssh-ed25519 AAAAhost', address: '192.0.2.77' });
    expect(await typesOf()).toEqual(expect.arrayContaining(['configure.task', 'configure.done']));
  });

  it('cleans by the agent on the way to available, and inspects', async () => {
    await deploy();
    (await booted()).connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { automatedClean: true }));
    await conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, request('u'));
    const cleaner = await booted('boot-2');
    expect((await world.get(node.uuid)).provisionState).toBe('clean wait');
    cleaner.connect(conductor.agents);
    const clean = await world.reaches(node.uuid, 'available');
    expect(clean).toMatchObject({ powerState: 'power off', instanceInfo: {}, cleanStep: {} });
    expect(cleaner.done.size).toBe(1);
  });

  it('holds between two parts of the work of one agent, which goes on in the same boot', async () => {
    const hold = { interface: 'deploy', step: 'hold', args: {}, priority: 70 };
    await conductor.handlers.doNodeDeploy(
      { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: [hold] },
      request('held'),
    );
    const agent = await booted();
    agent.connect(conductor.agents);
    const held = await world.reaches(node.uuid, 'deploy hold');
    expect(held).toMatchObject({ reservation: null, deployStep: { step: 'hold', priority: 70 } });
    expect([...agent.done.keys()]).toHaveLength(2);
    await world.clock.advance(6 * 3_600_000);
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'unhold' }, request('go'));
    await world.reaches(node.uuid, 'active');
    expect([...agent.done.values()]).toEqual([1, 1, 1]);
    expect(await typesOf()).not.toContain('step.failed');
  });

  it('cleans by hand in the ramdisk, with what the conductor does itself in between', async () => {
    await world.db.write('test', async (tx) => {
      await tx.nodes.processEvent(node.uuid, 'manage', {});
    });
    const erase = { interface: 'deploy', step: 'erase_devices_metadata' };
    const pause = { interface: 'deploy', step: 'wait', args: { seconds: 5 } };
    await conductor.handlers.doNodeClean(
      { nodeUuid: node.uuid, cleanSteps: [erase, pause, erase, erase], disableRamdisk: false },
      request('c'),
    );
    const agent = await booted();
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'manageable');
    expect([...agent.done.values()]).toEqual([1, 1, 1]);
    expect(await world.get(node.uuid)).toMatchObject({ powerState: 'power off', cleanStep: {}, reservation: null });
  });

  it('refuses a config drive that no message could bring to the node, and takes one that fits', async () => {
    const ask = (chars: number) =>
      conductor.handlers.doNodeDeploy(
        { nodeUuid: node.uuid, rebuild: false, configDrive: { user_data: 'x'.repeat(chars) }, deploySteps: null },
        request(`d${chars}`),
      );
    await expect(ask(1024 * 1024)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      publicMessage: expect.stringMatching(/it has 10\d{5} bytes, and at most 983040 are possible/),
    });
    expect((await world.get(node.uuid)).provisionState).toBe('available');
    await ask(980_000);
    const agent = await booted();
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
  });

  it('refuses a deployment without an image, and one without a digest', async () => {
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { instanceInfo: {} }));
    await expect(deploy()).rejects.toMatchObject({
      code: 'MISSING_PARAMETER',
      publicMessage: expect.stringContaining("['image_source']"),
    });
    await world.db.write('test', (tx) =>
      tx.nodes.update(node.uuid, { instanceInfo: { image_source: 'http://images.test/x' } }),
    );
    await expect(deploy()).rejects.toMatchObject({ code: 'MISSING_PARAMETER' });
    expect((await world.get(node.uuid)).provisionState).toBe('available');
  });
});
