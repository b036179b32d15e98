/** Debian's python3-openstacksdk: what belongs to nodes, allocations, and every call over the life of a thing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSdk, NOT_FOUND } from './sdk.ts';
import { type ClientWorld, NOBODY, startClientWorld } from './world.ts';

let world: ClientWorld;
beforeAll(async () => {
  world = await startClientWorld();
});
afterAll(() => world.stop());
const OF_BELONGINGS = /^baremetal\.(.*_)?(chassis|ports?|port_groups?|volume_\w+|allocations?|deploy_templates?)$/;
const { sdk, create, failureOf, caller } = createSdk(() => world);

describe('what belongs to nodes', () => {
  let id: string;
  beforeAll(async () => {
    ({ id } = await create('node', { driver: 'fake-hardware', name: 'owner', provision_state: 'manageable' }));
    await sdk('set_node_power_state', ['owner', 'power off'], { wait: true, timeout: 60 });
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
    {
      one: 'runbook',
      many: 'runbooks',
      body: () => ({
        name: 'CUSTOM_WIPE',
        steps: [{ interface: 'raid', step: 'delete_configuration', args: {}, order: 1 }],
      }),
      change: { extra: { a: 1 } },
      unknown: `Runbook ${NOBODY} could not be found.`,
    },
  ];
  it.each(kinds)('$many are made, listed, shown, changed and removed', async (kind) => {
    const known = await world.clients.methods('sdk');
    // Later releases have more kinds.
    if (!known.includes(`baremetal.create_${kind.one}`)) return;
    const sent = kind.body();
    const { node_uuid: _owner, ...body } = sent;
    const made = await create(kind.one, sent, kind.one);
    expect(made).toMatchObject(body);
    if (kind.one !== 'chassis' && kind.one !== 'deploy_template' && kind.one !== 'runbook')
      expect(made.node_id).toBe(id);
    const filter = kind.filter?.() ?? {};
    expect(await sdk(kind.many, [], filter)).toMatchObject([{ id: made.id }]);
    expect(await sdk(kind.many, [], { ...filter, details: true })).toMatchObject([body]);
    expect(await sdk(`get_${kind.one}`, [made.id])).toMatchObject(body);
    expect(await sdk(`update_${kind.one}`, [`@${kind.one}`], kind.change)).toMatchObject(kind.change);
    const patch = [{ op: 'add', path: '/extra/b', value: 2 }];
    expect(await sdk(`patch_${kind.one}`, [made.id, patch])).toMatchObject({ extra: { b: 2 } });
    expect(await sdk(`get_${kind.one}`, [made.id])).toMatchObject({ ...kind.change, extra: { b: 2 } });
    expect(await failureOf(`get_${kind.one}`, [NOBODY])).toMatchObject({
      type: NOT_FOUND,
      message: expect.stringContaining(kind.unknown),
    });
    if (known.includes(`baremetal.find_${kind.one}`)) {
      expect(await sdk(`find_${kind.one}`, [made.id])).toMatchObject({ id: made.id });
      expect(await sdk(`find_${kind.one}`, [NOBODY])).toBeNull();
    }
    await sdk(`delete_${kind.one}`, [made.id]);
    expect(await sdk(`delete_${kind.one}`, [made.id])).toBeNull();
    expect(await failureOf(`delete_${kind.one}`, [made.id], { ignore_missing: false })).toMatchObject({
      type: NOT_FOUND,
    });
  });
});

describe('allocations', () => {
  it('find a node, are waited for, changed and given back', async () => {
    const node = { driver: 'fake-hardware', name: 'spare', provision_state: 'available' };
    const { id } = await create('node', node, 'spare');
    await sdk('update_node', ['@spare'], { resource_class: 'silver' });
    await sdk('set_node_power_state', ['spare', 'power off'], { wait: true, timeout: 60 });
    await create('allocation', { name: 'a1', resource_class: 'silver', candidate_nodes: [id] }, 'a1');
    expect(await sdk('wait_for_allocation', ['@a1'], { timeout: 60 })).toMatchObject({
      state: 'active',
      node_id: id,
    });
    expect(await sdk('get_node', ['spare'])).toMatchObject({ allocation_id: expect.any(String) });
    expect(await sdk('allocations', [], { node: 'spare' })).toMatchObject([{ name: 'a1' }]);
    expect(await sdk('update_allocation', ['@a1'], { extra: { a: 1 } })).toMatchObject({ extra: { a: 1 } });
    expect(await sdk('patch_allocation', ['@a1', [{ op: 'add', path: '/extra/b', value: 2 }]])).toMatchObject({
      extra: { a: 1, b: 2 },
    });
    expect(await sdk('get_allocation', ['a1'])).toMatchObject({ resource_class: 'silver' });
    await sdk('delete_allocation', ['a1']);
    expect(await sdk('get_node', ['spare'])).toMatchObject({ allocation_id: null, instance_id: null });
    await create('allocation', { name: 'a2', resource_class: 'nosuch' }, 'a2');
    const error = await failureOf('wait_for_allocation', ['@a2'], { timeout: 60 });
    expect(error.message).toContain('no available nodes match the resource class nosuch');
    await sdk('delete_allocation', ['a2']);
  });
});

it('every call was made', async () => {
  const calls = (await world.clients.methods('sdk')).filter((path) => OF_BELONGINGS.test(path));
  expect(calls.length).toBeGreaterThan(40);
  expect(caller.notMade(calls)).toEqual([]);
});
