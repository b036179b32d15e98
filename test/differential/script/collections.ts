import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

export async function root(s: Side): Promise<void> {
  for (const path of ['/', '', '/v1', '/v1/', '/v2', '/v1/nosuch', '/nosuch', '/nodes', '/chassis', '/v1//nodes'])
    await s.send('GET', path || '/');
  await s.send('GET', '/v1/nodes', undefined, { minor: null });
  await s.send('GET', '/v1', undefined, { minor: null });
  for (const version of [
    'junk',
    '1.999',
    '2.0',
    '1',
    '1.0',
    '',
    '1.82.1',
    'latest ',
    '01.05',
    '+1.5',
    '1. 5',
    '-1.1',
    '1.5, 1.6',
  ])
    await s.send('GET', '/v1/nodes', undefined, {
      minor: null,
      headers: { 'X-OpenStack-Ironic-API-Version': version },
    });
  for (const version of ['baremetal 1.31', 'compute 2.1', 'baremetal junk', 'baremetal 1.999'])
    await s.send('GET', '/v1/nodes', undefined, { minor: null, headers: { 'OpenStack-API-Version': version } });
  for (const path of ['/', '/v1', '/nosuch', '/v1/nosuch'])
    for (const version of ['junk', '1.999'])
      await s.send('GET', path, undefined, { minor: null, headers: { 'X-OpenStack-Ironic-API-Version': version } });
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
