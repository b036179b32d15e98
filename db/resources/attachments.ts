/** Ports, port groups and volumes: what hangs on a node and goes with it. */
import { normalizeMac, ServiceError } from '@bessemer/core';
import type { Port, Portgroup, VolumeConnector, VolumeTarget } from '@bessemer/core';
import type { OfNodeFilter, PortFilter, PortgroupFilter } from '../contracts/resource.ts';
import { columns } from '../rows.ts';
import { likePattern } from '../statements/paging.ts';
import { param } from '../statements/statement.ts';
import type { Value } from '../statements/statement.ts';
import { nodeColumnIn, tableRepository, visibleThroughNode } from './table.ts';
import type { TableFilter } from './table.ts';

const sameAddress = (table: string): TableFilter => ({
  apply: (query, _b, name) => void query.where(`${table}.address`, param(name)),
  value: (given) => normalizeMac(String(given)) ?? String(given),
});
const nodeFilters = (table: string) => ({
  shards: nodeColumnIn(table, 'shard'),
  conductorGroups: nodeColumnIn(table, 'conductor_group'),
  visibleTo: visibleThroughNode(table),
});

function normalizeAddress(values: Record<string, Value>): void {
  const address = values['address'];
  if (address === undefined || address === null) return;
  const mac = normalizeMac(String(address));
  if (!mac) throw new ServiceError('INVALID_PARAMETER', `Expected a MAC address but received ${address}.`);
  values['address'] = mac;
}
const noSuchNode = (values: Readonly<Record<string, Value>>): ServiceError =>
  new ServiceError('INVALID_PARAMETER', `Node ${values['node_uuid'] ?? 'of this item'} could not be found.`);

export const createPortRepository = tableRepository<Port, PortFilter>({
  table: 'ports',
  columns: columns('', {
    text: 'uuid node_uuid address network_uuid name description physical_network portgroup_uuid vendor category',
    number: 'created_at updated_at',
    boolean: 'pxe_enabled is_smartnic available_for_dynamic_portgroup',
    json: 'extra local_link_connection',
    sealed: 'internal_info',
  }),
  noun: 'port',
  notFound: { code: 'PORT_NOT_FOUND', message: (ident) => `Port ${ident} could not be found.` },
  idents: [{ column: 'address', parse: normalizeMac }, { column: 'name' }],
  uniques: [
    { columns: ['address'], message: (v) => `A port with MAC address ${v['address']} already exists.` },
    { columns: ['name'], message: (v) => `A port with name ${v['name']} already exists.` },
  ],
  defaults: {
    extra: {},
    internalInfo: {},
    localLinkConnection: {},
    pxeEnabled: true,
    isSmartnic: false,
    availableForDynamicPortgroup: true,
  },
  filters: {
    ...nodeFilters('ports'),
    address: sameAddress('ports'),
    descriptionContains: {
      apply: (query, _b, name) => void query.whereRaw(`lower(ports.description) like ? escape '\\'`, [param(name)]),
      value: (given) => likePattern(String(given)),
    },
  },
  normalize: normalizeAddress,
  missingReference: (values) =>
    new ServiceError(
      'INVALID_PARAMETER',
      `The port names a node (${values['node_uuid'] ?? 'unchanged'}) or a network (${values['network_uuid'] ?? 'none'}) that does not exist.`,
    ),
});

export const createPortgroupRepository = tableRepository<Portgroup, PortgroupFilter>({
  table: 'portgroups',
  columns: columns('', {
    text: 'uuid node_uuid address name mode physical_network category',
    number: 'created_at updated_at',
    boolean: 'standalone_ports_supported dynamic_portgroup',
    json: 'extra properties',
    sealed: 'internal_info',
  }),
  noun: 'portgroup',
  notFound: { code: 'PORTGROUP_NOT_FOUND', message: (ident) => `Portgroup ${ident} could not be found.` },
  idents: [{ column: 'address', parse: normalizeMac }, { column: 'name' }],
  uniques: [
    { columns: ['address'], message: (v) => `A portgroup with MAC address ${v['address']} already exists.` },
    { columns: ['name'], message: (v) => `A portgroup with name ${v['name']} already exists.` },
  ],
  defaults: {
    extra: {},
    internalInfo: {},
    properties: {},
    mode: 'active-backup',
    standalonePortsSupported: true,
    dynamicPortgroup: false,
  },
  filters: { ...nodeFilters('portgroups'), address: sameAddress('portgroups') },
  normalize: normalizeAddress,
  missingReference: noSuchNode,
  heldBy: {
    table: 'ports',
    column: 'portgroup_uuid',
    refuse: (uuid) =>
      new ServiceError(
        'PORTGROUP_NOT_EMPTY',
        `Cannot complete the requested action because portgroup ${uuid} contains ports.`,
      ),
  },
});

export const createVolumeConnectorRepository = tableRepository<VolumeConnector, OfNodeFilter>({
  table: 'volume_connectors',
  columns: columns('', {
    text: 'uuid node_uuid type connector_id',
    number: 'created_at updated_at',
    json: 'extra',
  }),
  noun: 'volume connector',
  notFound: {
    code: 'VOLUME_CONNECTOR_NOT_FOUND',
    message: (ident) => `Volume connector ${ident} could not be found.`,
  },
  uniques: [
    {
      columns: ['type', 'connector_id'],
      // An update may say only one of the two.
      message: (v) =>
        v['type'] === undefined || v['connector_id'] === undefined
          ? 'Another volume connector of this type with this connector ID already exists.'
          : `A volume connector with type ${v['type']} and connector ID ${v['connector_id']} already exists.`,
    },
  ],
  defaults: { extra: {} },
  filters: { visibleTo: visibleThroughNode('volume_connectors') },
  missingReference: noSuchNode,
});

export const createVolumeTargetRepository = tableRepository<VolumeTarget, OfNodeFilter>({
  table: 'volume_targets',
  columns: columns('', {
    text: 'uuid node_uuid volume_type volume_id',
    number: 'boot_index created_at updated_at',
    json: 'extra',
    sealed: 'properties',
  }),
  noun: 'volume target',
  notFound: { code: 'VOLUME_TARGET_NOT_FOUND', message: (ident) => `Volume target ${ident} could not be found.` },
  uniques: [
    {
      columns: ['node_uuid', 'boot_index'],
      message: (v) => `A volume target with boot index '${v['boot_index']}' for the same node already exists.`,
    },
  ],
  defaults: { extra: {}, properties: {} },
  filters: { visibleTo: visibleThroughNode('volume_targets') },
  missingReference: noSuchNode,
});
