import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

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
    replace('/node_uuid', s.id('m')),
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
    replace('/node_uuid', s.id('m')),
    [...replace('/boot_index', 7), ...replace('/boot_index', 8)],
  ])
    await s.send('PATCH', `/v1/volume/targets/${s.id('t1')}`, patch);
  await mistakes(s, '/v1/volume/connectors', s.id('c1'));
  await mistakes(s, '/v1/volume/targets', s.id('t1'));
  await s.prepare('POST', '/v1/volume/connectors', {
    node_uuid: s.id('m'),
    uuid: s.id('early'),
    type: 'iqn',
    connector_id: 'e',
  });
  await s.send('DELETE', `/v1/volume/connectors/${s.id('early')}`);
  await s.bring('n', 'available');
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
