import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

export async function root(s: Side): Promise<void> {
  for (const path of ['/', '', '/v1', '/v1/', '/v2', '/v1/nosuch', '/nosuch', '/nodes', '/chassis', '/v1//nodes'])
    await s.send('GET', path || '/');
  await s.send('GET', '/v1/nodes', undefined, { minor: null });
  await s.send('GET', '/v1', undefined, { minor: null });
  for (const version of ['junk', '1.999', '2.0', '1', '1.0', '', '1.82.1', 'latest '])
    await s.send('GET', '/v1/nodes', undefined, {
      minor: null,
      headers: { 'X-OpenStack-Ironic-API-Version': version },
    });
  for (const version of ['baremetal 1.31', 'compute 2.1', 'baremetal junk', 'baremetal 1.999'])
    await s.send('GET', '/v1/nodes', undefined, { minor: null, headers: { 'OpenStack-API-Version': version } });
  await s.send('HEAD', '/v1/nodes');
  await s.send('HEAD', '/v1');
  await s.send('POST', '/v1', {});
  await s.send('POST', '/', {});
  await s.send('GET', '/v1/lookup');
  await s.send('GET', '/v1/lookup?addresses=52:54:00:00:00:44');
  await s.send('POST', `/v1/heartbeat/${s.id('nosuch')}`, { callback_url: 'http://127.0.0.1:1' });
  await s.send('GET', '/v1/runbooks');
  await s.send('GET', '/v1/inspection_rules');
}

export async function chassis(s: Side): Promise<void> {
  const create = (body: unknown) => s.send('POST', '/v1/chassis', body);
  await create({ uuid: s.id('c1'), description: 'first', extra: { a: 1 } });
  await create({ uuid: s.id('c2') });
  await create({ uuid: s.id('c1') });
  await create({ uuid: 'x' });
  await create({ description: 'x'.repeat(256) });
  await create({ description: 7 });
  await create({ extra: 'x' });
  await create({ nosuch: 1 });
  await s.node('n', { chassis_uuid: s.id('c1') });
  for (const query of [
    '?detail=true',
    '/detail',
    '?fields=uuid,extra',
    '?fields=nosuch',
    '?limit=1',
    '?limit=0',
    '?sort_key=uuid',
    '?sort_key=extra',
    '?nosuch=1',
    `/${s.id('c1')}`,
    `/${s.id('c2')}`,
    `/${s.id('c1')}?fields=extra`,
    `/${s.id('nosuch')}`,
    '/nosuch',
    `/${s.id('c1')}/nodes`,
    `/${s.id('c1')}/nodes?detail=true`,
    `/${s.id('c1')}/nodes/detail`,
    `/${s.id('nosuch')}/nodes`,
  ])
    await s.send('GET', `/v1/chassis${query}`);
  for (const patch of [
    replace('/description', 'new'),
    replace('/description', 7),
    remove('/description'),
    add('/extra/x', 1),
    remove('/extra/nosuch'),
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
    [],
  ])
    await s.send('PATCH', `/v1/chassis/${s.id('c1')}`, patch);
  for (const more of [{ uuid: 7 }, { extra: null }, { extra: [] }, { description: null }, { extra: 7, uuid: 'x' }]) {
    await create({ uuid: s.id('c9'), ...more });
    await s.send('DELETE', `/v1/chassis/${s.id('c9')}`);
  }
  for (const query of [
    '',
    '?limit=1',
    '?fields=name',
    '?sort_key=name',
    '?nosuch=1',
    `?chassis_uuid=${s.id('c2')}`,
    '?associated=true',
    '/detail?limit=1',
  ])
    await s.send('GET', `/v1/chassis/${s.id('c1')}/nodes${query}`);
  await s.send('GET', `/v1/chassis/${s.id('c2')}/nodes`);
  await s.send('GET', '/v1/chassis/nosuch/nodes');
  await s.send('GET', `/v1/chassis/${s.id('c1')}/nodes/${s.id('n')}`);
  await s.send('POST', `/v1/chassis/${s.id('c1')}/nodes`, { driver: 'fake-hardware' });
  await mistakes(s, '/v1/chassis', s.id('c1'));
  await s.all([
    ['PATCH', '/v1/chassis/nosuch', add('/extra/x', 1)],
    ['DELETE', `/v1/chassis/${s.id('c1')}`],
    ['DELETE', `/v1/chassis/${s.id('c2')}`],
    ['DELETE', `/v1/chassis/${s.id('c2')}`],
    ['DELETE', '/v1/chassis/nosuch'],
    ['DELETE', '/v1/chassis'],
    ['PATCH', '/v1/nodes/n', remove('/chassis_uuid')],
  ]);
}

