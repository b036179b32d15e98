/** Implementations without hardware: whole life cycles in tests, demonstrations and clients' test suites, with delays and failures on order. */
import type { DriverProperty, Node, PowerState } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import { createFakeIndicators, createFakeVirtualMedia, fakeFirmwareBoot } from './fake/switches.ts';
import { conductorSegment, conductorStep } from '../steps/catalogue.ts';
import type {
  BootInterface,
  DeployInterface,
  InspectInterface,
  ManagementInterface,
  PassiveInterface,
  PowerInterface,
} from './interfaces.ts';

const property = (description: string): DriverProperty => ({ description, required: false, secret: false });

const DELAY = { fake_delay_ms: property('How long each pretended step takes, in milliseconds.') };
const FAIL = {
  fake_fail_step: property(
    'Name of what fails: a pretended step (fake_write_image, fake_clean ...), get_power_state or set_power_state.',
  ),
};

/** Non-negative milliseconds from a driver_info property; absent is 0. @throws INVALID_PARAMETER. */
function delayOf(node: Node, name: string): number {
  const value = node.driverInfo[name] ?? 0;
  const ms = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `driver_info/${name} must be a number of milliseconds, not ${JSON.stringify(value)}.`,
    );
  return ms;
}

export const fakePassive: PassiveInterface = { properties: {}, validate() {} };

/**
 * A power button without a machine. It remembers what it was told in this process; a node never told is in the state that its row
 * says, `power off` when it says none. `fake_power_delay_ms` makes the state lag as real BMCs' states do.
 */
export function createFakePower(clock: Clock): PowerInterface {
  const told = new Map<string, { state: PowerState; before: PowerState; atMs: number }>();
  const failIfTold = (node: Node, what: string): void => {
    if (node.driverInfo['fake_fail_step'] === what)
      throw new ServiceError('BMC_FAILURE', `The fake BMC was told to fail at ${what} (driver_info/fake_fail_step).`);
  };
  const stateOf = (node: Node): PowerState => {
    const last = told.get(node.uuid);
    if (!last) return node.powerState ?? 'power off';
    return clock.monotonicMs() >= last.atMs ? last.state : last.before;
  };
  const turn = (node: Node, state: PowerState): void => {
    const before = stateOf(node);
    told.set(node.uuid, { state, before, atMs: clock.monotonicMs() + delayOf(node, 'fake_power_delay_ms') });
  };
  return {
    properties: {
      ...FAIL,
      fake_power_delay_ms: property('How long the power state lags behind an order, in milliseconds.'),
    },
    validate: (task) => void delayOf(task.node, 'fake_power_delay_ms'),
    async getPowerState(task) {
      failIfTold(task.node, 'get_power_state');
      return stateOf(task.node);
    },
    async setPowerState(task, target) {
      task.checkMayOrder();
      failIfTold(task.node, 'set_power_state');
      turn(task.node, target === 'power on' ? 'power on' : 'power off');
    },
    async reboot(task) {
      task.checkMayOrder();
      failIfTold(task.node, 'set_power_state');
      turn(task.node, 'power on');
    },
    supportedPowerStates: () => ['power on', 'power off', 'rebooting', 'soft rebooting', 'soft power off'],
  };
}

/** A boot order without a machine, remembered in this process. */
export function createFakeManagement(): ManagementInterface {
  const controls = {
    firmwareBoot: fakeFirmwareBoot,
    indicators: createFakeIndicators(),
    virtualMedia: createFakeVirtualMedia(),
  };
  const devices = new Map<string, { device: string; isPersistent: boolean }>();
  const supported = ['pxe', 'disk', 'cdrom'];
  return {
    ...controls,
    properties: {},
    validate() {},
    supportedBootDevices: () => supported,
    getBootDevice: async (task) => devices.get(task.node.uuid) ?? { device: 'pxe', isPersistent: false },
    async setBootDevice(task, device, isPersistent) {
      task.checkMayOrder();
      if (!supported.includes(device))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Invalid boot device ${device} specified; it can be ${supported.join(', ')}.`,
        );
      devices.set(task.node.uuid, { device, isPersistent });
    },
    async injectNmi(task) {
      task.checkMayOrder();
    },
  };
}

export const fakeBoot: BootInterface = {
  properties: {},
  validate() {},
  ramdiskBoot: () => ({ device: 'pxe', isPersistent: false }),
  diskBoot: () => ({ device: 'disk', isPersistent: true }),
};

const fakeStep = (name: string) => conductorStep('fake', { name });

/** Deploys nothing, in the order of the real thing. */
export const fakeDeploy: DeployInterface = {
  properties: { ...DELAY, ...FAIL },
  validate: (task) => void delayOf(task.node, 'fake_delay_ms'),
  planDeploy: (_task, input) => [
    conductorSegment(
      conductorStep('validate'),
      fakeStep('fake_boot_ramdisk'),
      fakeStep('fake_write_image'),
      conductorStep('boot_disk'),
      ...(input['configure'] ? [conductorStep('configure')] : []),
      conductorStep('finish'),
    ),
  ],
  planTearDown: () => [conductorSegment(conductorStep('power_off'), conductorStep('tear_down'))],
  planClean(_task, steps) {
    const names = steps ? steps.map((step) => `fake_${String(step['step'])}`) : ['fake_clean'];
    return [conductorSegment(...names.map(fakeStep), conductorStep('power_off'))];
  },
};

export const fakeInspect: InspectInterface = {
  properties: {},
  validate() {},
  planInspect: () => [conductorSegment(fakeStep('fake_inspect'))],
};
