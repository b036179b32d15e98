/** Ports: a NIC's MAC address and the node it belongs to. */
import { asPortId, isUuid, type JsonObject, normalizeMac, type Port, ServiceError } from '@bessemer/core';
import type { PortFilter, PortPatch } from '@bessemer/db';
import { applyPatch, type PatchOperation } from '../http/patch.ts';
import { fieldsOf, pageOf, strictBoolean, textParameter } from '../http/query.ts';
import { type ApiRequest, type ApiServices, created, type Handler, noContent, ok, type Reply } from '../request.ts';
import { collection } from '../views/links.ts';
import { portFieldTable, portView } from '../views/small.ts';
import { findNode } from './nodes.ts';

const SORT_KEYS = [
  'uuid',
  'address',
  'node_uuid',
  'created_at',
  'updated_at',
  'name',
  'pxe_enabled',
  'physical_network',
];
const WRITABLE = [
  'address',
  'node_uuid',
  'extra',
  'local_link_connection',
  'pxe_enabled',
  'portgroup_uuid',
  'physical_network',
  'is_smartnic',
  'name',
  'description',
];
const CONNECTIVITY = ['local_link_connection', 'pxe_enabled', 'physical_network', 'portgroup_uuid'];
const CONNECTIVITY_STATES = ['enroll', 'inspecting', 'inspect wait', 'manageable'];

const fullFields = (minor: number) => portFieldTable.all.filter((f) => portFieldTable.since(f) <= minor);
const portNotFound = (ident: string) => new ServiceError('PORT_NOT_FOUND', `Port ${ident} could not be found.`);

async function findPort(ident: string, services: ApiServices): Promise<Port> {
  const port = await services.db.read.ports.find(normalizeMac(ident) ?? ident);
  if (!port) throw portNotFound(ident);
  return port;
}

function macOf(value: unknown): string {
  const mac = normalizeMac(String(value));
  if (!mac)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Expected valid MAC address for address: ${String(value).slice(0, 60)}`,
    );
  return mac;
}

async function patchFrom(body: JsonObject, request: ApiRequest, services: ApiServices): Promise<PortPatch> {
  const patch: Record<string, unknown> = {};
  for (const [wire, value] of Object.entries(body)) {
    if (portFieldTable.since(wire) > request.minor) throw new ServiceError('NOT_ACCEPTABLE', 'Request not acceptable.');
    if (wire === 'address') patch['address'] = macOf(value);
    else if (wire === 'node_uuid' || wire === 'node_ident')
      patch['nodeUuid'] = await nodeUuidOf(value, request, services);
    else if (wire === 'extra') patch['extra'] = value ?? {};
    else if (wire === 'local_link_connection') patch['localLinkConnection'] = value ?? {};
    else if (wire === 'pxe_enabled') patch['pxeEnabled'] = value === null ? true : strictBoolean(wire, value);
    else if (wire === 'is_smartnic') patch['isSmartnic'] = value === null ? false : strictBoolean(wire, value);
    else if (wire === 'physical_network') patch['physicalNetwork'] = value;
    else if (wire === 'name') patch['name'] = value;
    else if (wire === 'description') patch['description'] = value;
    else if (wire === 'portgroup_uuid' && value !== null)
      throw new ServiceError('INVALID_PARAMETER', `Portgroup ${String(value)} could not be found.`);
  }
  return patch as PortPatch;
}

async function nodeUuidOf(value: unknown, request: ApiRequest, services: ApiServices): Promise<string> {
  try {
    return (await findNode(request, String(value), services)).uuid;
  } catch (error) {
    // A reference in a body that leads nowhere is the body's fault.
    if (error instanceof ServiceError && error.code === 'NODE_NOT_FOUND')
      throw new ServiceError('INVALID_PARAMETER', error.publicMessage);
    throw error;
  }
}

async function listReply(request: ApiRequest, services: ApiServices, isDetail: boolean, path: string): Promise<Reply> {
  const { query, minor } = request;
  const { fields } = fieldsOf(query, isDetail, portFieldTable, minor);
  const page = pageOf(query, services.config.max_limit, SORT_KEYS);
  const node = request.params['node'] ?? textParameter(query, 'node') ?? textParameter(query, 'node_uuid');
  const address = textParameter(query, 'address');
  const contains = textParameter(query, 'description_contains');
  const filter: PortFilter = {
    ...(node === undefined ? {} : { nodeUuid: (await findNode(request, node, services)).uuid }),
    ...(address === undefined ? {} : { address: macOf(address) }),
    ...(contains === undefined ? {} : { descriptionContains: contains }),
  };
  const ports = query.has('portgroup') ? [] : await services.db.read.ports.list(filter, page);
  const items = ports.map((port) => portView(port, fields, request.base));
  return ok(
    collection('ports', items, { base: request.base, path, limit: page.limit, query, marker: ports.at(-1)?.uuid }),
  );
}

export const listPorts: Handler = (request, services) => listReply(request, services, false, 'ports');
export const listPortsDetail: Handler = (request, services) => listReply(request, services, true, 'ports/detail');
export const listNodePorts: Handler = (request, services) =>
  listReply(request, services, false, `nodes/${request.params['node']}/ports`);

export const getPort: Handler = async (request, services) => {
  const port = await findPort(request.params['port']!, services);
  const fields = request.query.has('fields')
    ? fieldsOf(request.query, false, portFieldTable, request.minor).fields
    : fullFields(request.minor);
  return ok(portView(port, fields, request.base));
};

export const createPort: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const node = body['node_uuid'] ?? body['node_ident'];
  if (node === undefined || node === null)
    throw new ServiceError('MISSING_PARAMETER', "Schema error for port: 'node_uuid' is a required property");
  if (body['node_ident'] !== undefined && request.minor < 94)
    throw new ServiceError('NOT_ACCEPTABLE', 'Request not acceptable.');
  const uuid = body['uuid'] ?? services.random.uuid();
  if (typeof uuid !== 'string' || !isUuid(uuid))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for uuid: ${String(uuid)}`);
  const patch = await patchFrom(body, request, services);
  const port = await services.db.write('create port', (tx) =>
    tx.ports.create({ ...patch, uuid: asPortId(uuid), nodeUuid: patch.nodeUuid!, address: patch.address! }),
  );
  return created(portView(port, fullFields(request.minor), request.base), `${request.base}/v1/ports/${port.uuid}`);
};

