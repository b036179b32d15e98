/** What is known of a node besides its row: BIOS settings, firmware, history, children. */
import { createHash } from 'node:crypto';
import {
  formatTime,
  isUuid,
  type Json,
  type JsonObject,
  type Node,
  ServiceError,
  type StoredEvent,
} from '@bessemer/core';
import { booleanParameter, fieldsOf, pageOf } from '../http/query.ts';
import { type ApiRequest, type ApiServices, type Handler, ok } from '../request.ts';
import { collection, linksTo } from '../views/links.ts';
import { stateName } from '../views/node.ts';
import { findNode } from './find-node.ts';

const located = (request: ApiRequest, services: ApiServices): Promise<Node> =>
  findNode(request, request.params['node']!, services);

const REGISTRY_SINCE = 74;
const BIOS_FIELDS = ['name', 'value'];
const BIOS_REGISTRY_FIELDS = [
  ...BIOS_FIELDS,
  'attribute_type',
  'allowable_values',
  'lower_bound',
  'max_length',
  'min_length',
  'read_only',
  'reset_required',
  'unique',
  'upper_bound',
];
const biosTable = {
  summary: BIOS_FIELDS,
  all: [...BIOS_REGISTRY_FIELDS, 'created_at', 'updated_at'],
  since: (field: string) => (BIOS_FIELDS.includes(field) || field.endsWith('_at') ? 40 : REGISTRY_SINCE),
};

const biosView = (base: string, ident: string, setting: JsonObject, fields: readonly string[]): JsonObject => ({
  created_at: setting['created_at'] ?? null,
  updated_at: setting['updated_at'] ?? null,
  ...Object.fromEntries(fields.map((name) => [name, setting[name] ?? (name === 'allowable_values' ? [] : null)])),
  links: linksTo(base, `nodes/${ident}/bios/${String(setting['name'])}`),
});

export const listBiosSettings: Handler = async (request, services) => {
  const node = await located(request, services);
  const { fields } = fieldsOf(request.query, false, biosTable, request.minor);
  const found = (await services.db.read.nodes.getDocument(node.uuid, 'bios')) ?? {};
  const bios = Object.values(found).map((setting) =>
    biosView(request.base, request.params['node']!, setting as JsonObject, fields),
  );
  return ok({ bios });
};

export const getBiosSetting: Handler = async (request, services) => {
  const node = await located(request, services);
  const name = request.params['setting']!;
  const found = (await services.db.read.nodes.getDocument(node.uuid, 'bios')) ?? {};
  if (!Object.hasOwn(found, name))
    throw new ServiceError('NOT_FOUND', `Node ${node.uuid} doesn't have a BIOS setting '${name}'`);
  const fields = request.minor >= REGISTRY_SINCE ? BIOS_REGISTRY_FIELDS : BIOS_FIELDS;
  return ok({ [name]: biosView(request.base, node.uuid, found[name] as JsonObject, fields) });
};

const FIRMWARE_IDENTITY = ['vendor', 'model', 'serial_number'];
const FIRMWARE_FIELDS = ['component', 'initial_version', 'current_version', 'last_version_flashed'];
const firmwareTable = {
  summary: [...FIRMWARE_FIELDS, ...FIRMWARE_IDENTITY],
  all: [...FIRMWARE_FIELDS, ...FIRMWARE_IDENTITY, 'created_at', 'updated_at'],
  since: (field: string) => (FIRMWARE_IDENTITY.includes(field) ? 114 : 86),
};

export const listFirmware: Handler = async (request, services) => {
  const node = await located(request, services);
  const { fields } = fieldsOf(request.query, false, firmwareTable, request.minor);
  const found = (await services.db.read.nodes.getDocument(node.uuid, 'firmware')) ?? {};
  const firmware = Object.values(found).map((component) => ({
    created_at: (component as JsonObject)['created_at'] ?? null,
    updated_at: (component as JsonObject)['updated_at'] ?? null,
    ...Object.fromEntries(fields.map((name) => [name, (component as JsonObject)[name] ?? null])),
  }));
  return ok({ firmware });
};

export const listChildren: Handler = async (request, services) => {
  const node = await located(request, services);
  const children = await services.db.read.nodes.listRows(['uuid'], { parentNode: node.uuid }, { limit: 1000 });
  return ok({
    children: children.map((row) => String(row['uuid'])),
    // One, where others are a list: so it is in Ironic.
    links: { href: `${request.base}/v1/nodes?parent_node=${node.uuid}`, rel: 'children' },
  });
};

