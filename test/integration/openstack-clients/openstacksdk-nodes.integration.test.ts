/** Debian's python3-openstacksdk: nodes, their life cycle, and what has no nodes to belong to. */
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSdk, NOT_FOUND } from './sdk.ts';
import { type ClientWorld, NOBODY, startClientWorld, VIF } from './world.ts';

let world: ClientWorld;
beforeAll(async () => {
  world = await startClientWorld();
});
afterAll(() => world.stop());
/** The others are run beside this file; waiting for any resource came with later releases, and so did virtual media. */
const OF_NODES =
  /^baremetal\.(?!.*(chassis|_port|ports|port_|volume|allocation|template|runbook|inspection_rule|vmedia|wait_for_(delete|status)))/;
const { sdk, create, failureOf, caller } = createSdk(() => world);

describe('nodes', () => {
  it('are made in the state that is asked for, available when none is', async () => {
    const states = { enroll: 'enroll', manageable: 'manageable', available: 'available' };
    for (const [name, state] of Object.entries(states))
      expect(await create('node', { driver: 'fake-hardware', name, provision_state: state })).toMatchObject({
        name,
        provision_state: state,
        power_state: null,
      });
    const plain = await create('node', { driver: 'fake-hardware', name: 'plain' });
    // Later releases leave it to the service, which answers the newest versions with enroll.
    expect(['available', 'enroll']).toContain(plain.provision_state);
    expect(plain.network_interface).toBe('noop');
    await sdk('delete_node', ['plain']);
    expect(await sdk('find_node', ['plain'])).toBeNull();
  });

  it('that an old version makes are available at once', async () => {
    const old = createSdk(() => world, { baremetal_default_microversion: '1.10' });
    expect(await old.create('node', { driver: 'fake-hardware', name: 'old' })).toMatchObject({
      name: 'old',
      provision_state: 'available',
      power_state: null,
    });
    await old.sdk('delete_node', ['old']);
    const refused = await old.failureOf('create_node', [], { driver: 'fake-hardware', provision_state: 'enroll' });
    expect(refused.type).toBe('NotSupported');
  });

  it('are listed, shown, changed and deleted', async () => {
    const fields = { driver: 'fake-hardware', name: 'n1', provision_state: 'manageable', resource_class: 'gold' };
    const { id } = await create('node', { ...fields, owner: 'own', extra: { rack: 1 } }, 'n1');
    expect(await sdk('nodes', [], { resource_class: 'gold' })).toMatchObject([{ id, name: 'n1' }]);
    const filters = { details: true, provision_state: 'manageable', driver: 'fake-hardware' };
    expect(await sdk('nodes', [], { ...filters, resource_class: 'gold' })).toEqual([
      expect.objectContaining({ id, extra: { rack: 1 } }),
    ]);
    expect(await sdk('nodes', [], filters)).toHaveLength(2);
    expect(await sdk('nodes', [], { fields: ['uuid', 'driver'], limit: 1 })).toHaveLength((await sdk('nodes')).length);
    expect(await sdk('get_node', ['n1'], { fields: ['name', 'extra'] })).toMatchObject({ name: 'n1' });
    expect(await sdk('find_node', ['n1'])).toMatchObject({ id });
    expect(await sdk('find_node', ['nosuch'])).toBeNull();
    expect(await sdk('update_node', ['@n1'], { extra: { rack: 2 }, is_retired: true })).toMatchObject({
      extra: { rack: 2 },
      is_retired: true,
    });
    const patch = [{ op: 'add', path: '/properties/cpus', value: 8 }];
    expect(await sdk('patch_node', [id, patch])).toMatchObject({ properties: { cpus: 8 } });
    expect(
      await sdk('patch_node', [id, [{ op: 'replace', path: '/driver', value: 'manual-management' }]], {
        reset_interfaces: true,
      }),
    ).toMatchObject({ driver: 'manual-management', management_interface: 'noop', network_interface: 'noop' });
    expect(await sdk('validate_node', [id], { required: ['power'] })).toMatchObject({
      power: { result: true },
    });
    await sdk('set_node_maintenance', [id, 'bad fan']);
    expect(await sdk('get_node', [id])).toMatchObject({ is_maintenance: true, maintenance_reason: 'bad fan' });
    await sdk('unset_node_maintenance', [id]);
    expect(await sdk('get_node', [id])).toMatchObject({ is_maintenance: false, maintenance_reason: null });
    await sdk('delete_node', [id]);
    await sdk('delete_node', [id]);
  });

  it('come over many pages as one list', async () => {
    const before = (await sdk('nodes')).map((node: { id: string }) => node.id);
    const names = Array.from({ length: 25 }, (_, at) => `page-${at}`);
    for (const name of names) await caller.keep(name, 'baremetal.create_node', [], { driver: 'fake-hardware', name });
    for (const limit of [1, 7, 1000]) {
      const listed: Array<{ id: string; name: string }> = await sdk('nodes', [], { limit, fields: ['uuid', 'name'] });
      expect(new Set(listed.map((node) => node.id)).size).toBe(before.length + names.length);
      expect(listed.slice(before.length).map((node) => node.name)).toEqual(names);
    }
    const { id: marker } = await sdk('get_node', ['page-22']);
    const rest = await sdk('nodes', [], { limit: 10, marker });
    expect(rest.map((node: { name: string }) => node.name)).toEqual(['page-23', 'page-24']);
    for (const name of names) await sdk('delete_node', [name]);
  });

  it('have power, boot device, boot mode, traits, VIFs and vendor methods', async () => {
    const at = ['available'];
    for (const [target, state] of [
      ['power on', 'power on'],
      ['rebooting', 'power on'],
      ['soft power off', 'power off'],
      ['power off', 'power off'],
    ]) {
      await sdk('set_node_power_state', [...at, target], { wait: true, timeout: 60 });
      await caller.keep('held', 'baremetal.get_node', at);
      await sdk('wait_for_node_reservation', ['@held'], { timeout: 60 });
      expect(await sdk('get_node', at)).toMatchObject({ power_state: state, target_power_state: null });
    }
    await sdk('wait_for_node_power_state', [...at, 'power off'], { timeout: 60 });
    await sdk('set_node_boot_device', [...at, 'pxe'], { persistent: true });
    await sdk('set_node_boot_mode', [...at, 'uefi']);
    await sdk('set_node_secure_boot', [...at, true]);
    await sdk('set_node_traits', [...at, ['CUSTOM_GOLD', 'HW_CPU_X86_VMX']]);
    await sdk('add_node_trait', [...at, 'CUSTOM_NEW']);
    await sdk('remove_node_trait', [...at, 'CUSTOM_GOLD']);
    expect(await sdk('get_node', at)).toMatchObject({ traits: ['CUSTOM_NEW', 'HW_CPU_X86_VMX'] });
    expect((await failureOf('remove_node_trait', [...at, 'CUSTOM_NOSUCH'])).message).toContain(
      "doesn't have a trait 'CUSTOM_NOSUCH'",
    );
    expect(await failureOf('add_node_trait', [...at, 'bad'])).toMatchObject({ type: 'BadRequestException' });
    const { id } = await sdk('get_node', at);
    await sdk('patch_node', [id, [{ op: 'add', path: '/network_interface', value: 'flat' }]]);
    await create('port', { node_uuid: id, address: '52:54:00:00:00:11' }, 'vifPort');
    await sdk('attach_vif_to_node', [...at, VIF]);
    expect(await sdk('list_node_vifs', at)).toEqual([VIF]);
    expect(await sdk('detach_vif_from_node', [...at, VIF])).toBe(true);
    expect(await sdk('detach_vif_from_node', [...at, VIF])).toBe(false);
    expect(await sdk('list_node_vifs', at)).toEqual([]);
    await sdk('delete_port', ['@vifPort']);
    expect(Object.keys(await sdk('list_node_vendor_passthru', ['@held']))).toContain('third_method_sync');
    const call = ['@held', 'POST', 'third_method_sync', { bar: 'meow' }];
    expect(await sdk('call_node_vendor_passthru', call)).toBe(200);
  });

  it('go to active and back, are rebuilt, cleaned and rescued, several at once', async () => {
    const names = ['c1', 'c2', 'c3'];
    for (const name of names) await create('node', { driver: 'fake-hardware', name, provision_state: 'manageable' });
    const all = async (target: string, state: string, more = {}) => {
      for (const name of names) await sdk('set_node_provision_state', [name, target], more);
      const reached = await sdk('wait_for_nodes_provision_state', [names, state], { timeout: 60 });
      expect(reached).toEqual(names.map(() => expect.objectContaining({ provision_state: state, last_error: null })));
    };
    await all('clean', 'manageable', { clean_steps: [{ interface: 'raid', step: 'delete_configuration' }] });
    await all('inspect', 'manageable');
    await all('provide', 'available');
    await all('active', 'active', { config_drive: { meta_data: { hostname: 'h' } } });
    await all('rebuild', 'active');
    await all('rescue', 'rescue', { rescue_password: 'secret' });
    await all('unrescue', 'active');
    await all('deleted', 'available');
    const one = { wait: true, timeout: 60 };
    expect(await sdk('set_node_provision_state', ['c1', 'manage'], one)).toMatchObject({
      provision_state: 'manageable',
    });
  });

  it('that fail are told from those that do not', async () => {
    const fire = { fake_deploy_fail: 'the disk is on fire' };
    await create('node', { driver: 'fake-hardware', name: 'frail', driver_info: fire, provision_state: 'available' });
    await sdk('set_node_provision_state', ['frail', 'active']);
    const error = await failureOf('wait_for_nodes_provision_state', [['frail'], 'active'], { timeout: 60 });
    expect(error).toMatchObject({ type: 'ResourceFailure', message: expect.stringContaining('the disk is on fire') });
    expect(
      await sdk('wait_for_nodes_provision_state', [['frail', 'c2'], 'available'], { timeout: 60, fail: false }),
    ).toEqual([[expect.objectContaining({ name: 'c2' })], [expect.objectContaining({ name: 'frail' })], []]);
  });
});

