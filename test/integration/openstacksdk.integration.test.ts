/** Debian's python3-openstacksdk against a service that was told nothing but port, data directory and noauth. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenstackClients, type Outcome, startOpenstackClients } from './openstack-clients.ts';
import { type ServiceProcess, startRole } from './service-process.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const VIF = '77777777-7777-4777-8777-777777777777';

let folder: string;
let service: ServiceProcess;
let clients: OpenstackClients;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bessemer-openstacksdk-'));
  clients = startOpenstackClients(folder);
  service = await startRole({ role: 'up', dataDir: join(folder, 'data') });
});
afterAll(async () => {
  await clients.stop();
  await service.stop();
  rmSync(folder, { recursive: true });
});

interface Options {
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly keep?: string;
}
const tryTo = (method: string, args: readonly unknown[] = [], options: Options = {}): Promise<Outcome> =>
  clients.sdk(
    { auth_type: 'none', auth: { endpoint: service.apiUrl! } },
    { call: `baremetal.${method}`, args, ...options },
  );
/** Calls `connection.baremetal.METHOD(*args, **kwargs)` and gives its value. */
async function sdk(method: string, args: readonly unknown[] = [], options: Options = {}) {
  const outcome = await tryTo(method, args, options);
  expect(outcome.error, `${method} ${JSON.stringify(args)}`).toBeUndefined();
  return outcome.value;
}
const create = (what: string, kwargs: Readonly<Record<string, unknown>>, keep?: string) =>
  sdk(`create_${what}`, [], { kwargs, ...(keep === undefined ? {} : { keep }) });
async function failureOf(method: string, args: readonly unknown[], kwargs = {}) {
  const outcome = await tryTo(method, args, { kwargs });
  expect(outcome.value, `${method} ${JSON.stringify(args)}`).toBeUndefined();
  expect(outcome.error!.message).not.toContain('Traceback');
  return outcome.error!;
}

