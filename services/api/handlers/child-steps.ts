/** Steps that are for the child nodes of a node: each child is judged as if it had been ordered to do them itself. */
import { isUuid, type JsonObject, type Node, ServiceError } from '@bessemer/core';
import type { ApiRequest, ApiServices } from '../request.ts';
import { findNode } from './find-node.ts';

const MOST_CHILDREN = 1000;

/**
 * `steps` as the conductor, which does not know who asks, may do them: of a project's, those that are for all children name the
 * ones that the project sees, for what it does not see is not there.
 * @throws ServiceError NODE_NOT_FOUND for a named node that the asker does not see, FORBIDDEN for a child of which they may not
 * set the provision state, INVALID_PARAMETER for a step on the children of a node that has none.
 */
export async function judgeChildren(
  steps: readonly JsonObject[],
  node: Node,
  request: ApiRequest,
  services: ApiServices,
): Promise<JsonObject[]> {
  const { operation, query } = request;
  const mayOrder = async (uuid: string) => {
    await findNode(request, uuid, services);
    await request.authorize({ operation, params: { node: uuid }, query });
  };
  const judged: JsonObject[] = [];
  for (const step of steps) {
    const { execute_on_child_nodes: isForChildren, limit_child_node_execution: limit } = step;
    if (isForChildren !== true) {
      judged.push(step);
      continue;
    }
    const named = Array.isArray(limit) ? limit : [];
    // What is no uuid is the conductor's to refuse, with the step's place.
    for (const uuid of named) if (typeof uuid === 'string' && isUuid(uuid)) await mayOrder(uuid);
    if (named.length > 0 || request.identity.project === null) {
      judged.push(step);
      continue;
    }
    const rows = await services.db.read.nodes.listRows(['uuid'], { parentNode: node.uuid }, { limit: MOST_CHILDREN });
    const children = rows.map((row) => String(row['uuid']));
    if (children.length === 0)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Step ${String(step['step'])} is to be done on child nodes, and node ${node.uuid} has none in project ${request.identity.project}.`,
      );
    for (const uuid of children) await mayOrder(uuid);
    judged.push({ ...step, limit_child_node_execution: children });
  }
  return judged;
}
