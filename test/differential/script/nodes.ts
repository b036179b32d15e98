import type { Side } from '../side.ts';

const add = (path: string, value: unknown) => ({ op: 'add', path, value });
const replace = (path: string, value: unknown) => ({ op: 'replace', path, value });
const remove = (path: string) => ({ op: 'remove', path });

export async function nodeCreate(s: Side): Promise<void> {
  const create = (body: unknown) => s.send('POST', '/v1/nodes', body);
  const fake = (more: object) => create({ driver: 'fake-hardware', ...more });
  await fake({ uuid: s.id('a') });
  await s.send('GET', `/v1/nodes/${s.id('a')}`);
  await fake({ uuid: s.id('b'), properties: { cpus: 4, memory_mb: '8192' }, extra: { a: [1, { b: null }] } });
  await fake({ uuid: s.id('c'), driver_info: { ipmi_password: 'secret', x: 'y', nested: { token: 't' } } });
  await s.send('GET', `/v1/nodes/${s.id('c')}`);
  await fake({ uuid: s.id('d'), instance_info: { image_source: 'file:///x', configdrive: 'data', password: 'p' } });
  await fake({});
  // Taken uuid, names.
  await fake({ uuid: s.id('a') });
  await fake({ uuid: s.id('e'), name: 'named' });
  await fake({ uuid: s.id('f'), name: 'named' });
  for (const name of ['bad name', '', 'a/b', 'UPPER.case-1', 'x'.repeat(256), s.id('z'), 'nodes', 'detail', 'ümlaut'])
    await fake({ name });
  // Wrong.
  for (const uuid of ['x', '', 7, null]) await fake({ uuid });
  for (const driver of ['nosuch', '', null, 7]) await create({ driver });
  await create({});
  await create([]);
  await create('{');
  await create('');
  await create('"text"');
  await fake({ nosuch: 1 });
  await fake({ provision_state: 'active' });
  await fake({ links: [] });
  for (const field of ['properties', 'driver_info', 'extra', 'instance_info'])
    for (const value of ['text', 7, [], null]) await fake({ [field]: value });
  for (const value of ['maybe', 'true', 1, 'False', null]) await fake({ maintenance: value });
  await fake({ chassis_uuid: s.id('nosuch') });
  await fake({ chassis_uuid: 'x' });
  await fake({ instance_uuid: s.id('instance') });
  await fake({ instance_uuid: s.id('instance') });
  await fake({ instance_uuid: 'x' });
  // Fields by version.
  for (const [field, value] of Object.entries({
    resource_class: 'gold',
    conductor_group: 'Rack_1',
    owner: 'o',
    lessee: 'l',
    description: 'd',
    automated_clean: true,
    protected: true,
    protected_reason: 'because',
    retired: true,
    retired_reason: 'old',
    network_data: { links: [], networks: [], services: [] },
    shard: 's1',
    network_interface: 'noop',
    storage_interface: 'noop',
    rescue_interface: 'no-rescue',
    bios_interface: 'no-bios',
    deploy_interface: 'fake',
    power_interface: 'fake',
    boot_mode: 'uefi',
    fault: 'x',
    allocation_uuid: s.id('allocation'),
    traits: ['CUSTOM_A'],
    raid_config: {},
    target_raid_config: {},
    reservation: 'x',
    power_state: 'power on',
    last_error: 'x',
  }))
    await fake({ [field]: value });
  for (const kind of ['boot', 'deploy', 'network', 'storage', 'bios', 'rescue'])
    await fake({ [`${kind}_interface`]: 'nosuch' });
  await fake({ conductor_group: 'with space' });
  await fake({ resource_class: 'x'.repeat(81) });
  await fake({ description: 'x'.repeat(4097) });
  await fake({ owner: 7 });
  await fake({ network_data: { links: 7 } });
  // Sizes are whole numbers, or look like them.
  for (const value of ['four', -1, '-1', 1.5, ' 8 ', '', true, [], null])
    await fake({ properties: { local_gb: '10', cpus: value } });
  await fake({ properties: { memory_mb: {}, cpus: 'x' } });
  // What says nothing.
  for (const field of ['automated_clean', 'storage_interface', 'owner', 'retired', 'conductor_group'])
    await fake({ [field]: null });
  for (const field of ['boot_interface', 'raid_interface', 'conductor_group', 'resource_class', 'description'])
    await fake({ [field]: '' });
  await fake({ name: '1'.repeat(32) });
}

