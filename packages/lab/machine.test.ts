import type { BootOptions } from '@bessemer/ipmi/bmc';
import { silentLog } from '@bessemer/ports';
import { ManualClock, settle } from '@bessemer/ports/testing';
import { expect, test } from 'vitest';
import { machineSpec } from './daemon.ts';
import { createFakeQemu } from './fake-qemu.ts';
import { labConfig } from './lab.ts';
import { createMachine } from './machine.ts';

const pxe: BootOptions = { device: 'pxe', persistent: false, efi: false, valid: true };
const config = labConfig({ name: 'unit', stateDir: '/tmp/unit', nodes: [{ name: 'n1', firmware: 'bios' }] });

function setUp(options?: Parameters<typeof createFakeQemu>[0]) {
  const clock = new ManualClock();
  const qemu = createFakeQemu(options);
  const spec = machineSpec(config.nodes[0]!, 0);
  return { clock, qemu, machine: createMachine({ spec, launch: qemu.launch, clock, log: silentLog }) };
}

test('power on starts one QEMU, power off ends it, and both may be repeated', async () => {
  const { machine, qemu, clock } = setUp();
  expect(machine.getPower()).toBe('off');
  await machine.control('on');
  await machine.control('on');
  expect(machine.getPower()).toBe('on');
  await machine.control('off');
  await machine.control('off');
  expect(machine.getPower()).toBe('off');
  await machine.control('on');
  await machine.control('cycle');
  expect(qemu.starts).toHaveLength(3);
  expect(clock.pendingTimers).toBe(0);
});

test('a one-shot override set while off holds for the first boot only', async () => {
  const { machine, qemu } = setUp();
  await machine.setBootOptions(pxe);
  expect(await machine.getBootOptions()).toEqual(pxe);
  await machine.control('on');
  expect(await machine.getBootOptions()).toMatchObject({ valid: false });
  await machine.control('reset');
  await machine.control('cycle');
  expect(qemu.boots).toEqual(['nic0', 'disk0', 'disk0']);
});

test('a one-shot override set while on holds for the next reset only, the guest’s own included', async () => {
  const { machine, qemu } = setUp();
  await machine.control('on');
  await machine.setBootOptions(pxe);
  qemu.guestReset();
  await settle();
  qemu.guestReset();
  await settle();
  await machine.setBootOptions(pxe);
  await machine.control('reset');
  await machine.control('reset');
  expect(qemu.boots).toEqual(['disk0', 'nic0', 'disk0', 'nic0', 'disk0']);
  expect(machine.status()).toMatchObject({ starts: 1, resets: 4, nextBoot: 'disk' });
});

test('an override set right after a reset belongs to the reset after it', async () => {
  const { machine, qemu } = setUp();
  await machine.control('on');
  await Promise.all([machine.control('reset'), machine.setBootOptions(pxe)]);
  expect(await machine.getBootOptions()).toEqual(pxe);
  await machine.control('reset');
  expect(qemu.boots).toEqual(['disk0', 'disk0', 'nic0']);
});

test('a persistent override holds until it is taken back', async () => {
  const { machine, qemu } = setUp();
  await machine.setBootOptions({ ...pxe, persistent: true });
  await machine.control('on');
  await machine.control('reset');
  await machine.control('cycle');
  await machine.setBootOptions({ ...pxe, device: 'none', persistent: true });
  await machine.control('reset');
  expect(qemu.boots).toEqual(['nic0', 'nic0', 'nic0', 'disk0']);
});

test('a guest that powers off leaves the server off', async () => {
  const { machine, qemu } = setUp();
  await machine.control('on');
  qemu.guestPowerOff();
  await settle();
  expect(machine.getPower()).toBe('off');
  await expect(machine.control('reset')).rejects.toThrow('n1 is off');
});

test('the button and the diagnostic interrupt reach the guest', async () => {
  const { machine, qemu } = setUp();
  await machine.control('on');
  await machine.control('soft');
  await machine.control('diag');
  expect(qemu.commands.slice(-2)).toEqual(['system_powerdown', 'inject-nmi']);
});

test('a QEMU that does not start is an error with its last words, and the server is off', async () => {
  const { machine } = setUp({ failsToStart: 'exit code 1 (could not configure /dev/net/tun)' });
  await expect(machine.control('on')).rejects.toThrow(/n1 did not start: .*could not configure/);
  expect(machine.getPower()).toBe('off');
});

test('a QEMU that does not answer is an error after 30 s, and the plug can be pulled meanwhile', async () => {
  const { machine, qemu, clock } = setUp();
  await machine.control('on');
  qemu.hang();
  const first = machine.control('reset');
  const failed = expect(first).rejects.toThrow('no answer from QEMU within 30 s');
  await clock.advance(30_000);
  await failed;
  const second = expect(machine.control('reset')).rejects.toThrow('QEMU is gone');
  await settle();
  await machine.powerCut();
  await second;
  expect(machine.getPower()).toBe('off');
});