export async function drivers(s: Side): Promise<void> {
  for (const path of [
    '',
    '/',
    '?type=dynamic',
    '?type=classic',
    '?type=nosuch',
    '?detail=true',
    '?fields=name',
    '?fields=nosuch',
    '/fake-hardware',
    '/fake-hardware?fields=name,type',
    '/nosuch',
    '/fake-hardware/properties',
    '/nosuch/properties',
    '/properties?driver_name=fake-hardware',
    '/fake-hardware/vendor_passthru/methods',
    '/fake-hardware/vendor_passthru',
    '/fake-hardware/vendor_passthru?method=nosuch',
    '/nosuch/vendor_passthru/methods',
    '/fake-hardware/raid/logical_disk_properties',
    '/nosuch/raid/logical_disk_properties',
    '/fake-hardware/nosuch',
    '?type=dynamic&detail=true',
    '?type=',
    '?detail=nosuch',
    '?fields=',
    '?fields=name,hosts&detail=true',
    '?fields=default_boot_interface',
    '?fields=enabled_boot_interfaces,name',
    '?fields=default_bios_interface',
    '?nosuch=1',
    '?limit=1',
    '/fake-hardware/',
    '/fake-hardware?fields=nosuch',
    '/fake-hardware?detail=true',
    '/nosuch?fields=nosuch',
    '/fake-hardware/properties/',
    '/fake-hardware/properties?nosuch=1',
    '/nosuch/vendor_passthru?method=x',
    '/fake-hardware/vendor_passthru?method=',
    '/fake-hardware/raid',
    '/fake-hardware/raid/nosuch',
  ])
    await s.send('GET', `/v1/drivers${path}`);
  await s.all([
    ['POST', '/v1/drivers/fake-hardware/vendor_passthru/nosuch', {}],
    ['POST', '/v1/drivers/fake-hardware/vendor_passthru', {}],
    ['PUT', '/v1/drivers/fake-hardware/vendor_passthru?method=nosuch', {}],
    ['DELETE', '/v1/drivers/fake-hardware/vendor_passthru/nosuch'],
    ['PATCH', '/v1/drivers/nosuch/vendor_passthru/nosuch', {}],
    ['PATCH', '/v1/drivers/fake-hardware', []],
    ['POST', '/v1/drivers/fake-hardware/properties', {}],
    ['POST', '/v1/drivers', {}],
    ['DELETE', '/v1/drivers/fake-hardware'],
  ]);
}

export async function conductors(s: Side): Promise<void> {
  for (const path of [
    '',
    '/',
    '?detail=true',
    '?fields=hostname',
    '?fields=hostname,drivers',
    '?fields=nosuch',
    '?fields=hostname&detail=true',
    '?limit=1',
    '?limit=0',
    '?sort_key=hostname',
    '?sort_key=alive',
    '?sort_key=nosuch',
    '?nosuch=1',
    '?marker=nosuch',
    '?sort_key=conductor_group',
    '?sort_key=drivers',
    '?sort_key=created_at',
    '?sort_key=id',
    '?sort_dir=desc',
    '?sort_dir=nosuch',
    '?marker=localhost',
    '?marker=',
    '?limit=x',
    '?limit=1&detail=true',
    '?detail=false',
    '?detail=nosuch',
    '?fields=drivers&limit=1',
    '?fields=links',
    '?fields=',
    '/localhost/',
    '/localhost?detail=true',
    '/bad%20name',
    '/localhost',
    '/localhost?fields=hostname,alive',
    '/localhost?fields=nosuch',
    '/nosuch',
  ])
    await s.send('GET', `/v1/conductors${path}`);
  await s.send('POST', '/v1/conductors', {});
  await s.send('DELETE', '/v1/conductors/localhost');
  await s.send('PATCH', '/v1/conductors/localhost', []);
  await s.send('DELETE', '/v1/conductors');
}

