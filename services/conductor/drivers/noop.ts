/** Implementations that say "there is none" (`no-*`) or "nothing to do" (`noop`, `flat`), by Ironic's names. */
import type { InterfaceKind } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { InspectInterface, ManagementInterface, PassiveInterface, RescueInterface } from './interfaces.ts';

const unsupported = (driver: string, kind: InterfaceKind): ServiceError =>
  new ServiceError(
    'UNSUPPORTED_DRIVER_EXTENSION',
    `Driver ${driver} does not support ${kind} (disabled or not implemented).`,
  );

/** `no-bios`, `no-console` ...: validating says that the node has none. */
export function createNoInterface(kind: InterfaceKind): PassiveInterface {
  return {
    properties: {},
    validate(task) {
      throw unsupported(task.node.driver, kind);
    },
  };
}

/** `noop` and `flat`: nothing to be done, which is fine. */
export const noopPassive: PassiveInterface = { properties: {}, validate() {} };

export const noInspect: InspectInterface = {
  ...createNoInterface('inspect'),
  planInspect(task) {
    throw unsupported(task.node.driver, 'inspect');
  },
};

const refuseRescue = (task: Parameters<RescueInterface['planRescue']>[0]): never => {
  throw unsupported(task.node.driver, 'rescue');
};
export const noRescue: RescueInterface = {
  ...createNoInterface('rescue'),
  planRescue: refuseRescue,
  planUnrescue: refuseRescue,
};

/** No boot order to set: a person, or the firmware's fixed order, does it. */
export const noopManagement: ManagementInterface = {
  properties: {},
  validate() {},
  supportedBootDevices: () => [],
  getBootDevice: async () => ({ device: null, isPersistent: null }),
  async setBootDevice() {},
  async injectNmi(task) {
    throw unsupported(task.node.driver, 'management');
  },
};