/** The history shows what went wrong, from the events that are kept; the event stream has the rest. */
const HISTORY_KEPT = 10_000;
const SHORT_EVENT = 255;
/** Ironic's words for what was done when it went wrong. */
const EVENT_TYPE: Readonly<Record<string, string>> = {
  clean: 'cleaning',
  deploy: 'deploying',
  rebuild: 'deploying',
  delete: 'unprovisioning',
  inspect: 'introspection',
  manage: 'verifying',
  provide: 'cleaning',
  adopt: 'adoption',
  rescue: 'rescuing',
  unrescue: 'unrescuing',
  service: 'servicing',
  power: 'power',
};

/** Stable for an event, as its cursor is. */
function historyUuid(event: StoredEvent): string {
  const hex = createHash('sha256').update(`${event.nodeUuid}/${event.cursor}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Provisioning that failed tells it with the state; work that has no state of its own tells it when it ends, and a power order
 * beside other work with the power state.
 */
const isHistory = ({ type, data }: StoredEvent): boolean =>
  typeof data['error'] === 'string' &&
  (type === 'node.provision_state' ||
    type === 'node.power_state' ||
    (type === 'run.finished' && ['power', 'configure'].includes(String(data['verb']))));

async function historyOf(node: Node, services: ApiServices): Promise<StoredEvent[]> {
  const types = ['node.provision_state', 'node.power_state', 'run.finished'];
  const events = await services.db.read.events.listLast({ nodeUuid: node.uuid, types }, HISTORY_KEPT);
  return events.filter(isHistory);
}

function shortEntry(request: ApiRequest, node: Node, event: StoredEvent): JsonObject {
  const uuid = historyUuid(event);
  const text = String(event.data['error']);
  return {
    uuid,
    created_at: formatTime(event.at),
    severity: 'ERROR',
    event: text.length > SHORT_EVENT ? `${text.slice(0, SHORT_EVENT - 4)}...` : text,
    links: [{ href: `${request.base}/v1/nodes/${node.uuid}/history/${uuid}`, rel: 'self' }],
  };
}

async function fullEntry(
  request: ApiRequest,
  services: ApiServices,
  node: Node,
  event: StoredEvent,
): Promise<JsonObject> {
  const { minor } = request;
  const run = event.runId === null ? undefined : await services.db.read.runs.get(event.runId);
  const session = run?.owner ? await services.db.read.conductors.get(run.owner) : undefined;
  const state = event.type === 'node.provision_state' ? event.data['to'] : undefined;
  const verb = event.type === 'node.power_state' ? 'power' : (run?.verb ?? '');
  return {
    ...shortEntry(request, node, event),
    event: String(event.data['error']),
    event_type: EVENT_TYPE[verb] ?? 'provisioning',
    conductor: session?.hostname ?? null,
    user: null,
    ...(minor >= 113 ? { project: null } : {}),
    ...(minor >= 115
      ? {
          state: typeof state === 'string' ? stateName(state as Node['provisionState'], minor) : null,
          target_provision_state: (event.data['target'] as Json) ?? null,
          duration_seconds: run ? Math.round((event.at - run.createdAt) / 1000) : null,
        }
      : {}),
  };
}

export const listHistory: Handler = async (request, services) => {
  const node = await located(request, services);
  const { query } = request;
  const page = pageOf(query, services.config.max_limit, ['created_at', 'uuid', 'severity']);
  if (page.marker !== undefined && !isUuid(page.marker))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for marker: ${page.marker.slice(0, 60)}`);
  const all = await historyOf(node, services);
  if (page.sortDir === 'desc') all.reverse();
  const at = page.marker === undefined ? -1 : all.findIndex((event) => historyUuid(event) === page.marker);
  if (page.marker !== undefined && at < 0)
    throw new ServiceError('NOT_FOUND', `Node history record ${page.marker} could not be found.`);
  const found = all.slice(at + 1, at + 1 + page.limit);
  const isDetail = booleanParameter(query, 'detail') ?? false;
  const items = await Promise.all(
    found.map((event) => (isDetail ? fullEntry(request, services, node, event) : shortEntry(request, node, event))),
  );
  const last = found.at(-1);
  return ok(
    collection('history', items, {
      base: request.base,
      path: `nodes/${request.params['node']}/history`,
      limit: page.limit,
      query,
      marker: last && historyUuid(last),
    }),
  );
};

export const getHistoryEntry: Handler = async (request, services) => {
  const node = await located(request, services);
  const wanted = request.params['entry']!;
  const event = (await historyOf(node, services)).find((e) => historyUuid(e) === wanted.toLowerCase());
  if (!event) throw new ServiceError('NOT_FOUND', `Node history record ${wanted} could not be found.`);
  return ok(await fullEntry(request, services, node, event));
};