export async function volume(s: Side): Promise<void> {
  await s.node('n');
  await s.prepare('PUT', `/v1/nodes/${s.id('n')}/states/power`, { target: 'power off' });
  const node_uuid = s.id('n');
  for (const path of ['', '/', '?nosuch=1', '/nosuch']) await s.send('GET', `/v1/volume${path}`);
  const connector = (body: unknown) => s.send('POST', '/v1/volume/connectors', body);
  await connector({ node_uuid, uuid: s.id('c1'), type: 'iqn', connector_id: 'iqn.1', extra: { a: 1 } });
  await connector({ node_uuid, uuid: s.id('c2'), type: 'wwpn', connector_id: '1:2' });
  await connector({ node_uuid, type: 'iqn', connector_id: 'iqn.1' });
  await connector({ node_uuid, uuid: s.id('c1'), type: 'iqn', connector_id: 'iqn.9' });
  await connector({ node_uuid, uuid: s.id('c3'), type: 'nosuch', connector_id: 'x' });
  await connector({ node_uuid, type: 'iqn' });
  await connector({ node_uuid, connector_id: 'x' });
  await connector({ node_uuid: s.id('nosuch'), type: 'iqn', connector_id: 'x' });
  await connector({ type: 'iqn', connector_id: 'x' });
  await connector({ node_uuid, type: 'iqn', connector_id: 'x', nosuch: 1 });
  const target = (body: unknown) => s.send('POST', '/v1/volume/targets', body);
  await target({
    node_uuid,
    uuid: s.id('t1'),
    volume_type: 'iscsi',
    boot_index: 0,
    volume_id: 'v1',
    properties: { a: 1, password: 'x' },
  });
  await target({ node_uuid, uuid: s.id('t2'), volume_type: 'fibre_channel', boot_index: 1, volume_id: 'v2' });
  await target({ node_uuid, volume_type: 'iscsi', boot_index: 0, volume_id: 'v3' });
  await target({ node_uuid, uuid: s.id('t1'), volume_type: 'iscsi', boot_index: 7, volume_id: 'v4' });
  await target({ node_uuid, volume_type: 'iscsi', boot_index: 'x', volume_id: 'v4' });
  await target({ node_uuid, volume_type: 'iscsi', volume_id: 'v4' });
  await target({ node_uuid, volume_type: 'iscsi', boot_index: 3 });
  await target({ node_uuid, boot_index: 3, volume_id: 'v4' });
  await target({ node_uuid: s.id('nosuch'), volume_type: 'iscsi', boot_index: 3, volume_id: 'v4' });
  for (const more of [
    { connector_id: '' },
    { connector_id: 7 },
    { connector_id: 'x'.repeat(255) },
    { type: '' },
    { type: 7 },
    { extra: null },
    { extra: [] },
    { node_uuid: 'n' },
    { node_uuid: null },
    { uuid: 'x' },
    { type: 'wwpn', connector_id: '1:2' },
    { type: 'ip', connector_id: 'iqn.1' },
  ]) {
    await connector({ node_uuid, uuid: s.id('c9'), type: 'mac', connector_id: 'm', ...more });
    await s.send('DELETE', `/v1/volume/connectors/${s.id('c9')}`);
  }
  await s.node('m');
  for (const more of [
    { boot_index: -1 },
    { boot_index: '9' },
    { boot_index: 9.5 },
    { boot_index: null },
    { boot_index: 2147483647 },
    { volume_type: '' },
    { volume_type: 7 },
    { volume_id: '' },
    { volume_id: null },
    { properties: null },
    { properties: 'x' },
    { properties: { auth_password: 'x', nested: { secret: 'y' } } },
    { extra: null },
    { extra: 'x' },
    { node_uuid: 'n' },
    { uuid: 'x' },
    { node_uuid: s.id('m'), boot_index: 0 },
    { boot_index: 1 },
    { nosuch: 1 },
  ]) {
    await target({ node_uuid, uuid: s.id('t9'), volume_type: 'iscsi', boot_index: 9, volume_id: 'v9', ...more });
    await s.prepare('PUT', `/v1/nodes/${s.id('m')}/states/power`, { target: 'power off' });
    await s.send('DELETE', `/v1/volume/targets/${s.id('t9')}`);
  }
  for (const [kind, first] of [
    ['connectors', s.id('c1')],
    ['targets', s.id('t1')],
  ])
    for (const query of [
      '',
      '?detail=true',
      '?fields=uuid,extra',
      '?fields=nosuch',
      '?fields=uuid&detail=true',
      '?node=n',
      `?node=${s.id('n')}`,
      '?node=nosuch',
      '?limit=1',
      '?limit=0',
      '?sort_key=uuid',
      '?sort_key=nosuch',
      '?sort_key=extra',
      '?sort_key=properties',
      '?sort_key=node_uuid',
      '?sort_key=connector_id&sort_dir=desc',
      '?sort_key=type',
      '?sort_key=boot_index&sort_dir=desc',
      '?sort_key=volume_type',
      '?sort_key=volume_id',
      '?node=',
      `?node=${s.id('nosuch')}`,
      `?node=${s.id('m')}`,
      `?node=${s.id('n')}&limit=1`,
      `?node=${s.id('n')}&limit=1&marker=${first}`,
      '?detail=true&limit=1',
      '?fields=node_uuid,created_at,updated_at',
      '?fields=properties',
      `/${first}/`,
      `/${first}?detail=true`,
      '?nosuch=1',
      `/${first}`,
      `/${first}?fields=uuid`,
      `/${s.id('nosuch')}`,
      '/nosuch',
    ])
      await s.send('GET', `/v1/volume/${kind}${query}`);
  await s.send('GET', '/v1/nodes/n/volume');
  await s.send('GET', '/v1/nodes/n/volume/connectors');
  await s.send('GET', '/v1/nodes/n/volume/targets?detail=true');
  for (const kind of ['connectors', 'targets']) {
    for (const query of ['', '/', '?detail=true', '?fields=uuid', '?limit=1', '?node=m', '?nosuch=1'])
      await s.send('GET', `/v1/nodes/${s.id('n')}/volume/${kind}${query}`);
    await s.send('GET', `/v1/nodes/${s.id('nosuch')}/volume/${kind}`);
    await s.send('POST', `/v1/nodes/${s.id('n')}/volume/${kind}`, {});
  }
  await s.send('GET', `/v1/nodes/${s.id('n')}/volume/connectors/${s.id('c1')}`);
  await s.send('DELETE', `/v1/nodes/${s.id('n')}/volume/connectors/${s.id('c1')}`);
  await s.send('GET', `/v1/nodes/${s.id('n')}/volume`);
  await s.send('GET', `/v1/nodes/${s.id('nosuch')}/volume`);
  await s.send('POST', '/v1/volume', {});
  for (const patch of [
    add('/extra/x', 1),
    replace('/connector_id', 'iqn.7'),
    replace('/type', 'nosuch'),
    replace('/uuid', s.id('other')),
    remove('/connector_id'),
    add('/nosuch', 1),
    replace('/node_uuid', s.id('nosuch')),
    replace('/node_uuid', 'x'),
    replace('/node_uuid', s.id('n')),
    remove('/node_uuid'),
    remove('/type'),
    remove('/extra'),
    replace('/connector_id', 7),
    [...replace('/type', 'wwpn'), ...replace('/connector_id', '1:2')],
    [...replace('/connector_id', 'iqn.8'), ...add('/nosuch', 1)],
  ])
    await s.send('PATCH', `/v1/volume/connectors/${s.id('c1')}`, patch);
  for (const patch of [
    add('/extra/x', 1),
    replace('/boot_index', 5),
    replace('/boot_index', 1),
    replace('/boot_index', 'x'),
    add('/properties/x', 1),
    remove('/volume_id'),
    add('/nosuch', 1),
    replace('/boot_index', '6'),
    replace('/boot_index', -1),
    replace('/boot_index', null),
    remove('/boot_index'),
    replace('/volume_type', 'nosuch'),
    replace('/volume_type', 7),
    remove('/volume_type'),
    remove('/properties/password'),
    replace('/properties', null),
    remove('/properties'),
    remove('/extra'),
    replace('/uuid', s.id('other')),
    replace('/node_uuid', 'x'),
    replace('/node_uuid', s.id('nosuch')),
    replace('/node_uuid', s.id('n')),
    [...replace('/boot_index', 7), ...replace('/boot_index', 8)],
  ])
    await s.send('PATCH', `/v1/volume/targets/${s.id('t1')}`, patch);
  await mistakes(s, '/v1/volume/connectors', s.id('c1'));
  await mistakes(s, '/v1/volume/targets', s.id('t1'));
  await s.prepare('PUT', `/v1/nodes/${s.id('n')}/states/power`, { target: 'power on' });
  await s.all([
    ['PATCH', `/v1/volume/connectors/${s.id('c1')}`, add('/extra/y', 1)],
    ['DELETE', `/v1/volume/connectors/${s.id('c1')}`],
    ['DELETE', `/v1/volume/targets/${s.id('t1')}`],
  ]);
  await s.prepare('PUT', `/v1/nodes/${s.id('n')}/states/power`, { target: 'power off' });
  await s.all([
    ['DELETE', `/v1/volume/connectors/${s.id('c1')}`],
    ['DELETE', `/v1/volume/connectors/${s.id('c1')}`],
    ['DELETE', `/v1/volume/targets/${s.id('t1')}`],
    ['DELETE', '/v1/volume/targets/nosuch'],
  ]);
}

