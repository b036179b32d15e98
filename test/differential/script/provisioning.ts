import type { Side } from '../side.ts';

/** An empty ISO 9660 image with the label config-2, compressed. */
const CONFIG_DRIVE =
  'H4sIAAAAAAACA+3bwYrbRhgAYGmXksWBXkJIUnoYyh7aQxx5AxtMT6os72pjS0KSw+6ph0JKC5scAr2UFvbU9m36BH2j0EdoJXtN' +
  'm4Q0FEq7bL8P2zOa+fXPyBYICU8UAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABxNkuSSRwtinJ1Gt7ui+fPnn715f2D' +
  't/Vv8/38SvEX4/av4R3t7UWjTdPo1h/dt4ePj6I7m6070d5Q7EXf37w92r0V7Wz3D/ynjvKyaKtimR7loa+E6eFh8uB43oZ5scjb' +
  's7bLlyFr8rSrmvBx9kmYTKcPQz4+q1bl0Sxd5NvGR/cPkuQwnIzrPG3aqnxwMm6z42LRn5VH65ihe4h5FLJZ87joQpeny3/9cA+S' +
  'g8PJ5GAySZKHk2mSRG80JK95M8JJ+3/nosOV8dvl9R8AAAC4vuL1M3b3/wAAAHC97/+j4f91HgAAAADANfbjO9fYtfWN+Jdfo6Z5' +
  'L76oT/fj83SIS893NvvtvJ6xm38Qv3+Z5NUiyz+M726C7m6jX14WT981j/gfmED0TXRvE3Nvd1Pubns2o9xYjk/a6tPJMNZP5fJm' +
  'HJ2Pv37x/Nkw7P7FEHWxf/moJP4bwwLAFZM3L+NR90N/dS3qzyfT6STtjvPQVNnj0BSzYVl32eVNdpyWfb1uqq7KqsVQeVLM8ja0' +
  'q7qumi7MqybUVVucrld+h8ul322+TMuuyNp6kadtHrKq7NKsC7OizUK9+mxRtMd5s965rfOsmBdZ2hVVGdpq1WT5OPQZ8j8F9kP2' +
  '6ebFUC37SRTLtDkLT6rFapmHfjpZfxDDUvMh4Xasouy3luu0Yz83AKx9+93IlwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwJX3Oy9L1DoAgAUA';

/** Puts a provision target and compares the states that the node comes to rest in. */
async function act(s: Side, name: string, body: unknown): Promise<void> {
  await s.send('PUT', `/v1/nodes/${s.id(name)}/states/provision`, body);
  await s.rest(name);
}

export async function power(s: Side): Promise<void> {
  await s.node('n');
  const put = async (body: unknown) => {
    await s.send('PUT', `/v1/nodes/${s.id('n')}/states/power`, body);
    await s.rest('n');
  };
  for (const target of [
    'power on',
    'power off',
    'rebooting',
    'soft rebooting',
    'soft power off',
    'nosuch',
    '',
    null,
    7,
  ])
    await put({ target });
  await put({ target: 'power on', timeout: 5 });
  await put({ target: 'power off', timeout: 0 });
  await put({ target: 'power off', timeout: -1 });
  await put({ target: 'power off', timeout: 'x' });
  await put({});
  await put(undefined);
  await put({ target: 'power on', nosuch: 1 });
  await s.send('PUT', '/v1/nodes/nosuch/states/power', { target: 'power on' });
  await s.send('GET', `/v1/nodes/${s.id('n')}/states`);
  await s.send('POST', `/v1/nodes/${s.id('n')}/states/power`, {});
  await s.bring('n', 'active');
  await put({ target: 'power off' });
  await put({ target: 'rebooting' });
}

