import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

export async function ports(s: Side): Promise<void> {
  await s.node('n', { shard: 's1' });
  await s.node('m');
  await s.prepare('POST', '/v1/portgroups', { node_uuid: s.id('n'), uuid: s.id('group'), name: 'bond' });
  const create = (body: unknown) => s.send('POST', '/v1/ports', body);
  const mac = (n: number) => `52:54:00:00:00:${String(n).padStart(2, '0')}`;
  const node_uuid = s.id('n');
  await create({ node_uuid, address: mac(1), uuid: s.id('p1') });
  await create({ node_uuid, address: 'AA-BB-CC-DD-EE-FF', uuid: s.id('p2'), extra: { a: 1 } });
  await create({ node_uuid, address: mac(1) });
  await create({ node_uuid, address: mac(3), uuid: s.id('p1') });
  await create({ node_uuid, address: 'notamac' });
  await create({ node_uuid });
  await create({ address: mac(4) });
  await create({ node_uuid: s.id('nosuch'), address: mac(4) });
  await create({ node_uuid: 'x', address: mac(4) });
  await create({ node_uuid, address: mac(4), nosuch: 1 });
  await create({ node_uuid, address: mac(4), extra: 'x' });
  await create({ node_uuid, address: mac(4), uuid: 'x' });
  await create({});
  await create({ node_uuid, address: mac(5), uuid: s.id('p5'), pxe_enabled: false });
  await create({
    node_uuid,
    address: mac(6),
    uuid: s.id('p6'),
    local_link_connection: { switch_id: mac(9), port_id: 'e1', switch_info: 's' },
  });
  await create({ node_uuid, address: mac(7), local_link_connection: { nosuch: 1 } });
  await create({ node_uuid, address: mac(7), local_link_connection: { port_id: 'e1' } });
  await create({ node_uuid, address: mac(8), uuid: s.id('p8'), physical_network: 'physnet1' });
  await create({ node_uuid, address: mac(9), uuid: s.id('p9'), portgroup_uuid: s.id('group') });
  await create({ node_uuid, address: mac(10), portgroup_uuid: s.id('nosuch') });
  await create({ node_uuid, address: mac(11), uuid: s.id('p11'), is_smartnic: true });
  await create({ node_uuid, address: mac(12), name: 'eth0' });
  await create({ node_uuid, address: mac(13), physical_network: 'x'.repeat(65) });
  for (const link of [
    {},
    { switch_id: 'x', port_id: 'e1' },
    { switch_id: '0011223344556677', port_id: 'e1' },
    { switch_id: 'AA:BB:CC:DD:EE:FF', port_id: 'e1' },
    { port_id: 'e1', hostname: 'h' },
    { network_type: 'unmanaged' },
    { network_type: 'managed' },
    { network_type: 'nosuch', port_id: 'e1', switch_id: mac(9) },
    { port_id: 7, switch_id: mac(9) },
    'x',
    [],
  ]) {
    await create({ node_uuid, address: mac(40), uuid: s.id('p40'), local_link_connection: link });
    await s.send('DELETE', `/v1/ports/${s.id('p40')}`);
  }
  for (const more of [
    { pxe_enabled: 'yes' },
    { pxe_enabled: 'nosuch' },
    { pxe_enabled: 7 },
    { is_smartnic: 'false' },
    { is_smartnic: true, local_link_connection: { port_id: 'e1', hostname: 'h' } },
    { is_smartnic: true, local_link_connection: { port_id: 'e1', switch_id: mac(9) } },
    { physical_network: '' },
    { physical_network: null },
    { physical_network: 7 },
    { portgroup_uuid: 'x' },
    { portgroup_uuid: null },
    { portgroup_uuid: s.id('nosuch') },
    { extra: null },
    { extra: [] },
    { internal_info: {} },
    { address: 7 },
    { address: null },
    { address: 'AA:BB:CC:DD:EE:FF' },
    { address: '5254.0000.0040' },
    { node_uuid: null },
    { node_uuid: 7 },
    { node_uuid: 'n' },
    { uuid: 7 },
  ]) {
    await create({ node_uuid, address: mac(40), uuid: s.id('p40'), ...more });
    await s.send('DELETE', `/v1/ports/${s.id('p40')}`);
    for (const address of [mac(40), 'aa:bb:cc:dd:ee:ff']) await s.send('GET', `/v1/ports?address=${address}&limit=1`);
  }
  await s.prepare('POST', '/v1/ports', { node_uuid: s.id('m'), address: mac(20), uuid: s.id('p20') });
  for (const query of [
    '',
    '/detail',
    '?detail=true',
    '?fields=uuid,address',
    '?fields=nosuch',
    '?fields=pxe_enabled',
    '?fields=uuid&detail=true',
    `?address=${mac(1)}`,
    '?address=nosuch',
    `?address=${mac(99)}`,
    `?node=${s.id('n')}`,
    '?node=n',
    '?node=nosuch',
    `?node_uuid=${s.id('m')}`,
    `?node_uuid=${s.id('nosuch')}`,
    `?portgroup=${s.id('group')}`,
    '?portgroup=bond',
    '?shard=s1',
    '?limit=2',
    '?limit=0',
    `?marker=${s.id('p1')}&limit=1`,
    '?sort_key=address&sort_dir=desc',
    '?sort_key=nosuch',
    '?sort_key=extra',
    '?sort_key=node_uuid',
    '?sort_key=physical_network',
    '?sort_key=pxe_enabled&sort_dir=desc',
    '?sort_key=portgroup_uuid',
    '?sort_key=portgroup_id',
    '?sort_key=internal_info',
    '?sort_key=local_link_connection',
    '?sort_key=is_smartnic',
    '?node=',
    '?address=',
    '?address=52:54:00:00:00:0A',
    '?portgroup=nosuch',
    `?portgroup=${s.id('nosuch')}`,
    `?node=${s.id('n')}&portgroup=${s.id('group')}`,
    `?node=${s.id('m')}&node_uuid=${s.id('n')}`,
    '?node_uuid=n',
    `?node_uuid=nosuch&marker=${s.id('p1')}`,
    `?node=${s.id('m')}&address=${mac(1)}`,
    `?node=${s.id('n')}&limit=2&sort_key=address`,
    `?node=${s.id('n')}&marker=${s.id('p20')}`,
    '?shard=nosuch',
    '?shard=',
    '?shard=s1,s2&limit=1',
    `?shard=s1&node=${s.id('n')}`,
    `/detail?node=${s.id('m')}`,
    `/detail?address=${mac(1)}`,
    '/detail?limit=1&sort_key=address',
    '/detail/',
    '/detail/nosuch',
    '?fields=internal_info,is_smartnic',
    '?fields=portgroup_uuid,physical_network,local_link_connection',
    '?fields=node_uuid,extra,created_at,updated_at',
    '?nosuch=1',
    `/${s.id('p1')}/`,
    `/${s.id('p1')}?fields=pxe_enabled`,
    `/${s.id('p1')}?fields=portgroup_uuid`,
    `/${s.id('p1')}?detail=true`,
    `/${s.id('p1')}`,
    `/${s.id('p2')}`,
    `/${s.id('p1')}?fields=uuid,extra`,
    `/${s.id('p1')}?fields=nosuch`,
    `/${s.id('nosuch')}`,
    '/nosuch',
    `/${mac(1)}`,
    `/${s.id('p9')}`,
  ])
    await s.send('GET', `/v1/ports${query}`);
  await s.send('GET', '/v1/nodes/n/ports');
  await s.send('GET', `/v1/nodes/${s.id('n')}/ports?detail=true`);
  await s.send('GET', `/v1/nodes/${s.id('n')}/ports?limit=1&fields=address`);
  for (const query of [
    '',
    '?detail=true',
    '/detail',
    '?fields=address',
    '?limit=1',
    '?address=nosuch',
    '?node=n',
    '?nosuch=1',
  ])
    await s.send('GET', `/v1/portgroups/${s.id('group')}/ports${query}`);
  for (const query of [
    '?sort_key=extra',
    '?address=nosuch',
    '/detail',
    '?portgroup=nosuch',
    '?nosuch=1',
    `?marker=${s.id('p1')}`,
  ])
    await s.send('GET', `/v1/nodes/${s.id('n')}/ports${query}`);
  await s.send('GET', `/v1/nodes/${s.id('nosuch')}/ports`);
  await s.send('GET', `/v1/portgroups/${s.id('nosuch')}/ports`);
  await s.send('POST', `/v1/nodes/${s.id('n')}/ports`, { node_uuid, address: mac(41) });
  await s.send('GET', `/v1/nodes/${s.id('n')}/ports/${s.id('p1')}`);
  await s.send('DELETE', `/v1/nodes/${s.id('n')}/ports/${s.id('p1')}`);
  const at = `/v1/ports/${s.id('p1')}`;
  for (const patch of [
    add('/extra/x', 1),
    replace('/address', mac(30)),
    replace('/address', mac(5)),
    replace('/address', 'bad'),
    remove('/address'),
    replace('/node_uuid', s.id('m')),
    replace('/node_uuid', s.id('n')),
    replace('/node_uuid', s.id('nosuch')),
    remove('/node_uuid'),
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
    replace('/pxe_enabled', false),
    replace('/pxe_enabled', 'x'),
    add('/physical_network', 'p2'),
    remove('/physical_network'),
    add('/portgroup_uuid', s.id('group')),
    remove('/portgroup_uuid'),
    add('/is_smartnic', true),
    replace('/internal_info', {}),
    replace('/created_at', null),
    remove('/extra/x'),
    remove('/extra'),
    [],
    remove('/pxe_enabled'),
    replace('/pxe_enabled', true),
    remove('/is_smartnic'),
    replace('/is_smartnic', false),
    add('/local_link_connection', { port_id: 'e1', switch_id: mac(9) }),
    add('/local_link_connection/switch_info', 's'),
    replace('/local_link_connection/switch_id', 'x'),
    replace('/local_link_connection/port_id', 'e2'),
    add('/local_link_connection/nosuch', 'x'),
    remove('/local_link_connection/switch_id'),
    add('/local_link_connection/network_type', 'managed'),
    remove('/local_link_connection'),
    add('/extra', { a: [1, { b: 2 }] }),
    add('/extra/a/0', 5),
    add('/extra/a/-', 6),
    add('/extra/a/9', 6),
    replace('/extra/a/2/b', null),
    remove('/extra/a/9'),
    remove('/extra/a/x'),
    add('/extra/a/b/c', 1),
    replace('/extra', null),
    replace('/address', mac(1).toUpperCase()),
    replace('/address', '52-54-00-00-00-42'),
    replace('/address', null),
    replace('/portgroup_uuid', 'x'),
    replace('/portgroup_uuid', s.id('nosuch')),
    replace('/physical_network', 'x'.repeat(65)),
    replace('/physical_network', ''),
    [...add('/extra/y', 1), ...replace('/address', 'bad')],
    [...add('/extra/y', 1), ...remove('/extra/y')],
    [...add('/extra/z', 1), ...add('/nosuch', 1)],
  ])
    await s.send('PATCH', at, patch);
  await s.send('GET', at);
  await bonded(s, mac);
  await connected(s, mac);
  await mistakes(s, '/v1/ports', s.id('p1'));
  await s.send('PATCH', '/v1/ports/nosuch', add('/extra/x', 1));
  await s.all([
    ['DELETE', '/v1/ports/nosuch'],
    ['DELETE', `/v1/ports/${s.id('nosuch')}`],
    ['DELETE', `/v1/ports/${s.id('p5')}`],
    ['DELETE', `/v1/ports/${s.id('p5')}`],
    ['DELETE', `/v1/ports/${mac(30)}`],
    ['DELETE', '/v1/ports'],
    ['PUT', '/v1/ports', {}],
  ]);
}