export async function allocations(s: Side): Promise<void> {
  const create = async (body: unknown) => {
    await s.send('POST', '/v1/allocations', body);
    await s.processed();
  };
  await s.node('n', { resource_class: 'gold' });
  await s.bring('n', 'available');
  await s.node('m', { resource_class: 'silver', instance_uuid: s.id('instance') });
  await create({ uuid: s.id('a1'), name: 'alloc', resource_class: 'gold', extra: { a: 1 } });
  await s.rest('n');
  await s.send('GET', `/v1/allocations/${s.id('a1')}`);
  await s.send('GET', `/v1/nodes/${s.id('n')}?fields=instance_uuid,allocation_uuid`);
  await create({ uuid: s.id('a2'), resource_class: 'nosuch' });
  await s.rest('n');
  await create({ name: 'alloc', resource_class: 'gold' });
  await create({ uuid: s.id('a1'), resource_class: 'gold' });
  await create({ name: 'bad name', resource_class: 'gold' });
  await create({});
  await create({ resource_class: 7 });
  await create({ resource_class: 'gold', nosuch: 1 });
  await create({ resource_class: 'gold', traits: ['bad'] });
  await create({ resource_class: 'gold', traits: 'x' });
  await create({ resource_class: 'gold', candidate_nodes: ['nosuch'] });
  await create({ resource_class: 'gold', candidate_nodes: [s.id('nosuch')] });
  await create({ resource_class: 'gold', owner: 'o' });
  await create({ resource_class: 'silver', node: 'm', uuid: s.id('a9') });
  await create({ resource_class: 'gold', node: 'nosuch' });
  await create({ resource_class: 'gold', uuid: 'x' });
  for (const query of [
    '?fields=uuid,state',
    '?fields=nosuch',
    '?node=n',
    '?node=nosuch',
    '?resource_class=gold&fields=name,state',
    '?state=active&fields=name',
    '?state=error&fields=resource_class,last_error',
    '?state=nosuch',
    '?owner=o',
    '?limit=1&fields=state',
    '?sort_key=nosuch',
    '?sort_key=extra',
    '?nosuch=1',
    '/alloc',
    '/alloc?fields=name',
    '/nosuch',
    `/${s.id('nosuch')}`,
    `/${s.id('a2')}`,
  ])
    await s.send('GET', `/v1/allocations${query}`);
  for (const query of [
    '?sort_key=name',
    '?sort_key=state&sort_dir=desc&fields=name',
    '?sort_key=resource_class&fields=name',
    '?sort_key=owner&fields=name',
    '?sort_key=node_uuid',
    '?sort_key=candidate_nodes',
    '?sort_key=traits',
    '?node=',
    `?node=${s.id('n')}&fields=name`,
    `?node=${s.id('nosuch')}`,
    '?resource_class=nosuch',
    '?resource_class=',
    '?state=allocating&fields=name',
    '?state=',
    '?owner=',
    '?detail=true',
    `?marker=${s.id('a1')}&fields=state`,
    `?marker=${s.id('a1')}&limit=1&fields=state&state=error`,
    '?fields=candidate_nodes,traits,owner',
    '?fields=node_uuid,created_at',
    '/alloc/',
    '/bad%20name',
    '/alloc?fields=nosuch',
    '/alloc?fields=owner',
    '/alloc?detail=true',
  ])
    await s.send('GET', `/v1/allocations${query}`);
  for (const more of [
    { traits: null },
    { traits: [7] },
    { traits: ['CUSTOM_NOSUCH'] },
    { candidate_nodes: null },
    { candidate_nodes: [] },
    { candidate_nodes: 'n' },
    { candidate_nodes: [7] },
    { candidate_nodes: ['n'] },
    { candidate_nodes: ['n', s.id('n')] },
    { candidate_nodes: ['bad name'] },
    { extra: null },
    { extra: 'x' },
    { name: null },
    { name: '' },
    { name: 7 },
    { name: s.id('nosuch') },
    { name: 'x'.repeat(256) },
    { owner: null },
    { owner: 7 },
    { resource_class: '' },
    { resource_class: null },
    { resource_class: 'x'.repeat(81) },
    { uuid: 7 },
    { node: null },
    { node: 7 },
    { node: '' },
    { node: 'bad name' },
    { node: 'm', traits: ['CUSTOM_A'] },
    { node: 'm', candidate_nodes: ['m'] },
    { node: 'm', resource_class: 'gold' },
    { node: 'n' },
    { state: 'active' },
    { last_error: 'x' },
  ]) {
    await create({ uuid: s.id('a8'), resource_class: 'gold', ...more });
    await s.send('GET', `/v1/allocations/${s.id('a8')}`);
    await s.send('DELETE', `/v1/allocations/${s.id('a8')}`);
  }
  await s.send('GET', '/v1/nodes/n/allocation');
  await matching(s, create);
  await s.send('GET', '/v1/nodes/m/allocation');
  for (const patch of [
    add('/extra/x', 1),
    replace('/name', 'renamed'),
    replace('/name', 'bad name'),
    replace('/resource_class', 'x'),
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
    replace('/name', null),
    replace('/name', ''),
    remove('/name'),
    add('/name', 'again'),
    replace('/name', s.id('nosuch')),
    replace('/extra', null),
    replace('/extra', 'x'),
    remove('/extra'),
    replace('/owner', 'o'),
    replace('/node_uuid', s.id('m')),
    replace('/state', 'error'),
    remove('/traits'),
    [...add('/extra/y', 1), ...replace('/name', 'bad name')],
  ])
    await s.send('PATCH', `/v1/allocations/${s.id('a1')}`, patch);
  await s.send('GET', `/v1/allocations/${s.id('a1')}`);
  await s.send('PATCH', '/v1/allocations/again', add('/extra/z', 1));
  await s.send('PATCH', `/v1/allocations/${s.id('a2')}`, replace('/name', 'again'));
  await mistakes(s, '/v1/allocations', s.id('a1'));
  await s.all([
    ['PUT', '/v1/allocations/nosuch', {}],
    ['DELETE', '/v1/allocations/nosuch'],
    ['DELETE', '/v1/nodes/m/allocation'],
    ['DELETE', `/v1/allocations/${s.id('a2')}`],
    ['DELETE', `/v1/allocations/${s.id('a1')}`],
    ['DELETE', `/v1/allocations/${s.id('a1')}`],
    ['GET', `/v1/nodes/${s.id('n')}?fields=instance_uuid,allocation_uuid`],
  ]);
}

