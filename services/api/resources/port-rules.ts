/** What may be done with a port or a port group: by the state of its node, and by what it is bonded with. */
import { type Node, type Port, type Portgroup, ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import { interfaceOf } from '../conductors.ts';
import type { ApiRequest } from '../request.ts';
import { freeNode } from './of-node.ts';
import type { Change } from './resource.ts';

const CONNECTIVITY = ['local_link_connection', 'pxe_enabled', 'physical_network', 'portgroup_uuid'];
const CONNECTIVITY_STATES = ['enroll', 'inspecting', 'inspect wait', 'manageable'];
/** Since there is `inspect wait`, `inspecting` is the time in which a conductor writes down what was found. */
const WRITTEN_BY_INSPECTION_SINCE = 39;
/** Since a port group has a physical network, it is that of its ports. */
const GROUP_NETWORK_SINCE = 102;
const VIF = 'tenant_vif_port_id';
const PAGE = { limit: 1000 };

const refused = (message: string) => new ServiceError('INVALID_STATE', message);
const bad = (message: string) => new ServiceError('INVALID_PARAMETER', message);
const mayConnect = (node: Node) => node.maintenance || CONNECTIVITY_STATES.includes(node.provisionState);

function notWhileInspecting(what: string, node: Node | undefined, { minor }: ApiRequest): void {
  if (node?.provisionState === 'inspecting' && minor >= WRITTEN_BY_INSPECTION_SINCE)
    throw refused(`Cannot update ${what} on "${node.uuid}" while it is in state "inspecting".`);
}

/** Why a port cannot be used by itself while its group is one that takes whole bonds alone. */
function aloneReasons(port: Pick<Port, 'pxeEnabled' | 'internalInfo'>, be: 'was' | 'is'): string[] {
  const vif = port.internalInfo[VIF];
  return [
    ...(port.pxeEnabled ? [`'pxe_enabled' ${be} set to True`] : []),
    ...(vif ? [`VIF ${String(vif)} is attached to ${be === 'was' ? 'the' : 'this'} port`] : []),
  ];
}

/** All ports of a bond are in one physical network. @throws INVALID_STATE. */
async function mustShareNetwork(tx: Repositories, group: Portgroup, port: Partial<Port>): Promise<void> {
  const [other] = (await tx.ports.list({ portgroupUuid: group.uuid }, PAGE)).filter((p) => p.uuid !== port.uuid);
  const network = other ? other.physicalNetwork : group.physicalNetwork;
  if ((!other && network === null) || network === (port.physicalNetwork ?? null)) return;
  throw refused(
    `Port with physical network ${port.physicalNetwork ?? 'None'} cannot become a member of port group ${group.uuid} which has ports in physical network ${network ?? 'None'}.`,
  );
}

/** @throws INVALID_STATE, INVALID_PARAMETER, NODE_LOCKED. */
export async function mayWritePort(tx: Repositories, change: Change<Port>): Promise<void> {
  const { found, patch, touched } = change;
  const nodeUuid = patch.nodeUuid ?? found?.nodeUuid;
  const after: Partial<Port> = { ...found, ...patch };
  const group = after.portgroupUuid ? await tx.portgroups.find(after.portgroupUuid) : undefined;
  if (group && patch.portgroupUuid && group.nodeUuid !== nodeUuid)
    throw bad('Port can not be added to a portgroup belonging to a different node.');
  if (!found) {
    if (nodeUuid) await freeNode(tx, nodeUuid);
    if (group && !group.standalonePortsSupported && touched.has('pxe_enabled') && patch.pxeEnabled)
      throw refused(
        `Port group ${group.uuid} doesn't support standalone ports. This port cannot be created as a member of that portgroup as the port's 'pxe_enabled' field was set to True.`,
      );
    if (group) await mustShareNetwork(tx, group, after);
    return;
  }
  await mayChangePort(tx, found, { ...change, after, group });
}

async function mayChangePort(
  tx: Repositories,
  found: Port,
  change: Change<Port> & { readonly after: Partial<Port>; readonly group: Portgroup | undefined },
): Promise<void> {
  const { patch, touched, request, after, group } = change;
  const nodeUuid = patch.nodeUuid ?? found.nodeUuid;
  // Everything is asked of the node that the port will be at.
  const node = await tx.nodes.get(nodeUuid);
  notWhileInspecting(`port "${found.uuid}"`, node, request);
  if (group && touched.has('physical_network') && request.minor >= GROUP_NETWORK_SINCE)
    throw bad('physical_network cannot be changed while the port belongs to a portgroup.');
  for (const uuid of new Set([found.nodeUuid, nodeUuid])) {
    await freeNode(tx, uuid);
    // A port is how a machine is known when it boots: moved now, another machine would get this node's image.
    if ((touched.has('address') || touched.has('node_uuid')) && (await tx.runs.current(uuid)))
      throw refused(
        `Port ${found.uuid} can not get another address or node while work is under way on node ${uuid}: wait until it ends, or abort it.`,
      );
  }
  if (!node) return;
  if (touched.has('address') && !node.maintenance && (node.provisionState === 'active' || node.instanceUuid))
    throw refused(
      `Cannot update hardware address for port ${found.uuid} as node ${node.uuid} is active or has instance UUID assigned`,
    );
  if ([...touched].some((name) => CONNECTIVITY.includes(name)) && !mayConnect(node))
    throw refused(
      `Port ${found.uuid} can not have any connectivity attributes (portgroup_id, local_link_connection, physical_network, pxe_enabled) updated unless node ${node.uuid} is in a ${CONNECTIVITY_STATES.join(', ')} state or in maintenance mode. The current state is ${node.provisionState}.`,
    );
  if (!group) return;
  const isJoining = touched.has('portgroup_uuid');
  if (isJoining || touched.has('physical_network')) await mustShareNetwork(tx, group, after);
  if (group.standalonePortsSupported || (await interfaceOf(node, 'network', tx)) === 'noop') return;
  const port = { ...found, ...patch };
  const reasons = isJoining || touched.has('pxe_enabled') || port.internalInfo[VIF] ? aloneReasons(port, 'was') : [];
  if (reasons.length > 0)
    throw refused(
      `Port group ${group.uuid} doesn't support standalone ports. This port ${found.uuid} cannot be a member of that port group because of: ${reasons.join(', ')}`,
    );
}

/** @throws INVALID_STATE, PORTGROUP_NOT_EMPTY, NODE_LOCKED. */
export async function mayWritePortgroup(tx: Repositories, change: Change<Portgroup>): Promise<void> {
  const { found, patch, touched, request } = change;
  if (!found) return;
  await freeNode(tx, found.nodeUuid);
  const node = await freeNode(tx, patch.nodeUuid ?? found.nodeUuid);
  notWhileInspecting(`portgroup "${found.uuid}"`, node, request);
  const members = await tx.ports.list({ portgroupUuid: found.uuid }, PAGE);
  if (touched.has('node_uuid')) {
    if (node && !mayConnect(node))
      throw refused(
        `Portgroup ${found.uuid} can not be associated to node ${node.uuid} unless the node is in a ${CONNECTIVITY_STATES.join(', ')} state or in maintenance mode. Current state is '${node.provisionState}'.`,
      );
    if (members.length > 0)
      throw new ServiceError(
        'PORTGROUP_NOT_EMPTY',
        `Portgroup ${found.uuid} can not be associated with node ${patch.nodeUuid} because there are ports associated with this portgroup.`,
      );
  }
  if (node && touched.has('standalone_ports_supported') && !patch.standalonePortsSupported) {
    const reasons = members.map((port) => aloneReasons(port, 'is')).find((list) => list.length > 0);
    if (reasons && (await interfaceOf(node, 'network', tx)) !== 'noop')
      throw refused(
        `standalone_ports_supported can not be set to False, because the port group ${found.uuid} contains port with ${reasons.join(', ')}`,
      );
  }
  // What a group is connected to, its ports are.
  if (touched.has('physical_network'))
    for (const { uuid } of members) await tx.ports.update(uuid, { physicalNetwork: patch.physicalNetwork ?? null });
}
