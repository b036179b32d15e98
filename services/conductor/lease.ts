/** Taking the lease on a node. */
import type { Node, SessionId } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';

export const nodeLocked = (node: Node): ServiceError =>
  new ServiceError(
    'NODE_LOCKED',
    `Node ${node.uuid} is locked by host ${node.reservation?.conductor ?? 'unknown'}, please retry after the current operation is completed.`,
    { context: { purpose: node.reservation?.purpose } },
  );

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
