import type { Side } from '../side.ts';

export async function traits(s: Side): Promise<void> {
  await s.node('n');
  const at = `/v1/nodes/${s.id('n')}/traits`;
  await s.all([
    ['GET', at],
    ['PUT', `${at}/CUSTOM_A`],
    ['PUT', `${at}/HW_CPU_X86_VMX`],
    ['PUT', `${at}/CUSTOM_A`],
    ['GET', at],
    ['GET', '/v1/nodes/n?fields=traits'],
    ['PUT', `${at}/bad`],
    ['PUT', `${at}/custom_a`],
    ['PUT', `${at}/CUSTOM_${'X'.repeat(256)}`],
    ['PUT', `${at}/CUSTOM_B`, { x: 1 }],
    ['DELETE', `${at}/CUSTOM_A`],
    ['DELETE', `${at}/CUSTOM_A`],
    ['DELETE', `${at}/bad`],
    ['PUT', at, { traits: ['CUSTOM_C', 'CUSTOM_D'] }],
    ['GET', at],
    ['PUT', at, { traits: ['CUSTOM_C', 'bad'] }],
    ['PUT', at, { traits: 'CUSTOM_C' }],
    ['PUT', at, { traits: Array.from({ length: 51 }, (_, i) => `CUSTOM_${i}`) }],
    ['PUT', at, { nosuch: [] }],
    ['PUT', at, {}],
    ['PUT', at],
    ['PUT', at, { traits: [] }],
    ['GET', at],
    ['PUT', `${at}/CUSTOM_E`],
    ['DELETE', at],
    ['GET', at],
    ['GET', `${at}/CUSTOM_E`],
    ['POST', at, {}],
    ['GET', '/v1/nodes/nosuch/traits'],
    ['PUT', '/v1/nodes/nosuch/traits/CUSTOM_A'],
  ]);
}

export async function vifs(s: Side): Promise<void> {
  await s.node('n');
  await s.prepare('POST', '/v1/ports', { node_uuid: s.id('n'), address: '52:54:00:00:00:01', uuid: s.id('port') });
  const at = `/v1/nodes/${s.id('n')}/vifs`;
  await s.all([
    ['GET', at],
    ['POST', at, { id: s.id('vif') }],
    ['GET', at],
    ['POST', at, { id: s.id('vif') }],
    ['POST', at, { id: 'not a uuid' }],
    ['POST', at, { id: s.id('vif2'), port_uuid: s.id('port') }],
    ['POST', at, { id: s.id('vif2'), port_uuid: null }],
    ['POST', at, { id: s.id('vif2'), port_uuid: s.id('port'), portgroup_uuid: s.id('group') }],
    ['POST', at, {}],
    ['POST', at, { id: 7 }],
    ['DELETE', `${at}/${s.id('vif')}`],
    ['DELETE', `${at}/${s.id('nosuch')}`],
    ['DELETE', `${at}/nosuch`],
    ['GET', '/v1/nodes/nosuch/vifs'],
    ['PUT', at, {}],
  ]);
}

export async function maintenance(s: Side): Promise<void> {
  await s.node('n');
  const at = `/v1/nodes/${s.id('n')}`;
  await s.all([
    ['PUT', `${at}/maintenance`, { reason: 'fan' }],
    ['GET', `${at}?fields=maintenance,maintenance_reason`],
    ['PUT', `${at}/maintenance`, {}],
    ['PUT', `${at}/maintenance`],
    ['GET', `${at}?fields=maintenance,maintenance_reason`],
    ['PUT', `${at}/maintenance`, { nosuch: 1 }],
    ['PUT', `${at}/maintenance`, { reason: 7 }],
    ['PUT', `${at}/states/power`, { target: 'power on' }],
    ['DELETE', `${at}/maintenance`],
    ['DELETE', `${at}/maintenance`],
    ['GET', `${at}?fields=maintenance,maintenance_reason`],
    ['GET', `${at}/maintenance`],
    ['POST', `${at}/maintenance`, {}],
    ['PUT', '/v1/nodes/nosuch/maintenance', {}],
    ['PUT', '/v1/nodes/n/maintenance', { reason: 'by name' }],
  ]);
}

export async function vendor(s: Side): Promise<void> {
  await s.node('n');
  const at = `/v1/nodes/${s.id('n')}/vendor_passthru`;
  await s.all([
    ['GET', `${at}/methods`],
    ['GET', at],
    ['POST', `${at}/first_method`, { bar: 'baz' }],
    ['POST', `${at}/first_method`, { bar: 'wrong' }],
    ['POST', `${at}/first_method`, {}],
    ['POST', `${at}/first_method`],
    ['POST', `${at}?method=second_method`, { bar: 'kazoo' }],
    ['POST', `${at}/second_method`, { bar: 'x' }],
    ['POST', `${at}/third_method_sync`, { bar: 'meow' }],
    ['POST', `${at}/third_method_sync`, { bar: 'x' }],
    ['POST', `${at}/fourth_method_shared_lock`, { bar: 'woof' }],
    ['GET', `${at}/first_method`],
    ['PUT', `${at}/first_method`, { bar: 'baz' }],
    ['DELETE', `${at}/first_method`],
    ['POST', `${at}/nosuch`, {}],
    ['POST', at, {}],
    ['POST', `${at}?method=nosuch`, {}],
    ['GET', '/v1/nodes/nosuch/vendor_passthru/methods'],
    ['POST', '/v1/nodes/nosuch/vendor_passthru/first_method', { bar: 'baz' }],
  ]);
}

