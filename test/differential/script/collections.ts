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
  ])
    await s.send('GET', `/v1/drivers${path}`);
  await s.all([
    ['POST', '/v1/drivers/fake-hardware/vendor_passthru/nosuch', {}],
    ['POST', '/v1/drivers/fake-hardware/vendor_passthru', {}],
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
    '/localhost',
    '/localhost?fields=hostname,alive',
    '/localhost?fields=nosuch',
    '/nosuch',
  ])
    await s.send('GET', `/v1/conductors${path}`);
  await s.send('POST', '/v1/conductors', {});
  await s.send('DELETE', '/v1/conductors/localhost');
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
  for (const patch of [
    add('/extra/x', 1),
    replace('/connector_id', 'iqn.7'),
    replace('/type', 'nosuch'),
    replace('/uuid', s.id('other')),
    remove('/connector_id'),
    add('/nosuch', 1),
    replace('/node_uuid', s.id('nosuch')),
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
  await s.send('GET', '/v1/nodes/n/allocation');
  await s.send('GET', '/v1/nodes/m/allocation');
  for (const patch of [
    add('/extra/x', 1),
    replace('/name', 'renamed'),
    replace('/name', 'bad name'),
    replace('/resource_class', 'x'),
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
  ])
    await s.send('PATCH', `/v1/allocations/${s.id('a1')}`, patch);
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
  for (const query of [
    '',
    '?detail=true',
    '?fields=name,steps',
    '?fields=nosuch',
    '?limit=1',
    '?sort_key=name',
    '?sort_key=steps',
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
    replace('/uuid', s.id('other')),
    add('/nosuch', 1),
  ])
    await s.send('PATCH', `/v1/deploy_templates/${s.id('t1')}`, patch);
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
}
