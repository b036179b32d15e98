/** Nodes as they are read: lists and one of them. */
import { isProvisionState, isUuid, ServiceError } from '@bessemer/core';
import type { NodeFilter, NodeValues } from '@bessemer/db';
import { readConductors } from '../conductors.ts';
import { inPython } from '../http/python.ts';
import { booleanParameter, fieldsOf, pageOf, textParameter } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import { type ApiRequest, type ApiServices, type Handler, ok, okBytes, okText, type Reply } from '../request.ts';
import type { KeptNodes } from '../views/kept-nodes.ts';
import { nextText } from '../views/links.ts';
import { fullFields, NODE_FIELD, NODE_NO_SORT_KEYS, NODE_SORT_KEYS, nodeFieldTable } from '../views/node-fields.ts';
import { createNodeWriter } from '../views/node-rows.ts';
import { findNode, nodeNotFound } from './find-node.ts';

/** The values of these columns as they lie in the database. @throws NODE_NOT_FOUND. */
async function findNodeValues(
  request: Pick<ApiRequest, 'minor'>,
  ident: string,
  services: ApiServices,
  columns: readonly string[],
): Promise<NodeValues> {
  const byUuid = isUuid(ident);
  const row =
    byUuid || request.minor >= 5
      ? await services.db.read.nodes.findValues(columns, byUuid ? ident.toLowerCase() : ident)
      : undefined;
  if (!row) throw nodeNotFound(ident);
  return row;
}

/** The chassis must exist. */
async function chassisFilter(ident: string, services: ApiServices): Promise<string> {
  if (!isUuid(ident))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for chassis_uuid: ${ident.slice(0, 60)}`);
  const chassis = await services.db.read.chassis.find(ident);
  if (!chassis) throw new ServiceError('CHASSIS_NOT_FOUND', `Chassis ${ident} could not be found.`);
  return chassis.uuid;
}

/** What a node in maintenance may suffer from (ironic/common/faults.py). */
const FAULTS = ['power failure', 'clean failure', 'rescue abort failure', 'service failure'];

async function filterOf(request: ApiRequest, services: ApiServices): Promise<NodeFilter> {
  const { query } = request;
  const text = (name: string) => textParameter(query, name);
  const flag = (name: string) => booleanParameter(query, name);
  const state = text('provision_state');
  if (state !== undefined && !isProvisionState(state))
    throw new ServiceError('INVALID_PARAMETER', `Provision state "${state}" is not valid`);
  const fault = text('fault');
  if (fault !== undefined && !FAULTS.includes(fault))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Unrecognized fault "${fault.slice(0, 60)}" is specified, allowed faults are (${FAULTS.map(inPython).join(', ')})`,
    );
  for (const name of ['chassis_uuid', 'instance_uuid']) {
    const uuid = text(name);
    if (uuid !== undefined && !isUuid(uuid))
      throw new ServiceError('INVALID_PARAMETER', `Expected UUID for ${name}: ${uuid.slice(0, 60)}`);
  }
  const chassis = request.params['chassis'] ?? text('chassis_uuid');
  const includesChildren = flag('include_children');
  // Of all nodes, children among them, none is left out for its parent.
  const parent = includesChildren ? undefined : text('parent_node');
  const filter: { [K in keyof NodeFilter]: NodeFilter[K] | undefined } = {
    chassisUuid: chassis === undefined ? undefined : await chassisFilter(chassis, services),
    instanceUuid: text('instance_uuid'),
    associated: flag('associated'),
    maintenance: flag('maintenance'),
    provisionState: state,
    driver: text('driver'),
    resourceClass: text('resource_class'),
    fault,
    conductorGroup: text('conductor_group'),
    owner: text('owner'),
    lessee: text('lessee'),
    project: text('project'),
    descriptionContains: text('description_contains'),
    retired: flag('retired'),
    shards: text('shard')?.split(','),
    sharded: flag('sharded'),
    includeChildren: includesChildren,
    // One that there is not has no children.
    parentNode: parent === undefined ? undefined : ((await services.db.read.nodes.find(parent))?.uuid ?? parent),
    instanceName: text('instance_name'),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, v]) => v !== undefined));
}

