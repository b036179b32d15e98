/** Allocations: any node of a kind, please. A conductor finds it; here they are asked for, shown and given back. */
import {
  type Allocation,
  isUuid,
  type Json,
  type JsonObject,
  type Node,
  nodeLocked,
  ServiceError,
} from '@bessemer/core';
import type { AllocationFilter, Repositories } from '@bessemer/db';
import { readConductors } from '../conductors.ts';
import { textParameter } from '../http/query.ts';
import { type ApiRequest, type ApiServices, type Handler, noContent } from '../request.ts';
import { nodeNamedIn, nodeNameOf } from '../resources/of-node.ts';
import { commonFields, createResource, fieldsFor } from '../resources/resource.ts';
import { checkTrait } from './traits.ts';
import { findNode } from './find-node.ts';

const NAME = /^[A-Za-z0-9._~-]+$/;
const MAX_NAME = 255;
const NO_UPDATES_FROM_STATE = 'updates are not allowed (and maintenance mode is off)';

const field = fieldsFor<Allocation>();
const notFound = (ident: string) => new ServiceError('ALLOCATION_NOT_FOUND', `Allocation ${ident} could not be found.`);

const allocations = createResource<Allocation, AllocationFilter>({
  collection: 'allocations',
  path: 'allocations',
  param: 'allocation',
  ident: { called: 'allocation_ident', namesSince: 52 },
  notFound,
  repository: (tx) => tx.allocations,
  fields: [
    ...commonFields<Allocation>(52),
    field('candidate_nodes', 52, 'list', 'candidateNodes', { writable: 'create' }),
    field('extra', 52, 'json', 'extra'),
    field('last_error', 52, 'text', 'lastError', { writable: 'never' }),
    field('name', 52, 'text', 'name'),
    field('node_uuid', 52, 'text', 'nodeUuid', { writable: 'never', sortable: false }),
    field('owner', 60, 'text', 'owner', { writable: 'create' }),
    field('resource_class', 52, 'text', 'resourceClass', { writable: 'create' }),
    field('state', 52, 'text', 'state', { writable: 'never' }),
    field('traits', 52, 'list', 'traits', { writable: 'create' }),
  ],
  async filterOf(request, services) {
    const { query } = request;
    const node = nodeNameOf(request);
    const owner = textParameter(query, 'owner');
    const resourceClass = textParameter(query, 'resource_class');
    const state = textParameter(query, 'state');
    return {
      ...(node === undefined ? {} : { nodeUuid: await nodeNamedIn(node, request, services) }),
      ...(resourceClass === undefined ? {} : { resourceClass }),
      ...(state === undefined ? {} : { state: state as Allocation['state'] }),
      ...(owner === undefined ? {} : { owner }),
    };
  },
  async parse(wire, value, request, services) {
    if (wire === 'name' && value && (!NAME.test(String(value)) || String(value).length > MAX_NAME))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Cannot ${request.operation.method === 'POST' ? 'create' : 'update'} allocation with invalid name '${String(value)}'`,
      );
    if (wire === 'traits') return ((value ?? []) as Json[]).map((trait) => checkTrait(trait, 'allocation'));
    if (wire === 'candidate_nodes') return candidates((value ?? []) as Json[], services);
    return undefined;
  },
});

async function candidates(idents: readonly Json[], services: ApiServices): Promise<string[]> {
  const uuids: string[] = [];
  const missing: string[] = [];
  for (const ident of idents) {
    const node = await services.db.read.nodes.find(String(ident));
    if (node) uuids.push(node.uuid);
    else missing.push(String(ident));
  }
  if (missing.length > 0) throw new ServiceError('INVALID_PARAMETER', `Nodes cannot be found: ${missing.join(', ')}`);
  return uuids;
}

/** Any live conductor does: matching touches no hardware. @throws TEMPORARY_FAILURE. */
async function anyHost(services: ApiServices): Promise<string> {
  const host = (await readConductors(services)).find((conductor) => conductor.alive)?.hostname;
  if (host === undefined)
    throw new ServiceError('TEMPORARY_FAILURE', 'No conductor is alive to process the allocation: start one.');
  return host;
}

export const listAllocations = allocations.list;
export const getAllocation = allocations.get;
/** Microversion with which an allocation may be made for a node that has an instance already. */
const BACKFILL_SINCE = 58;

export const createAllocation: Handler = async (request, services) => {
  const { node: ident, ...body } = request.body as JsonObject;
  if (ident && request.minor < BACKFILL_SINCE)
    throw new ServiceError('INVALID_PARAMETER', 'Cannot set node when creating an allocation in this API version');
  const node = ident ? await nodeToBackfill(String(ident), request, services) : undefined;
  if (!node && !body['resource_class'])
    throw new ServiceError('INVALID_PARAMETER', 'The resource_class field is mandatory when not backfilling');
  if (node) {
    body['resource_class'] ||= node.resourceClass;
    // An instance that was there before is what the allocation is of.
    body['uuid'] ||= node.instanceUuid;
  }
  const host = await anyHost(services);
  // The node to backfill is written down: whoever takes up what a conductor left undone gives no other. Candidates
  // that it is not among stay: that is for the conductor to refuse.
  const given = (body['candidate_nodes'] ?? []) as Json[];
  const isAmong = given.length === 0 || given.some((ident) => ident === node?.uuid || ident === node?.name);
  const asked = node && isAmong ? { ...body, candidate_nodes: [node.uuid] } : body;
  const reply = await allocations.create({ ...request, body: asked }, services);
  const allocationUuid = String((reply.body as JsonObject)['uuid']);
  const call = { requestId: request.requestId };
  if (!node) {
    // The outcome is in the row; what a conductor that is just gone leaves undone, another goes on with.
    services.rpc
      .call(host, 'allocate', { allocationUuid, nodeUuid: null }, call)
      .catch((error: unknown) => services.log.warn('allocation not processed yet', { error: String(error) }));
    return reply;
  }
  await services.rpc.call(host, 'allocate', { allocationUuid, nodeUuid: node.uuid }, call);
  const after = await allocations.find(allocationUuid, services);
  return { ...reply, body: allocations.view(after, request) };
};

async function nodeToBackfill(ident: string, request: ApiRequest, services: ApiServices): Promise<Node> {
  if (!isUuid(ident) && !NAME.test(ident))
    throw new ServiceError('INVALID_PARAMETER', `Expected a logical name or UUID but received ${ident.slice(0, 60)}.`);
  try {
    return await findNode(request, ident, services);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'NODE_NOT_FOUND')
      throw new ServiceError('INVALID_PARAMETER', error.publicMessage);
    throw error;
  }
}

export const patchAllocation: Handler = allocations.patch;

/** Gives the node back: it is free for others in the same transaction. @throws INVALID_STATE while the node is in use. */
async function giveBack(tx: Repositories, allocation: Allocation): Promise<void> {
  const node = allocation.nodeUuid === null ? undefined : await tx.nodes.get(allocation.nodeUuid as Node['uuid']);
  if (node) {
    if (node.reservation) throw nodeLocked(node);
    const why =
      node.targetProvisionState !== null && node.provisionState !== 'error'
        ? `because the node is in state ${node.provisionState} where ${NO_UPDATES_FROM_STATE}`
        : node.provisionState === 'active'
          ? 'because the node is active (and maintenance mode is off)'
          : undefined;
    if (why !== undefined && !node.maintenance)
      throw new ServiceError(
        'INVALID_STATE',
        `Cannot remove allocation ${allocation.uuid} for node ${node.uuid}, ${why}`,
      );
    const { traits: _traits, ...instanceInfo } = node.instanceInfo;
    await tx.nodes.update(node.uuid, {
      allocationUuid: null,
      ...(node.instanceUuid === allocation.uuid ? { instanceUuid: null } : {}),
      instanceInfo,
    });
  }
  await tx.allocations.remove(allocation.uuid);
}

export const deleteAllocation: Handler = async (request, services) => {
  const { uuid } = await allocations.found(request, services);
  await services.db.write('delete allocation', async (tx) => {
    const allocation = await tx.allocations.find(uuid);
    if (!allocation) throw notFound(uuid);
    await giveBack(tx, allocation);
  });
  return noContent;
};

async function ofNode(request: ApiRequest, services: ApiServices): Promise<Allocation> {
  const ident = request.params['node']!;
  const node = await findNode(request, ident, services);
  const [found] = await services.db.read.allocations.list({ nodeUuid: node.uuid }, { limit: 1 });
  if (!found) throw new ServiceError('ALLOCATION_NOT_FOUND', `Allocation for node ${ident} was not found`);
  return found;
}
const asAllocation = (request: ApiRequest, allocation: Allocation): ApiRequest => ({
  ...request,
  params: { ...request.params, allocation: allocation.uuid },
});
export const getNodeAllocation: Handler = async (request, services) => {
  // Ironic finds it in the list of allocations, filtered by a node: one that is not there is a bad filter.
  await nodeNamedIn(request.params['node']!, request, services);
  return allocations.get(asAllocation(request, await ofNode(request, services)), services);
};
export const deleteNodeAllocation: Handler = async (request, services) =>
  deleteAllocation(asAllocation(request, await ofNode(request, services)), services);