export async function hardware(s: Side): Promise<void> {
  await s.node('n');
  await s.node('bare', { bios_interface: 'no-bios', raid_interface: 'no-raid', console_interface: 'no-console' });
  const at = `/v1/nodes/${s.id('n')}`;
  const bare = `/v1/nodes/${s.id('bare')}`;
  await s.all([
    ['GET', `${at}/management/boot_device`],
    ['GET', `${at}/management/boot_device/supported`],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'pxe', persistent: true }],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'pxe' }],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'disk' }],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'nosuch' }],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'pxe', persistent: 'x' }],
    ['PUT', `${at}/management/boot_device`, {}],
    ['GET', `${at}/management/boot_device`],
    ['PUT', `${at}/management/inject_nmi`, {}],
    ['PUT', `${at}/management/inject_nmi`],
    ['GET', `${at}/management/indicators`],
    ['GET', `${at}/management/indicators/system`],
    ['GET', `${at}/management/indicators/system/led`],
    ['GET', `${at}/management/indicators/chassis/led-0`],
    ['GET', `${at}/management/indicators/nosuch`],
    ['PUT', `${at}/management/indicators/system/led`, { state: 'on' }],
    ['PUT', `${at}/management/indicators/chassis/led-0`, { state: 'ON' }],
    ['GET', `${at}/states/console`],
    ['PUT', `${at}/states/console`, { enabled: true }],
    ['GET', `${at}/states/console`],
    ['PUT', `${at}/states/console`, { enabled: 'false' }],
    ['PUT', `${at}/states/console`, { enabled: 'maybe' }],
    ['PUT', `${at}/states/console`, {}],
    ['GET', `${bare}/states/console`],
    ['PUT', `${bare}/states/console`, { enabled: true }],
    ['GET', `${at}/bios`],
    ['GET', `${at}/bios?detail=true`],
    ['GET', `${at}/bios?fields=name`],
    ['GET', `${at}/bios/virtualization`],
    ['GET', `${bare}/bios`],
    ['PUT', `${at}/states/raid`, { logical_disks: [{ size_gb: 50, raid_level: '1' }] }],
    ['GET', `${at}/states`],
    ['PUT', `${at}/states/raid`, { logical_disks: [{ size_gb: 'MAX', raid_level: '5', is_root_volume: true }] }],
    ['PUT', `${at}/states/raid`, { logical_disks: [{ size_gb: 50, raid_level: 'nosuch' }] }],
    ['PUT', `${at}/states/raid`, { logical_disks: [{ raid_level: '1' }] }],
    ['PUT', `${at}/states/raid`, { logical_disks: [] }],
    ['PUT', `${at}/states/raid`, { nosuch: 1 }],
    ['PUT', `${at}/states/raid`, {}],
    ['PUT', `${bare}/states/raid`, { logical_disks: [{ size_gb: 50, raid_level: '1' }] }],
    ['PUT', `${bare}/states/raid`, {}],
    ['PUT', `${at}/states/raid`, { logical_disks: [{ size_gb: 50, raid_level: '1', physical_disks: ['a', 'b'] }] }],
    [
      'PUT',
      `${at}/states/raid`,
      { logical_disks: [1, 2].map(() => ({ size_gb: 50, raid_level: '1', is_root_volume: true })) },
    ],
    ['PUT', `${at}/management/boot_device`, { boot_device: 'pxe', persistent: null }],
    ['GET', `${at}/states/raid`],
    ['PUT', `${at}/states/boot_mode`, { target: 'uefi' }],
    ['PUT', `${at}/states/boot_mode`, { target: 'nosuch' }],
    ['PUT', `${at}/states/boot_mode`, {}],
    ['PUT', `${at}/states/secure_boot`, { target: true }],
    ['PUT', `${at}/states/secure_boot`, { target: 'x' }],
    ['GET', `${at}/inventory`],
    ['GET', `/v1/nodes/validate?node=${s.id('n')}`],
    ['GET', `/v1/nodes/validate?node=${s.id('bare')}`],
  ]);
  // Traits of the instance have to be traits of the node.
  for (const traits of [['CUSTOM_A'], 'x', [], ''])
    await s.all([
      ['PATCH', bare, [{ op: 'add', path: '/instance_info', value: { traits } }]],
      ['GET', `${bare}/validate`],
    ]);
  await s.rest('n');
  await s.send('GET', at);
}

export async function history(s: Side): Promise<void> {
  await s.node('n');
  const at = `/v1/nodes/${s.id('n')}/history`;
  await s.send('GET', at);
  await s.bring('n', 'manageable');
  await s.prepare('PUT', `/v1/nodes/${s.id('n')}/states/provision`, { target: 'adopt' });
  await s.rest('n');
  await s.all([
    ['GET', `${at}?detail=true`],
    ['GET', `${at}?limit=1`],
    ['GET', `${at}?marker=x`],
    ['GET', `${at}?nosuch=1`],
    ['GET', `${at}/${s.id('nosuch')}`],
    ['GET', '/v1/nodes/nosuch/history'],
    ['POST', at, {}],
  ]);
}
