/** Implementations without hardware: whole life cycles in tests, demonstrations and clients' test suites, with delays and failures on order. */
import type { Clock } from '@bessemer/ports';
import type { HardwareInterfaces } from '../interfaces.ts';
import { createFakeBios } from './bios.ts';
import { createFakeBoot } from './boot.ts';
import { createFakeDeploy } from './deploy.ts';
import { createFakeFirmware } from './firmware.ts';
import { createFakeInspect } from './inspect.ts';
import { createFakeManagement } from './management.ts';
import { createFakePassive } from './passive.ts';
import { createFakePower } from './power.ts';
import { createPretence } from './pretence.ts';
import { createFakeRaid } from './raid.ts';
import { createFakeRescue } from './rescue.ts';
import { createFakeConsole } from './switches.ts';
import { createFakeVendor } from './vendor.ts';

/** One pretended implementation of every kind. They share what they are told of delays and failures. */
export function createFakes(clock: Clock): HardwareInterfaces {
  const pretence = createPretence(clock);
  return {
    bios: createFakeBios(pretence),
    boot: createFakeBoot(pretence),
    console: createFakeConsole(pretence),
    deploy: createFakeDeploy(pretence),
    firmware: createFakeFirmware(pretence),
    inspect: createFakeInspect(pretence),
    management: createFakeManagement(pretence),
    network: createFakePassive(pretence, 'network'),
    power: createFakePower(pretence, clock),
    raid: createFakeRaid(pretence),
    rescue: createFakeRescue(pretence),
    storage: createFakePassive(pretence, 'storage'),
    vendor: createFakeVendor(pretence),
  };
}
