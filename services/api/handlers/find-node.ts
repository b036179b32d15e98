/** The node that a path names. */
import { isUuid, type Node, ServiceError } from '@bessemer/core';
import type { ApiRequest, ApiServices } from '../request.ts';

export const nodeNotFound = (ident: string) => new ServiceError('NODE_NOT_FOUND', `Node ${ident} could not be found.`);

/** The node by uuid, or by name from 1.5 on. @throws NODE_NOT_FOUND. */
export async function findNode(
  request: Pick<ApiRequest, 'minor'>,
  ident: string,
  services: ApiServices,
): Promise<Node> {
  const byUuid = isUuid(ident);
  const node =
    byUuid || request.minor >= 5 ? await services.db.read.nodes.find(byUuid ? ident.toLowerCase() : ident) : undefined;
  if (!node) throw nodeNotFound(ident);
  return node;
}
