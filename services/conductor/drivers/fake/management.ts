/** A boot order without a machine, remembered in this process. */
import { ServiceError } from '@bessemer/core';
import type { ManagementInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties } from './pretence.ts';
import { createFakeIndicators, createFakeVirtualMedia, fakeFirmwareBoot } from './switches.ts';

const SUPPORTED = ['pxe', 'disk', 'cdrom'];

export function createFakeManagement(pretence: Pretence): ManagementInterface {
  const devices = new Map<string, { device: string; isPersistent: boolean }>();
  const controls = {
    firmwareBoot: fakeFirmwareBoot,
    indicators: createFakeIndicators(),
    virtualMedia: createFakeVirtualMedia(),
  };
  return {
    ...controls,
    properties: pretendedProperties('management'),
    validate: (task) => pretence.check(task.node, 'management'),
    supportedBootDevices: () => SUPPORTED,
    async getBootDevice(task) {
      await pretence.call(task.node, 'management', 'get_boot_device');
      return devices.get(task.node.uuid) ?? { device: 'pxe', isPersistent: false };
    },
    async setBootDevice(task, device, isPersistent) {
      await task.checkMayOrder();
      await pretence.call(task.node, 'management', 'set_boot_device');
      if (!SUPPORTED.includes(device))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Invalid boot device ${device} specified; it can be ${SUPPORTED.join(', ')}.`,
        );
      devices.set(task.node.uuid, { device, isPersistent });
    },
    async injectNmi(task) {
      await task.checkMayOrder();
      await pretence.call(task.node, 'management', 'inject_nmi');
    },
  };
}
