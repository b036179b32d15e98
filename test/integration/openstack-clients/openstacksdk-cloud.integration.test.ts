/** Debian's python3-openstacksdk: the layer of whole clouds (machines and NICs), and how it signs in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSdk } from './sdk.ts';
import { type ClientWorld, expectReadable, startClientWorld } from './world.ts';

const MAC = '52:54:00:00:00:41';

let world: ClientWorld;
let guarded: ClientWorld;
beforeAll(async () => {
  [world, guarded] = await Promise.all([startClientWorld(), startClientWorld({ 'api.auth': 'http_basic' })]);
});
afterAll(async () => {
  await world.stop();
  await guarded.stop();
});
const { caller, create, sdk } = createSdk(() => world);
const { call } = caller;

it('machines are registered with their NICs, found and listed', async () => {
  const { id } = await create('node', { driver: 'fake-hardware', name: 'm1', provision_state: 'manageable' });
  await sdk('create_port', [], { node_uuid: id, address: MAC });
  expect(await call('list_machines')).toMatchObject([{ name: 'm1' }]);
  expect(await call('get_machine', ['m1'])).toMatchObject({ id });
  expect(await call('get_machine', ['nosuch'])).toBeNull();
  expect(await call('get_machine_by_mac', [MAC])).toMatchObject({ id });
  expect(await call('list_nics')).toMatchObject([{ address: MAC }]);
  expect(await call('list_nics_for_machine', [id])).toMatchObject([{ address: MAC }]);
  expect(await call('get_nic_by_mac', [MAC])).toMatchObject({ node_id: id });
  expect(await call('list_ports_attached_to_machine', ['m1'])).toEqual([]);
});

it('machines are changed, validated, turned on and off, and put into maintenance', async () => {
  expect(await call('patch_machine', ['m1', [{ op: 'add', path: '/extra/a', value: 1 }]])).toMatchObject({
    extra: { a: 1 },
  });
  expect(await call('update_machine', ['m1'], { resource_class: 'gold' })).toMatchObject({
    node: { resource_class: 'gold' },
    changes: ['/resource_class'],
  });
  expect(
    await call('set_node_instance_info', ['m1', [{ op: 'add', path: '/instance_info/a', value: 'b' }]]),
  ).toMatchObject({ instance_info: { a: 'b' } });
  await call('validate_machine', ['m1'], { for_deploy: false });
  await call('validate_node', ['m1']);
  await call('set_machine_maintenance_state', ['m1'], { reason: 'bad fan' });
  expect(await call('get_machine', ['m1'])).toMatchObject({ is_maintenance: true, maintenance_reason: 'bad fan' });
  await call('remove_machine_from_maintenance', ['m1']);
  for (const [method, state] of [
    ['set_machine_power_on', 'power on'],
    ['set_machine_power_reboot', 'power on'],
    ['set_machine_power_off', 'power off'],
  ] as const) {
    await call(method, ['m1']);
    await caller.keep('m1', 'get_machine', ['m1']);
    await call('wait_for_baremetal_node_lock', ['@m1']);
    await call('baremetal.wait_for_node_power_state', ['m1', state], { timeout: 60 });
  }
});

it('machines are inspected, deployed and given back', async () => {
  expect(await call('inspect_machine', ['m1'], { wait: true, timeout: 60 })).toMatchObject({
    provision_state: 'manageable',
    last_error: null,
  });
  const waiting = { wait: true, timeout: 60 };
  await call('node_set_provision_state', ['m1', 'provide'], waiting);
  await call('activate_node', ['m1'], waiting);
  expect(await call('get_machine', ['m1'])).toMatchObject({ provision_state: 'active', power_state: 'power on' });
  expect((await caller.failure('unregister_machine', [[], 'm1'])).message).toContain('due to current provision state');
  await call('deactivate_node', ['m1'], waiting);
  expect(await call('get_machine', ['m1'])).toMatchObject({ provision_state: 'available' });
  await call('unregister_machine', [[{ mac: MAC }], 'm1']);
  expect(await call('get_machine', ['m1'])).toBeNull();
  expect(await call('list_nics')).toEqual([]);
});

it('machines are enrolled with their NICs, and brought to available', async () => {
  const nic = (last: number) => ({ mac: `52:54:00:00:00:5${last}` });
  const register = (name: string, nics: object[], more = {}) =>
    call('register_machine', [nics], { driver: 'fake-hardware', name, ...more });
  expect(await register('waited', [nic(1), nic(2)], { wait: true, timeout: 60 })).toMatchObject({
    provision_state: 'available',
  });
  await register('unwaited', [nic(3)]);
  expect(await sdk('wait_for_nodes_provision_state', [['unwaited'], 'available'], { timeout: 60 })).toMatchObject([
    { name: 'unwaited', last_error: null },
  ]);
  const kwargs = { driver: 'fake-hardware', name: 'broken' };
  const { message } = await caller.failure('register_machine', [[nic(4), { mac: 'zebra' }]], kwargs);
  expect(message).toContain('Expected valid MAC address for address: zebra');
  expect(await call('get_machine', ['broken'])).toBeNull();
  const addresses: string[] = (await call('list_nics')).map((port: { address: string }) => port.address);
  expect(addresses.toSorted()).toEqual([1, 2, 3].map((last) => nic(last).mac));
  await call('set_node_instance_info', ['waited', [{ op: 'add', path: '/instance_info/a', value: 'b' }]]);
  expect(await call('purge_node_instance_info', ['waited'])).toMatchObject({ instance_info: {} });
  await call('unregister_machine', [[nic(1), nic(2)], 'waited'], { wait: true, timeout: 60 });
  expect(await call('get_machine', ['waited'])).toBeNull();
  expect(await call('list_nics')).toMatchObject([{ address: nic(3).mac }]);
});

it('every call was made that needs no other service', async () => {
  const calls = (await world.clients.methods('sdk')).filter((path) => !path.startsWith('baremetal.'));
  expect(calls.length).toBeGreaterThan(20);
  // The two ask Neutron for the port.
  expect(caller.notMade(calls)).toEqual(['attach_port_to_machine', 'detach_port_from_machine']);
});

it('the administrator of the first start is let in, a wrong password is not', async () => {
  const { username, password } = JSON.parse(readFileSync(join(guarded.dataDir, 'profile.json'), 'utf8'));
  const as = (secret: string) =>
    createSdk(() => guarded, {
      auth_type: 'http_basic',
      auth: { endpoint: guarded.url, username, password: secret },
    });
  expect(await as(password).create('node', { driver: 'fake-hardware', name: 'mine' })).toMatchObject({
    name: 'mine',
    driver: 'fake-hardware',
  });
  const wrong = await as('guess').failureOf('create_node', [], { driver: 'fake-hardware' });
  expect(wrong.message).toMatch(/401|Unauthorized|password/);
  expectReadable(wrong.message);
});

it('a service that is not there is told', async () => {
  const gone = createSdk(() => world, { auth: { endpoint: 'http://127.0.0.1:9' } });
  const { message } = await gone.failureOf('get_node', ['m1']);
  expect(message).toContain('http://127.0.0.1:9');
});
