/** What a patch of a node may change in which state: the rules that Ironic's conductor keeps (conductor/manager.py, update_node). */
import { INTERFACE_KINDS, type Node, type ProvisionState, ServiceError } from '@bessemer/core';
import type { NodePatch, Repositories } from '@bessemer/db';

/** States in which a node belongs to nobody. */
const CHANGEABLE: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable', 'available'];

const wrongState = (message: string) => new ServiceError('INVALID_STATE', message);
const onlyIn = (node: Node, field: string, orMaintenance: boolean) =>
  wrongState(
    `Node ${node.uuid} can not have ${field} updated unless it is in one of allowed (${CHANGEABLE.join(', ')}) states${orMaintenance ? ' or in maintenance mode' : ''}. Current state is '${node.provisionState}'.`,
  );

/**
 * Checks the patch against the node as it is now, and gives what else changes with it. Removing the instance of a node gives its
 * allocation back. @throws ServiceError INVALID_STATE, NODE_ASSOCIATED, INVALID_PARAMETER.
 */
export async function patchConsequences(
  tx: Repositories,
  now: Node,
  patch: NodePatch,
  touched: ReadonlySet<string>,
): Promise<NodePatch> {
  const isChangeable = CHANGEABLE.includes(now.provisionState);
  if (patch.protected === true && !now.protected && now.provisionState !== 'active' && now.provisionState !== 'rescue')
    throw wrongState(
      `Node ${now.uuid} can only be made protected in provision states 'active' or 'rescue', the current state is '${now.provisionState}'`,
    );
  if (patch.retired === true && !now.retired && now.provisionState === 'available')
    throw wrongState(
      `Node ${now.uuid} can not have 'retired' set in provision state 'available', the current state is 'available'`,
    );
  for (const kind of INTERFACE_KINDS)
    if (touched.has(`${kind}_interface`) && !isChangeable && !now.maintenance)
      throw onlyIn(now, `${kind}_interface`, true);
  if (patch.driver !== undefined && patch.driver !== now.driver && now.consoleEnabled)
    throw wrongState(
      `Node ${now.uuid} can not update the driver while the console is enabled. Please stop the console first.`,
    );
  if (touched.has('resource_class') && now.resourceClass && patch.resourceClass !== now.resourceClass && !isChangeable)
    throw onlyIn(now, 'resource_class', false);
  if (patch.parentNode === now.uuid)
    throw new ServiceError('INVALID_PARAMETER', `Node ${now.uuid} can not be its own parent_node.`);

  const consequences: { -readonly [K in keyof NodePatch]: NodePatch[K] } = {};
  if (touched.has('instance_uuid') && patch.instanceUuid !== now.instanceUuid) {
    if (now.instanceUuid !== null && patch.instanceUuid)
      throw new ServiceError('NODE_ASSOCIATED', `Node ${now.uuid} is associated with instance ${now.instanceUuid}.`);
    if (now.allocationUuid !== null && !patch.instanceUuid) {
      if (!isChangeable && !now.maintenance)
        throw wrongState(
          `Node ${now.uuid} with an allocation can not have instance_uuid removed unless it is in one of allowed (${CHANGEABLE.join(', ')}) states or in maintenance mode. Current state is '${now.provisionState}'.`,
        );
      const allocation = await tx.allocations.find(now.allocationUuid);
      if (allocation) await tx.allocations.remove(allocation.uuid);
      consequences.allocationUuid = null;
    }
  }
  if (touched.has('owner') && patch.owner !== now.owner && now.allocationUuid !== null) {
    const allocation = await tx.allocations.find(now.allocationUuid);
    if (allocation?.owner)
      throw wrongState(
        `Cannot update owner of node "${now.uuid}" while it is allocated to an allocation with an owner.`,
      );
  }
  // The fault is what the service put the node into maintenance for.
  if (patch.maintenance === false) consequences.fault = null;
  const displayName = patch.instanceInfo?.['display_name'];
  if (!touched.has('instance_name') && now.instanceName === null && typeof displayName === 'string' && displayName)
    consequences.instanceName = displayName;
  return consequences;
}
