/** What a node notes of its instance, and forgets with it, beside its own fields. */
import { type Node, isServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';

const PAGE = { limit: 1000 } as const;

/** Frees what was bound to the instance: its allocation is over, its networks (VIFs) are taken off the ports. */
export async function forgetInstance(tx: Repositories, node: Node): Promise<void> {
  const { allocationUuid, uuid: nodeUuid } = node;
  if (allocationUuid !== null)
    await tx.allocations.remove(allocationUuid).catch((error: unknown) => {
      if (!isServiceError(error, 'ALLOCATION_NOT_FOUND')) throw error;
    });
  for (const { uuid, internalInfo } of await tx.ports.list({ nodeUuid }, PAGE)) {
    const { tenant_vif_port_id: vif, ...kept } = internalInfo;
    if (vif !== undefined) await tx.ports.update(uuid, { internalInfo: kept });
  }
  for (const { uuid, internalInfo } of await tx.portgroups.list({ nodeUuid }, PAGE)) {
    const { tenant_vif_port_id: vif, ...kept } = internalInfo;
    if (vif !== undefined) await tx.portgroups.update(uuid, { internalInfo: kept });
  }
}

/** Ironic's clients read in `instance_info` what kind of image a node has: `partition` where kernel and ramdisk are named. */
export async function noteImageType(tx: Repositories, { uuid, instanceInfo }: Node): Promise<void> {
  const { image_source: source, image_type: type, kernel, ramdisk } = instanceInfo;
  if (source == null || type != null) return;
  const found = kernel != null && ramdisk != null ? 'partition' : 'whole-disk';
  await tx.nodes.update(uuid, { instanceInfo: { ...instanceInfo, image_type: found } });
}

/** The drive of a request takes the place of one in `instance_info`, also for the rebuilds to come. */
export async function withoutNotedDrive(tx: Repositories, node: Node): Promise<Node> {
  const { configdrive, ...instanceInfo } = node.instanceInfo;
  return configdrive === undefined ? node : tx.nodes.update(node.uuid, { instanceInfo });
}
