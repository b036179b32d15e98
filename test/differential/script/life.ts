/** A node's whole life, and what may be changed of it on the way. */
import type { Side } from '../side.ts';

const add = (path: string, value: unknown) => ({ op: 'add', path, value });
const remove = (path: string) => ({ op: 'remove', path });

const ALL_TARGETS =
  'manage provide inspect active deploy rebuild deleted undeploy clean rescue unrescue adopt abort service unhold'.split(
    ' ',
  );

/** Every target that the state refuses, without and with what belongs to it. */
async function refusals(s: Side, name: string, taken: readonly string[]): Promise<void> {
  const at = `/v1/nodes/${s.id(name)}/states/provision`;
  for (const target of ALL_TARGETS) if (!taken.includes(target)) await s.send('PUT', at, { target });
  if (!taken.includes('rescue')) await s.send('PUT', at, { target: 'rescue', rescue_password: 'p' });
  if (!taken.includes('clean'))
    await s.send('PUT', at, { target: 'clean', clean_steps: [{ interface: 'bios', step: 'factory_reset' }] });
  await s.send('PUT', `/v1/nodes/${name}/states/provision`, { target: 'nosuch' });
}

/** Moves the node at the newest version, so that every version sees the same states; looks at it at the one under test. */
async function move(s: Side, name: string, target: string, more: object = {}): Promise<void> {
  await s.prepare('PUT', `/v1/nodes/${s.id(name)}/states/provision`, { target, ...more });
  await s.rest(name);
  await s.send('GET', `/v1/nodes/${s.id(name)}`);
  await s.send('GET', `/v1/nodes/${s.id(name)}/states`);
}

export async function lifeCycle(s: Side): Promise<void> {
  await s.node('n', { instance_info: { image_source: 'file:///x' }, properties: { cpus: 1 } });
  await refusals(s, 'n', ['manage']);
  await s.prepare('PUT', `/v1/nodes/${s.id('n')}/states/power`, { target: 'power off' });
  await move(s, 'n', 'manage');
  await refusals(s, 'n', ['provide', 'inspect', 'clean', 'adopt']);
  await move(s, 'n', 'inspect');
  await move(s, 'n', 'clean', { clean_steps: [{ interface: 'bios', step: 'factory_reset' }] });
  await move(s, 'n', 'provide');
  await refusals(s, 'n', ['manage', 'active', 'deploy']);
  for (const filter of ['provision_state=available', 'associated=false', 'provision_state=available&limit=1'])
    await s.send('GET', `/v1/nodes?${filter}`);
  await move(s, 'n', 'active');
  await refusals(s, 'n', ['rebuild', 'deleted', 'undeploy', 'rescue', 'service']);
  await s.send('GET', '/v1/nodes?provision_state=active');
  await move(s, 'n', 'rebuild');
  await move(s, 'n', 'rescue', { rescue_password: 'p' });
  await refusals(s, 'n', ['rescue', 'unrescue', 'deleted', 'undeploy', 'rebuild', 'active']);
  await move(s, 'n', 'unrescue');
  await move(s, 'n', 'deleted');
  await move(s, 'n', 'manage');
  await move(s, 'n', 'adopt');
  await move(s, 'n', 'undeploy');
  await s.send('GET', `/v1/nodes/${s.id('n')}/history`);
}

