import type { Side } from '../side.ts';
import { add, mistakes, remove, replace } from './common.ts';

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
    { steps: [{ ...step, interface: 'boot' }] },
    { steps: [{ ...step, interface: 'inspect' }] },
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
    replace('/steps/-', step),
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