describe('drivers and conductors', () => {
  it('are listed and shown', async () => {
    const drivers = await sdk('drivers', [], { details: true });
    expect(drivers.map((driver: { name: string }) => driver.name)).toEqual([
      'fake-hardware',
      'ipmi',
      'manual-management',
    ]);
    expect(await sdk('get_driver', ['ipmi'])).toMatchObject({
      name: 'ipmi',
      hosts: [hostname()],
      default_network_interface: 'noop',
    });
    expect(await failureOf('get_driver', ['nosuch'])).toMatchObject({ type: NOT_FOUND });
    expect(await sdk('conductors')).toMatchObject([{ hostname: hostname(), alive: true }]);
    expect(await sdk('get_conductor', [hostname()])).toMatchObject({ drivers: expect.arrayContaining(['ipmi']) });
    expect(await sdk('list_driver_vendor_passthru', ['fake-hardware'])).toEqual({});
    expect(await failureOf('call_driver_vendor_passthru', ['fake-hardware', 'POST', 'nosuch'])).toMatchObject({
      type: 'BadRequestException',
      message: expect.stringContaining('No handler for method nosuch'),
    });
  });
});

it('what later releases know of nodes is there', async () => {
  const known = await world.clients.methods('sdk');
  const rows: ReadonlyArray<readonly [method: string, args: readonly unknown[], value: object | null]> = [
    ['get_node_boot_device', ['available'], { boot_device: 'pxe' }],
    ['get_node_supported_boot_devices', ['available'], { supported_boot_devices: expect.arrayContaining(['disk']) }],
    ['inject_nmi_to_node', ['available'], null],
    ['enable_node_console', ['available'], null],
    ['get_node_console', ['available'], { console_enabled: true }],
    ['disable_node_console', ['available'], null],
    ['get_node_inventory', ['c1'], { inventory: expect.any(Object) }],
    ['list_node_firmware', ['available'], null],
  ];
  for (const [method, args, value] of rows)
    if (known.includes(`baremetal.${method}`)) {
      const found = await sdk(method, args);
      if (value) expect(found, method).toMatchObject(value);
    }
});

