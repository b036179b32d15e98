/**
 * Virtual interfaces of a network service, bound to the ports of a node. With network interface `noop` there is nothing to bind:
 * attaching is accepted and forgotten, as Ironic does.
 */
import { type Json, type JsonObject, type Node, type Port, type Portgroup, ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import { interfaceOf } from '../conductors.ts';
import { type ApiRequest, type ApiServices, type Handler, noContent, ok } from '../request.ts';
import { freeNode } from '../resources/of-node.ts';
import { uuidOf } from '../resources/resource.ts';
import { findNode } from './find-node.ts';

const VIF = 'tenant_vif_port_id';
const PAGE = { limit: 1000 };

type Bindable =
  | { readonly kind: 'port'; readonly item: Port }
  | { readonly kind: 'portgroup'; readonly item: Portgroup };
const vifOf = ({ item }: Bindable): Json => item.internalInfo[VIF] ?? null;

/** Port groups first, then ports that boot from the network: the order in which Ironic takes them. */
async function bindables(tx: Repositories, node: Node): Promise<Bindable[]> {
  const ports = await tx.ports.list({ nodeUuid: node.uuid }, PAGE);
  const groups = await tx.portgroups.list({ nodeUuid: node.uuid }, PAGE);
  const members = new Set(ports.map((port) => port.portgroupUuid));
  return [
    ...groups.filter((group) => members.has(group.uuid)).map((item): Bindable => ({ kind: 'portgroup', item })),
    ...ports
      .filter((port) => port.portgroupUuid === null)
      .toSorted((a, b) => Number(b.pxeEnabled) - Number(a.pxeEnabled))
      .map((item): Bindable => ({ kind: 'port', item })),
  ];
}

async function bind(tx: Repositories, { kind, item }: Bindable, vif: string | null): Promise<void> {
  const { [VIF]: _old, ...rest } = item.internalInfo;
  const internalInfo: JsonObject = vif === null ? rest : { ...rest, [VIF]: vif };
  await (kind === 'port'
    ? tx.ports.update(item.uuid, { internalInfo })
    : tx.portgroups.update(item.uuid, { internalInfo }));
}

/** @throws INVALID_PARAMETER for what is neither a UUID nor a name. */
function checkVifName(field: string, value: string): void {
  if (!/^[A-Za-z0-9._~-]{1,255}$/.test(value))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID or name for ${field}: ${value.slice(0, 60)}`);
}

async function located(request: ApiRequest, services: ApiServices): Promise<{ node: Node; isNoop: boolean }> {
  const node = await findNode(request, request.params['node']!, services);
  return { node, isNoop: (await interfaceOf(node, 'network', services.db.read)) === 'noop' };
}

export const listVifs: Handler = async (request, services) => {
  const { node, isNoop } = await located(request, services);
  const bound = isNoop ? [] : (await bindables(services.db.read, node)).filter((b) => vifOf(b) !== null);
  return ok({ vifs: bound.map((b) => ({ id: vifOf(b) })) });
};

export const attachVif: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const id = body['id'];
  if (typeof id !== 'string' || id === '')
    throw new ServiceError('INVALID_PARAMETER', "Schema error for vif: 'id' is a required property");
  checkVifName('id', id);
  const wanted = { port: body['port_uuid'] ?? undefined, portgroup: body['portgroup_uuid'] ?? undefined };
  const { node, isNoop } = await located(request, services);
  // A port could be named before: 1.67 brought that only one of the two can.
  if (wanted.port !== undefined && wanted.portgroup !== undefined && request.minor >= 67)
    throw new ServiceError('INVALID_PARAMETER', 'Cannot specify both port_uuid and portgroup_uuid');
  if (isNoop) return noContent;
  if (wanted.port !== undefined || wanted.portgroup !== undefined)
    uuidOf(wanted.port === undefined ? 'portgroup_uuid' : 'port_uuid', wanted.port ?? wanted.portgroup ?? null);
  await services.db.write('attach vif', async (tx) => {
    const now = await freeNode(tx, node.uuid);
    if (!now) return;
    const all = await bindables(tx, now);
    const holder = all.find((b) => vifOf(b) === id);
    if (holder)
      throw new ServiceError(
        'INVALID_STATE',
        `Unable to attach VIF because VIF ${id} is already attached to Ironic ${holder.kind} ${holder.item.uuid}`,
      );
    const free = all.find(
      (b) =>
        vifOf(b) === null &&
        (wanted.port === undefined || b.item.uuid === wanted.port) &&
        (wanted.portgroup === undefined || b.item.uuid === wanted.portgroup),
    );
    if (!free)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Unable to attach VIF ${id}, not enough free physical ports. Register another port of node ${now.uuid}, or detach a VIF.`,
      );
    await bind(tx, free, id);
  });
  return noContent;
};

export const detachVif: Handler = async (request, services) => {
  const { node, isNoop } = await located(request, services);
  const id = request.params['vif']!;
  checkVifName('vif_id', id);
  if (isNoop) return noContent;
  await services.db.write('detach vif', async (tx) => {
    const now = await freeNode(tx, node.uuid);
    const holder = now && (await bindables(tx, now)).find((b) => vifOf(b) === id);
    if (!holder)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Unable to detach VIF ${id} from node ${node.uuid} because it is not attached to it.`,
      );
    await bind(tx, holder, null);
  });
  return noContent;
};
