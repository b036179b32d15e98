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
    '?nosuch=1',
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
  await s.send('GET', `/v1/portgroups/${s.id('group')}/ports`);
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
  ])
    await s.send('PATCH', at, patch);
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

export async function portgroups(s: Side): Promise<void> {
  await s.node('n');
  const create = (body: unknown) => s.send('POST', '/v1/portgroups', body);
  const node_uuid = s.id('n');
  await create({ node_uuid, uuid: s.id('g1'), name: 'bond0', address: '52:54:00:00:01:01', extra: { a: 1 } });
  await create({ node_uuid, uuid: s.id('g2') });
  await create({
    node_uuid,
    uuid: s.id('g3'),
    mode: '802.3ad',
    properties: { miimon: 100 },
    standalone_ports_supported: false,
  });
  await create({ node_uuid, name: 'bond0' });
  await create({ node_uuid, uuid: s.id('g1') });
  await create({ node_uuid, address: '52:54:00:00:01:01' });
  await create({ node_uuid, address: 'x' });
  await create({ node_uuid, name: 'bad name' });
  await create({ node_uuid, mode: 7 });
  await create({ node_uuid: s.id('nosuch') });
  await create({});
  await create({ node_uuid, nosuch: 1 });
  for (const query of [
    '',
    '/detail',
    '?detail=true',
    '?fields=uuid,name',
    '?fields=nosuch',
    '?fields=mode',
    '?address=52:54:00:00:01:01',
    '?address=x',
    `?node=${s.id('n')}`,
    '?node=n',
    '?node=nosuch',
    '?limit=1',
    '?sort_key=name',
    '?sort_key=properties',
    `/${s.id('g1')}`,
    '/bond0',
    '/nosuch',
    `/${s.id('nosuch')}`,
    '/bond0?fields=name',
    '/bond0/ports',
  ])
    await s.send('GET', `/v1/portgroups${query}`);
  await s.send('GET', '/v1/nodes/n/portgroups');
  await s.send('GET', '/v1/nodes/n/portgroups?detail=true');
  for (const patch of [
    add('/extra/x', 1),
    replace('/name', 'bond9'),
    replace('/name', 'bad name'),
    replace('/mode', 'active-backup'),
    remove('/mode'),
    replace('/address', 'x'),
    remove('/address'),
    add('/properties/x', 1),
    replace('/standalone_ports_supported', 'x'),
    replace('/uuid', s.id('other')),
    replace('/node_uuid', s.id('nosuch')),
    add('/nosuch', 1),
  ])
    await s.send('PATCH', `/v1/portgroups/${s.id('g1')}`, patch);
  await mistakes(s, '/v1/portgroups', s.id('g1'));
  await s.prepare('POST', '/v1/ports', { node_uuid, address: '52:54:00:00:01:02', portgroup_uuid: s.id('g2') });
  await s.all([
    ['DELETE', `/v1/portgroups/${s.id('g2')}`],
    ['DELETE', `/v1/portgroups/${s.id('g3')}`],
    ['DELETE', `/v1/portgroups/${s.id('g3')}`],
    ['DELETE', '/v1/portgroups/nosuch'],
  ]);
}