export async function nodeList(s: Side): Promise<void> {
  await s.send('GET', '/v1/nodes');
  await s.prepare('POST', '/v1/chassis', { uuid: s.id('rack'), description: 'rack' });
  await s.node('a', { resource_class: 'gold', owner: 'o1', description: 'First node', chassis_uuid: s.id('rack') });
  await s.node('b', { resource_class: 'silver', lessee: 'l1', extra: { x: 1 }, shard: 's1' });
  await s.node('c', { instance_uuid: s.id('instance'), description: '50%_off', shard: 's2', properties: { cpus: 4 } });
  await s.node('d', {
    automated_clean: false,
    driver_info: { ipmi_password: 'secret' },
    retired: true,
    retired_reason: 'old',
  });
  await s.prepare('PUT', `/v1/nodes/${s.id('b')}/maintenance`, { reason: 'fan' });
  await s.bring('a', 'available');
  const list = (query: string) => s.send('GET', `/v1/nodes${query}`);
  for (const query of [
    '',
    '/',
    '?detail=true',
    '?detail=false',
    '/detail',
    '/detail/',
    '?detail=nonsense',
    '?fields=uuid',
    '?fields=uuid,name,extra',
    '?fields=name,uuid,links',
    '?fields=nosuch',
    '?fields=',
    '?fields=uuid&detail=true',
    '/detail?fields=uuid',
    '?limit=2',
    '?limit=4',
    '?limit=0',
    '?limit=-1',
    '?limit=x',
    '?limit=',
    '?limit=%2B2',
    '?limit=5000',
    `?marker=${s.id('a')}`,
    `?limit=1&marker=${s.id('b')}`,
    `?marker=${s.id('nosuch')}`,
    '?marker=x',
    '?sort_key=name',
    '?sort_key=name&sort_dir=desc',
    '?sort_key=uuid&sort_dir=asc',
    '?sort_dir=x',
    '?sort_key=nosuch',
    '?sort_key=extra',
    '?sort_key=properties',
    '?sort_key=created_at&sort_dir=desc&fields=name',
    '?sort_key=resource_class&fields=name',
    '?nosuch=1',
    '?maintenance=true',
    '?maintenance=false',
    '?maintenance=x',
    '?associated=true',
    '?associated=false',
    '?associated=True',
    `?instance_uuid=${s.id('instance')}`,
    `?instance_uuid=${s.id('nosuch')}`,
    '?instance_uuid=x',
    `?instance_uuid=${s.id('instance')}&limit=1`,
    '?provision_state=enroll',
    '?provision_state=available',
    '?provision_state=AVAILABLE',
    '?provision_state=nosuch',
    '?provision_state=None',
    '?driver=fake-hardware',
    '?driver=nosuch',
    '?resource_class=gold',
    '?resource_class=nosuch',
    '?fault=power%20failure',
    '?fault=nosuch',
    '?conductor_group=',
    '?conductor_group=nosuch',
    '?conductor=localhost',
    '?conductor=nosuch',
    '?conductor=',
    '?owner=o1',
    '?owner=nosuch',
    '?lessee=l1',
    '?project=o1',
    '?project=l1',
    '?description_contains=irst',
    '?description_contains=%25_o',
    '?description_contains=nosuch',
    '?retired=true',
    '?retired=false',
    `?chassis_uuid=${s.id('rack')}`,
    `?chassis_uuid=${s.id('nosuch')}`,
    '?chassis_uuid=x',
    '?shard=s1',
    '?shard=s1,s2',
    '?sharded=true',
    '?sharded=false',
    '?maintenance=false&associated=false&fields=name',
    '?fields=conductor,name',
    '?fields=traits,name',
    '?fields=driver_info,name',
    '?fields=allocation_uuid',
    '?fields=boot_mode',
    '?fields=network_interface',
  ])
    await list(query);
  await s.send('GET', `/v1/chassis/${s.id('rack')}/nodes`);
  await s.send('GET', '/v1/shards');
  for (const method of ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) await s.send(method, '/v1/shards');
}

