import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

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
  await s.node('deployed', { resource_class: 'lead' });
  await s.bring('deployed', 'active');
  await create({ uuid: s.id('b7'), node: 'deployed', candidate_nodes: ['used'] });
  await s.send('GET', `/v1/allocations/${s.id('b7')}`);
  await create({ uuid: s.id('b8'), node: 'deployed', candidate_nodes: ['used', 'deployed'] });
  await show('b8', 'deployed');
  await create({ uuid: s.id('b9'), node: 'deployed' });
  await s.send('DELETE', '/v1/allocations/bad%20name');
  await create({ uuid: s.id('instance2'), node: 'used' });
  await show('instance2', 'used');
  await s.send('DELETE', `/v1/allocations/${s.id('instance2')}`);
  await s.rest('used');
}