describe('what a person reads', () => {
  const failures: ReadonlyArray<
    readonly [method: string, args: unknown[], kwargs: object, type: unknown, sentence: string]
  > = [
    ['get_node', ['nosuch'], {}, NOT_FOUND, 'Node nosuch could not be found.'],
    ['create_node', [], { driver: 'nosuch' }, 'BadRequestException', 'which supports driver nosuch'],
    ['update_node', ['enroll'], { name: 'manageable', retry_on_conflict: false }, 'ConflictException', 'manageable'],
    ['create_node', [], { driver: 'fake-hardware', name: 'a b' }, 'BadRequestException', "invalid name 'a b'"],
    ['set_node_provision_state', ['enroll', 'active'], {}, 'BadRequestException', 'while it is in state "enroll"'],
    ['create_port', [], { node_uuid: NOBODY, address: '52:54:00:00:00:09' }, 'BadRequestException', NOBODY],
    ['create_port', [], { node_uuid: 'OWNER', address: 'zebra' }, 'BadRequestException', 'zebra'],
    ['create_allocation', [], { resource_class: 'x'.repeat(81) }, 'BadRequestException', 'is too long'],
    ['wait_for_nodes_provision_state', [['enroll'], 'active'], { timeout: 1 }, 'ResourceTimeout', 'Timeout'],
  ];
  let owner: string;
  beforeAll(async () => {
    ({ id: owner } = await sdk('get_node', ['enroll']));
  });
  it.each(failures)('of %s %j %j is %s', async (method, args, kwargs, type, sentence) => {
    const given = Object.entries(kwargs).map(([name, value]) => [name, value === 'OWNER' ? owner : value]);
    expect(await failureOf(method, args, Object.fromEntries(given))).toMatchObject({
      type,
      message: expect.stringContaining(sentence),
    });
  });
});

describe('versions', () => {
  const at = (version: string) => createSdk(() => world, { baremetal_default_microversion: version });
  it('are negotiated: an old one has old nodes, the newest all there is, one that nobody has is refused', async () => {
    expect((await at('1.9').sdk('get_node', ['enroll'])).resource_class).toBeNull();
    expect(await at('1.78').sdk('get_node', ['enroll'])).toMatchObject({ name: 'enroll', network_interface: 'noop' });
    expect(await at('1.115').sdk('get_node', ['enroll'])).toMatchObject({ name: 'enroll' });
    expect((await at('1.200').failureOf('get_node', ['enroll'])).message).toContain('1.200');
  });
});

it('every call was made', async () => {
  const calls = (await world.clients.methods('sdk')).filter((path) => OF_NODES.test(path));
  expect(calls.length).toBeGreaterThan(30);
  expect(caller.notMade(calls)).toEqual([]);
});
