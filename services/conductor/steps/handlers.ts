/** The code of every conductor's step. */
import type { ImageDepot } from '../ports.ts';
import { bootDisk, bootRamdisk } from './boot.ts';
import type { ConductorStepName } from './catalogue.ts';
import { createFetchConfigDrive, createFinish, prepareImage, storeInventory, tearDown, validate } from './deploy.ts';
import { hold, wait } from './pauses.ts';
import { adopt, changePower, powerOff, powerOn, reboot, reset, verify } from './power.ts';
import type { StepHandler } from './step.ts';
import { configure, waitSsh } from './system.ts';

export const createStepHandlers = (depot: ImageDepot): Readonly<Record<ConductorStepName, StepHandler>> => ({
  verify,
  fetch_config_drive: createFetchConfigDrive(depot),
  validate,
  prepare_image: prepareImage,
  boot_ramdisk: bootRamdisk,
  boot_disk: bootDisk,
  wait_ssh: waitSsh,
  configure,
  finish: createFinish(depot),
  power_off: powerOff,
  change_power: changePower,
  reset,
  tear_down: tearDown,
  store_inventory: storeInventory,
  adopt,
  power_on: powerOn,
  reboot,
  hold,
  wait,
});
