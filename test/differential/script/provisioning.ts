import type { Side } from '../side.ts';

/** An ISO 9660 image with the label config-2 and no more than empty metadata, compressed. */
const CONFIG_DRIVE =
  'H4sIAAAAAAACA+3cSW/UVhwA8Oeg0ggkLgix9WBVOdADw0wQQVFPrsdJHGbske0gOKGIhqoLUImoly4Sly5fpx+g3wj1I7T2LAp7' +
  'pBZRSH8/zYyf7bd5xtLf27wQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIAoHfb7gyiM8mLnVvxqdx8+uPflF5dXX7V+' +
  'Ud/vz0xe02776t5heTlcmi26dPpg9Znu4+NwdjZ3Nix3k+Xw08kzJ45fDUuL8jH/qc2syOsyHyebWdwm4vW1tf6VrY063shHWX27' +
  'brJxnFZZ0pRVfCn9JB6sr1+Ns97tcqfYHCajbLHw+uXVfn8t3u5NsqSqy+LKdq9Ot/JRu1duTvN0q7s81+N0WN3Im7jJkvFb39zV' +
  '/uraYLA6GLS9udZ+hBcW9J/zYg477f+doMM74695/AcAAACOrmh6jb07/18O56apcpIVdZOkx8P5dn4pjJImqxvfFAAAALzP5/+h' +
  'e74uCrNH7M6F6OD8v3U+LDn/BwAAgPfdr4f+x66efBj98Weoqg+ix5NbK9H9pMuX3D82K3fs+RqbjQvRqXklz07S7KPowizThUXu' +
  'J/PJvcP6Eb2BDoQfps84hO46x0tbWV5c/Jhu7m/F+FQUHn679+DR/u7dr/9l2wDw7rh3SESM3kTgD28nun83fWIxdHctXtrK8fmt' +
  'jHlsPxmFb3b39x7tP93s0qyGJYEdgKMd/18fM18S//9BiDz0KOONxP+fw8VZnouLwgchumvl1DhrkjvDpOlt1+Wng8VxwOko3N/b' +
  '373z+e7+bu+rRw8fdN1YedyVerwyHxkhcjwAwFGSVU+iE80vbfzNJ3cG6+uDpNnK4qpMb8RVPuyGdSuarEq3kqJNT6qyKdNy1CVu' +
  '5sOsjuudyaSsmnijrOJJWee3piO/xfOh3+psnBRNntaTUZbUWZyWRZOkTTzM6zSe7Hw2yuutrJoWridZmm/kadLkZRHX5U6VZr24' +
  'rSF7KmPbZFvdRt4li7YT+Tipbsc3y9HOOIvb7qTtRnRDzXUVLtrKi3ZuPK225+cGgKnvfzzhSwAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4J33N9PB9MwAkAUA';

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
  await s.prepare('PATCH', `/v1/nodes/${s.id('n')}`, [
    { op: 'add', path: '/instance_info', value: { image_source: 'file:///x' } },
  ]);
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
  await act(s, 'n', { target: 'rebuild', configdrive: '' });
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
  await order('no-steps', { deploy_steps: [{ interface: 'deploy', step: 'deploy', args: {}, priority: 0 }] });
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
