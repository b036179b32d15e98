/** A runbook in the place of steps: what an operator has written down, for nodes that it was approved for. */
import { type JsonObject, type Node, type Runbook, ServiceError } from '@bessemer/core';
import type { ApiRequest, ApiServices } from '../request.ts';

const TRAITS_SINCE = 112;

/** Steps of an order to clean or to service. */
export interface OrderedSteps {
  readonly steps: JsonObject[];
  readonly disableRamdisk: boolean;
}

/** From 1.112 on a runbook says which traits it is for; before, its name was the trait. @throws INVALID_PARAMETER. */
function mustBeApproved(runbook: Runbook, node: Node, minor: number): void {
  const notApproved = (why: string) =>
    new ServiceError(
      'INVALID_PARAMETER',
      `This runbook has not been approved for use on this node ${node.uuid}. ${why} Please ask an administrator to add it to your node traits.`,
    );
  if (minor < TRAITS_SINCE) {
    if (!node.traits.includes(runbook.name)) throw notApproved(`The node does not have the trait ${runbook.name}.`);
    return;
  }
  if (runbook.traits.length === 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Runbook ${runbook.uuid} has no traits configured. Please ask an administrator to add traits to the runbook.`,
    );
  if (!runbook.traits.some((trait) => node.traits.includes(trait)))
    throw notApproved(`The node does not have any of the runbook's traits [${runbook.traits.join(', ')}].`);
}

/**
 * The steps of the runbook that the body names; undefined when it names none.
 * @throws ServiceError RUNBOOK_NOT_FOUND; INVALID_PARAMETER for a runbook that is not for this node, or steps beside it.
 */
export async function stepsOfRunbook(
  body: JsonObject,
  stepsField: 'clean_steps' | 'service_steps',
  node: Node,
  request: ApiRequest,
  services: ApiServices,
): Promise<OrderedSteps | undefined> {
  const ident = body['runbook'];
  if (typeof ident !== 'string') return undefined;
  if (Array.isArray(body[stepsField]) && body[stepsField].length > 0)
    throw new ServiceError('INVALID_PARAMETER', `Please provide either "${stepsField}" or a runbook, but not both.`);
  const runbook = await services.db.read.runbooks.find(ident);
  if (!runbook) throw new ServiceError('RUNBOOK_NOT_FOUND', `Runbook ${ident} could not be found.`);
  mustBeApproved(runbook, node, request.minor);
  const ordered = runbook.steps.toSorted((a, b) => a.order - b.order);
  return {
    steps: ordered.map(({ interface: kind, step, args }) => ({ interface: kind, step, args })),
    disableRamdisk: runbook.disableRamdisk,
  };
}