export async function provisioning(s: Side): Promise<void> {
  await s.node('n');
  // What each state refuses.
  const targets = [
    'active',
    'deleted',
    'rebuild',
    'provide',
    'inspect',
    'abort',
    'adopt',
    'rescue',
    'unrescue',
    'clean',
    'deploy',
    'undeploy',
    'service',
    'unhold',
    'nosuch',
    '',
    null,
  ];
  for (const target of targets) await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target });
  await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, {});
  await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`);
  await s.send('PUT', '/v1/nodes/nosuch/states/provision', { target: 'manage' });
  await act(s, 'n', { target: 'manage' });
  for (const target of ['manage', 'active', 'deleted', 'rebuild', 'abort', 'unrescue', 'clean', 'rescue'])
    await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target });
  await act(s, 'n', { target: 'inspect' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  await act(s, 'n', { target: 'provide' });
  for (const target of ['provide', 'deleted', 'rebuild', 'inspect', 'abort', 'adopt'])
    await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target });
  await act(s, 'n', { target: 'manage' });
  await act(s, 'n', { target: 'adopt' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  // In maintenance nothing is begun.
  await s.node('m');
  await s.bring('m', 'available');
  await s.prepare('PUT', `/v1/nodes/${s.id('m')}/maintenance`, { reason: 'fan' });
  await act(s, 'm', { target: 'active' });
  await act(s, 'm', { target: 'manage' });
  await act(s, 'm', { target: 'provide' });
  await s.prepare('DELETE', `/v1/nodes/${s.id('m')}/maintenance`);
  // Retired nodes.
  await s.node('old', { retired: true, retired_reason: 'old' });
  await act(s, 'old', { target: 'manage' });
  await act(s, 'old', { target: 'provide' });
  // Without interfaces.
  await s.node('none', { inspect_interface: 'no-inspect', rescue_interface: 'no-rescue' });
  await act(s, 'none', { target: 'manage' });
  await act(s, 'none', { target: 'inspect' });
}

export async function cleaning(s: Side): Promise<void> {
  await s.node('n');
  await s.bring('n', 'manageable');
  const clean = (clean_steps: unknown, more: object = {}) => act(s, 'n', { target: 'clean', clean_steps, ...more });
  await clean([{ interface: 'bios', step: 'apply_configuration', args: { settings: [{ name: 'a', value: 'b' }] } }]);
  await s.send('GET', `/v1/nodes/${s.id('n')}/bios`);
  await s.send('GET', `/v1/nodes/${s.id('n')}/bios/a`);
  await s.send('GET', `/v1/nodes/${s.id('n')}/bios?detail=true`);
  await clean([{ interface: 'bios', step: 'factory_reset' }]);
  await s.send('GET', `/v1/nodes/${s.id('n')}/bios`);
  await clean([{ interface: 'nosuch', step: 'x' }]);
  await clean([{ step: 'x' }]);
  await clean([{ interface: 'deploy' }]);
  await clean([{ interface: 'deploy', step: '' }]);
  await clean([{ interface: 'deploy', step: 'x', nosuch: 1 }]);
  await clean([{ interface: 'deploy', step: 'x', args: [] }]);
  await clean([]);
  await clean('x');
  await clean({});
  await clean(null);
  await clean([{ interface: 'bios', step: 'factory_reset' }], { disable_ramdisk: 'maybe' });
  await clean([{ interface: 'bios', step: 'factory_reset' }], { rescue_password: 'x' });
  await clean([{ interface: 'bios', step: 'factory_reset' }], { nosuch: 1 });
  await act(s, 'n', { target: 'provide', clean_steps: [{ interface: 'bios', step: 'factory_reset' }] });
  await act(s, 'n', { target: 'provide', disable_ramdisk: true });
  await act(s, 'n', { target: 'provide' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  // Each on a node of its own: what comes of it is not the same on both sides.
  const order = async (name: string, step: object, more: object = {}) => {
    await s.node(name);
    await s.bring(name, 'manageable');
    await act(s, name, { target: 'clean', clean_steps: [step], ...more });
  };
  await order('unknown-step', { interface: 'deploy', step: 'nosuch' });
  await order('fake-raid', { interface: 'raid', step: 'create_configuration' });
  await order('wants-ramdisk', { interface: 'bios', step: 'factory_reset' }, { disable_ramdisk: true });
}

export async function deployment(s: Side): Promise<void> {
  await s.node('n', { instance_info: { image_source: 'file:///x' } });
  await s.bring('n', 'available');
  const wrong: object[] = [
    { configdrive: 7 },
    { configdrive: '%%%' },
    { configdrive: { vendor_data: 7 } },
    { deploy_steps: [{ interface: 'nosuch', step: 'x', args: {}, priority: 50 }] },
    { deploy_steps: [{ interface: 'deploy', step: 'x', args: {} }] },
    { deploy_steps: [{ interface: 'deploy', step: 'x', priority: 50 }] },
    { deploy_steps: [{ interface: 'deploy', step: 'x', args: {}, priority: -1 }] },
    { deploy_steps: 'x' },
    { rescue_password: 'x' },
    { clean_steps: [{ interface: 'bios', step: 'factory_reset' }] },
    { disable_ramdisk: true },
  ];
  for (const more of wrong) await act(s, 'n', { target: 'active', ...more });
  await act(s, 'n', { target: 'active', clean_steps: [], deploy_steps: [], configdrive: CONFIG_DRIVE });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  for (const target of ['active', 'provide', 'manage', 'inspect', 'adopt', 'clean', 'abort', 'unrescue'])
    await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target });
  await s.prepare('PATCH', `/v1/nodes/${s.id('n')}`, [{ op: 'add', path: '/protected', value: true }]);
  await act(s, 'n', { target: 'deleted' });
  await act(s, 'n', { target: 'rebuild' });
  await s.send('DELETE', `/v1/nodes/${s.id('n')}`);
  await s.prepare('PATCH', `/v1/nodes/${s.id('n')}`, [{ op: 'add', path: '/protected', value: false }]);
  await act(s, 'n', { target: 'rebuild' });
  await act(s, 'n', { target: 'rebuild', configdrive: CONFIG_DRIVE });
  await act(s, 'n', { target: 'rebuild', configdrive: { meta_data: { a: 1 } } });
  await act(s, 'n', { target: 'deleted' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  await act(s, 'n', { target: 'deploy' });
  await act(s, 'n', { target: 'undeploy' });
  // A node that belongs to an instance.
  await s.prepare('PATCH', `/v1/nodes/${s.id('n')}`, [{ op: 'add', path: '/instance_uuid', value: s.id('instance') }]);
  await act(s, 'n', {
    target: 'active',
    deploy_steps: [{ interface: 'deploy', step: 'deploy', args: {}, priority: 50 }],
  });
  await act(s, 'n', { target: 'deleted' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  // Each on a node of its own: what comes of it is not the same on both sides.
  const order = async (name: string, more: object) => {
    await s.node(name, { instance_info: { image_source: 'file:///x' } });
    await s.bring(name, 'available');
    await act(s, name, { target: 'active', ...more });
  };
  await order('broken-drive', { configdrive: 'H4sIAAAAAAAAA' });
  await order('unknown-step', { deploy_steps: [{ interface: 'deploy', step: 'nosuch', args: {}, priority: 50 }] });
}

export async function rescue(s: Side): Promise<void> {
  await s.node('n');
  await s.bring('n', 'active');
  await act(s, 'n', { target: 'rescue' });
  await act(s, 'n', { target: 'rescue', rescue_password: '' });
  await act(s, 'n', { target: 'rescue', rescue_password: 7 });
  await act(s, 'n', { target: 'rescue', rescue_password: 'secret' });
  await s.send('GET', `/v1/nodes/${s.id('n')}`);
  for (const target of ['active', 'rebuild', 'manage', 'abort'])
    await s.send('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target });
  await act(s, 'n', { target: 'unrescue' });
  await act(s, 'n', { target: 'deleted' });
  await s.node('none', { rescue_interface: 'no-rescue' });
  await s.bring('none', 'active');
  await act(s, 'none', { target: 'rescue', rescue_password: 'secret' });
}
