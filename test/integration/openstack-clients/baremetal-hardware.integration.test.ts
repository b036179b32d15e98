/** Debian's `baremetal`: power, boot, console and what else a machine has. */
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { among, type Baremetal, createBaremetal, refused, row } from './baremetal.ts';
import { type ClientWorld, NOBODY, startClientWorld, VIF } from './world.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const PORT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';

let world: ClientWorld;
let baremetal: Baremetal;
beforeAll(async () => {
  world = await startClientWorld();
  baremetal = createBaremetal(world);
});
afterAll(() => world.stop());

/** Polls, as the client has no way to wait for power. */
const isPower = (state: string) =>
  expect
    .poll(() => baremetal.read('node show machine --fields power_state target_power_state'), { timeout: 30_000 })
    .toEqual({ power_state: state, target_power_state: null });

it('power is turned on and off, hard and soft', async () => {
  await baremetal.run([row(`node create --driver fake-hardware --uuid ${NODE} --name machine`, { power_state: null })]);
  for (const [command, state] of [
    ['node power on machine --power-timeout 5', 'power on'],
    ['node power off machine', 'power off'],
    ['node reboot machine', 'power on'],
    ['node reboot --soft machine --power-timeout 20', 'power on'],
    ['node power off --soft --power-timeout 20 machine', 'power off'],
  ] as const) {
    await baremetal.run([row(command)]);
    await isPower(state);
  }
  await baremetal.run([
    row('node power on nosuch', refused(404, 'Node nosuch could not be found.')),
    row('node power off nosuch', refused(404, 'Node nosuch could not be found.')),
    row('node reboot nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
});

it('boot device, boot mode and secure boot are set', async () => {
  await baremetal.run([
    row('node boot device set machine pxe --persistent'),
    row('node boot device show machine', { boot_device: 'pxe', persistent: true }),
    row('node boot device set machine disk'),
    row('node boot device show machine', { boot_device: 'disk', persistent: false }),
    row('node boot device show --supported machine', { supported_boot_devices: expect.stringContaining('disk') }),
    row('node boot device set machine safe', refused(400, /safe/)),
    row('node boot device show nosuch', refused(404, 'Node nosuch could not be found.')),
    row('node boot mode set machine uefi'),
    row('node boot mode set nosuch bios', refused(404, 'Node nosuch could not be found.')),
    row('node secure boot on machine'),
    row('node secure boot off machine'),
    row('node inject nmi machine'),
    row('node inject nmi nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
  await expect
    .poll(() => baremetal.read('node show machine --fields boot_mode secure_boot'), { timeout: 30_000 })
    .toEqual({ boot_mode: 'uefi', secure_boot: false });
});

it('the console is enabled, shown and disabled', async () => {
  await baremetal.run([
    row('node console show machine', { console_enabled: false }),
    row('node console enable machine'),
    row('node console show machine', { console_enabled: true }),
    row('node console disable machine'),
    row('node console show machine', { console_enabled: false }),
    row('node console enable nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
});

it('BIOS settings, firmware and history are listed', async () => {
  await baremetal.run([
    row('node bios setting list machine', []),
    row('node bios setting list --long machine', []),
    row('node bios setting list machine --fields name value', []),
    row('node bios setting list nosuch', refused(404, 'Node nosuch could not be found.')),
    row('node bios setting show machine virtualization', refused(404, "doesn't have a BIOS setting 'virtualization'")),
    row('node history list machine', []),
    row(`node history get machine ${NOBODY}`, refused(404, NOBODY)),
    row('node history list nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
  await baremetal.runKnown([row('node firmware list machine', [])]);
});

it('an inventory is saved', async () => {
  const file = join(world.folder, 'inventory.json');
  await baremetal.run([row('node manage machine --wait 60'), row('node inspect machine --wait 60')]);
  await baremetal.runKnown([row(`node inventory save machine --file ${file}`)]);
  if ('node inventory save' in (await world.clients.options()))
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('inventory');
});

it('a failure leaves a record in the history', async () => {
  const fire = ['node create --driver fake-hardware --name frail --driver-info', 'fake_power_fail=the BMC is on fire'];
  await baremetal.run([row(fire as [string, string]), row('node manage frail')]);
  await expect
    .poll(() => baremetal.read('node show frail --fields last_error provision_state'), { timeout: 30_000 })
    .toEqual({ last_error: expect.stringContaining('the BMC is on fire'), provision_state: 'enroll' });
  const [{ uuid: event }] = await baremetal.read('node history list frail');
  await baremetal.run([
    row(`node history get frail ${event}`, { event: expect.stringContaining('the BMC is on fire') }),
  ]);
  // Release 5.0.1 asks for a record named "detail", which Ironic has none of either.
  await baremetal.runOrTold(row('node history list --long frail'), 'Node history record detail could not be found.');
});

it('vendor methods of nodes and drivers are listed and called', async () => {
  await baremetal.run([
    row('node passthru list machine', among({ Name: 'second_method', Async: true })),
    row('node passthru call machine second_method --http-method POST --arg bar=kazoo'),
    row('node passthru call machine second_method --http-method POST', refused(400, "Parameter 'bar' not passed")),
    row('node passthru call machine nosuch', refused(400, 'No handler for method nosuch')),
    row('node passthru list nosuch', refused(404, 'Node nosuch could not be found.')),
    row('driver passthru list fake-hardware', []),
    row('driver passthru list nosuch', refused(404, 'nosuch')),
    row('driver passthru call fake-hardware nosuch', refused(400, 'No handler for method nosuch')),
    row(
      'driver passthru call fake-hardware nosuch --http-method POST --arg a=b',
      refused(400, 'No handler for method nosuch'),
    ),
  ]);
});

it('traits are added, listed and removed', async () => {
  await baremetal.run([
    row('node add trait machine CUSTOM_GOLD HW_CPU_X86_VMX', 'Added trait CUSTOM_GOLD'),
    row('node trait list machine', [{ Traits: 'CUSTOM_GOLD' }, { Traits: 'HW_CPU_X86_VMX' }]),
    row('node add trait machine bad', refused(400, "'bad' does not match '^CUSTOM_[A-Z0-9_]+$'")),
    row('node remove trait machine CUSTOM_GOLD'),
    row('node remove trait machine CUSTOM_NOSUCH', refused(404, "doesn't have a trait 'CUSTOM_NOSUCH'")),
    row('node remove trait machine --all'),
    row('node trait list machine', []),
    row('node trait list nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
  await baremetal.runKnown([
    row('node trait add machine CUSTOM_A CUSTOM_B', 'Added trait CUSTOM_A'),
    row('node trait remove machine CUSTOM_A', 'Removed trait CUSTOM_A'),
    row('node trait remove machine --all'),
  ]);
  await baremetal.run([row('node trait list machine', [])]);
});

it('VIFs are attached to ports and detached', async () => {
  const at = `--node ${NODE}`;
  await baremetal.run([
    // The network interface noop takes every VIF and remembers none; flat does.
    row(`node vif attach machine ${VIF}`),
    row('node vif list machine', []),
    row('node set machine --network-interface flat'),
    row(`node vif attach machine ${VIF}`, refused(400, 'port')),
    row(`port create 52:54:00:00:00:05 ${at} --uuid ${PORT}`),
    row(`node vif attach machine ${VIF}`),
    row('node vif list machine', [{ ID: VIF }]),
    row(`node vif attach machine ${VIF}`, refused(409, VIF)),
    row(`node vif detach machine ${VIF}`),
    row(`node vif detach machine ${VIF}`, refused(400, VIF)),
    row(`node vif attach machine ${VIF} --port-uuid ${PORT} --vif-info a=b`),
    row(`node vif detach machine ${VIF}`),
    row('node vif list machine', []),
    row(`node vif attach machine ${VIF} --port-uuid ${NOBODY}`, refused(400, 'not enough free physical ports')),
    row('node vif list nosuch', refused(404, 'Node nosuch could not be found.')),
  ]);
  await baremetal.run([row(`port group create ${at}`)]);
  const [{ uuid: group }] = await baremetal.read('port group list');
  await baremetal.run([row(`port set ${PORT} --port-group ${group}`)]);
  await baremetal.runKnown([
    row(`node vif attach machine ${VIF} --portgroup-uuid ${group}`),
    row(`node vif detach machine ${VIF}`),
  ]);
});

it('every command and option was run', async () => {
  expect(await baremetal.notRun('hardware')).toEqual([]);
});
