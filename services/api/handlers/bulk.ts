/** One order for many nodes: each is asked as if it had been asked alone, and has a result of its own. */
import { OPERATIONS, type OperationSpec } from '@bessemer/api-spec';
import { isServiceError, type Json, type JsonObject, serializeError, ServiceError } from '@bessemer/core';
import { expand } from '@bessemer/node-range';
import { checkBody } from '../http/operations.ts';
import { strictBoolean } from '../http/query.ts';
import { type ApiRequest, type ApiServices, type Handler, ok } from '../request.ts';
import { HANDLERS, type OperationId } from './index.ts';

/** Nodes that are asked at the same time: enough to fill a group commit, few enough to leave others their turn. */
const PARALLEL = 16;

/** What is asked of each node. */
interface Order {
  readonly operation: OperationSpec;
  readonly body: Json | undefined;
  readonly query: URLSearchParams;
}

const operationOf = (operationId: OperationId): OperationSpec => OPERATIONS.find((o) => o.operationId === operationId)!;

/** @throws ServiceError INVALID_PARAMETER for what the action does not take: nothing has been done then. */
function orderOf({ action, nodes: _nodes, ...args }: JsonObject): Order {
  const query = new URLSearchParams();
  const only = (...names: string[]) => {
    const other = Object.keys(args).find((name) => !names.includes(name));
    if (other !== undefined)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Schema error for bulk: the action ${String(action)} takes no "${other.slice(0, 60)}"${names.length > 0 ? `, only ${names.join(', ')}` : ''}`,
      );
  };
  switch (action) {
    case 'provision':
      return { operation: operationOf('setProvisionState'), body: args, query };
    case 'power':
      return { operation: operationOf('setPowerState'), body: args, query };
    case 'maintenance': {
      only('maintenance', 'reason');
      if (strictBoolean('maintenance', args['maintenance'] ?? true))
        return { operation: operationOf('setMaintenance'), body: { reason: args['reason'] ?? null }, query };
      return { operation: operationOf('clearMaintenance'), body: undefined, query };
    }
    case 'patch':
      only('patch', 'reset_interfaces');
      if (args['reset_interfaces'] !== undefined) query.set('reset_interfaces', String(args['reset_interfaces']));
      return { operation: operationOf('patchNode'), body: args['patch'] ?? {}, query };
    default:
      only();
      return { operation: operationOf('deleteNode'), body: undefined, query };
  }
}

/** Names or UUIDs, each once. @throws ServiceError INVALID_PARAMETER for a text that is no node range. */
function nodesOf(nodes: Json | undefined): readonly string[] {
  if (Array.isArray(nodes)) return [...new Set(nodes.map(String))];
  const range = expand(String(nodes));
  if (range.ok) return range.names;
  throw new ServiceError(
    'INVALID_PARAMETER',
    `nodes is no node range: ${range.error.message}, at character ${range.error.at + 1}`,
  );
}

async function ask(node: string, order: Order, request: ApiRequest, services: ApiServices): Promise<JsonObject> {
  const { operation, body, query } = order;
  const params = { node };
  try {
    await request.authorize({ operation, params, query, body });
    const reply = await HANDLERS[operation.operationId as OperationId](
      {
        ...request,
        operation,
        params,
        query,
        body,
        requestId: `${request.requestId}/${node}`,
        header: () => undefined,
      },
      services,
    );
    return { node, status: reply.status, fault: null };
  } catch (error) {
    if (isServiceError(error)) return { node, status: error.status, fault: error.publicMessage };
    services.log.error('a node of a bulk request failed', {
      requestId: request.requestId,
      node,
      error: error instanceof Error ? error.stack : String(error),
    });
    return { node, status: 500, fault: serializeError(error, request.requestId).publicMessage };
  }
}

export const bulk: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const order = orderOf(body);
  checkBody(order.operation, order.body);
  const nodes = nodesOf(body['nodes']);
  const results: JsonObject[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < nodes.length && !request.signal.aborted) {
      const at = next++;
      results[at] = await ask(nodes[at]!, order, request, services);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, nodes.length) }, work));
  // Nobody hears it but the keeper of first answers, who must not take this for one.
  if (request.signal.aborted)
    throw new ServiceError('TEMPORARY_FAILURE', `The request ended after ${next} of ${nodes.length} nodes.`);
  const failed = results.filter((r) => r['fault'] !== null).length;
  return ok({ action: body['action']!, succeeded: results.length - failed, failed, results });
};
