/** Every operation of the specification and its handler: one without the other does not compile. */
import type { operations } from '@bessemer/api-spec/types';
import type { Handler } from '../request.ts';
import { bulk } from './bulk.ts';
import * as chassis from './chassis.ts';
import * as drivers from './drivers.ts';
import { streamEvents } from './events.ts';
import { getTimeline, getWhy, listUnknownMachines } from './insight.ts';
import * as states from './node-states.ts';
import * as nodes from './nodes.ts';
import * as ports from './ports.ts';
import { getHealth, getRoot, getV1 } from './root.ts';
import * as webhooks from './webhooks.ts';

/** `getMetrics` is the app's own: it reads the app's counters. */
export type OperationId = Exclude<keyof operations, 'getMetrics'>;

const { findNode: _find, nodeNotFound: _notFound, ...nodeHandlers } = nodes;

export const HANDLERS: Readonly<Record<OperationId, Handler>> = {
  getRoot,
  getV1,
  getHealth,
  ...nodeHandlers,
  ...states,
  ...ports,
  ...chassis,
  ...drivers,
  getTimeline,
  getWhy,
  listUnknownMachines,
  streamEvents,
  bulk,
  ...webhooks,
};