/** What ports of one bond have in common, and what the bond allows. */
async function bonded(s: Side, mac: (n: number) => string): Promise<void> {
  const group = { node_uuid: s.id('n'), uuid: s.id('whole'), standalone_ports_supported: false };
  await s.prepare('POST', '/v1/portgroups', group);
  const create = (uuid: string, n: number, more: object) =>
    s.send('POST', '/v1/ports', {
      node_uuid: s.id('n'),
      uuid: s.id(uuid),
      address: mac(n),
      portgroup_uuid: group.uuid,
      ...more,
    });
  await create('w1', 60, { pxe_enabled: true });
  await create('w1', 60, { pxe_enabled: false, physical_network: 'one' });
  await create('w2', 61, { physical_network: 'two' });
  await create('w2', 61, {});
  await create('w2', 61, { physical_network: 'one' });
  await create('w3', 62, { portgroup_uuid: null, physical_network: 'two' });
  await create('w4', 63, { portgroup_uuid: null });
  for (const [port, patch] of [
    ['w2', replace('/physical_network', 'two')],
    ['w2', remove('/physical_network')],
    ['w3', add('/portgroup_uuid', group.uuid)],
    ['w4', add('/portgroup_uuid', group.uuid)],
    ['w4', [...add('/portgroup_uuid', group.uuid), ...add('/physical_network', 'one')]],
    ['w1', replace('/pxe_enabled', true)],
    ['w4', remove('/portgroup_uuid')],
    ['w4', replace('/physical_network', 'two')],
  ] as const)
    await s.send('PATCH', `/v1/ports/${s.id(port)}`, patch);
  await s.send('PATCH', `/v1/portgroups/${group.uuid}`, replace('/standalone_ports_supported', true));
  await s.send('PATCH', `/v1/portgroups/${group.uuid}`, replace('/standalone_ports_supported', false));
  await s.send('GET', `/v1/ports?portgroup=${group.uuid}&fields=uuid,physical_network,pxe_enabled`);
  await s.prepare('POST', '/v1/portgroups', { node_uuid: s.id('m'), uuid: s.id('foreign') });
  await create('w5', 64, { portgroup_uuid: s.id('foreign') });
  await s.send('PATCH', `/v1/ports/${s.id('w4')}`, add('/portgroup_uuid', s.id('foreign')));
  await s.send('DELETE', `/v1/ports/${s.id('w4')}`);
}

