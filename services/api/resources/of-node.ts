/** What resources that belong to a node share: naming it in a body or a query, and keeping off while it is worked on. */
import { isUuid, type Json, type Node, type NodeId, nodeLocked, ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import { findNode } from '../handlers/find-node.ts';
import { textParameter } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import type { ApiRequest, ApiServices } from '../request.ts';
import { LOGICAL_NAME, uuidOf } from './resource.ts';

/** What Ironic says of a volume whose node is not there. */
export const noSuchInput = (ident: string): string =>
  `Invalid input for field/attribute node_uuid. Value: '${ident.slice(0, 60)}'. `;

/**
 * The node that a body names; `words` says that it is not there.
 * @throws INVALID_PARAMETER: a reference in a body that leads nowhere is the body's fault.
 */
export async function nodeNamedIn(
  value: Json,
  request: ApiRequest,
  services: ApiServices,
  words?: (ident: string) => string,
): Promise<NodeId> {
  try {
    return (await findNode(request, String(value), services)).uuid;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'NODE_NOT_FOUND')
      throw new ServiceError('INVALID_PARAMETER', words?.(String(value)) ?? error.publicMessage);
    throw error;
  }
}

const NAMES_SINCE = 6;

/** What `?node=` holds. @throws INVALID_PARAMETER for what is neither UUID nor name. */
export function nodeNameOf({ query }: ApiRequest): string | undefined {
  const named = textParameter(query, 'node');
  if (named !== undefined && !isUuid(named) && !LOGICAL_NAME.test(named))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID or name for node: ${named.slice(0, 60)}`);
  return named;
}

/** The filter for the node of the path or of `?node=`. */
export async function nodeFilter(request: ApiRequest, services: ApiServices): Promise<{ nodeUuid?: string }> {
  const { params, query, minor } = request;
  const named = nodeNameOf(request);
  if (named !== undefined && !isUuid(named))
    needsVersion('The name of a node in the parameter node', NAMES_SINCE, minor);
  const uuid = textParameter(query, 'node_uuid');
  if (uuid !== undefined) uuidOf('node_uuid', uuid);
  const ident = params['node'] ?? uuid ?? named;
  return ident === undefined ? {} : { nodeUuid: (await findNode(request, ident, services)).uuid };
}

/** The node, when nobody works on it now. @throws NODE_LOCKED. */
export async function freeNode(tx: Repositories, nodeUuid: NodeId): Promise<Node | undefined> {
  const node = await tx.nodes.get(nodeUuid);
  if (node?.reservation) throw nodeLocked(node);
  return node;
}
