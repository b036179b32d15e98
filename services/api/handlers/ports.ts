/** Ports and port groups: a NIC's MAC address, the node it belongs to, and which ports are bonded. */
import {
  isJsonObject,
  isUuid,
  type Json,
  type JsonObject,
  type Port,
  type Portgroup,
  ServiceError,
} from '@bessemer/core';
import type { PortFilter, PortgroupFilter } from '@bessemer/db';
import { textParameter } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import type { ApiRequest, ApiServices, Handler } from '../request.ts';
import { freeNode, nodeFilter, nodeNamedIn } from '../resources/of-node.ts';
import { checkLocalLink, localLink, shownLink } from '../resources/local-link.ts';
import { mayWritePort, mayWritePortgroup } from '../resources/port-rules.ts';
import { commonFields, createResource, fieldsFor, macOf, uuidOf } from '../resources/resource.ts';

const PORTGROUP_NAME = /^[A-Za-z0-9._~-]+$/;

const portNotFound = (ident: string) => new ServiceError('PORT_NOT_FOUND', `Port ${ident} could not be found.`);
const portgroupNotFound = (ident: string) =>
  new ServiceError('PORTGROUP_NOT_FOUND', `Portgroup ${ident} could not be found.`);
/** A list without entries is none. */
const splitList = (query: URLSearchParams, name: string) => (textParameter(query, name) || undefined)?.split(',');

/** Ports are listed of a node, of a port group or of shards. @throws FORBIDDEN, as Ironic does. */
function onlyOneOwner({ params, query }: ApiRequest): void {
  const isOf = [
    params['node'] !== undefined || query.has('node') || query.has('node_uuid'),
    params['portgroup'] !== undefined || query.has('portgroup'),
    splitList(query, 'shard') !== undefined,
  ];
  if (isOf.filter(Boolean).length > 1) throw new ServiceError('FORBIDDEN', 'Operation not permitted.');
}

/** Shard and conductor group of the node, as both resources filter by them. */
function placeFilter(request: ApiRequest): { shards?: string[]; conductorGroups?: string[] } {
  const shards = splitList(request.query, 'shard');
  const conductorGroups = splitList(request.query, 'conductor_groups');
  const others = ['node', 'node_uuid', 'address', 'portgroup'].filter((name) => request.query.has(name));
  if (conductorGroups && (others.length > 0 || request.params['node']))
    throw new ServiceError(
      'INVALID_PARAMETER',
      'Filtering by conductor_groups cannot be combined with node_ident, portgroup_ident, or node address filters.',
    );
  return { ...(shards ? { shards } : {}), ...(conductorGroups ? { conductorGroups } : {}) };
}