/** What may be changed of the ports of a node that is in use. */
async function connected(s: Side, mac: (n: number) => string): Promise<void> {
  await s.node('used');
  await s.prepare('POST', '/v1/portgroups', { node_uuid: s.id('used'), uuid: s.id('used-group') });
  await s.prepare('POST', '/v1/ports', { node_uuid: s.id('used'), address: mac(50), uuid: s.id('p50') });
  await s.bring('used', 'active');
  const at = `/v1/ports/${s.id('p50')}`;
  for (const patch of [
    add('/extra/x', 1),
    replace('/pxe_enabled', false),
    add('/physical_network', 'p'),
    add('/portgroup_uuid', s.id('used-group')),
    add('/local_link_connection', { port_id: 'e1', switch_id: mac(9) }),
    replace('/address', mac(51)),
  ])
    await s.send('PATCH', at, patch);
  const group = `/v1/portgroups/${s.id('used-group')}`;
  for (const patch of [add('/extra/x', 1), replace('/standalone_ports_supported', false), replace('/mode', '802.3ad')])
    await s.send('PATCH', group, patch);
  await s.send('POST', '/v1/ports', { node_uuid: s.id('used'), address: mac(52), uuid: s.id('p52') });
  await s.send('POST', '/v1/portgroups', { node_uuid: s.id('used'), uuid: s.id('used-group2') });
  await s.prepare('PUT', `/v1/nodes/${s.id('used')}/maintenance`, {});
  await s.send('PATCH', at, replace('/pxe_enabled', false));
  await s.send('PATCH', group, replace('/standalone_ports_supported', false));
  await s.all([
    ['DELETE', at],
    ['DELETE', group],
    ['DELETE', `/v1/portgroups/${s.id('used-group2')}`],
  ]);
}
