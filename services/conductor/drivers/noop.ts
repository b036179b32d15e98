/** Implementations that say "there is none" (`no-*`) or "nothing to do" (`noop`, `flat`), by Ironic's names. */
import type { InterfaceKind } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type {
  ConsoleInterface,
  DriverTask,
  InspectInterface,
  ManagementInterface,
  PassiveInterface,
  RescueInterface,
  VendorInterface,
} from './interfaces.ts';

/** What Ironic says when a driver has no such thing; `what` is an interface kind or a method. */
export const unsupported = (driver: string, what: InterfaceKind | string): ServiceError =>
  new ServiceError(
    'UNSUPPORTED_DRIVER_EXTENSION',
    `Driver ${driver} does not support ${what} (disabled or not implemented).`,
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

const FIXED_ORDER = ['pxe', 'disk'];
/** No boot order to set: the firmware's own is fixed, first the network, then the disk. Whatever of the two is asked for has been done. */
export const noopManagement: ManagementInterface = {
  properties: {},
  validate() {},
  supportedBootDevices: () => FIXED_ORDER,
  getBootDevice: async () => ({ device: 'pxe', isPersistent: true }),
  async setBootDevice(task, device) {
    await task.checkMayOrder();
    if (!FIXED_ORDER.includes(device))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Invalid boot device ${device} specified, supported are ${FIXED_ORDER.join(', ')}.`,
      );
  },
  async injectNmi(task) {
    throw unsupported(task.node.driver, 'inject_nmi');
  },
};

const noConsoleCall = async (task: DriverTask): Promise<never> => {
  throw unsupported(task.node.driver, 'console');
};
export const noConsole: ConsoleInterface = {
  ...createNoInterface('console'),
  start: noConsoleCall,
  stop: noConsoleCall,
  get: noConsoleCall,
};

export const noVendor: VendorInterface = { ...createNoInterface('vendor'), methods: {} };