const portField = fieldsFor<Port>();
const ports = createResource<Port, PortFilter>({
  collection: 'ports',
  path: 'ports',
  param: 'port',
  ident: { called: 'port_uuid', namesSince: 88 },
  patchNamesFirst: true,
  notFound: portNotFound,
  repository: (tx) => tx.ports,
  summary: ['uuid', 'address'],
  fields: [
    ...commonFields<Port>(1),
    portField('address', 1, 'mac', 'address'),
    portField('available_for_dynamic_portgroup', 111, 'boolean', 'availableForDynamicPortgroup', { otherwise: true }),
    portField('category', 101, 'text', 'category'),
    portField('description', 97, 'text', 'description'),
    portField('extra', 1, 'json', 'extra'),
    portField('internal_info', 18, 'json', 'internalInfo', { writable: 'never' }),
    portField('is_smartnic', 53, 'boolean', 'isSmartnic'),
    portField('local_link_connection', 19, 'json', 'localLinkConnection', {
      show: (port, minor) => shownLink(port.localLinkConnection, minor),
    }),
    portField('name', 88, 'text', 'name'),
    portField('node_uuid', 1, 'text', 'nodeUuid'),
    portField('physical_network', 34, 'text', 'physicalNetwork'),
    portField('portgroup_uuid', 24, 'text', 'portgroupUuid', { sortable: false }),
    portField('pxe_enabled', 19, 'boolean', 'pxeEnabled', { otherwise: true }),
    portField('vendor', 100, 'text', 'vendor'),
  ],
  async filterOf(request, services) {
    onlyOneOwner(request);
    const { query, params } = request;
    const address = textParameter(query, 'address');
    const group = params['portgroup'] ?? textParameter(query, 'portgroup');
    const contains = textParameter(query, 'description_contains');
    return {
      ...(await nodeFilter(request, services)),
      ...placeFilter(request),
      ...(address === undefined ? {} : { address: macOf('address', address) }),
      ...(group === undefined ? {} : { portgroupUuid: (await portgroups.find(group, services)).uuid }),
      ...(contains === undefined ? {} : { descriptionContains: contains }),
    };
  },
  validate(wire, value, { operation }) {
    if (wire === 'node_uuid' || (wire === 'portgroup_uuid' && value !== null && operation.method === 'POST'))
      uuidOf(wire, value);
    if (wire === 'local_link_connection') checkLocalLink(value);
  },
  async parse(wire, value, request, services) {
    if (wire === 'node_uuid') return nodeNamedIn(value, request, services);
    if (wire === 'portgroup_uuid' && value !== null) return portgroupNamedIn(value, services);
    if (wire === 'local_link_connection') return localLink(value, request.minor);
    return undefined;
  },
  check(port, { operation, body }) {
    const link = operation.method === 'POST' ? (body as JsonObject)['local_link_connection'] : undefined;
    if (port.isSmartnic && isJsonObject(link) && (link['port_id'] === undefined || link['hostname'] === undefined))
      throw new ServiceError(
        'INVALID_PARAMETER',
        'Smart NIC port must have port_id and hostname in local_link_connection',
      );
    if (port.physicalNetwork === '')
      throw new ServiceError('INVALID_PARAMETER', 'A non-empty value is required when setting physical_network');
  },
  mayWrite: mayWritePort,
  mayRemove: async (tx, port) => {
    const node = await freeNode(tx, port.nodeUuid);
    if (node && port.internalInfo['tenant_vif_port_id'] && !node.maintenance)
      throw new ServiceError(
        'INVALID_STATE',
        `Cannot delete the port ${port.uuid} as it is bound to VIF ${String(port.internalInfo['tenant_vif_port_id'])}: detach the VIF first.`,
      );
  },
});

async function portgroupNamedIn(value: Json, services: ApiServices): Promise<string> {
  const uuid = String(value);
  const group = isUuid(uuid) ? await services.db.read.portgroups.find(uuid) : undefined;
  if (!group) throw new ServiceError('INVALID_PARAMETER', `Portgroup ${uuid.slice(0, 60)} could not be found.`);
  return group.uuid;
}

export const listPorts = ports.list;
export const listPortsDetail = ports.listDetail;
export const getPort = ports.get;
export const patchPort = ports.patch;
export const deletePort = ports.remove;
export const listNodePorts: Handler = (request, services) =>
  ports.listAt(request, services, `nodes/${request.params['node']}/ports`);
export const listNodePortsDetail: Handler = (request, services) =>
  ports.listAt(request, services, `nodes/${request.params['node']}/ports/detail`, true);
export const listPortgroupPorts: Handler = (request, services) =>
  ports.listAt(request, services, `portgroups/${request.params['portgroup']}/ports`);

export const listPortgroupPortsDetail: Handler = (request, services) =>
  ports.listAt(request, services, `portgroups/${request.params['portgroup']}/ports/detail`, true);