describe('nodes', () => {
  it('are made in the state that is asked for, available when none is', async () => {
    const states = { enroll: 'enroll', manageable: 'manageable', available: 'available' };
    for (const [name, state] of Object.entries(states))
      expect(await create('node', { driver: 'fake-hardware', name, provision_state: state })).toMatchObject({
        name,
        provision_state: state,
        power_state: null,
      });
    expect(await create('node', { driver: 'fake-hardware', name: 'plain' })).toMatchObject({
      provision_state: 'available',
      network_interface: 'noop',
    });
    await sdk('delete_node', ['plain']);
    expect(await tryTo('find_node', ['plain'])).toEqual({ value: null });
  });

  it('that an old version makes are available at once', async () => {
    const options = {
      auth_type: 'none',
      auth: { endpoint: service.apiUrl! },
      baremetal_default_microversion: '1.10',
    };
    const old = (call: string, args: unknown[], kwargs = {}) => clients.sdk(options, { call, args, kwargs });
    const made = await old('baremetal.create_node', [], { driver: 'fake-hardware', name: 'old' });
    expect(made.value).toMatchObject({ name: 'old', provision_state: 'available', power_state: null });
    expect((await old('baremetal.delete_node', ['old'])).error).toBeUndefined();
    const refused = await old('baremetal.create_node', [], { driver: 'fake-hardware', provision_state: 'enroll' });
    expect(refused.error).toMatchObject({ type: 'NotSupported' });
  });

  it('are listed, shown, changed and deleted', async () => {
    const fields = { driver: 'fake-hardware', name: 'n1', provision_state: 'manageable', resource_class: 'gold' };
    const { id } = await create('node', { ...fields, owner: 'own', extra: { rack: 1 } }, 'n1');
    expect(await sdk('nodes', [], { kwargs: { resource_class: 'gold' } })).toMatchObject([{ id, name: 'n1' }]);
    const detailed = { details: true, provision_state: 'manageable', driver: 'fake-hardware' };
    expect(await sdk('nodes', [], { kwargs: detailed })).toEqual([
      expect.objectContaining({ name: 'manageable' }),
      expect.objectContaining({ id, extra: { rack: 1 } }),
    ]);
    expect(await sdk('nodes', [], { kwargs: { fields: ['uuid', 'driver'], limit: 1 } })).toHaveLength(4);
    expect(await sdk('get_node', ['n1'], { kwargs: { fields: ['name', 'extra'] } })).toMatchObject({ name: 'n1' });
    expect(await sdk('find_node', ['n1'])).toMatchObject({ id });
    expect(await sdk('find_node', ['nosuch'])).toBeNull();
    expect(await sdk('update_node', ['@n1'], { kwargs: { extra: { rack: 2 }, is_retired: true } })).toMatchObject({
      extra: { rack: 2 },
      is_retired: true,
    });
    const patch = [{ op: 'add', path: '/properties/cpus', value: 8 }];
    expect(await sdk('patch_node', [id, patch])).toMatchObject({ properties: { cpus: 8 } });
    expect(
      await sdk('patch_node', [id, [{ op: 'replace', path: '/driver', value: 'manual-management' }]], {
        kwargs: { reset_interfaces: true },
      }),
    ).toMatchObject({ driver: 'manual-management', management_interface: 'noop', network_interface: 'noop' });
    expect(await sdk('validate_node', [id], { kwargs: { required: ['power'] } })).toMatchObject({
      power: { result: true },
    });
    await sdk('set_node_maintenance', [id, 'bad fan']);
    expect(await sdk('get_node', [id])).toMatchObject({ is_maintenance: true, maintenance_reason: 'bad fan' });
    await sdk('unset_node_maintenance', [id]);
    expect(await sdk('get_node', [id])).toMatchObject({ is_maintenance: false, maintenance_reason: null });
    await sdk('delete_node', [id]);
    await sdk('delete_node', [id]);
  });

  it('have power, boot device, boot mode, traits, VIFs and vendor methods', async () => {
    const at = ['available'];
    for (const [target, state] of [
      ['power on', 'power on'],
      ['rebooting', 'power on'],
      ['soft power off', 'power off'],
      ['power off', 'power off'],
    ]) {
      await sdk('set_node_power_state', [...at, target], { kwargs: { wait: true, timeout: 60 } });
      await sdk('get_node', at, { keep: 'held' });
      await sdk('wait_for_node_reservation', ['@held'], { kwargs: { timeout: 60 } });
      expect(await sdk('get_node', at)).toMatchObject({ power_state: state, target_power_state: null });
    }
    await sdk('set_node_boot_device', [...at, 'pxe'], { kwargs: { persistent: true } });
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
      for (const name of names) await sdk('set_node_provision_state', [name, target], { kwargs: more });
      const reached = await sdk('wait_for_nodes_provision_state', [names, state], { kwargs: { timeout: 60 } });
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
    const one = { kwargs: { wait: true, timeout: 60 } };
    expect(await sdk('set_node_provision_state', ['c1', 'manage'], one)).toMatchObject({
      provision_state: 'manageable',
    });
  });

  it('that fail are told from those that do not', async () => {
    const fire = { fake_deploy_fail: 'the disk is on fire' };
    await create('node', { driver: 'fake-hardware', name: 'frail', driver_info: fire, automated_clean: false });
    await sdk('set_node_provision_state', ['frail', 'active']);
    const error = await failureOf('wait_for_nodes_provision_state', [['frail'], 'active'], { timeout: 60 });
    expect(error).toMatchObject({ type: 'ResourceFailure', message: expect.stringContaining('the disk is on fire') });
    expect(
      await sdk('wait_for_nodes_provision_state', [['frail', 'c2'], 'available'], {
        kwargs: { timeout: 60, fail: false },
      }),
    ).toEqual([[expect.objectContaining({ name: 'c2' })], [expect.objectContaining({ name: 'frail' })], []]);
  });
});

