import { asRunId, type JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';

describe('the life cycle of pretended hardware', () => {
  let world: World;
  let conductor: Conductor;
  beforeEach(async () => {
    world = await createWorld();
    conductor = world.conductor();
    await conductor.start();
  });
  afterEach(() => world.close());

  async function available(patch = {}) {
    const node = await world.node(patch);
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m1'));
    await world.reaches(node.uuid, 'manageable');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request('p1'));
    return world.reaches(node.uuid, 'available');
  }
  const deploy = (nodeUuid: string, id = 'd1') =>
    conductor.handlers.doNodeDeploy({ nodeUuid, rebuild: false, configDrive: null, deploySteps: null }, request(id));

  it('goes from enroll to active and back to available', async () => {
    const node = await available();
    expect(node.reservation).toBeNull();
    expect(node.targetProvisionState).toBeNull();
    const { runId } = await deploy(node.uuid);
    expect((await world.get(node.uuid)).targetProvisionState).toBe('active');
    const active = await world.reaches(node.uuid, 'active');
    expect(active.powerState).toBe('power on');
    expect(active.lastError).toBeNull();
    await quiet();
    expect((await world.get(node.uuid)).reservation).toBeNull();
    expect((await world.run(node.uuid)).id).toBe(runId);
    await conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, request('u1'));
    const again = await world.reaches(node.uuid, 'available');
    expect(again.powerState).toBe('power off');
    expect(again.instanceInfo).toEqual({});
    const events = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['node.provision_state'] }, 100);
    expect(events.map((e) => e.data['to'])).toEqual([
      'verifying',
      'manageable',
      'cleaning',
      'available',
      'deploying',
      'active',
      'deleting',
      'cleaning',
      'available',
    ]);
  });

  it('rests in the wait state, unreserved, while a pretended step takes its time', async () => {
    const node = await available({ driverInfo: { fake_delay_ms: 5_000 } });
    await deploy(node.uuid);
    const resting = await world.reaches(node.uuid, 'wait call-back');
    expect(resting.reservation).toBeNull();
    expect((await world.run(node.uuid)).waitingFor).toMatchObject({ what: 'fake', from: 'fake_boot_ramdisk' });
    await world.reaches(node.uuid, 'active');
  });

  it('answers a repeated request with the first answer', async () => {
    const node = await available({ driverInfo: { fake_delay_ms: 5_000 } });
    const first = await deploy(node.uuid, 'same');
    const second = await deploy(node.uuid, 'same');
    expect(second).toEqual(first);
  });

  it('fails with the sentence of the step that failed, and can be retried at that step', async () => {
    const node = await available({ driverInfo: { fake_fail_step: 'fake_write_image' } });
    await deploy(node.uuid);
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toContain('fake_write_image was told to fail');
    await quiet();
    expect((await world.get(node.uuid)).reservation).toBeNull();
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { driverInfo: {} }));
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r1'));
    await world.reaches(node.uuid, 'active');
    const steps = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['step.started'] }, 100);
    const names = steps.map((e) => e.data['step']);
    expect(names.filter((name) => name === 'fake_write_image')).toHaveLength(2);
    expect(names.filter((name) => name === 'fake_boot_ramdisk')).toHaveLength(1);
  });

  it('goes on with the deployment, whatever was ordered of the power since it failed', async () => {
    const node = await available({ driverInfo: { fake_fail_step: 'fake_write_image' } });
    await deploy(node.uuid);
    await world.reaches(node.uuid, 'deploy failed');
    const order = (id: string) =>
      conductor.handlers.changeNodePowerState(
        { nodeUuid: node.uuid, target: 'power off', timeoutS: null },
        request(id),
      );
    const tell = (driverInfo: JsonObject) => world.db.write('test', (tx) => tx.nodes.update(node.uuid, { driverInfo }));
    await tell({ fake_fail_step: 'set_power_state' });
    await order('p1');
    await quiet();
    expect(await world.run(node.uuid)).toMatchObject({ verb: 'power', state: 'failed' });
    await tell({});
    await order('p2');
    await quiet();
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r1'));
    await world.reaches(node.uuid, 'active');
  });

  it('says that an aborted deployment is not gone on with', async () => {
    const node = await available({ driverInfo: { fake_delay_ms: 5_000 } });
    await deploy(node.uuid);
    await world.reaches(node.uuid, 'wait call-back');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('x'));
    await expect(conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'))).rejects.toMatchObject({
      code: 'INVALID_STATE_REQUESTED',
      publicMessage: expect.stringContaining('was aborted'),
    });
  });

  it('refuses what the state does not allow, in the words that clients know', async () => {
    const node = await world.node();
    await expect(deploy(node.uuid)).rejects.toMatchObject({
      code: 'INVALID_STATE_REQUESTED',
      publicMessage: `The requested action "active" can not be performed on node "${node.uuid}" while it is in state "enroll".`,
    });
    await expect(
      conductor.handlers.doNodeRescue({ nodeUuid: node.uuid, rescuePassword: 'x' }, request('x')),
    ).rejects.toMatchObject({ code: 'INVALID_STATE_REQUESTED' });
    await expect(
      conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'unhold' }, request('x')),
    ).rejects.toMatchObject({ code: 'INVALID_STATE_REQUESTED', publicMessage: expect.stringContaining('"unhold"') });
  });

  it('refuses a deployment in maintenance, and a second writer while it works', async () => {
    const node = await available();
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { maintenance: true }));
    await expect(deploy(node.uuid)).rejects.toMatchObject({ code: 'NODE_IN_MAINTENANCE' });
    await world.db.write('test', (tx) => tx.nodes.update(node.uuid, { maintenance: false }));
    const both = await Promise.allSettled([deploy(node.uuid, 'a'), deploy(node.uuid, 'b')]);
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((r) => r.status === 'rejected')).toMatchObject({ reason: { code: 'NODE_LOCKED' } });
    await world.reaches(node.uuid, 'active');
  });

  it('aborts a deployment that waits, and undeploys one', async () => {
    const node = await available({ driverInfo: { fake_delay_ms: 60_000 } });
    await deploy(node.uuid);
    await world.reaches(node.uuid, 'wait call-back');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('ab'));
    expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'deploy failed', reservation: null });
    expect((await world.run(node.uuid)).state).toBe('aborted');
    await deploy(node.uuid, 'd2');
    await world.reaches(node.uuid, 'wait call-back');
    await conductor.handlers.doNodeTearDown({ nodeUuid: node.uuid }, request('u1'));
    await world.reaches(node.uuid, 'available');
  });

  it('cleans on request and skips cleaning where it is switched off', async () => {
    const node = await world.node({ automatedClean: false });
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
    await world.reaches(node.uuid, 'manageable');
    const cleanSteps = [{ interface: 'raid', step: 'delete_configuration' }];
    await conductor.handlers.doNodeClean({ nodeUuid: node.uuid, cleanSteps, disableRamdisk: false }, request('c'));
    await world.reaches(node.uuid, 'manageable');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request('p'));
    expect((await world.get(node.uuid)).provisionState).toBe('available');
  });

  it('changes power, softly and hard', async () => {
    const node = await available();
    const power = (target: 'power on' | 'power off' | 'rebooting' | 'soft rebooting' | 'soft power off', id: string) =>
      conductor.handlers.changeNodePowerState({ nodeUuid: node.uuid, target, timeoutS: null }, request(id));
    const settled = async () => (await world.db.read.runs.current(node.uuid)) === undefined;
    for (const [target, state] of [
      ['power on', 'power on'],
      ['rebooting', 'power on'],
      ['soft rebooting', 'power on'],
      ['soft power off', 'power off'],
    ] as const) {
      await power(target, target);
      await world.until(settled);
      expect(await world.get(node.uuid)).toMatchObject({ powerState: state, targetPowerState: null, lastError: null });
      expect((await world.run(node.uuid)).state).toBe('done');
    }
  });

  it('adopts, inspects, and validates', async () => {
    const node = await world.node();
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
    await world.reaches(node.uuid, 'manageable');
    await conductor.handlers.inspectHardware({ nodeUuid: node.uuid }, request('i'));
    await world.reaches(node.uuid, 'manageable');
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'adopt' }, request('a'));
    await world.reaches(node.uuid, 'active');
    const validated = await conductor.handlers.validateDriverInterfaces({ nodeUuid: node.uuid }, request('v'));
    expect(validated).toMatchObject({ power: { result: true }, deploy: { result: true }, rescue: { result: true } });
  });

  it('purges boot tokens that have expired, and addresses of machines that are gone', async () => {
    const node = await world.node();
    const token = { nodeUuid: node.uuid, runId: asRunId(node.uuid), mac: '52:54:00:00:00:01' };
    await world.db.write('test', async (tx) => {
      await tx.boots.addToken({ ...token, sha256: 'a'.repeat(64), expiresAt: world.clock.nowMs() - 1 });
      await tx.boots.addToken({ ...token, sha256: 'b'.repeat(64), expiresAt: world.clock.nowMs() + 86_400_000 });
      for (const mac of ['52:54:00:00:00:01', '52:54:00:00:00:99']) await tx.boots.setAddress(mac, '192.0.2.7');
    });
    await world.clock.advance(1_200_000);
    await quiet();
    expect(await world.db.read.boots.getAddress('52:54:00:00:00:01')).toBe('192.0.2.7');
    expect(await world.db.read.boots.getAddress('52:54:00:00:00:99')).toBeUndefined();
    const later = world.clock.nowMs() + 2 * 86_400_000;
    expect(await world.db.write('test', (tx) => tx.boots.purgeTokens(later))).toBe(1);
  });
});
