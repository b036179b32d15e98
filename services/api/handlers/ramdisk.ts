/**
 * The endpoints of Ironic's own deploy ramdisk. Anybody on the provisioning network could write to them, and no agent that this
 * service boots does: they are closed, as in an Ironic whose `enable_ramdisk_endpoints` is off.
 */
import { ServiceError } from '@bessemer/core';
import type { Handler } from '../request.ts';

const closed: Handler = async ({ operation }) => {
  throw new ServiceError(
    'FORBIDDEN',
    `Access was denied to the following resource: ${operation.path.replace('/{node}', '')}. The agent of this service has a channel of its own.`,
  );
};
export const lookup = closed;
export const heartbeat = closed;
export const continueInspection = closed;