describe('what belongs to nodes', () => {
  let id: string;
  beforeAll(async () => {
    ({ id } = await create('node', { driver: 'fake-hardware', name: 'owner', provision_state: 'manageable' }));
    await sdk('set_node_power_state', ['owner', 'power off'], { kwargs: { wait: true, timeout: 60 } });
  });

  /** The five verbs of a kind of resource, through its name in the SDK. */
  const kinds: ReadonlyArray<{
    readonly one: string;
    readonly many: string;
    readonly body: () => Record<string, unknown>;
    readonly filter?: () => Record<string, unknown>;
    readonly change: Record<string, unknown>;
    readonly unknown: string;
  }> = [
    {
      one: 'chassis',
      many: 'chassis',
      body: () => ({ description: 'rack 1', extra: { a: 1 } }),
      change: { description: 'rack 2' },
      unknown: `Chassis ${NOBODY} could not be found.`,
    },
    {
      one: 'port',
      many: 'ports',
      body: () => ({ node_uuid: id, address: '52:54:00:00:00:01', physical_network: 'physnet1' }),
      filter: () => ({ node: id, address: '52:54:00:00:00:01' }),
      change: { extra: { a: 1 }, is_pxe_enabled: false },
      unknown: `Port ${NOBODY} could not be found.`,
    },
    {
      one: 'port_group',
      many: 'port_groups',
      body: () => ({ node_uuid: id, address: '52:54:00:00:00:02', name: 'bond0', mode: '802.3ad' }),
      filter: () => ({ node: id }),
      change: { extra: { a: 1 } },
      unknown: `Portgroup ${NOBODY} could not be found.`,
    },
    {
      one: 'volume_connector',
      many: 'volume_connectors',
      body: () => ({ node_uuid: id, type: 'iqn', connector_id: 'iqn.2017-08.org.openstack:1' }),
      filter: () => ({ node: id }),
      change: { extra: { a: 1 } },
      unknown: `Volume connector ${NOBODY} could not be found.`,
    },
    {
      one: 'volume_target',
      many: 'volume_targets',
      body: () => ({ node_uuid: id, volume_type: 'iscsi', boot_index: 0, volume_id: 'vol-1' }),
      filter: () => ({ node: id }),
      change: { extra: { a: 1 } },
      unknown: `Volume target ${NOBODY} could not be found.`,
    },
    {
      one: 'deploy_template',
      many: 'deploy_templates',
      body: () => ({
        name: 'CUSTOM_GOLD',
        steps: [{ interface: 'deploy', step: 'deploy', args: {}, priority: 50 }],
      }),
      change: { extra: { a: 1 } },
      unknown: `Deploy template ${NOBODY} could not be found.`,
    },
  ];
  it.each(kinds)('$many are made, listed, shown, changed and removed', async (kind) => {
    const sent = kind.body();
    const { node_uuid: _owner, ...body } = sent;
    const made = await create(kind.one, sent, kind.one);
    expect(made).toMatchObject(body);
    if (kind.one !== 'chassis' && kind.one !== 'deploy_template') expect(made.node_id).toBe(id);
    const filter = kind.filter?.() ?? {};
    expect(await sdk(kind.many, [], { kwargs: filter })).toMatchObject([{ id: made.id }]);
    expect(await sdk(kind.many, [], { kwargs: { ...filter, details: true } })).toMatchObject([body]);
    expect(await sdk(`get_${kind.one}`, [made.id])).toMatchObject(body);
    expect(await sdk(`update_${kind.one}`, [`@${kind.one}`], { kwargs: kind.change })).toMatchObject(kind.change);
    const patch = [{ op: 'add', path: '/extra/b', value: 2 }];
    expect(await sdk(`patch_${kind.one}`, [made.id, patch])).toMatchObject({ extra: { b: 2 } });
    expect(await sdk(`get_${kind.one}`, [made.id])).toMatchObject({ ...kind.change, extra: { b: 2 } });
    expect(await failureOf(`get_${kind.one}`, [NOBODY])).toMatchObject({
      type: 'ResourceNotFound',
      message: expect.stringContaining(kind.unknown),
    });
    await sdk(`delete_${kind.one}`, [made.id]);
    expect(await sdk(`delete_${kind.one}`, [made.id])).toBeNull();
    expect(await failureOf(`delete_${kind.one}`, [made.id], { ignore_missing: false })).toMatchObject({
      type: 'ResourceNotFound',
    });
  });
});

