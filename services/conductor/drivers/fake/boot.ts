/** Boots that nobody makes. */
import { ServiceError } from '@bessemer/core';
import type { BootInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties } from './pretence.ts';

export function createFakeBoot(pretence: Pretence): BootInterface {
  const orderOf = (device: string, isPersistent: boolean): BootInterface['diskBoot'] => {
    return ({ node }) => {
      const message = pretence.failure(node, 'boot', `boot_${device}`);
      if (message !== null) throw new ServiceError('BMC_FAILURE', message);
      return { device, isPersistent };
    };
  };
  return {
    properties: pretendedProperties('boot'),
    validate: (task) => pretence.check(task.node, 'boot'),
    ramdiskBoot: orderOf('pxe', false),
    diskBoot: orderOf('disk', true),
  };
}