/** A port names its node by `node_uuid`, or by `node_ident` (uuid or name) from 1.94 on. */
export const createPort: Handler = async (request, services) => {
  const { node_ident: ident, ...body } = request.body as Record<string, Json>;
  if (ident !== undefined) needsVersion('The field node_ident', 94, request.minor);
  const node = body['node_uuid'] ?? ident;
  if (node === undefined || node === null)
    throw new ServiceError('INVALID_PARAMETER', "Schema error for port: 'node_uuid' is a required property");
  if (ident !== undefined && body['node_uuid'] !== undefined)
    throw new ServiceError('INVALID_PARAMETER', 'Schema error for port: give node_uuid or node_ident, not both');
  const nodeUuid = ident === undefined ? node : await nodeNamedIn(ident, request, services);
  return ports.create({ ...request, body: { ...body, node_uuid: nodeUuid } }, services);
};

const groupField = fieldsFor<Portgroup>();
const portgroups = createResource<Portgroup, PortgroupFilter>({
  collection: 'portgroups',
  path: 'portgroups',
  param: 'portgroup',
  ident: { called: 'portgroup_ident', namesSince: 23, route: 'portgroup' },
  notFound: portgroupNotFound,
  repository: (tx) => tx.portgroups,
  summary: ['uuid', 'address', 'name'],
  below: [['ports', 24]],
  fields: [
    ...commonFields<Portgroup>(23),
    groupField('address', 23, 'mac', 'address'),
    groupField('category', 103, 'text', 'category'),
    groupField('dynamic_portgroup', 111, 'boolean', 'dynamicPortgroup', { writable: 'never' }),
    groupField('extra', 23, 'json', 'extra'),
    groupField('internal_info', 23, 'json', 'internalInfo', { writable: 'never' }),
    groupField('mode', 26, 'text', 'mode', { mandatory: true }),
    groupField('name', 23, 'text', 'name'),
    groupField('node_uuid', 23, 'text', 'nodeUuid'),
    groupField('physical_network', 102, 'text', 'physicalNetwork'),
    groupField('properties', 26, 'json', 'properties'),
    groupField('standalone_ports_supported', 23, 'boolean', 'standalonePortsSupported', { otherwise: true }),
  ],
  async filterOf(request, services) {
    const { query, params } = request;
    const address = textParameter(query, 'address');
    if (query.has('shard') && (params['node'] ?? query.get('node') ?? address))
      throw new ServiceError(
        'INVALID_PARAMETER',
        'Filtering by node, address, or shard simultaneously is not supported.',
      );
    return {
      ...(await nodeFilter(request, services)),
      ...placeFilter(request),
      ...(address === undefined ? {} : { address: macOf('address', address) }),
    };
  },
  validate(wire, value, { operation, params }) {
    if (wire === 'node_uuid') uuidOf(wire, value);
    if (wire === 'name' && value && (!PORTGROUP_NAME.test(String(value)) || String(value).length > 255))
      throw new ServiceError(
        'INVALID_PARAMETER',
        operation.method === 'POST'
          ? `Cannot create portgroup with invalid name '${String(value)}'`
          : `Portgroup ${params['portgroup']}: Cannot change name to invalid name '${String(value)}'`,
      );
  },
  async parse(wire, value, request, services) {
    if (wire === 'node_uuid') return nodeNamedIn(value, request, services);
    return wire === 'mode' && value === null ? 'active-backup' : undefined;
  },
  mayWrite: mayWritePortgroup,
  mayRemove: async (tx, group) => void (await freeNode(tx, group.nodeUuid)),
});

export const listPortgroups = portgroups.list;
export const listPortgroupsDetail = portgroups.listDetail;
export const getPortgroup = portgroups.get;
export const createPortgroup = portgroups.create;
export const patchPortgroup = portgroups.patch;
export const deletePortgroup = portgroups.remove;
export const listNodePortgroups: Handler = (request, services) =>
  portgroups.listAt(request, services, `nodes/${request.params['node']}/portgroups`);
export const listNodePortgroupsDetail: Handler = (request, services) =>
  portgroups.listAt(request, services, `nodes/${request.params['node']}/portgroups/detail`, true);
