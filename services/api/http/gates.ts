/**
 * How Ironic refuses an operation below the microversion that brought it. Most paths are not there at all then; some of its
 * controllers answer in words of their own, which scripts may look for.
 */
import type { OperationSpec } from '@bessemer/api-spec';
import { ServiceError } from '@bessemer/core';

/**
 * An error of the part of Ironic that finds the controller: its body has another form (`envelope.ts`). Of METHOD_NOT_ALLOWED the
 * context may say what is `allowed`.
 */
export const routeError = (
  code: 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'NOT_ACCEPTABLE' | 'INVALID_PARAMETER',
  message: string,
  context: Readonly<Record<string, string>> = {},
): ServiceError => new ServiceError(code, message, { context: { ...context, isRoute: true } });

/** What may stand in the place of a node in a path: a UUID, or a name of RFC 3986 unreserved characters. */
const NODE_IDENT = /^[A-Za-z0-9._~-]{1,255}$/;

/** Ironic finds no controller for what is no name. @throws ServiceError INVALID_PARAMETER. */
export function checkNodeIdent(ident: string | undefined): void {
  if (ident !== undefined && !NODE_IDENT.test(ident))
    throw routeError('INVALID_PARAMETER', `Expected UUID or name for node: ${ident.slice(0, 255)}`);
}

const NODE_METHODS = new Set(['addTrait', 'setTraits']);
const METHOD = new Set(
  `createAllocation deleteAllocation patchAllocation createDeployTemplate deleteDeployTemplate patchDeployTemplate
  createRunbook deleteRunbook patchRunbook`.split(/\s+/),
);
const PLAIN = new Set(
  `createPortgroup listPortgroups getConductor heartbeat listConductors lookup getNodeVolume getVolume injectNmi postEvents removeTrait
  removeTraits`.split(/\s+/),
);
const NOT_ACCEPTABLE = new Set(['getRaidProperties', 'getTraits', 'setRaidConfig']);
const ENDPOINT = new Set(['setBootMode', 'setSecureBoot']);
/** Below their version they are not there, and another method at their path is not allowed. */
const METHOD_OF_OTHERS = new Set(['listShards']);

function notAllowed(message: string, methods: readonly string[]): ServiceError {
  return routeError('METHOD_NOT_ALLOWED', message, { allowed: [...new Set(methods)].toSorted().join(', ') });
}

/** What is said not to be allowed below its version, where Ironic says anything. */
const ALLOWED_LATER: ReadonlyArray<readonly [path: RegExp, what: string]> = [
  [/^\/v1\/allocations(\/|$)|^\/v1\/nodes\/\{node\}\/allocation$/, 'allocations'],
  [/^\/v1\/deploy_templates(\/|$)/, 'deploy templates'],
  [/^\/v1\/inspection_rules(\/|$)/, 'inspection rules'],
  [/^\/v1\/runbooks(\/|$)/, 'runbooks'],
  [/^\/v1\/shards$/, 'shards'],
  [/\/firmware$/, 'node firmware'],
];

/** The error of a request whose microversion is too old for the operation: Ironic's words, then which version is needed. */
export function tooOld({ operationId, path, since }: OperationSpec): ServiceError {
  const what =
    operationId === 'patchAllocation'
      ? 'updating allocations'
      : ALLOWED_LATER.find(([pattern]) => pattern.test(path))?.[1];
  const words = what === undefined ? '' : `The API version does not allow ${what}. `;
  const need = `${words}${operationId} needs API version 1.${since} or newer.`;
  // What is below a node that has no traits belongs to the node.
  if (NODE_METHODS.has(operationId)) return notAllowed(need, ['DELETE', 'GET', 'PATCH', 'POST']);
  if (METHOD.has(operationId)) return routeError('METHOD_NOT_ALLOWED', need);
  if (PLAIN.has(operationId)) return new ServiceError('NOT_FOUND', `Resource could not be found. ${need}`);
  if (NOT_ACCEPTABLE.has(operationId)) return new ServiceError('NOT_ACCEPTABLE', `Request not acceptable. ${need}`);
  if (ENDPOINT.has(operationId))
    return new ServiceError('NOT_FOUND', `This endpoint is supported starting with the API version 1.${since}`);
  return routeError('NOT_FOUND', need);
}

/** What Ironic calls the parameter that ends the path of an item. */
const ITEM_PARAMETERS: Readonly<Record<string, string>> = {
  allocation: 'allocation_ident',
  chassis: 'chassis_uuid',
  connector: 'connector_uuid',
  node: 'node_ident',
  port: 'port_uuid',
  portgroup: 'portgroup_ident',
  rule: 'inspection_rule_uuid',
  runbook: 'runbook_ident',
  target: 'target_uuid',
  template: 'template_ident',
  vif: 'vif_id',
};

/**
 * The error of a method that a path does not take. Ironic has one controller for a collection and its items: it allows the
 * methods of both, and misses the name of the item where one acts on items alone.
 */
export function wrongMethod(
  method: string,
  { operations, beside }: { readonly operations: readonly OperationSpec[]; readonly beside: readonly OperationSpec[] },
  minor: number,
): ServiceError {
  // Controllers that look at the version by themselves are reached at any.
  const isLate = operations.some(({ operationId }) =>
    [PLAIN, NOT_ACCEPTABLE, ENDPOINT].some((set) => set.has(operationId)),
  );
  if (!isLate && operations.every(({ since }) => minor < since)) {
    const early = tooOld(operations.find(({ operationId }) => METHOD.has(operationId)) ?? operations[0]!);
    const isOfOthers = operations.some(({ operationId }) => METHOD_OF_OTHERS.has(operationId));
    return isOfOthers ? routeError('METHOD_NOT_ALLOWED', early.publicMessage) : early;
  }
  const ofItem = beside.find((operation) => operation.method === method);
  const missing = ofItem && ITEM_PARAMETERS[/\{(\w+)\}$/.exec(ofItem.path)?.[1] ?? ''];
  if (missing !== undefined && (isLate || minor >= ofItem!.since))
    return new ServiceError('MISSING_PARAMETER', `Missing mandatory parameter: ${missing}`);
  const methods = (of: readonly OperationSpec[]) => [...new Set(of.map((operation) => operation.method))].toSorted();
  return notAllowed(
    `${method} is not possible here; allowed: ${methods(operations).join(', ')}.`,
    methods([...operations, ...beside]),
  );
}
