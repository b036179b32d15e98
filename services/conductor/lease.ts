/** Taking the lease on a node, and giving it back for certain. */
import { coerceError, type Node, type NodeId, nodeLocked, type SessionId } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Log } from '@bessemer/ports';

/**
 * Takes the node's lease and gives the fence. The conductor's own session is a holder like any other: two pieces of work on one
 * node exclude each other within a process too. @throws NODE_LOCKED.
 */
export async function reserveNode(
  tx: Repositories,
  node: Node,
  session: { readonly id: SessionId; readonly host: string },
  purpose: string,
): Promise<number> {
  if (node.reservation?.session === session.id) throw nodeLocked(node);
  const reservation = await tx.nodes.reserve(node.uuid, session.id, session.host, purpose);
  if (!reservation) throw nodeLocked(node);
  return reservation.fence;
}

/** Gives back leases under which no run goes on. A lease that stayed would lock its node for as long as this process lives. */
export interface LeaseReturns {
  /** Never rejects: what the database does not take now is given back by `sweep`. */
  release(nodeUuid: NodeId, fence: number): Promise<void>;
  /** Gives back what was left. @throws what the database throws: the rest is tried the next time. */
  sweep(): Promise<void>;
}

export function createLeaseReturns({ db, log }: { readonly db: Db; readonly log: Log }): LeaseReturns {
  const left = new Map<NodeId, number>();
  // An older fence than the node's gives nothing back: whoever has the node since then keeps it.
  const giveBack = (nodeUuid: NodeId, fence: number) =>
    db.write('node.release', (tx) => tx.nodes.release(nodeUuid, fence));
  return {
    async release(nodeUuid, fence) {
      try {
        await giveBack(nodeUuid, fence);
      } catch (error) {
        left.set(nodeUuid, fence);
        log.warn('a lease was not given back yet', { node: nodeUuid, error: coerceError(error).message });
      }
    },
    async sweep() {
      for (const [nodeUuid, fence] of left) {
        await giveBack(nodeUuid, fence);
        if (left.get(nodeUuid) === fence) left.delete(nodeUuid);
      }
    },
  };
}