const nodeLocked = (node: { readonly uuid: string }, host: string): ServiceError =>
  new ServiceError(
    'NODE_LOCKED',
    `Node ${node.uuid} is locked by host ${host}, please retry after the current operation is completed.`,
  );

export const patchPort: Handler = async (request, services) => {
  const operations = request.body as unknown as PatchOperation[];
  const touched = new Set(operations.map((o) => o.path.split('/')[1]!));
  const bad = [...touched].find((name) => !WRITABLE.includes(name));
  if (bad !== undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Cannot patch /${bad}. Only the following can be updated: ${WRITABLE.join(', ')}`,
    );
  const found = await findPort(request.params['port']!, services);
  const document: JsonObject = {
    address: found.address,
    node_uuid: found.nodeUuid,
    extra: found.extra,
    local_link_connection: found.localLinkConnection,
    pxe_enabled: found.pxeEnabled,
    portgroup_uuid: found.portgroupUuid,
    physical_network: found.physicalNetwork,
    is_smartnic: found.isSmartnic,
    name: found.name,
    description: found.description,
  };
  const after = applyPatch(document, operations, request.minor);
  for (const name of touched) if (!Object.hasOwn(after, name)) after[name] = null;
  if (after['address'] === null)
    throw new ServiceError('INVALID_PARAMETER', "Couldn't apply patch: address is mandatory");
  const patch = await patchFrom(
    Object.fromEntries([...touched].map((name) => [name, after[name]!])),
    request,
    services,
  );
  const port = await services.db.write('patch port', async (tx) => {
    const node = await tx.nodes.get(found.nodeUuid);
    for (const nodeUuid of new Set([found.nodeUuid, patch.nodeUuid ?? found.nodeUuid])) {
      const concerned = await tx.nodes.get(nodeUuid);
      if (concerned?.reservation) throw nodeLocked(concerned, concerned.reservation.conductor);
      // A port is how a machine is known when it boots: moved now, another machine would get this node's image.
      if ((touched.has('address') || touched.has('node_uuid')) && (await tx.runs.current(nodeUuid)))
        throw new ServiceError(
          'INVALID_STATE',
          `Port ${found.uuid} can not get another address or node while work is under way on node ${nodeUuid}: wait until it ends, or abort it.`,
        );
    }
    if (
      node &&
      [...touched].some((n) => CONNECTIVITY.includes(n)) &&
      !node.maintenance &&
      !CONNECTIVITY_STATES.includes(node.provisionState)
    )
      throw new ServiceError(
        'INVALID_STATE',
        `Port ${found.uuid} can not have any connectivity attributes (portgroup_id, local_link_connection, physical_network, pxe_enabled) updated unless node ${node.uuid} is in a enroll, inspecting, inspect wait, manageable state or in maintenance mode. The current state is ${node.provisionState}.`,
      );
    return tx.ports.update(found.uuid, patch);
  });
  return ok(portView(port, fullFields(request.minor), request.base));
};

export const deletePort: Handler = async (request, services) => {
  const port = await findPort(request.params['port']!, services);
  await services.db.write('delete port', async (tx) => {
    const node = await tx.nodes.get(port.nodeUuid);
    if (node?.reservation) throw nodeLocked(node, node.reservation.conductor);
    await tx.ports.remove(port.uuid);
  });
  return noContent;
};
