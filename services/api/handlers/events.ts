/** The event stream: server-sent events that resume at Last-Event-ID, so that each event is seen exactly once. */
import {
  formatTime,
  isSeverity,
  matchEventTypes,
  ServiceError,
  SEVERITIES,
  severitiesFrom,
  type StoredEvent,
} from '@bessemer/core';
import type { Db, EventFilter } from '@bessemer/db';
import { expand } from '@bessemer/node-range';
import type { Clock } from '@bessemer/ports';
import { booleanParameter } from '../http/query.ts';
import { type ApiRequest, type ApiServices, type Handler, noContent } from '../request.ts';
import { macOf, uuidOf } from '../resources/resource.ts';
import { findNode } from './find-node.ts';

const BATCH = 500;
/** A comment this often keeps proxies from closing a quiet stream; it also finds events whose bell was lost. */
const HEARTBEAT_MS = 5_000;

function frame(event: StoredEvent): string {
  const data = {
    type: event.type,
    node_uuid: event.nodeUuid,
    run_id: event.runId,
    severity: event.severity,
    at: formatTime(event.at),
    data: event.data,
  };
  return `id: ${event.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Chunks of the stream, from the event after `after` on; ends when `signal` aborts, or at the last event unless `follow`. */
async function* chunks(options: {
  db: Db;
  clock: Clock;
  filter: EventFilter;
  after: string | undefined;
  follow: boolean;
  signal: AbortSignal;
}): AsyncGenerator<string> {
  const { db, clock, filter, follow, signal } = options;
  let after = options.after;
  let wake: () => void = () => {};
  let rung = false;
  const ring = () => {
    rung = true;
    wake();
  };
  const unsubscribe = db.onEvents(ring);
  signal.addEventListener('abort', ring);
  try {
    yield ': bessemer\n\n';
    while (!signal.aborted) {
      rung = false;
      const events = await db.read.events.listAfter(after, filter, BATCH);
      for (const event of events) {
        after = event.cursor;
        yield frame(event);
      }
      if (events.length === BATCH) continue;
      if (!follow) return;
      if (rung) continue;
      const isQuiet = await new Promise<boolean>((resolve) => {
        const timer = clock.setTimer(HEARTBEAT_MS, () => resolve(true), { background: true });
        wake = () => {
          timer.cancel();
          resolve(false);
        };
      });
      wake = () => {};
      if (isQuiet) yield ': quiet\n\n';
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', ring);
  }
}

const list = (text: string) => text.split(',').filter((part) => part !== '');

/** Types and patterns of types, separated by commas. */
function typesOf(text: string | null): EventFilter {
  if (text === null) return {};
  const matched = matchEventTypes(list(text));
  if (!matched.ok) throw new ServiceError('INVALID_PARAMETER', matched.error);
  return { types: matched.types };
}

function severitiesOf(text: string | null): EventFilter {
  if (text === null) return {};
  if (!isSeverity(text))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `severity is one of ${SEVERITIES.join(', ')}, not "${text.slice(0, 40)}".`,
    );
  return { severities: severitiesFrom(text) };
}

/** One node must be there; of a range those that are there, and those that come. */
async function nodesOf(text: string | null, request: ApiRequest, services: ApiServices): Promise<EventFilter> {
  if (!text) return {};
  const range = expand(text);
  if (!range.ok)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `node is no node range: ${range.error.message}, at character ${range.error.at + 1}`,
    );
  const [only, ...others] = range.names;
  if (only === undefined || others.length > 0) return { nodes: range.names };
  return { nodeUuid: (await findNode(request, only, services)).uuid };
}

export const streamEvents: Handler = async (request, services) => {
  const { query } = request;
  const run = query.get('run');
  const filter: EventFilter = {
    ...typesOf(query.get('type')),
    ...severitiesOf(query.get('severity')),
    ...(await nodesOf(query.get('node'), request, services)),
    ...(run ? { runId: run } : {}),
  };
  const asked = request.header('last-event-id') ?? query.get('after') ?? undefined;
  const after = asked === 'now' ? await services.db.read.events.head() : asked;
  // A bad cursor is refused before the stream begins.
  if (after !== undefined) await services.db.read.events.listAfter(after, filter, 1);
  const follow = booleanParameter(query, 'follow') ?? true;
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    },
    stream: chunks({ db: services.db, clock: services.clock, filter, after, follow, signal: request.signal }),
  };
};

/** Events of a network service: ports are bound by hand here, so they are checked, and that is all. */
export const postEvents: Handler = async (request) => {
  const { events } = request.body as { events: Array<Record<string, string | null>> };
  for (const event of events) {
    for (const name of ['port_id', 'device_id', 'binding:host_id'])
      if (typeof event[name] === 'string') uuidOf(name, event[name]);
    macOf('mac_address', event['mac_address']!);
  }
  return noContent;
};