export async function patchInStates(s: Side): Promise<void> {
  await s.prepare('POST', '/v1/chassis', { uuid: s.id('rack'), description: 'rack' });
  await s.prepare('POST', '/v1/chassis', { uuid: s.id('other rack'), description: 'other' });
  await s.node('n', { resource_class: 'gold', instance_info: { image_source: 'file:///x' } });
  const at = `/v1/nodes/${s.id('n')}`;
  const patch = (...operations: unknown[]) => s.send('PATCH', at, operations);
  const attempts = async () => {
    await patch(add('/instance_info/foo', 'bar'));
    await patch(add('/driver_info/a', 1));
    await patch(add('/properties/cpus', 2));
    await patch(add('/resource_class', 'silver'));
    await patch(add('/deploy_interface', 'fake'));
    await patch(add('/rescue_interface', 'no-rescue'));
    await patch(add('/driver', 'fake-hardware'));
    await patch(add('/protected', true));
    await patch(add('/protected_reason', 'mine'));
    await patch(add('/protected', false));
    await patch(add('/retired', true));
    await patch(add('/retired_reason', 'old'));
    await patch(add('/retired', false));
    await patch(add('/instance_uuid', s.id('instance')));
    await patch(add('/instance_uuid', s.id('other instance')));
    await patch(remove('/instance_uuid'));
    await patch(add('/name', 'm'), add('/extra/renamed', true));
    await patch(add('/name', 'n'));
    await patch(add('/maintenance', true));
    await patch(add('/rescue_interface', 'fake'));
    await patch(add('/maintenance', false));
    await patch(add('/chassis_uuid', s.id('rack')));
    await patch(add('/chassis_uuid', s.id('other rack')));
    await patch(remove('/chassis_uuid'));
    await patch(add('/console_enabled', true));
    await patch(add('/resource_class', 'gold'));
    await s.send('GET', at);
  };
  await attempts();
  await s.bring('n', 'manageable');
  await attempts();
  await s.prepare('PUT', `${at}/states/provision`, { target: 'provide' });
  await attempts();
  await s.prepare('PUT', `${at}/states/provision`, { target: 'active' });
  await attempts();
  // Two wrong operations: the first one is told.
  await patch(add('/nosuch', 1), add('/alsonot/deep', 2));
  await patch(add('/alsonot/deep', 2));
  await patch(add('/extra/a', 1), { op: 'replace', path: '/extra/none', value: 2 });
  await s.send('GET', `${at}?fields=extra`);
}

export async function paging(s: Side): Promise<void> {
  for (const [i, name] of ['e', 'c', 'a', 'd', 'b'].entries())
    await s.node(name, { resource_class: i % 2 ? 'odd' : 'even', extra: { i } });
  const b = s.id('b');
  for (const query of [
    'sort_key=name&limit=2',
    'sort_key=name&sort_dir=desc&limit=2',
    `sort_key=name&limit=2&marker=${b}`,
    `sort_key=name&sort_dir=desc&limit=2&marker=${b}`,
    `sort_key=name&sort_dir=desc&marker=${s.id('a')}`,
    'sort_key=resource_class&fields=name,resource_class',
    'sort_key=resource_class&sort_dir=desc&fields=name,resource_class',
    `sort_key=resource_class&fields=name&marker=${s.id('c')}`,
    'resource_class=odd&limit=1',
    'resource_class=odd&limit=1&fields=name',
    'resource_class=odd&sort_key=name&sort_dir=desc&fields=name,extra',
    'maintenance=false&limit=3&detail=true',
    'maintenance=0',
    'associated=no&limit=5',
    'limit=1001',
    'limit=1.5',
    'limit= 2',
    'sort_key=',
    'sort_dir=',
    'sort_dir=DESC',
    'sort_key=updated_at&fields=name',
    'sort_key=provision_updated_at&fields=name',
    'sort_key=driver&fields=name',
    'sort_key=maintenance&fields=name',
    'sort_key=instance_uuid&fields=name',
    'sort_key=reservation&fields=name',
    'sort_key=description&fields=name',
    'sort_key=traits',
    'sort_key=driver_info',
    'sort_key=network_data',
    'sort_key=links',
    'sort_key=conductor',
    'sort_key=chassis_uuid',
    'sort_key=allocation_uuid',
    'fields=UUID',
    'fields=name,,uuid',
    'fields=name,name',
    'fields= name',
    'fields=name&fields=uuid',
    'fields=links',
    'fields=ports',
    'fields=nosuch,alsonot',
    'nosuch=1&alsonot=2',
    'driver=fake-hardware&provision_state=enroll&maintenance=false&fields=name',
    'provision_state=',
    'driver=',
    'resource_class=',
    'owner=',
    'chassis_uuid=',
    'instance_uuid=',
    'marker=',
  ])
    await s.send('GET', `/v1/nodes?${query.replaceAll(' ', '%20')}`);
  for (const query of [
    'limit=2',
    `limit=2&marker=${b}`,
    'sort_key=name&limit=1',
    'resource_class=odd',
    'detail=true',
    'nosuch=1',
  ])
    await s.send('GET', `/v1/nodes/detail?${query}`);
}