/** The kept views, for whom they hold: a project and a transaction see something else. */
const keptFor = ({ keptNodes, db }: ApiServices): KeptNodes | undefined =>
  keptNodes?.source === db.read.nodes ? keptNodes : undefined;

const HEAD = '{"nodes":[';

async function listReply(request: ApiRequest, services: ApiServices, isDetail: boolean, path: string): Promise<Reply> {
  const { query, minor } = request;
  const { fields, isExplicit } = fieldsOf(query, isDetail, nodeFieldTable, minor);
  const sortKey = query.get('sort_key');
  if (sortKey) needsVersion(`Sorting by ${sortKey}`, NODE_FIELD.get(sortKey)?.since ?? 1, minor);
  const page = pageOf(query, services.config.max_limit, NODE_SORT_KEYS, NODE_NO_SORT_KEYS);
  const isFull = !isExplicit && (isDetail || booleanParameter(query, 'detail') === true);
  const wantedConductor = textParameter(query, 'conductor') || undefined;
  const conductors = await readConductors(services);
  const filter = await filterOf(request, services);
  const tail = (uuids: readonly string[]) => {
    // A look-up by instance is no page: Ironic answers it without `next`.
    const marker = query.has('instance_uuid') ? undefined : uuids.at(-1);
    return `]${nextText(uuids.length, { base: request.base, path, limit: page.limit, query, marker })}}`;
  };
  const kept = isFull && wantedConductor === undefined ? keptFor(services) : undefined;
  if (kept) return okBytes(await kept.list({ minor, base: request.base, conductors }, filter, page, HEAD, tail));
  const writer = createNodeWriter(fields, {
    isFull,
    minor,
    base: request.base,
    conductors,
    isHostAsked: wantedConductor !== undefined,
  });
  const found = await services.db.read.nodes.listValues(writer.columns, filter, page);
  const rows = wantedConductor === undefined ? found : found.filter((row) => writer.hostOf(row) === wantedConductor);
  return okBytes(writer.writeAll(rows, HEAD, tail(rows.map(writer.uuidOf))));
}

export const listNodes: Handler = (request, services) => listReply(request, services, false, 'nodes');
export const listNodesDetail: Handler = (request, services) => listReply(request, services, true, 'nodes/detail');
export const listChassisNodes: Handler = (request, services) =>
  listReply(request, services, false, `chassis/${request.params['chassis']}/nodes`);
export const listChassisNodesDetail: Handler = (request, services) =>
  listReply(request, services, true, `chassis/${request.params['chassis']}/nodes/detail`);

export const getNode: Handler = async (request, services) => {
  const ident = request.params['node']!;
  const { minor, base } = request;
  const conductors = await readConductors(services);
  const isFull = !request.query.has('fields');
  const kept = isFull ? keptFor(services) : undefined;
  if (kept) {
    const found = isUuid(ident) || minor >= 5 ? await kept.find({ minor, base, conductors }, ident) : undefined;
    if (!found) throw nodeNotFound(ident);
    return { ...okText(found.text), digest: found.digest };
  }
  const fields = isFull ? fullFields(minor) : fieldsOf(request.query, false, nodeFieldTable, minor).fields;
  const writer = createNodeWriter(fields, { isFull, minor, base, conductors });
  return okText(writer.write(await findNodeValues(request, ident, services, writer.columns)));
};

export const getInventory: Handler = async (request, services) => {
  const node = await findNode(request, request.params['node']!, services);
  const found = await services.db.read.nodes.getInventory(node.uuid);
  if (!found) throw new ServiceError('NOT_FOUND', `Node inventory record for node ${node.uuid} could not be found.`);
  return ok({ inventory: found.inventory, plugin_data: found.pluginData });
};
