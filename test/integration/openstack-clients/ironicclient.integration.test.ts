/** Debian's python3-ironicclient as a library: every call it has, at its default 1.9, at the newest, and in between. */
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, type ClientWorld, createCaller, NOBODY, startClientWorld, VIF } from './world.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const CHASSIS = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc';

let world: ClientWorld;
const withVersion = (version?: unknown): Caller =>
  createCaller((call) =>
    world.clients.library(
      {
        auth_type: 'none',
        endpoint: world.url,
        max_retries: 0,
        ...(version === undefined ? {} : { os_ironic_api_version: version }),
      },
      call,
    ),
  );
beforeAll(async () => {
  world = await startClientWorld();
});
afterAll(() => world.stop());

it('at its default 1.9 makes a node available, and takes it to active and back', async () => {
  const old = withVersion();
  const made = await old.call('node.create', [], { driver: 'fake-hardware', name: 'old' });
  expect(await old.call('http_client.os_ironic_api_version')).toBe('1.9');
  expect(made).toMatchObject({ provision_state: 'available', name: 'old' });
  expect(made).not.toHaveProperty('network_interface');
  const reach = async (state: string, expected: string) => {
    await old.call('node.set_provision_state', ['old', state]);
    await old.call('node.wait_for_provision_state', ['old', expected], { timeout: 60, poll_interval: 0.05 });
  };
  await reach('active', 'active');
  expect(await old.call('node.get', ['old'])).toMatchObject({ provision_state: 'active', power_state: 'power on' });
  await reach('rebuild', 'active');
  await reach('deleted', 'available');
  await old.call('node.set_maintenance', ['old', true], { maint_reason: 'fan' });
  expect(await old.call('node.list', [], { maintenance: true })).toMatchObject([{ name: 'old' }]);
  await old.call('node.set_maintenance', ['old', false]);
  await old.call('node.update', ['old', [{ op: 'add', path: '/extra/a', value: 1 }]]);
  expect(await old.call('node.get', ['old'])).toMatchObject({ extra: { a: 1 }, maintenance: false });
  const { uuid } = await old.call('node.get', ['old']);
  await old.call('port.create', [], { node_uuid: uuid, address: '52:54:00:00:00:31' });
  expect(await old.call('node.list_ports', ['old'])).toMatchObject([{ address: '52:54:00:00:00:31' }]);
  expect(await old.call('node.validate', ['old'])).toMatchObject({ power: { result: true } });
  await old.call('node.set_boot_device', ['old', 'disk']);
  expect(await old.call('node.get_boot_device', ['old'])).toEqual({ boot_device: 'disk', persistent: false });
  expect(await old.call('driver.list')).toHaveLength(3);
  await old.call('node.delete', ['old']);
});

