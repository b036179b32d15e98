/** Remote volumes: connectors (how the node logs in) and targets (what it boots from). */
import {
  actionImpossible,
  isUuid,
  type Json,
  type NodeId,
  type ProvisionState,
  ServiceError,
  type VolumeConnector,
  type VolumeTarget,
} from '@bessemer/core';
import type { OfNodeFilter, Repositories } from '@bessemer/db';
import { type ApiRequest, type ApiServices, type Handler, ok } from '../request.ts';
import { freeNode, nodeFilter, nodeNamedIn, noSuchInput } from '../resources/of-node.ts';
import { commonFields, createResource, fieldsFor, uuidOf } from '../resources/resource.ts';
import { linksTo } from '../views/links.ts';
import { maskSecrets } from '../views/node.ts';
import { findNode } from './find-node.ts';

/** States of a node that nothing runs on yet: what it is to boot from can be taken away, whatever its power is. */
const NOT_YET_USED: readonly ProvisionState[] = ['manageable', 'enroll', 'adopt failed'];

/** A volume may be changed only while the node is off: a running system has it mounted. @throws INVALID_STATE_REQUESTED. */
async function mustBeOff(
  tx: Repositories,
  nodeUuid: NodeId,
  action: string,
  unless: readonly ProvisionState[] = [],
): Promise<void> {
  const node = await freeNode(tx, nodeUuid);
  if (node && node.powerState !== 'power off' && !unless.includes(node.provisionState))
    throw actionImpossible(action, node, node.powerState);
}

const REFUSAL = "Can't fetch a subset of fields with 'detail' set";
const validate = (wire: string, value: Json, { operation }: ApiRequest): void => {
  if (wire !== 'node_uuid') return;
  if (operation.method === 'PATCH' && typeof value === 'string' && !isUuid(value))
    throw new ServiceError('INVALID_PARAMETER', `Expected a UUID for node_uuid, but received ${value.slice(0, 60)}.`);
  uuidOf(wire, value);
};
const nodeOf = (value: Json, request: ApiRequest, services: ApiServices) =>
  nodeNamedIn(value, request, services, request.operation.method === 'POST' ? noSuchInput : undefined);

const connectorField = fieldsFor<VolumeConnector>();
const connectors = createResource<VolumeConnector, OfNodeFilter>({
  collection: 'connectors',
  path: 'volume/connectors',
  param: 'connector',
  ident: { called: 'connector_uuid' },
  refusal: REFUSAL,
  notFound: (ident) => new ServiceError('VOLUME_CONNECTOR_NOT_FOUND', `Volume connector ${ident} could not be found.`),
  repository: (tx) => tx.volumeConnectors,
  summary: ['uuid', 'node_uuid', 'type', 'connector_id'],
  fields: [
    ...commonFields<VolumeConnector>(32),
    connectorField('connector_id', 32, 'text', 'connectorId'),
    connectorField('extra', 32, 'json', 'extra'),
    connectorField('node_uuid', 32, 'text', 'nodeUuid', { sortable: false }),
    connectorField('type', 32, 'text', 'type'),
  ],
  filterOf: nodeFilter,
  validate,
  parse: async (wire, value, request, services) =>
    wire === 'node_uuid' ? nodeOf(value, request, services) : undefined,
  mayWrite: async (tx, { found, patch }) => {
    if (found) await mustBeOff(tx, patch.nodeUuid ?? found.nodeUuid, 'volume connector update');
  },
  mayRemove: (tx, found) => mustBeOff(tx, found.nodeUuid, 'volume connector deletion', NOT_YET_USED),
});

const targetField = fieldsFor<VolumeTarget>();
const targets = createResource<VolumeTarget, OfNodeFilter>({
  collection: 'targets',
  path: 'volume/targets',
  param: 'target',
  ident: { called: 'target_uuid' },
  refusal: REFUSAL,
  notFound: (ident) => new ServiceError('VOLUME_TARGET_NOT_FOUND', `Volume target ${ident} could not be found.`),
  repository: (tx) => tx.volumeTargets,
  summary: ['uuid', 'node_uuid', 'volume_type', 'boot_index', 'volume_id'],
  fields: [
    ...commonFields<VolumeTarget>(32),
    targetField('boot_index', 32, 'number', 'bootIndex'),
    targetField('extra', 32, 'json', 'extra'),
    targetField('node_uuid', 32, 'text', 'nodeUuid', { sortable: false }),
    targetField('properties', 32, 'json', 'properties', { show: (target) => maskSecrets(target.properties) }),
    targetField('volume_id', 32, 'text', 'volumeId'),
    targetField('volume_type', 32, 'text', 'volumeType'),
  ],
  filterOf: nodeFilter,
  validate,
  parse: async (wire, value, request, services) =>
    wire === 'node_uuid' ? nodeOf(value, request, services) : undefined,
  mayWrite: async (tx, { found, patch }) => {
    if (found) await mustBeOff(tx, patch.nodeUuid ?? found.nodeUuid, 'volume target update');
  },
  mayRemove: (tx, found) => mustBeOff(tx, found.nodeUuid, 'volume target deletion', NOT_YET_USED),
});

export const listVolumeConnectors = connectors.list;
export const getVolumeConnector = connectors.get;
export const createVolumeConnector = connectors.create;
export const patchVolumeConnector = connectors.patch;
export const deleteVolumeConnector = connectors.remove;
export const listVolumeTargets = targets.list;
export const getVolumeTarget = targets.get;
export const createVolumeTarget = targets.create;
export const patchVolumeTarget = targets.patch;
export const deleteVolumeTarget = targets.remove;
export const listNodeVolumeConnectors: Handler = (request, services) =>
  connectors.listAt(request, services, `nodes/${request.params['node']}/volume/connectors`);
export const listNodeVolumeTargets: Handler = (request, services) =>
  targets.listAt(request, services, `nodes/${request.params['node']}/volume/targets`);

const door = (base: string, path: string) => ({
  links: linksTo(base, `${path}/`),
  connectors: linksTo(base, `${path}/connectors`),
  targets: linksTo(base, `${path}/targets`),
});
export const getVolume: Handler = async ({ base }) => ok(door(base, 'volume'));
export const getNodeVolume: Handler = async (request, services) => {
  const ident = request.params['node']!;
  await findNode(request, ident, services);
  return ok(door(request.base, `nodes/${ident}/volume`));
};
