/** What resources that belong to a node share: naming it in a body or a query, and keeping off while it is worked on. */
import { type Json, type Node, type NodeId, nodeLocked, ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import { findNode } from '../handlers/nodes.ts';
import { textParameter } from '../http/query.ts';
import type { ApiRequest, ApiServices } from '../request.ts';

/** The node that a body names. @throws INVALID_PARAMETER: a reference in a body that leads nowhere is the body's fault. */
export async function nodeNamedIn(value: Json, request: ApiRequest, services: ApiServices): Promise<NodeId> {
  try {
    return (await findNode(request, String(value), services)).uuid;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'NODE_NOT_FOUND')
      throw new ServiceError('INVALID_PARAMETER', error.publicMessage);
    throw error;
  }
}

/** The filter for the node of the path or of `?node=`. */
export async function nodeFilter(request: ApiRequest, services: ApiServices): Promise<{ nodeUuid?: string }> {
  const { params, query } = request;
  const ident = params['node'] ?? textParameter(query, 'node') ?? textParameter(query, 'node_uuid');
  return ident === undefined ? {} : { nodeUuid: (await findNode(request, ident, services)).uuid };
}

/** The node, when nobody works on it now. @throws NODE_LOCKED. */
export async function freeNode(tx: Repositories, nodeUuid: NodeId): Promise<Node | undefined> {
  const node = await tx.nodes.get(nodeUuid);
  if (node?.reservation) throw nodeLocked(node);
  return node;
}