export async function nodeGet(s: Side): Promise<void> {
  await s.node('a', { resource_class: 'gold', extra: { x: { y: 1 } }, driver_info: { password: 'p', a: 1 } });
  const at = `/v1/nodes/${s.id('a')}`;
  for (const path of [
    at,
    `${at}/`,
    `${at}.json`,
    '/v1/nodes/a',
    '/v1/nodes/a.json',
    `/nodes/${s.id('a')}`,
    `${at}?fields=uuid`,
    `${at}?fields=name,extra`,
    `${at}?fields=nosuch`,
    `${at}?fields=`,
    `${at}?detail=true`,
    `${at}?nosuch=1`,
    `/v1/nodes/${s.id('nosuch')}`,
    '/v1/nodes/nosuch',
    '/v1/nodes/bad%20name',
    `${at}/states`,
    `${at}/states/`,
    `${at}/states/power`,
    `${at}/states/provision`,
    `${at}/states/nosuch`,
    `${at}/ports`,
    `${at}/ports?detail=true`,
    `${at}/ports/detail`,
    `${at}/portgroups`,
    `${at}/volume`,
    `${at}/volume/connectors`,
    `${at}/volume/targets`,
    `${at}/traits`,
    `${at}/vifs`,
    `${at}/bios`,
    `${at}/bios/x`,
    `${at}/allocation`,
    `${at}/history`,
    `${at}/inventory`,
    `${at}/maintenance`,
    `${at}/validate`,
    `/v1/nodes/validate?node=${s.id('a')}`,
    '/v1/nodes/validate?node=a',
    `/v1/nodes/validate?node_uuid=${s.id('a')}`,
    '/v1/nodes/validate?node=nosuch',
    '/v1/nodes/validate',
    `${at}/management/boot_device`,
    `${at}/management/boot_device/supported`,
    `${at}/management/indicators`,
    `${at}/management/nosuch`,
    `${at}/vendor_passthru/methods`,
    `${at}/nosuch`,
    `${at}/children`,
    `${at}/firmware`,
    `${at}/vmedia`,
  ])
    await s.send('GET', path);
  await s.all([
    ['PUT', at, {}],
    ['POST', at, {}],
    ['PUT', '/v1/nodes', {}],
    ['DELETE', '/v1/nodes'],
    ['PATCH', '/v1/nodes', []],
  ]);
}

export async function nodePatch(s: Side): Promise<void> {
  await s.node('a', { extra: { keep: 1, drop: 2 }, properties: { cpus: 1 }, driver_info: { password: 'p', b: 2 } });
  await s.node('taken');
  const at = `/v1/nodes/${s.id('a')}`;
  const patch = (...operations: unknown[]) => s.send('PATCH', at, operations);
  await patch(add('/extra/new', 'value'));
  await patch(replace('/extra/keep', { deep: [1] }));
  await patch(remove('/extra/drop'));
  await patch(add('/properties/memory_mb', 512), remove('/properties/cpus'));
  await patch(add('/driver_info/c', 3));
  await patch(replace('/driver_info/password', '******'));
  await patch(add('/instance_info/foo', 'bar'));
  await patch(replace('/extra', { whole: true }));
  await patch(remove('/extra'));
  await patch(add('/extra/list', []), add('/extra/list/-', 1), add('/extra/list/0', 0));
  await patch(replace('/extra/list/1', 'one'), remove('/extra/list/0'));
  // Refused.
  await patch(remove('/extra/nosuch'));
  await patch(replace('/extra/nosuch', 1));
  await patch(remove('/extra/list/9'));
  await patch(add('/extra/a/b/c', 1));
  await patch(add('/nosuch', 1));
  await patch(replace('/nosuch', 1));
  await patch(remove('/nosuch'));
  await patch(remove('/driver'));
  await patch(remove('/uuid'));
  await patch(replace('/uuid', s.id('other')));
  await patch(replace('/created_at', null));
  await patch(replace('/provision_state', 'active'));
  await patch(replace('/power_state', 'power on'));
  await patch(replace('/links', []));
  await patch(replace('/reservation', 'x'));
  await patch(replace('/last_error', 'x'));
  await patch({ op: 'move', from: '/extra', path: '/properties' });
  await patch({ op: 'test', path: '/extra', value: {} });
  await patch({ op: 'add', path: '/extra/x' });
  await patch({ op: 'add', value: 1 });
  await patch({ path: '/extra/x', value: 1 });
  await patch({ op: 'add', path: 'extra/x', value: 1 });
  await patch({ op: 'add', path: '/extra/x y', value: 1 });
  await patch({ op: 'add', path: '/', value: 1 });
  await patch({ op: 'add', path: '', value: 1 });
  await patch({ op: 'add', path: '/extra/a~1b', value: 1 });
  await patch({ op: 'add', path: '/extra/x', value: 1, more: 2 });
  await patch(add('/extra/größe', 1), remove('/extra/größe'));
  await patch(add('/extra/-', 1));
  await patch(replace('/extra/-', 2), remove('/extra/-'));
  for (const value of ['four', -1, '8', null]) await patch(add('/properties/cpus', value));
  await patch(add('/network_data/links', 7));
  for (const field of ['maintenance', 'protected', 'retired']) await patch(replace(`/${field}`, 0));
  await patch(replace('/storage_interface', ''));
  await patch(replace('/name', true));
  await patch();
  await s.send('PATCH', at, {});
  await s.send('PATCH', at, '[');
  await s.send('PATCH', at, 'null');
  await s.send('PATCH', at);
  await s.send('PATCH', '/v1/nodes/nosuch', [add('/extra/x', 1)]);
  await s.send('PATCH', `/v1/nodes/${s.id('nosuch')}`, [add('/extra/x', 1)]);
  // One field each.
  for (const [field, values] of Object.entries<unknown[]>({
    name: ['renamed', 'taken', 'bad name', '', null, 'a'],
    driver: ['nosuch', 'fake-hardware', null],
    chassis_uuid: [s.id('nosuch'), 'x'],
    instance_uuid: ['x', s.id('instance'), s.id('instance2'), null],
    maintenance: [true, 'false', 'maybe', null],
    maintenance_reason: ['why', null],
    properties: ['x', null, { a: 1 }],
    resource_class: ['gold', 7, null],
    conductor_group: ['nosuch', 'bad group', ''],
    owner: ['o', null, 7],
    lessee: ['l', null],
    description: ['text', 'x'.repeat(4097), null],
    automated_clean: [true, 'x', null],
    protected: [true, 'x', false],
    protected_reason: ['why', null],
    retired: [true, false],
    retired_reason: ['old'],
    network_data: [{ links: [], networks: [], services: [] }, { links: 1 }, {}],
    shard: ['s1', null],
    boot_mode: ['uefi'],
    secure_boot: [true],
    traits: [['CUSTOM_A']],
    allocation_uuid: [s.id('allocation')],
    fault: ['x'],
    deploy_interface: ['nosuch', 'fake', null],
    network_interface: ['nosuch', 'noop', null],
    rescue_interface: ['no-rescue', 'fake'],
    storage_interface: ['fake', 'noop'],
    vendor_interface: ['no-vendor', 'fake'],
    target_raid_config: [{}],
    inspection_started_at: [null],
    console_enabled: [true],
    clean_step: [{}],
  })) {
    for (const value of values) await patch(replace(`/${field}`, value));
    await patch(remove(`/${field}`));
  }
  await s.send('PATCH', `${at}?reset_interfaces=true`, [replace('/driver', 'fake-hardware')]);
  await s.send('PATCH', `${at}?reset_interfaces=true`, [add('/extra/x', 1)]);
  await s.send('PATCH', `${at}?reset_interfaces=maybe`, [add('/extra/x', 1)]);
  await s.send('PATCH', `${at}?nosuch=1`, [add('/extra/x', 1)]);
  await s.send('GET', at);
}