/** Which node an allocation gets, and what may be done with it. */
async function matching(s: Side, create: (body: unknown) => Promise<void>): Promise<void> {
  const show = async (allocation: string, node: string) => {
    await s.send('GET', `/v1/allocations/${s.id(allocation)}`);
    await s.send('GET', `/v1/nodes/${s.id(node)}/allocation`);
    await s.rest(node);
  };
  for (const name of ['t1', 't2', 'down', 'other'])
    await s.node(name, { resource_class: name === 'other' ? 'zinc' : 'tin' });
  await s.prepare('PUT', `/v1/nodes/${s.id('t2')}/traits/CUSTOM_A`);
  for (const name of ['t1', 't2', 'down', 'other']) await s.bring(name, 'available');
  await s.prepare('PUT', `/v1/nodes/${s.id('down')}/maintenance`, {});
  await create({ uuid: s.id('b1'), resource_class: 'tin', traits: ['CUSTOM_A'] });
  await show('b1', 't2');
  await create({ uuid: s.id('b2'), resource_class: 'tin', traits: ['CUSTOM_A'] });
  await s.send('GET', `/v1/allocations/${s.id('b2')}`);
  await create({ uuid: s.id('b3'), resource_class: 'tin', candidate_nodes: ['down', 'other'] });
  await s.send('GET', `/v1/allocations/${s.id('b3')}`);
  await create({
    uuid: s.id('b4'),
    name: 'four',
    resource_class: 'tin',
    candidate_nodes: ['t1', s.id('t2')],
    extra: { a: 1 },
  });
  await show('b4', 't1');
  await create({ uuid: s.id('b5'), resource_class: 'tin' });
  await s.send('GET', `/v1/allocations/${s.id('b5')}`);
  await s.all([
    ['GET', '/v1/allocations/four'],
    ['GET', `/v1/allocations?node=${s.id('t1')}&fields=uuid`],
    ['GET', `/v1/nodes/${s.id('t1')}/allocation?fields=name`],
    ['GET', `/v1/nodes/${s.id('t1')}/allocation?nosuch=1`],
    ['POST', `/v1/nodes/${s.id('t1')}/allocation`, { resource_class: 'tin' }],
    ['GET', `/v1/nodes/${s.id('nosuch')}/allocation`],
    ['DELETE', `/v1/nodes/${s.id('nosuch')}/allocation`],
    ['PATCH', `/v1/nodes/${s.id('t1')}`, remove('/instance_uuid')],
    ['PATCH', `/v1/nodes/${s.id('t1')}`, replace('/instance_uuid', s.id('other'))],
    ['DELETE', `/v1/nodes/${s.id('t1')}`],
  ]);
  await s.prepare('PUT', `/v1/nodes/${s.id('t1')}/states/provision`, { target: 'active' });
  await s.all([
    ['DELETE', '/v1/allocations/four'],
    ['DELETE', `/v1/nodes/${s.id('t1')}/allocation`],
  ]);
  await s.prepare('PUT', `/v1/nodes/${s.id('t1')}/states/provision`, { target: 'deleted' });
  await s.all([
    ['GET', '/v1/allocations/four'],
    ['DELETE', `/v1/nodes/${s.id('t2')}/allocation`],
    ['GET', `/v1/allocations/${s.id('b1')}`],
    ['DELETE', `/v1/nodes/${s.id('t2')}/allocation`],
  ]);
  // A node that has an instance already.
  await s.node('used', { resource_class: 'lead', instance_uuid: s.id('instance2') });
  await create({ uuid: s.id('b6'), node: s.id('used') });
  await s.send('GET', `/v1/allocations/${s.id('b6')}`);
  await create({ uuid: s.id('instance2'), node: 'used' });
  await show('instance2', 'used');
  await s.send('DELETE', `/v1/allocations/${s.id('instance2')}`);
  await s.rest('used');
}