describe('allocations', () => {
  it('find a node, are waited for, changed and given back', async () => {
    const node = { driver: 'fake-hardware', name: 'spare', resource_class: 'silver', provision_state: 'available' };
    const { id } = await create('node', node);
    await sdk('set_node_power_state', ['spare', 'power off'], { kwargs: { wait: true, timeout: 60 } });
    await create('allocation', { name: 'a1', resource_class: 'silver', candidate_nodes: [id] }, 'a1');
    expect(await sdk('wait_for_allocation', ['@a1'], { kwargs: { timeout: 60 } })).toMatchObject({
      state: 'active',
      node_id: id,
    });
    expect(await sdk('get_node', ['spare'])).toMatchObject({ allocation_id: expect.any(String) });
    expect(await sdk('allocations', [], { kwargs: { node: 'spare' } })).toMatchObject([{ name: 'a1' }]);
    expect(await sdk('update_allocation', ['@a1'], { kwargs: { extra: { a: 1 } } })).toMatchObject({ extra: { a: 1 } });
    expect(await sdk('get_allocation', ['a1'])).toMatchObject({ resource_class: 'silver' });
    await sdk('delete_allocation', ['a1']);
    expect(await sdk('get_node', ['spare'])).toMatchObject({ allocation_id: null, instance_id: null });
    await create('allocation', { name: 'a2', resource_class: 'nosuch' }, 'a2');
    const error = await failureOf('wait_for_allocation', ['@a2'], { timeout: 60 });
    expect(error.message).toContain('no available nodes match the resource class nosuch');
    await sdk('delete_allocation', ['a2']);
  });
});

describe('drivers and conductors', () => {
  it('are listed and shown', async () => {
    const drivers = await sdk('drivers', [], { kwargs: { details: true } });
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
    expect(await failureOf('get_driver', ['nosuch'])).toMatchObject({ type: 'ResourceNotFound' });
    expect(await sdk('conductors')).toMatchObject([{ hostname: hostname(), alive: true }]);
    expect(await sdk('get_conductor', [hostname()])).toMatchObject({ drivers: expect.arrayContaining(['ipmi']) });
  });
});

describe('what a person reads', () => {
  const failures: ReadonlyArray<
    readonly [method: string, args: unknown[], kwargs: object, type: string, sentence: string]
  > = [
    ['get_node', ['nosuch'], {}, 'ResourceNotFound', 'Node nosuch could not be found.'],
    ['create_node', [], { driver: 'nosuch' }, 'BadRequestException', 'which supports driver nosuch'],
    ['update_node', ['enroll'], { name: 'manageable', retry_on_conflict: false }, 'ConflictException', 'manageable'],
    ['create_node', [], { driver: 'fake-hardware', name: 'a b' }, 'BadRequestException', "invalid name 'a b'"],
    ['set_node_provision_state', ['enroll', 'active'], {}, 'BadRequestException', 'while it is in state "enroll"'],
    ['create_port', [], { node_uuid: NOBODY, address: '52:54:00:00:00:09' }, 'BadRequestException', NOBODY],
    ['create_port', [], { node_uuid: NOBODY, address: 'zebra' }, 'BadRequestException', 'zebra'],
    ['create_allocation', [], { resource_class: 'x'.repeat(81) }, 'BadRequestException', 'is too long'],
    ['wait_for_nodes_provision_state', [['enroll'], 'active'], { timeout: 1 }, 'ResourceTimeout', 'Timeout'],
  ];
  it.each(failures)('of %s %j %j is %s', async (method, args, kwargs, type, sentence) => {
    expect(await failureOf(method, args, { ...kwargs })).toMatchObject({
      type,
      message: expect.stringContaining(sentence),
    });
  });
});

describe('with names and passwords', () => {
  it('the administrator of the first start is let in, a wrong password is not', async () => {
    const dataDir = join(folder, 'basic');
    const basic = await startRole({ role: 'up', dataDir, set: { 'api.auth': 'http_basic' } });
    try {
      const { username, password } = JSON.parse(readFileSync(join(dataDir, 'profile.json'), 'utf8'));
      const as = (secret: string) =>
        clients.sdk(
          { auth_type: 'http_basic', auth: { endpoint: basic.apiUrl!, username, password: secret } },
          { call: 'baremetal.create_node', kwargs: { driver: 'fake-hardware', name: 'mine' } },
        );
      expect((await as(password)).value).toMatchObject({ name: 'mine', provision_state: 'available' });
      expect((await as('guess')).error).toMatchObject({ message: expect.stringMatching(/401|Unauthorized|password/) });
    } finally {
      await basic.stop();
    }
  });
});
