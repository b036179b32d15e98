/** Every operation of the specification and its handler: one without the other does not compile. */
import type { operations } from '@bessemer/api-spec/types';
import type { Handler } from '../request.ts';
import * as allocations from './allocations.ts';
import { bulk } from './bulk.ts';
import * as chassis from './chassis.ts';
import * as drivers from './drivers.ts';
import { postEvents, streamEvents } from './events.ts';
import { getTimeline, getWhy, listUnknownMachines } from './insight.ts';
import * as devices from './node-devices.ts';
import * as facts from './node-facts.ts';
import * as reads from './node-reads.ts';
import * as states from './node-states.ts';
import * as vifs from './node-vifs.ts';
import * as nodes from './nodes.ts';
import * as plans from './plans.ts';
import * as ports from './ports.ts';
import * as ramdisk from './ramdisk.ts';
import { getHealth, getRoot, getV1 } from './root.ts';
import * as tokens from './tokens.ts';
import * as traits from './traits.ts';
import * as volume from './volume.ts';
import * as webhooks from './webhooks.ts';

/** `getMetrics` is the app's own: it reads the app's counters. */
export type OperationId = Exclude<keyof operations, 'getMetrics'>;

const { driverNotFound: _noDriver, driverUnknown: _unknownDriver, ...driverHandlers } = drivers;
const { checkTrait: _check, ...traitHandlers } = traits;

export const HANDLERS: Readonly<Record<OperationId, Handler>> = {
  getRoot,
  getV1,
  getHealth,
  ...ramdisk,
  ...reads,
  ...nodes,
  ...states,
  ...devices,
  ...facts,
  ...vifs,
  ...ports,
  ...chassis,
  ...volume,
  ...plans,
  ...allocations,
  ...traitHandlers,
  ...driverHandlers,
  getTimeline,
  getWhy,
  listUnknownMachines,
  postEvents,
  streamEvents,
  bulk,
  ...tokens,
  ...webhooks,
};