it('at the newest makes every call it has', async () => {
  const latest = withVersion('latest');
  const { call } = latest;
  const update = [{ op: 'add', path: '/extra/a', value: 1 }];

  await call('chassis.create', [], { uuid: CHASSIS, description: 'rack 1' });
  await call('chassis.update', [CHASSIS, update]);
  expect(await call('chassis.get', [CHASSIS])).toMatchObject({ extra: { a: 1 } });
  expect(await call('chassis.list')).toHaveLength(1);
  await call('node.create', [], { driver: 'fake-hardware', uuid: NODE, name: 'n1', chassis_uuid: CHASSIS });
  expect(await call('chassis.list_nodes', [CHASSIS])).toMatchObject([{ uuid: NODE }]);

  await call('node.update', ['n1', [...update, { op: 'add', path: '/instance_uuid', value: VIF }]]);
  expect(await call('node.get_by_instance_uuid', [VIF])).toMatchObject({ name: 'n1', extra: { a: 1 } });
  await call('node.update', ['n1', [{ op: 'remove', path: '/instance_uuid' }]]);
  await call('node.set_provision_state', ['n1', 'manage']);
  await call('node.wait_for_provision_state', ['n1', 'manageable'], { timeout: 60, poll_interval: 0.05 });
  await call('node.set_power_state', ['n1', 'off']);
  await expect
    .poll(() => call('node.states', ['n1']), { timeout: 30_000 })
    .toMatchObject({ power_state: 'power off', target_power_state: null });
  await call('node.set_boot_device', ['n1', 'pxe'], { persistent: true });
  expect(await call('node.get_boot_device', ['n1'])).toEqual({ boot_device: 'pxe', persistent: true });
  expect(await call('node.get_supported_boot_devices', ['n1'])).toMatchObject({
    supported_boot_devices: expect.arrayContaining(['pxe']),
  });
  await call('node.set_boot_mode', ['n1', 'uefi']);
  await expect.poll(() => call('node.states', ['n1']), { timeout: 30_000 }).toMatchObject({ boot_mode: 'uefi' });
  await call('node.set_secure_boot', ['n1', 'on']);
  await expect.poll(() => call('node.states', ['n1']), { timeout: 30_000 }).toMatchObject({ secure_boot: true });
  await call('node.inject_nmi', ['n1']);
  await call('node.set_console_mode', ['n1', true]);
  await expect.poll(() => call('node.get_console', ['n1'])).toMatchObject({ console_enabled: true });
  await call('node.set_target_raid_config', ['n1', { logical_disks: [{ size_gb: 50, raid_level: '1' }] }]);
  await call('node.set_traits', ['n1', ['CUSTOM_A']]);
  await call('node.add_trait', ['n1', 'CUSTOM_B']);
  expect(await call('node.get_traits', ['n1'])).toEqual(['CUSTOM_A', 'CUSTOM_B']);
  await call('node.remove_trait', ['n1', 'CUSTOM_A']);
  await call('node.remove_all_traits', ['n1']);
  expect(await call('node.list_bios_settings', ['n1'])).toEqual([]);
  expect((await latest.failure('node.get_bios_setting', ['n1', 'x'])).type).toBe('NotFound');
  expect(await call('node.get_history_list', ['n1'])).toEqual([]);
  expect((await latest.failure('node.get_history_event', ['n1', NOBODY])).type).toBe('NotFound');
  expect(await call('node.get_vendor_passthru_methods', ['n1'])).toHaveProperty('second_method');
  await call('node.vendor_passthru', ['n1', 'second_method', { bar: 'kazoo' }, 'POST']);

  const portgroup = await call('portgroup.create', [], {
    node_uuid: NODE,
    name: 'bond0',
    address: '52:54:00:00:00:10',
  });
  expect(await call('portgroup.list')).toHaveLength(1);
  await call('portgroup.update', ['bond0', update]);
  expect(await call('portgroup.get', ['bond0'])).toMatchObject({ extra: { a: 1 } });
  expect(await call('portgroup.get_by_address', ['52:54:00:00:00:10'])).toMatchObject({ name: 'bond0' });
  const port = { node_uuid: NODE, address: '52:54:00:00:00:11', portgroup_uuid: portgroup.uuid };
  const { uuid: portUuid } = await call('port.create', [], port);
  expect(await call('portgroup.list_ports', ['bond0'])).toHaveLength(1);
  expect(await call('port.list')).toHaveLength(1);
  await call('port.update', [portUuid, update]);
  expect(await call('port.get', [portUuid])).toMatchObject({ extra: { a: 1 } });
  expect(await call('port.get_by_address', ['52:54:00:00:00:11'])).toMatchObject({ uuid: portUuid });
  expect(await call('node.list_ports', ['n1'])).toHaveLength(1);
  await call('node.update', ['n1', [{ op: 'add', path: '/network_interface', value: 'flat' }]]);
  await call('node.vif_attach', ['n1', VIF]);
  expect(await call('node.vif_list', ['n1'])).toMatchObject([{ id: VIF }]);
  await call('node.vif_detach', ['n1', VIF]);
  await call('port.delete', [portUuid]);
  await call('portgroup.delete', ['bond0']);

  for (const [kind, more, list] of [
    ['volume_connector', { type: 'iqn', connector_id: 'iqn.2017-08.org.openstack:1' }, 'list_volume_connectors'],
    ['volume_target', { volume_type: 'iscsi', volume_id: 'vol-1', boot_index: 0 }, 'list_volume_targets'],
  ] as const) {
    const { uuid } = await call(`${kind}.create`, [], { node_uuid: NODE, ...more });
    expect(await call(`${kind}.list`)).toMatchObject([{ uuid }]);
    expect(await call(`node.${list}`, ['n1'])).toMatchObject([{ uuid }]);
    await call(`${kind}.update`, [uuid, update]);
    expect(await call(`${kind}.get`, [uuid])).toMatchObject({ ...more, extra: { a: 1 } });
    await call(`${kind}.delete`, [uuid]);
  }

  const step = { interface: 'deploy', step: 'deploy', args: {}, priority: 50 };
  await call('deploy_template.create', [], { name: 'CUSTOM_GOLD', steps: [step] });
  expect(await call('deploy_template.list')).toMatchObject([{ name: 'CUSTOM_GOLD' }]);
  await call('deploy_template.update', ['CUSTOM_GOLD', update]);
  expect(await call('deploy_template.get', ['CUSTOM_GOLD'])).toMatchObject({ steps: [step], extra: { a: 1 } });
  await call('deploy_template.delete', ['CUSTOM_GOLD']);

  await call('node.update', ['n1', [{ op: 'add', path: '/resource_class', value: 'gold' }]]);
  await call('node.set_provision_state', ['n1', 'provide']);
  await call('node.wait_for_provision_state', ['n1', 'available'], { timeout: 60, poll_interval: 0.05 });
  await call('allocation.create', [], { name: 'a1', resource_class: 'gold' });
  expect(await call('allocation.wait', ['a1'], { timeout: 60, poll_interval: 0.05 })).toMatchObject({
    state: 'active',
    node_uuid: NODE,
  });
  expect(await call('allocation.list', [], { resource_class: 'gold' })).toMatchObject([{ name: 'a1' }]);
  await call('allocation.update', ['a1', update]);
  expect(await call('allocation.get', ['a1'])).toMatchObject({ extra: { a: 1 } });
  await call('allocation.delete', ['a1']);

  expect(await call('driver.list')).toHaveLength(3);
  expect(await call('driver.get', ['ipmi'])).toMatchObject({ hosts: [hostname()] });
  expect(await call('driver.properties', ['ipmi'])).toHaveProperty('ipmi_address');
  expect(await call('driver.raid_logical_disk_properties', ['fake-hardware'])).toHaveProperty('raid_level');
  expect(await call('driver.get_vendor_passthru_methods', ['fake-hardware'])).toEqual({});
  expect((await latest.failure('driver.vendor_passthru', ['fake-hardware', 'x'], { http_method: 'POST' })).type).toBe(
    'BadRequest',
  );
  // Ironic has no such verbs for drivers; the client offers them with all that it has.
  for (const [path, args] of [
    ['driver.update', ['ipmi', update]],
    ['driver.delete', ['ipmi']],
  ] as const)
    expect((await latest.failure(path, args)).status).toBeGreaterThanOrEqual(404);
  expect(await call('conductor.list')).toMatchObject([{ hostname: hostname(), alive: true }]);
  expect(await call('conductor.get', [hostname()])).toMatchObject({ drivers: expect.arrayContaining(['ipmi']) });
  const event = { event: 'network.bind_port', port_id: VIF, mac_address: '52:54:00:00:00:11', status: 'ACTIVE' };
  await call('events.create', [], { events: [event] });

  expect(await call('node.list', [], { detail: true })).toMatchObject([{ name: 'n1', chassis_uuid: CHASSIS }]);
  await call('node.validate', ['n1']);
  expect(await call('node.get', ['n1'])).toMatchObject({ uuid: NODE });
  await call('node.set_maintenance', ['n1', 'true'], { maint_reason: 'fan' });
  await call('node.delete', ['n1']);
  await call('chassis.delete', [CHASSIS]);
  // Those that later releases bring are run by the commands over them.
  const known = (await world.clients.methods('library')).filter(
    (path) => !/^(runbook|shard|inspection_rule)\.|node\.(get_inventory|list_firmware|.*children)/.test(path),
  );
  expect(latest.notMade(known)).toEqual([]);
});

