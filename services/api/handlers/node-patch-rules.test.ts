import type { ProvisionEvent } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing.ts';

let api: TestApi;
const NODE = '11111111-1111-4111-8111-111111111111';
const ALLOCATION = '99999999-9999-4999-8999-999999999999';
const TO_ACTIVE: readonly ProvisionEvent[] = ['manage', 'done', 'provide', 'done', 'deploy', 'done'];

beforeEach(async () => {
  api = await startApi();
  const body = { driver: 'fake-hardware', uuid: NODE, name: 'n1', resource_class: 'a' };
  expect((await api.request('POST', '/v1/nodes', { body })).status).toBe(201);
});
afterEach(() => api.stop());

const move = (events: readonly ProvisionEvent[]) =>
  api.db.write('test', async (tx) => {
    for (const event of events) await tx.nodes.processEvent(NODE as never, event, {});
  });
const update = (patch: object) => api.db.write('test', (tx) => tx.nodes.update(NODE as never, patch));
const patch = async (path: string, value?: unknown) => {
  const operation = value === undefined ? { op: 'remove', path } : { op: 'add', path, value };
  const reply = await api.request('PATCH', '/v1/nodes/n1', { body: [operation] });
  return { status: reply.status, fault: reply.fault, json: reply.json };
};

describe('a patch of a node', () => {
  it('changes interfaces and resource class only while the node belongs to nobody', async () => {
    expect((await patch('/deploy_interface', 'fake')).status).toBe(200);
    await move(TO_ACTIVE);
    expect(await patch('/power_interface', 'no-power')).toMatchObject({
      status: 409,
      fault: `Node ${NODE} can not have power_interface updated unless it is in one of allowed (enroll, inspecting, inspect wait, manageable, available) states or in maintenance mode. Current state is 'active'.`,
    });
    // What is set to what it is, or to the default that it has, is no change.
    expect((await patch('/deploy_interface', 'fake')).status).toBe(200);
    expect((await patch('/power_interface', 'fake')).status).toBe(200);
    expect((await patch('/resource_class', 'b')).fault).toContain('can not have resource_class updated');
    await update({ maintenance: true });
    expect((await patch('/power_interface', 'no-power')).status).toBe(200);
    expect((await patch('/resource_class', 'b')).status).toBe(409);
  });

  it('keeps the driver while a console runs on it', async () => {
    await update({ consoleEnabled: true });
    expect((await patch('/driver', 'fake-hardware')).status).toBe(200);
    expect(await patch('/driver', 'ipmi')).toMatchObject({ status: 400 });
  });

  it('gives the allocation back with the instance, unless the node is in use', async () => {
    await move(TO_ACTIVE);
    await api.db.write('test', async (tx) => {
      await tx.allocations.create({ uuid: ALLOCATION, nodeUuid: NODE, state: 'active', owner: 'p' });
      await tx.nodes.update(NODE as never, { instanceUuid: ALLOCATION, allocationUuid: ALLOCATION });
    });
    expect((await patch('/instance_uuid')).fault).toContain('with an allocation can not have instance_uuid removed');
    expect((await patch('/owner', 'q')).fault).toContain('allocated to an allocation with an owner');
    expect((await patch('/instance_uuid', NODE)).fault).toContain(`is associated with instance ${ALLOCATION}`);
    await update({ maintenance: true });
    expect(await patch('/instance_uuid')).toMatchObject({ status: 200, json: { allocation_uuid: null } });
    expect(await api.db.read.allocations.find(ALLOCATION)).toBeUndefined();
  });

  it('takes the instance name from the display name, once', async () => {
    expect((await patch('/instance_info', { display_name: 'web' })).json['instance_name']).toBe('web');
    expect((await patch('/instance_info', { display_name: 'db' })).json['instance_name']).toBe('web');
  });

  it('clears the fault with the maintenance', async () => {
    await update({ maintenance: true, maintenanceReason: 'fan', fault: 'power failure' });
    const { json } = await patch('/maintenance', 'false');
    expect(json).toMatchObject({ maintenance: false, maintenance_reason: null, fault: null });
  });

  it('breaks nothing that a creation could not', async () => {
    for (const [path, value] of [
      ['/description', 'x'.repeat(4097)],
      ['/resource_class', 'x'.repeat(81)],
      ['/conductor_group', 'a b'],
      ['/name', 7],
      ['/properties', 'text'],
      ['/parent_node', NODE],
    ] as const)
      expect((await patch(path, value)).status, path).toBe(400);
    expect((await patch('/driver')).fault).toContain("'driver' is a required property");
  });
});
