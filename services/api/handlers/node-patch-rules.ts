/** What a patch of a node may change in which state: the rules that Ironic's conductor keeps (conductor/manager.py, update_node). */
import { INTERFACE_KINDS, isJsonObject, type Node, type ProvisionState, ServiceError } from '@bessemer/core';
import type { NodePatch, Repositories } from '@bessemer/db';
import type { PatchOperation } from '../http/patch.ts';
import { inPython } from '../http/python.ts';
import { networkDataProblem } from './network-data.ts';
import { checkNodeName, MAX_DESCRIPTION_CHARS } from './node-input.ts';

/** States in which a node belongs to nobody. */
const CHANGEABLE: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable', 'available'];

const wrongState = (message: string) => new ServiceError('INVALID_STATE', message);
const onlyIn = (node: Node, field: string, orMaintenance: boolean) =>
  wrongState(
    `Node ${node.uuid} can not have ${field} updated unless it is in one of allowed (${CHANGEABLE.join(', ')}) states${orMaintenance ? ' or in maintenance mode' : ''}. Current state is '${node.provisionState}'.`,
  );

/** What Ironic looks at in the operations before it looks for the node. `ident` as in the path. @throws INVALID_PARAMETER. */
export function checkPatchValues(operations: readonly PatchOperation[], ident: string, minor: number): void {
  const given = (path: string) =>
    operations.flatMap((o) => (o.path === path && o.op !== 'remove' && o.value !== undefined ? [o.value] : []));
  const invalid = (message: string) => new ServiceError('INVALID_PARAMETER', message);
  if (given('/description').some((text) => typeof text === 'string' && text.length > MAX_DESCRIPTION_CHARS))
    throw invalid(`Cannot update node with description exceeding ${MAX_DESCRIPTION_CHARS} characters`);
  for (const data of given('/network_data')) {
    const problem = isJsonObject(data) ? networkDataProblem(data) : "it is not of type 'object'";
    if (problem !== undefined) throw invalid(`Invalid network_data: ${problem}`);
  }
  for (const value of given('/protected'))
    if (value !== null && !['boolean', 'string'].includes(typeof value))
      throw invalid('Schema error for patch: protected must be a boolean or a string or null');
  const refusal = `Node ${ident}: Cannot change name to invalid name`;
  for (const name of given('/name')) {
    // A name is taken away by removing it.
    if (typeof name !== 'string') throw invalid(`${refusal} '${inPython(name)}'`);
    checkNodeName(name, refusal, minor);
  }
}

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
  for (const name of ['protected', 'retired'] as const) {
    const reason = patch[`${name}Reason`];
    if (reason && reason !== now[`${name}Reason`] && !(patch[name] ?? now[name]))
      throw new ServiceError('INVALID_PARAMETER', `The ${name}_reason field can only be set when ${name} is True`);
  }
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
  if (patch.protected === false && now.protected) consequences.protectedReason = null;
  if (patch.retired === false && now.retired) consequences.retiredReason = null;
  // The fault is what the service put the node into maintenance for.
  if (patch.maintenance === false) consequences.fault = null;
  const displayName = patch.instanceInfo?.['display_name'];
  if (!touched.has('instance_name') && now.instanceName === null && typeof displayName === 'string' && displayName)
    consequences.instanceName = displayName;
  return consequences;
}
