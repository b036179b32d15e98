import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

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
  for (const more of [
    { mode: null },
    { mode: 'nosuch' },
    { properties: null },
    { properties: 'x' },
    { standalone_ports_supported: 'no' },
    { standalone_ports_supported: 'nosuch' },
    { extra: null },
    { extra: [] },
    { name: '' },
    { name: null },
    { name: s.id('nosuch') },
    { name: 'x'.repeat(256) },
    { name: 7 },
    { address: null },
    { address: 'AA:BB:CC:DD:EE:FF' },
    { address: 'AA-BB-CC-DD-EE-FF' },
    { node_uuid: 'n' },
    { node_uuid: null },
    { uuid: 'x' },
    { internal_info: {} },
    { physical_network: 'p' },
  ]) {
    await create({ node_uuid, uuid: s.id('g9'), ...more });
    await s.send('DELETE', `/v1/portgroups/${s.id('g9')}`);
  }
  for (const query of [
    '?sort_key=mode',
    '?sort_key=address&sort_dir=desc',
    '?sort_key=node_uuid',
    '?sort_key=standalone_ports_supported',
    '?sort_key=extra',
    '?sort_key=internal_info',
    '?node=',
    '?address=',
    `?node=${s.id('nosuch')}`,
    `?node=${s.id('n')}&limit=1`,
    `?node=${s.id('n')}&address=52:54:00:00:01:01`,
    '?node_uuid=x',
    '?fields=properties,mode,standalone_ports_supported',
    '?fields=name&detail=true',
    '/detail?limit=1',
    `/detail?node=${s.id('n')}`,
    '/bad%20name',
    '/bond0?detail=true',
    `/${s.id('g3')}?fields=internal_info`,
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
    replace('/node_uuid', 'x'),
    replace('/node_uuid', s.id('n')),
    remove('/node_uuid'),
    replace('/name', null),
    replace('/name', ''),
    remove('/name'),
    add('/name', 'bond1'),
    replace('/mode', null),
    replace('/mode', 'active-backup'),
    replace('/mode', 7),
    replace('/address', null),
    replace('/address', 'AA:BB:CC:DD:EE:00'),
    replace('/properties', 'x'),
    remove('/properties/nosuch'),
    remove('/properties'),
    remove('/standalone_ports_supported'),
    replace('/standalone_ports_supported', 'no'),
    remove('/extra'),
    replace('/internal_info', {}),
    [...add('/extra/y', 1), ...replace('/name', 'bad name')],
  ])
    await s.send('PATCH', `/v1/portgroups/${s.id('g1')}`, patch);
  await s.send('GET', `/v1/portgroups/${s.id('g1')}`);
  await s.send('PATCH', `/v1/portgroups/${s.id('g2')}`, replace('/address', 'aa:bb:cc:dd:ee:00'));
  await s.send('PATCH', `/v1/portgroups/${s.id('g2')}`, replace('/name', 'bond1'));
  await s.send('PATCH', '/v1/portgroups/bond1', add('/extra/x', 2));
  await s.send('PATCH', '/v1/portgroups/bad%20name', add('/extra/x', 2));
  await mistakes(s, '/v1/portgroups', s.id('g1'));
  await s.prepare('POST', '/v1/ports', { node_uuid, address: '52:54:00:00:01:02', portgroup_uuid: s.id('g2') });
  await s.all([
    ['DELETE', `/v1/portgroups/${s.id('g2')}`],
    ['DELETE', `/v1/portgroups/${s.id('g3')}`],
    ['DELETE', `/v1/portgroups/${s.id('g3')}`],
    ['DELETE', '/v1/portgroups/nosuch'],
  ]);
}