export async function nodeDelete(s: Side): Promise<void> {
  await s.node('a');
  await s.node('b', { instance_uuid: s.id('instance') });
  await s.node('c');
  await s.node('d');
  await s.bring('c', 'active');
  await s.bring('d', 'manageable');
  await s.prepare('POST', '/v1/ports', { node_uuid: s.id('a'), address: '52:54:00:00:00:01', uuid: s.id('port') });
  await s.all([
    ['DELETE', '/v1/nodes/nosuch'],
    ['DELETE', `/v1/nodes/${s.id('nosuch')}`],
    ['DELETE', `/v1/nodes/${s.id('b')}`],
    ['DELETE', `/v1/nodes/${s.id('c')}`],
    ['PATCH', `/v1/nodes/${s.id('c')}`, [add('/protected', true)]],
    ['DELETE', `/v1/nodes/${s.id('c')}`],
    ['PATCH', `/v1/nodes/${s.id('c')}`, [add('/instance_uuid', s.id('instance-of-c'))]],
    ['DELETE', `/v1/nodes/${s.id('c')}`],
    ['PATCH', `/v1/nodes/${s.id('c')}`, [remove('/protected'), remove('/instance_uuid')]],
    ['DELETE', `/v1/nodes/${s.id('a')}?nosuch=1`],
    ['DELETE', `/v1/nodes/${s.id('a')}`],
    ['DELETE', `/v1/nodes/${s.id('a')}`],
    ['GET', `/v1/ports/${s.id('port')}`],
    ['DELETE', '/v1/nodes/d'],
    ['PUT', `/v1/nodes/${s.id('c')}/maintenance`, {}],
    ['DELETE', `/v1/nodes/${s.id('c')}`],
    ['DELETE', '/v1/nodes'],
    ['GET', '/v1/nodes'],
  ]);
}