describe('errors and versions', () => {
  it('are exceptions that it knows, with sentences of ours', async () => {
    await withVersion('latest').call('node.create', [], {
      driver: 'fake-hardware',
      uuid: NODE,
      name: 'n2',
    });
    await withVersion('latest').call('node.update', [NODE, [{ op: 'add', path: '/owner', value: 'o' }]]);
    const failures: ReadonlyArray<readonly [call: string, args: unknown[], type: string, sentence: string]> = [
      ['node.get', ['nosuch'], 'NotFound', 'Node nosuch could not be found.'],
      ['node.set_provision_state', [NODE, 'active'], 'BadRequest', 'while it is in state "enroll"'],
      ['node.update', [NODE, [{ op: 'replace', path: '/uuid', value: NOBODY }]], 'BadRequest', '/uuid'],
      ['node.update', [NODE, [{ op: 'replace', path: '/name', value: 'a "b" & c' }]], 'BadRequest', 'a "b" & c'],
      ['node.get_vendor_passthru_methods', ['nosuch'], 'NotFound', 'Node nosuch could not be found.'],
      ['portgroup.list', [], 'NotFound', 'needs API version 1.23 or newer'],
    ];
    for (const [call, args, type, sentence] of failures)
      expect(await withVersion('1.9').failure(call, args)).toMatchObject({
        type,
        message: expect.stringContaining(sentence),
      });
    expect(await withVersion('1.50').failure('node.create', [], { driver: 'fake-hardware', name: 'n2' })).toMatchObject(
      {
        type: 'Conflict',
        message: expect.stringContaining('A node with name n2 already exists.'),
      },
    );
  });

  it('are negotiated: the newest of both, a list of wishes, and one that is too new', async () => {
    const version = 'http_client.os_ironic_api_version';
    expect(await withVersion('latest').call('node.get', [NODE])).toMatchObject({ uuid: NODE, boot_mode: null });
    expect(await withVersion('1.50').call('node.get', [NODE])).toMatchObject({ owner: 'o' });
    const wishes = withVersion(['1.300', '1.40']);
    expect(await wishes.call('node.get', [NODE])).toMatchObject({ uuid: NODE });
    expect(await wishes.call(version)).toBe('1.40');
    const { type, message } = await withVersion('1.300').failure('node.get', [NODE]);
    expect([type, message]).toEqual(['UnsupportedVersion', expect.stringContaining('1.300')]);
  });

  it('newer than the client are there for requests by hand', async () => {
    const { call } = withVersion('1.78');
    const send = async (method: string, path: string, body?: unknown) => {
      const headers = { 'X-OpenStack-Ironic-API-Version': '1.115' };
      return (await call('http_client.json_request', [method, path], { headers, ...(body ? { body } : {}) }))[1];
    };
    await send('PATCH', `/v1/nodes/${NODE}`, [{ op: 'add', path: '/shard', value: 'rack1' }]);
    expect(await send('GET', '/v1/shards')).toEqual({ shards: expect.arrayContaining([{ name: 'rack1', count: 1 }]) });
    const step = { interface: 'raid', step: 'delete_configuration', args: {}, order: 1 };
    await send('POST', '/v1/runbooks', { name: 'CUSTOM_WIPE', steps: [step] });
    expect(await send('GET', '/v1/runbooks')).toMatchObject({ runbooks: [{ name: 'CUSTOM_WIPE' }] });
    const action = { op: 'set-attribute', args: { path: '/extra/a', value: 1 } };
    await send('POST', '/v1/inspection_rules', { actions: [action] });
    expect(await send('GET', '/v1/inspection_rules')).toMatchObject({ inspection_rules: [{ phase: 'main' }] });
    expect(await send('GET', `/v1/nodes/${NODE}/firmware`)).toEqual({ firmware: expect.any(Array) });
    expect(await send('GET', `/v1/nodes/${NODE}/children`)).toMatchObject({ children: [] });
  });
});