export async function deployTemplates(s: Side): Promise<void> {
  const steps = [{ interface: 'deploy', step: 'x', args: { a: 1 }, priority: 50 }];
  const create = (body: unknown) => s.send('POST', '/v1/deploy_templates', body);
  await create({ name: 'CUSTOM_A', uuid: s.id('t1'), steps, extra: { a: 1 } });
  await create({
    name: 'HW_CPU_X86_VMX',
    uuid: s.id('t2'),
    steps: [{ interface: 'bios', step: 'y', args: {}, priority: 0 }],
  });
  await create({ name: 'CUSTOM_A', steps });
  await create({ name: 'CUSTOM_B', uuid: s.id('t1'), steps });
  await create({ name: 'bad', steps });
  await create({ name: 'CUSTOM_B', steps: [] });
  await create({ name: 'CUSTOM_B' });
  await create({ steps });
  await create({ name: 'CUSTOM_B', steps: [{ ...steps[0], interface: 'nosuch' }] });
  await create({ name: 'CUSTOM_B', steps: [{ ...steps[0], priority: -1 }] });
  await create({ name: 'CUSTOM_B', steps: [{ ...steps[0], priority: 'x' }] });
  await create({ name: 'CUSTOM_B', steps: [{ interface: 'deploy', step: 'x' }] });
  await create({ name: 'CUSTOM_B', steps: [...steps, ...steps] });
  await create({ name: 'CUSTOM_B', steps: [{ ...steps[0], nosuch: 1 }] });
  await create({ name: 'CUSTOM_B', steps, nosuch: 1 });
  const step = steps[0]!;
  for (const more of [
    { name: 'custom_b' },
    { name: 'CUSTOM_' },
    { name: `CUSTOM_${'X'.repeat(248)}` },
    { name: `CUSTOM_${'X'.repeat(249)}` },
    { name: 7 },
    { name: null },
    { name: '' },
    { steps: null },
    { steps: {} },
    { steps: [{ ...step, priority: '50' }] },
    { steps: [{ ...step, priority: '' }] },
    { steps: [{ ...step, priority: 1.5 }] },
    { steps: [{ ...step, priority: null }] },
    { steps: [{ ...step, args: null }] },
    { steps: [{ ...step, args: [] }] },
    { steps: [{ ...step, args: { password: 'x', nested: { a: null } } }] },
    { steps: [{ ...step, step: '' }] },
    { steps: [{ ...step, step: 7 }] },
    { steps: [{ ...step, interface: 'power' }] },
    { steps: [{ ...step, interface: 'network' }] },
    { steps: [{ ...step, interface: 7 }] },
    { steps: [step, { ...step, step: 'y' }, { ...step, interface: 'raid' }] },
    { steps: [step, { ...step, priority: 1 }] },
    { steps: ['x'] },
    { extra: null },
    { extra: 'x' },
    { uuid: 'x' },
    { uuid: 7 },
  ]) {
    await create({ name: 'CUSTOM_B', uuid: s.id('t9'), steps, ...more });
    await s.send('DELETE', `/v1/deploy_templates/${s.id('t9')}`);
  }
  for (const query of [
    '',
    '?detail=true',
    '?fields=name,steps',
    '?fields=nosuch',
    '?limit=1',
    '?sort_key=name',
    '?sort_key=steps',
    '?sort_key=extra',
    '?sort_key=name&sort_dir=desc&limit=1',
    '?detail=true&fields=name',
    '?detail=true&limit=1',
    '?fields=extra,created_at,links',
    '/CUSTOM_A/',
    '/bad%20name',
    '/CUSTOM_A?detail=true',
    '/CUSTOM_A?fields=nosuch',
    '/CUSTOM_A?fields=steps',
    '?nosuch=1',
    '/CUSTOM_A',
    `/${s.id('t1')}`,
    '/CUSTOM_A?fields=name',
    '/CUSTOM_NOSUCH',
    `/${s.id('nosuch')}`,
  ])
    await s.send('GET', `/v1/deploy_templates${query}`);
  for (const patch of [
    add('/extra/x', 1),
    replace('/name', 'CUSTOM_C'),
    replace('/name', 'bad'),
    replace('/name', 'HW_CPU_X86_VMX'),
    replace('/steps', []),
    replace('/steps/0/priority', 7),
    add('/steps/-', { interface: 'raid', step: 'z', args: {}, priority: 5 }),
    remove('/steps'),
    remove('/steps/0'),
    remove('/steps/9'),
    add('/steps/0', { interface: 'raid', step: 'z', args: {}, priority: 5 }),
    add('/steps/-', { interface: 'bios', step: 'z' }),
    add('/steps/-', 'x'),
    replace('/steps/0/interface', 'nosuch'),
    add('/steps/0/args/x', 1),
    add('/steps/0/nosuch', 1),
    replace('/steps', null),
    remove('/name'),
    replace('/name', null),
    remove('/extra'),
    replace('/extra', 'x'),
    [...replace('/name', 'CUSTOM_D'), ...add('/nosuch', 1)],
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
  ])
    await s.send('PATCH', `/v1/deploy_templates/${s.id('t1')}`, patch);
  await s.send('GET', `/v1/deploy_templates/${s.id('t1')}`);
  await s.send('PATCH', '/v1/deploy_templates/HW_CPU_X86_VMX', add('/extra/x', 2));
  await s.send('PATCH', '/v1/deploy_templates/CUSTOM_NOSUCH', add('/extra/x', 2));
  await s.send('DELETE', '/v1/deploy_templates/CUSTOM_NOSUCH');
  await mistakes(s, '/v1/deploy_templates', s.id('t1'));
  await s.all([
    ['DELETE', `/v1/deploy_templates/${s.id('t1')}`],
    ['DELETE', `/v1/deploy_templates/${s.id('t1')}`],
    ['DELETE', '/v1/deploy_templates/HW_CPU_X86_VMX'],
  ]);
}

