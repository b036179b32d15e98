/**
 * How Ironic refuses an operation below the microversion that brought it. Most paths are not there at all then; some of its
 * controllers answer in words of their own, which scripts may look for.
 */
import type { OperationSpec } from '@bessemer/api-spec';
import { ServiceError } from '@bessemer/core';

/** An error of the part of Ironic that finds the controller: its body has another form (`envelope.ts`). */
export const routeError = (
  code: 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'NOT_ACCEPTABLE',
  message: string,
): ServiceError => new ServiceError(code, message, { context: { isRoute: true } });

const METHOD = new Set(
  `addTrait setTraits createAllocation deleteAllocation patchAllocation createDeployTemplate deleteDeployTemplate
  patchDeployTemplate`.split(/\s+/),
);
const PLAIN = new Set(
  `createPortgroup listPortgroups getConductor listConductors getNodeVolume getVolume injectNmi postEvents removeTrait
  removeTraits`.split(/\s+/),
);
const NOT_ACCEPTABLE = new Set(['getRaidProperties', 'getTraits', 'setRaidConfig']);
const ENDPOINT = new Set(['setBootMode', 'setSecureBoot']);

/** The error of a request whose microversion is too old for the operation: Ironic's words, then which version is needed. */
export function tooOld({ operationId, since }: OperationSpec): ServiceError {
  const need = `${operationId} needs API version 1.${since} or newer.`;
  if (METHOD.has(operationId)) return routeError('METHOD_NOT_ALLOWED', need);
  if (PLAIN.has(operationId)) return new ServiceError('NOT_FOUND', `Resource could not be found. ${need}`);
  if (NOT_ACCEPTABLE.has(operationId)) return new ServiceError('NOT_ACCEPTABLE', `Request not acceptable. ${need}`);
  if (ENDPOINT.has(operationId))
    return new ServiceError('NOT_FOUND', `This endpoint is supported starting with the API version 1.${since}`);
  return routeError('NOT_FOUND', need);
}