export async function events(s: Side): Promise<void> {
  const event = {
    event: 'network.bind_port',
    port_id: s.id('port'),
    mac_address: '52:54:00:00:00:01',
    status: 'ACTIVE',
    device_id: s.id('device'),
    'binding:host_id': s.id('host'),
    'binding:vnic_type': 'baremetal',
  };
  const post = (body: unknown) => s.send('POST', '/v1/events', body);
  await post({ events: [event] });
  await post({
    events: [
      { ...event, event: 'network.unbind_port' },
      { ...event, event: 'network.delete_port' },
    ],
  });
  await post({ events: [] });
  await post({});
  await post({ events: [{ event: 'nosuch' }] });
  await post({ events: [{ ...event, mac_address: 'x' }] });
  await post({ events: [{ event: 'network.bind_port' }] });
  await post({ events: [{ ...event, nosuch: 1 }] });
  await post({ events: 'x' });
  await post({ events: [{ ...event, port_id: 'x' }] });
  await post({ events: [{ ...event, device_id: 7 }] });
  await post({ events: [{ ...event, mac_address: 'AA:BB:CC:DD:EE:FF' }] });
  await post({ events: [{ ...event, status: null }] });
  await post({ events: [{ ...event, event: 'network.nosuch' }] });
  await post({ events: [event, { event: 'network.bind_port' }] });
  await post({ events: [event], nosuch: 1 });
  for (const { 'binding:host_id': _host, ...less } of [event]) await post({ events: [less] });
  for (const { port_id: _port, ...less } of [event]) await post({ events: [less] });
  for (const body of [undefined, '', '{', 'null', '[]', '"x"']) await post(body);
  await s.all([
    ['PUT', '/v1/events', {}],
    ['DELETE', '/v1/events'],
    ['POST', '/v1/events?nosuch=1', { events: [event] }],
  ]);
}
